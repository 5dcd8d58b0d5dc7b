//! An archive, written from its first file to its last.

use std::fs::File;
use std::io::{self, Read, Write};

use futures_util::TryStreamExt;
use otrace_wire::Sha256Digest;
use serde::Serialize;

use super::exporting::Gathered;
use crate::app::AppState;
use crate::blobs::Hasher;
use crate::domain::ProjectId;
use crate::domain::archive::{self, END, End, HEADING, RUNS, SERIES, tar};
use crate::error::{AppError, Result};
use crate::services::contents;

/// A tar that is being written.
struct Packer<W> {
    out: W,
    /// When its files were written, in seconds since 1970.
    time: u64,
}

/// Writes all that was gathered.
pub(super) async fn pack(app: &AppState, gathered: Gathered, out: impl Write) -> Result<End> {
    let Gathered { project, heading, runs, series, contents, growing, mut end } = gathered;
    let mut packer = Packer { out, time: heading.at.unix_timestamp().max(0).cast_unsigned() };
    packer.json(HEADING, &heading)?;
    for content in contents.read()? {
        let (digest, size_bytes) = content?;
        packer.content(app, project.id, &digest, size_bytes).await?;
        end.contents += 1;
        end.bytes += size_bytes;
    }
    let mut file = growing.file;
    for (digest, size_bytes) in growing.contents {
        packer.file(&archive::name_of(&digest), size_bytes, &mut Read::by_ref(&mut file).take(size_bytes))?;
        end.contents += 1;
        end.bytes += size_bytes;
    }
    packer.lines(RUNS, runs.into_file()?)?;
    packer.lines(SERIES, series.into_file()?)?;
    packer.json(END, &end)?;
    packer.finish()?;
    Ok(end)
}

impl<W: Write> Packer<W> {
    fn begin(&mut self, name: &str, size_bytes: u64) -> Result<()> {
        let header = tar::header(name, size_bytes, self.time)?;
        self.write(&header)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.out.write_all(bytes).map_err(of_output)?)
    }

    fn end(&mut self, size_bytes: u64) -> Result<()> {
        self.write(&[0; tar::BLOCK][..tar::padding(size_bytes)])
    }

    fn file(&mut self, name: &str, size_bytes: u64, from: &mut impl Read) -> Result<()> {
        self.begin(name, size_bytes)?;
        let copied = io::copy(from, &mut self.out).map_err(of_output)?;
        if copied != size_bytes {
            return Err(anyhow::anyhow!("a temporary file has changed").into());
        }
        self.end(size_bytes)
    }

    fn lines(&mut self, name: &str, mut file: File) -> Result<()> {
        let size_bytes = file.metadata().map_err(of_output)?.len();
        self.file(name, size_bytes, &mut file)
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value).map_err(anyhow::Error::new)?;
        text.push(b'\n');
        self.file(name, text.len() as u64, &mut text.as_slice())
    }

    /// Copies a content, if it is what its row says.
    async fn content(
        &mut self,
        app: &AppState,
        project_id: ProjectId,
        digest: &Sha256Digest,
        size_bytes: u64,
    ) -> Result<()> {
        self.begin(&archive::name_of(digest), size_bytes)?;
        let mut hasher = Hasher::default();
        let mut content = contents::read(app, project_id, digest, None).await?;
        while let Some(bytes) = content.try_next().await? {
            hasher.update(&bytes);
            self.write(&bytes)?;
        }
        let found = hasher.finish();
        if found.digest != *digest || found.size_bytes != size_bytes {
            return Err(AppError::Conflict(
                format!("No archive was written: in the store the content {digest} is not what it was.").into(),
            ));
        }
        self.end(size_bytes)
    }

    /// Two empty blocks are the end of a tar.
    fn finish(mut self) -> Result<()> {
        self.write(&[0; 2 * tar::BLOCK])?;
        Ok(self.out.flush().map_err(of_output)?)
    }
}

fn of_output(error: io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context("writing the archive")
}
