//! Long strings of a request, put aside in a temporary file while the rest is read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use super::{Content, Encoding};
use crate::error::Result;

/// What stands in a document where a long string was. JSON bodies are cleaned of NUL, so that no
/// client can write one.
const MARK: &str = "\0put aside:";

/// Long strings on their way out of a document.
#[derive(Debug, Default)]
pub struct SpillWriter {
    file: Option<BufWriter<File>>,
    length: u64,
}

/// Where the long strings of a document are.
#[derive(Clone, Debug, Default)]
pub struct Spill {
    file: Option<Arc<File>>,
}

impl SpillWriter {
    /// Where the next byte goes.
    pub const fn position(&self) -> u64 {
        self.length
    }

    /// Puts bytes aside.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::with_capacity(64 * 1024, tempfile::tempfile()?)),
        };
        file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// What stands in the document for what was put aside since `start`.
    pub fn mark(&self, start: u64) -> String {
        format!("{MARK}{start}:{}", self.length - start)
    }

    /// Ends the writing.
    pub fn finish(self) -> io::Result<Spill> {
        let file = self.file.map(|file| file.into_inner().map_err(io::IntoInnerError::into_error)).transpose()?;
        Ok(Spill { file: file.map(Arc::new) })
    }
}

impl Spill {
    /// The content that a string of the document stands for, written as `encoding` says.
    pub fn content(&self, text: &str, encoding: Encoding) -> Result<Content> {
        if let Some(put_aside) = self.put_aside(text, encoding) {
            return Ok(put_aside);
        }
        match encoding {
            Encoding::Base64 => Content::from_base64(text),
            Encoding::Plain => Ok(Content::Memory(text.to_owned().into())),
        }
    }

    fn put_aside(&self, text: &str, encoding: Encoding) -> Option<Content> {
        let (offset, length) = text.strip_prefix(MARK)?.split_once(':')?;
        let file = Arc::clone(self.file.as_ref()?);
        Some(Content::File { file, offset: offset.parse().ok()?, length: length.parse().ok()?, encoding })
    }
}
