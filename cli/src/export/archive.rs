//! The zip file: written as it is read, a file of any size in little memory.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use otrace_wire::Sha256Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

const BUFFER: usize = 256 * 1024;
/// From here on, a file may need the longer form of the format.
const LARGE: u64 = 0xf000_0000;
/// What does not get smaller any more.
const COMPRESSED: [&str; 22] = [
    "7z", "bz2", "ckpt", "gif", "gz", "jpeg", "jpg", "mp3", "mp4", "npz", "onnx", "pack", "parquet", "png", "pt",
    "pth", "safetensors", "tgz", "webp", "whl", "xz", "zip",
];

/// What the manifest says of a file or a link.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Its path in the archive.
    pub path: String,
    /// The size of a file in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// `sha256:…` of a file's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Sha256Digest>,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_to: Option<String>,
}

/// An archive in the making.
pub struct Archive<'a> {
    zip: ZipWriter<BufWriter<&'a mut File>>,
    buffer: Vec<u8>,
}

impl<'a> Archive<'a> {
    /// An empty one, in an empty file.
    pub fn begin(file: &'a mut File) -> Self {
        Self { zip: ZipWriter::new(BufWriter::with_capacity(BUFFER, file)), buffer: vec![0; BUFFER] }
    }

    /// Adds a folder, so that an empty one is there too, with its rights.
    pub fn add_folder(&mut self, path: &Path, about: &Metadata) -> io::Result<()> {
        // The format's library takes text for a folder's name; one that is none comes back with its files.
        let Some(name) = path.to_str() else { return Ok(()) };
        self.zip.add_directory(name, options(about)).map_err(into_io)
    }

    /// Adds a file, as long as it was when it was opened.
    pub fn add_file(&mut self, path: &Path, file: File, about: &Metadata) -> io::Result<Listed> {
        let method = if is_compressed(path) { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = options(about).compression_method(method).large_file(about.len() >= LARGE);
        self.zip.start_file_with_options(options.name(path.as_os_str().as_bytes())).map_err(into_io)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut from = file.take(about.len());
        loop {
            let length = match from.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &self.buffer[..length];
            hash.update(bytes);
            self.zip.write_all(bytes)?;
            size += length as u64;
        }
        let hash = Some(Sha256Digest::new(hash.finalize().into()));
        Ok(Listed { path: path.to_string_lossy().into_owned(), size_bytes: Some(size), hash, link_to: None })
    }

    /// Adds a link, as a link. Nothing, where its name or target is not UTF-8.
    pub fn add_link(&mut self, path: &Path, target: &Path) -> io::Result<Option<Listed>> {
        let (Some(name), Some(target)) = (path.to_str(), target.to_str()) else { return Ok(None) };
        let options = SimpleFileOptions::DEFAULT.unix_permissions(0o777);
        self.zip.add_symlink(name, target, options).map_err(into_io)?;
        let (path, link_to) = (name.to_owned(), Some(target.to_owned()));
        Ok(Some(Listed { path, size_bytes: None, hash: None, link_to }))
    }

    /// Adds a file of ours.
    pub fn add_text(&mut self, name: &str, text: &str) -> io::Result<()> {
        let options =
            SimpleFileOptions::DEFAULT.compression_method(CompressionMethod::Deflated).unix_permissions(0o644);
        self.zip.start_file(name, options).map_err(into_io)?;
        self.zip.write_all(text.as_bytes())
    }

    /// Writes what stands at the end.
    pub fn finish(self) -> io::Result<()> {
        self.zip.finish().map_err(into_io)?.flush()
    }
}

fn options(about: &Metadata) -> SimpleFileOptions {
    let options = SimpleFileOptions::DEFAULT.unix_permissions(about.mode() & 0o777);
    modified(about).map_or(options, |modified| options.last_modified_time(modified))
}

/// In UTC. The format knows the years from 1980 to 2107.
fn modified(about: &Metadata) -> Option<DateTime> {
    let time = OffsetDateTime::from_unix_timestamp(about.mtime()).ok()?;
    let year = u16::try_from(time.year()).ok()?;
    let (hour, minute, second) = time.to_hms();
    DateTime::from_date_and_time(year, time.month().into(), time.day(), hour, minute, second).ok()
}

/// Whether its content is compressed already. Git's objects are.
fn is_compressed(path: &Path) -> bool {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default();
    path.starts_with(".git/objects") || COMPRESSED.contains(&suffix.as_str())
}

fn into_io(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
