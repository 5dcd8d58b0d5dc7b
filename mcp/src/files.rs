//! The files that are kept with a run: which there are, and what is in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_wire::{Artifact, Run};
use serde_json::{Value, json};

use crate::arguments::{DownloadArtifact, ListArtifacts};
use crate::budget;
use crate::source::{Download, FileOf, Refusal, Result, Source};

/// So many bytes a piece has that is not text: whole groups of three, four characters each.
const BINARY_MAX: usize = budget::ROOM / 4 * 3 / 3 * 3;

/// The files of a run.
pub(crate) async fn list<S: Source>(source: &S, asked: &ListArtifacts) -> Result<Value> {
    let run = source.run(&asked.run).await?;
    let artifacts = run.artifacts.iter().filter(|artifact| is_wanted(artifact, asked)).map(row).collect();
    let (artifacts, next) = budget::page(artifacts, asked.cursor.as_deref())?;
    Ok(json!({ "experiment_id": run.experiment_id, "artifacts": artifacts, "next_cursor": next }))
}

fn is_wanted(artifact: &Artifact, asked: &ListArtifacts) -> bool {
    let kind = artifact.kind.as_deref().unwrap_or_default();
    let path = path(artifact).unwrap_or_default().to_lowercase();
    let words = asked.query.as_deref().unwrap_or_default().to_lowercase();
    asked.kind.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind))
        && words.split_whitespace().all(|word| path.contains(word) || kind.contains(word))
}

fn path(artifact: &Artifact) -> Option<&str> {
    artifact.original_path.as_deref().or(artifact.stored_path.as_deref())
}

fn row(artifact: &Artifact) -> Value {
    json!({
        "id": artifact.id,
        "path": path(artifact),
        "type": artifact.kind,
        "size_bytes": artifact.size_bytes,
        "content_type": artifact.content_type,
        "hash": artifact.hash,
        "is_stored": artifact.hash.is_some() && artifact.stored_path.is_some() && artifact.content_deleted_at.is_none(),
    })
}

/// One of them, or a piece of it.
pub(crate) async fn download<S: Source>(source: &S, asked: &DownloadArtifact) -> Result<Value> {
    if asked.output.is_some() && !S::SAVES_FILES {
        return Err(Refusal::new("No file can be written from here: leave output out, and fetch the answer's url."));
    }
    let from = budget::place(asked.cursor.as_deref())? as u64;
    let (run, path) = wanted(source, asked).await?;
    let file = FileOf { path: &path, from, output: asked.output.as_deref() };
    match source.download(&run, file).await? {
        Download::Saved(files) => {
            let count = files.len();
            let told = files.iter().map(|file| json!(file)).collect();
            let (told, _) = budget::page(told, None)?;
            Ok(json!({ "experiment_id": run.experiment_id, "files": told, "count": count }))
        }
        Download::Piece { bytes, size_bytes, url } => Ok(piece(&run, &bytes, from, size_bytes, &url)),
    }
}

/// The run that the file is kept with, and what the run calls it. Published clients named a file by its id alone.
async fn wanted<S: Source>(source: &S, asked: &DownloadArtifact) -> Result<(Run, String)> {
    let Some(name) = asked.artifact_id.as_deref().or(asked.path.as_deref()) else {
        return Err(Refusal::new("Say which file it is: give its run and its path."));
    };
    let mut run = match (&asked.run, &asked.artifact_id) {
        (Some(run), _) => source.run(run).await?,
        (None, Some(id)) => source.run_of(id).await?,
        (None, None) => return Err(Refusal::new("Say which run the file is kept with: give run.")),
    };
    let is_it = |artifact: &Artifact| artifact.id.is_some_and(|id| id.to_string().eq_ignore_ascii_case(name.trim()));
    if run.artifacts.iter().any(is_it) {
        // Its path may be another's too: a config that the command has changed.
        run.artifacts.retain(is_it);
    }
    let path = match run.artifacts.as_slice() {
        [only] if is_it(only) => path(only).unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    };
    Ok((run, path))
}

fn piece(run: &Run, bytes: &[u8], from: u64, size_bytes: u64, url: &str) -> Value {
    let (encoding, content, taken) = if is_text(bytes) {
        let (text, taken) = budget::decoded(bytes, budget::ROOM);
        ("text", text, taken)
    } else {
        let taken = bytes.len().min(BINARY_MAX);
        ("base64", STANDARD.encode(&bytes[..taken]), taken)
    };
    let next = from.saturating_add(taken as u64);
    json!({
        "experiment_id": run.experiment_id,
        "encoding": encoding,
        "content": content,
        "next_cursor": (taken > 0 && next < size_bytes).then(|| next.to_string()),
        "size_bytes": size_bytes,
        "url": url,
    })
}

/// Whether bytes are text, of which the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let is_utf8 = std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && !bytes.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_though_its_last_character_is_cut() {
        assert!(is_text("größe".as_bytes()) && is_text(b"a\xc3") && is_text(b""));
        assert!(!is_text(b"a\xffb") && !is_text(b"a\0b"));
    }
}
