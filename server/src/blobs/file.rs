//! Reading an object of a folder: `object_store` reads files 8 KiB at a time, and goes to another thread for each.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::ByteStream;
use super::write::beside;
use crate::error::Result;

/// How much is read at a time, in bytes.
const PIECE: u64 = 256 * 1024;

/// The bytes in `range` of a file.
pub(super) fn read(file: File, range: Range<u64>) -> ByteStream {
    let file = Arc::new(file);
    stream::try_unfold(range, move |range| next(Arc::clone(&file), range)).boxed()
}

/// The piece that `range` begins with, and what is left of it.
async fn next(file: Arc<File>, range: Range<u64>) -> Result<Option<(Bytes, Range<u64>)>> {
    let length = (range.end - range.start).min(PIECE);
    if length == 0 {
        return Ok(None);
    }
    let piece = beside(move || {
        let mut piece = vec![0; usize::try_from(length)?];
        file.read_exact_at(&mut piece, range.start).context("reading an object")?;
        anyhow::Ok(Bytes::from(piece))
    });
    Ok(Some((piece.await??, range.start + length..range.end)))
}
