//! The files that are kept with a run: copied, typed, parsed and excerpted.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use otrace_wire::{Artifact, Evidence, ResultValue, Table};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::capture::expected::{Declared, Found};
use crate::capture::large::Arrived;
use crate::capture::masked;
use crate::capture::stored::{self, StoredFile};
use crate::error::Error;
use crate::secrets::{Masker, Surface};
use crate::workspace::Workspace;
use crate::{clock, outputs, printer};

/// How many characters of an output are shown as evidence.
const SNIPPET_CHARS: usize = 800;
/// Enough bytes for them, whatever they are.
const SNIPPET_BYTES: u64 = 8 * 1024;

/// What was kept of declared paths.
#[derive(Debug, Default)]
pub struct Kept {
    /// The files.
    pub artifacts: Vec<Artifact>,
    /// Our copies of them.
    pub copies: Vec<StoredFile>,
    /// `{original_path, stored_path, type, size_bytes}` of each.
    pub observed: Vec<Value>,
    /// `{path, type}` of each declared path without a file.
    pub missing: Vec<Value>,
    /// Named values found in them.
    pub results: Vec<ResultValue>,
    /// Tables found in them.
    pub tables: Vec<Table>,
    /// Their beginnings.
    pub evidence: Vec<Evidence>,
}

impl Kept {
    /// Copies what was found into `folder`, and reads what can be read from outputs.
    /// Secrets in configs and logs are masked. Artifacts are the run's results, and stay as they are; those that
    /// have `arrived` at the server already need no copy.
    pub fn keep(
        workspace: &Workspace,
        folder: &Path,
        found: Found,
        arrived: &Arrived,
        masker: Option<&Masker>,
    ) -> Self {
        let mut kept = Self { missing: found.missing, ..Self::default() };
        for (path, declared) in found.files {
            match arrived.get(&path).filter(|_| declared == Declared::Artifact) {
                Some(file) => kept.add_arrived(&path, workspace.relative(&path), file),
                None => kept.add(workspace, folder, &path, declared, masker),
            }
        }
        kept
    }

    /// Puts two of them together.
    pub fn merge(mut self, other: Self) -> Self {
        self.artifacts.extend(other.artifacts);
        self.copies.extend(other.copies);
        self.observed.extend(other.observed);
        self.missing.extend(other.missing);
        self.results.extend(other.results);
        self.tables.extend(other.tables);
        self.evidence.extend(other.evidence);
        self
    }

    fn add(&mut self, workspace: &Workspace, folder: &Path, path: &Path, declared: Declared, masker: Option<&Masker>) {
        let original = workspace.relative(path);
        if declared == Declared::Reference {
            return self.add_unstored(path, original);
        }
        let target = folder.join(declared_folder(declared)).join(place(Path::new(&original)));
        let copy = match copy(path, target.clone(), &original, declared, masker) {
            Ok(copy) => copy,
            Err(error) if error.kind() == io::ErrorKind::StorageFull && declared == Declared::Artifact => {
                printer::warning(Error::file("write", &target, &error));
                // The half that found room is of no use.
                let _ = fs::remove_file(&target);
                return self.add_in_place(path, original);
            }
            Err(error) => {
                printer::warning(format_args!("could not keep {original} with the run: {error}"));
                let (kind, reason) = (declared.as_str(), error.to_string());
                self.missing.push(json!({"path": original, "type": kind, "reason": reason}));
                return;
            }
        };
        let kind = kind_of(path, declared);
        let stored_path = workspace.relative(&copy.path);
        self.observed.push(json!({
            "original_path": original,
            "stored_path": stored_path,
            "type": kind,
            "size_bytes": copy.size,
        }));
        if declared != Declared::Config {
            // The copy is read, not the original: what is parsed is what is kept.
            let parsed = outputs::parse(&copy.path, &original);
            self.results.extend(parsed.results);
            self.tables.extend(parsed.tables);
            self.evidence.extend(evidence(&copy.path, &original, kind));
        }
        let artifact = artifact(path, original, kind, &copy);
        self.artifacts.push(Artifact { stored_path: Some(stored_path), ..artifact });
        self.copies.push(copy);
    }

    /// Records a file that there is no room to copy. It is sent from where it is.
    fn add_in_place(&mut self, path: &Path, original: String) {
        let file = match stored::measure(path.to_path_buf()) {
            Ok(file) => file,
            Err(error) => {
                let (kind, reason) = (Declared::Artifact.as_str(), error.to_string());
                self.missing.push(json!({"path": original, "type": kind, "reason": reason}));
                return;
            }
        };
        let parsed = outputs::parse(path, &original);
        self.results.extend(parsed.results);
        self.tables.extend(parsed.tables);
        self.evidence.extend(evidence(path, &original, kind_of(path, Declared::Artifact)));
        self.refer_to(path, original, &file);
        self.copies.push(file);
    }

    /// Records a file whose content the server has. It is too large to be read for more than its beginning.
    fn add_arrived(&mut self, path: &Path, original: String, file: &StoredFile) {
        self.evidence.extend(evidence(path, &original, kind_of(path, Declared::Artifact)));
        self.refer_to(path, original, file);
    }

    /// Records a file that stays where it is.
    fn refer_to(&mut self, path: &Path, original: String, file: &StoredFile) {
        let kind = kind_of(path, Declared::Reference);
        self.observed.push(json!({"original_path": original, "type": kind, "size_bytes": file.size}));
        self.artifacts.push(artifact(path, original, kind, file));
    }

    /// Records a file whose content is not to be stored.
    fn add_unstored(&mut self, path: &Path, original: String) {
        match stored::measure(path.to_path_buf()) {
            Ok(file) => self.refer_to(path, original, &file),
            Err(error) => {
                printer::warning(format_args!("could not read {original}: {error}"));
                self.missing.push(json!({"path": original, "type": Declared::Reference.as_str()}));
            }
        }
    }
}

fn artifact(path: &Path, original: String, kind: &str, file: &StoredFile) -> Artifact {
    Artifact {
        local_artifact_id: Some(Uuid::now_v7().to_string()),
        original_path: Some(original),
        kind: Some(kind.to_owned()),
        size_bytes: Some(file.wire_size()),
        hash: Some(file.digest.to_string()),
        content_type: Some(content_type(path).to_owned()),
        created_at: Some(clock::now()),
        ..Artifact::default()
    }
}

fn copy(
    path: &Path,
    target: PathBuf,
    original: &str,
    declared: Declared,
    masker: Option<&Masker>,
) -> io::Result<StoredFile> {
    let masking = masker.map(|masker| (masker, Surface::File(original.to_owned())));
    if declared != Declared::Artifact {
        return masked::copy(path, target, masking).map(|copied| copied.file);
    }
    let copy = stored::copy(path, target)?;
    if let Some((masker, surface)) = masking
        && let Ok(file) = File::open(&copy.path)
    {
        masker.look_through(&surface, file);
    }
    Ok(copy)
}

/// A config and an output can be one file, which the command changed: both are kept.
fn declared_folder(declared: Declared) -> &'static str {
    match declared {
        Declared::Config => "configs",
        Declared::Artifact | Declared::Reference | Declared::Log => "outputs",
    }
}

/// The path below our folder for a path from anywhere.
fn place(original: &Path) -> PathBuf {
    original
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            Component::RootDir => Some("_root".as_ref()),
            Component::ParentDir => Some("_up".as_ref()),
            Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn suffix(path: &Path) -> String {
    path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The type of a file that was declared so.
pub fn kind_of(path: &Path, declared: Declared) -> &'static str {
    match declared {
        Declared::Config => return "config",
        Declared::Log => return "log",
        Declared::Artifact | Declared::Reference => {}
    }
    match suffix(path).as_str() {
        "json" | "csv" | "tsv" | "jsonl" | "ndjson" => "metrics",
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" => "figure",
        "log" => "log",
        "pt" | "pth" | "ckpt" | "safetensors" | "h5" | "onnx" => "checkpoint",
        _ => "artifact",
    }
}

/// The media type of a file, by its suffix.
pub fn content_type(path: &Path) -> &'static str {
    match suffix(path).as_str() {
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "txt" | "log" | "out" | "err" | "ini" | "cfg" | "toml" => "text/plain",
        "md" => "text/markdown",
        "yaml" | "yml" => "application/yaml",
        "py" => "text/x-python",
        "html" | "htm" => "text/html",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn evidence(path: &Path, original: &str, kind: &str) -> Option<Evidence> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(SNIPPET_BYTES).read_to_end(&mut bytes).ok()?;
    if bytes.contains(&0) {
        // An image or a checkpoint: its first bytes tell a reader nothing.
        return None;
    }
    let snippet: String = String::from_utf8_lossy(&bytes).trim().chars().take(SNIPPET_CHARS).collect();
    (!snippet.is_empty()).then(|| Evidence {
        source_path: Some(original.to_owned()),
        kind: Some(kind.to_owned()),
        snippet: Some(snippet),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_suffix_and_what_was_declared() {
        let kind = |path: &str| kind_of(Path::new(path), Declared::Artifact);
        assert_eq!(kind("a/Metrics.JSON"), "metrics");
        assert_eq!(kind("grid.png"), "figure");
        assert_eq!(kind("train.log"), "log");
        assert_eq!(kind("best.safetensors"), "checkpoint");
        assert_eq!(kind("notes"), "artifact");
        assert_eq!(kind_of(Path::new("a.json"), Declared::Log), "log");
        assert_eq!(kind_of(Path::new("a.json"), Declared::Config), "config");
    }

    #[test]
    fn a_path_from_outside_stays_below_our_folder() {
        assert_eq!(place(Path::new("out/a.json")), Path::new("out/a.json"));
        assert_eq!(place(Path::new("/etc/passwd")), Path::new("_root/etc/passwd"));
        assert_eq!(place(Path::new("../../x")), Path::new("_up/_up/x"));
    }
}
