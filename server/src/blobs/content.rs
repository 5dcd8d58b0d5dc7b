//! A content on its way into the store: in memory when small, else in a temporary file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::Either;
use futures_util::{Stream, stream};
use tokio::task::spawn_blocking;

use crate::error::{AppError, Result};

/// Read at once from a temporary file: a multiple of 4, so that base64 falls into whole groups.
const READ_BYTES: u64 = 96 * 1024;

/// A content on its way into the store. It can be streamed any number of times.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Memory(Bytes),
    /// In a part of a temporary file.
    File {
        /// The file.
        file: Arc<File>,
        /// Where in the file it begins.
        offset: u64,
        /// How many bytes of the file it takes.
        length: u64,
        /// How it is written there.
        encoding: Encoding,
    },
}

/// How a content is written in a temporary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// As base64.
    Base64,
}

impl Content {
    /// A content from its base64.
    pub fn from_base64(text: &str) -> Result<Self> {
        Ok(Self::Memory(decode(text.as_bytes())?.into()))
    }

    /// The content from its start to its end.
    pub fn stream(&self) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
        match self {
            Self::Memory(bytes) => Either::Left(stream::iter([Ok(bytes.clone())])),
            Self::File { file, offset, length, encoding } => {
                let (file, end, encoding) = (Arc::clone(file), offset + length, *encoding);
                Either::Right(stream::try_unfold(*offset, move |at| {
                    let file = Arc::clone(&file);
                    async move {
                        if at == end {
                            return Ok(None);
                        }
                        let length = READ_BYTES.min(end - at);
                        let bytes = read_at(file, at, length).await?;
                        let bytes = if encoding == Encoding::Base64 { decode(&bytes)? } else { bytes };
                        Ok(Some((Bytes::from(bytes), at + length)))
                    }
                }))
            }
        }
    }
}

async fn read_at(file: Arc<File>, offset: u64, length: u64) -> Result<Vec<u8>> {
    let read = spawn_blocking(move || -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    });
    let bytes = read.await.map_err(anyhow::Error::new)?;
    Ok(bytes.map_err(|error| anyhow::Error::new(error).context("reading a temporary file"))?)
}

fn decode(base64: &[u8]) -> Result<Vec<u8>> {
    STANDARD.decode(base64).map_err(|error| AppError::invalid(format!("content_base64 is no base64: {error}")))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use futures_util::TryStreamExt;

    use super::*;

    async fn collect(content: &Content) -> Result<Vec<u8>> {
        content
            .stream()
            .try_fold(Vec::new(), async |mut all, chunk| {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await
    }

    #[tokio::test]
    async fn base64_in_a_file_streams_as_the_bytes_it_stands_for() {
        for size in [0, 1, 2, 3, 72 * 1024, 72 * 1024 + 1, 500_000] {
            let bytes: Vec<u8> = (0..size).map(|index: u32| (index * 31 % 251) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"before").unwrap();
            file.write_all(STANDARD.encode(&bytes).as_bytes()).unwrap();
            let length = file.metadata().unwrap().len() - 6;
            let content = Content::File { file: Arc::new(file), offset: 6, length, encoding: Encoding::Base64 };
            assert_eq!(collect(&content).await.unwrap(), bytes, "{size}");
            assert_eq!(collect(&content).await.unwrap(), bytes, "a second time");
        }
    }

    #[tokio::test]
    async fn what_is_no_base64_is_refused() {
        assert!(matches!(Content::from_base64("no base64!"), Err(AppError::Invalid(_))));
    }
}
