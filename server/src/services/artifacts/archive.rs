//! All files of a run as one zip, made while it is sent: no more of it is in memory than one piece of a file.
//!
//! The files stand in it as they are, uncompressed: most that is large is compressed already, and so the server only
//! copies. Sizes and checksums follow each file, in the form that has room for any size (ZIP64).

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::app::AppState;
use crate::blobs::ByteStream;
use crate::domain::{Artifact, ProjectId};
use crate::error::Result;

/// So many bytes are gathered before they are sent.
const PIECE_BYTES: usize = 64 * 1024;

/// The artifacts whose contents are stored, as a zip with one folder in it.
pub fn archive(
    app: AppState,
    project_id: ProjectId,
    folder: &str,
    artifacts: Vec<Artifact>,
) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
    let mut names = Names::within(folder);
    let stored = artifacts.into_iter().filter(|artifact| artifact.sha256.is_some());
    let entries = stored.map(|artifact| (names.safe(&artifact.name()), artifact)).collect();
    let begin = Archive { app, project_id, entries, open: None, zip: Some(Zip::new()) };
    stream::try_unfold(begin, |mut archive| async move { Ok(archive.next().await?.map(|piece| (piece, archive))) })
}

/// A zip that is being made.
struct Archive {
    app: AppState,
    project_id: ProjectId,
    entries: VecDeque<(String, Artifact)>,
    /// The content that is being copied.
    open: Option<ByteStream>,
    /// `None` once its end was written.
    zip: Option<Zip>,
}

impl Archive {
    /// The next piece of it; `None` at its end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(zip) = &mut self.zip {
            if let Some(content) = &mut self.open {
                match content.try_next().await? {
                    Some(bytes) => zip.writer.write_all(&bytes).map_err(anyhow::Error::new)?,
                    None => self.open = None,
                }
            } else if let Some((name, artifact)) = self.entries.pop_front() {
                // The content first: one that is not there is not half an entry.
                self.open = Some(super::stream(&self.app, self.project_id, &artifact).await?);
                zip.writer.start_file(name, OPTIONS).map_err(anyhow::Error::new)?;
            } else if let Some(zip) = self.zip.take() {
                return zip.finish().map(Some);
            }
            if let Some(zip) = &self.zip
                && zip.written.len() >= PIECE_BYTES
            {
                return Ok(Some(zip.written.take()));
            }
        }
        Ok(None)
    }
}

const OPTIONS: SimpleFileOptions =
    SimpleFileOptions::DEFAULT.compression_method(CompressionMethod::Stored).large_file(true).unix_permissions(0o644);

/// A zip that is written into memory, from where it is taken piece by piece.
struct Zip {
    writer: ZipWriter<StreamWriter<Written>>,
    written: Written,
}

impl Zip {
    fn new() -> Self {
        let written = Written::default();
        Self { writer: ZipWriter::new_stream(written.clone()), written }
    }

    fn finish(self) -> Result<Bytes> {
        self.writer.finish().map_err(anyhow::Error::new)?;
        Ok(self.written.take())
    }
}

/// What was written and not yet taken.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self) -> Bytes {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names that any system can unpack, each once, and none of which leads out of the folder.
struct Names {
    folder: String,
    /// In small letters, as some systems take names for the same that differ in them; with the number of its last copy.
    taken: HashMap<String, u32>,
}

impl Names {
    fn within(folder: &str) -> Self {
        Self { folder: folder.to_owned(), taken: HashMap::new() }
    }

    fn safe(&mut self, path: &str) -> String {
        let parts: Vec<String> = path.split(['/', '\\']).map(safe_part).filter(|part| !part.is_empty()).collect();
        let path = if parts.is_empty() { "file".to_owned() } else { parts.join("/") };
        let mut name = format!("{}/{path}", self.folder);
        let key = name.to_lowercase();
        let mut copy = self.taken.get(&key).copied().unwrap_or(1);
        while self.taken.contains_key(&name.to_lowercase()) {
            copy += 1;
            name = format!("{}/{}", self.folder, numbered(&path, copy));
        }
        self.taken.insert(name.to_lowercase(), 1);
        // Copies are counted on from here: a name that is there ten thousand times is not looked for from its first.
        self.taken.insert(key, copy);
        name
    }
}

/// A part of a path without what systems don't take in names, or read as something else: of `..` nothing is left.
fn safe_part(part: &str) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    let part: String = part.chars().map(|c| if is_odd(c) { '_' } else { c }).collect();
    // Windows drops dots and spaces at the end.
    part.trim_end_matches(['.', ' ']).to_owned()
}

/// `outputs/metrics (2).json`.
fn numbered(path: &str, copy: u32) -> String {
    let from = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[from..].rfind('.').filter(|dot| *dot > 0) {
        Some(dot) => format!("{} ({copy}){}", &path[..from + dot], &path[from + dot..]),
        None => format!("{path} ({copy})"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder_and_each_is_there_once() {
        let mut names = Names::within("exp001");
        for (path, safe) in [
            ("outputs/metrics.json", "exp001/outputs/metrics.json"),
            ("outputs/metrics.json", "exp001/outputs/metrics (2).json"),
            ("OUTPUTS/metrics.json", "exp001/OUTPUTS/metrics (3).json"),
            ("../../etc/passwd", "exp001/etc/passwd"),
            ("/etc/passwd", "exp001/etc/passwd (2)"),
            ("C:\\x\\..\\y. ", "exp001/C_/x/y"),
            ("a\nb?<c>", "exp001/a_b__c_"),
            (".hidden", "exp001/.hidden"),
            (".hidden", "exp001/.hidden (2)"),
            ("数据 é.csv", "exp001/数据 é.csv"),
            ("..", "exp001/file"),
            ("", "exp001/file (2)"),
        ] {
            assert_eq!(names.safe(path), safe, "{path:?}");
        }
    }

    #[test]
    fn ten_thousand_files_of_one_name_are_all_different() {
        let mut names = Names::within("exp001");
        let different: HashSet<String> = (0..10_000).map(|_| names.safe("metrics.json")).collect();
        assert_eq!(different.len(), 10_000);
        assert!(different.contains("exp001/metrics (10000).json"), "none was skipped");
    }
}
