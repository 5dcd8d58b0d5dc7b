//! A file kept with a run.

use otrace_wire::Sha256Digest;
use time::OffsetDateTime;

use super::retention::DeletedContent;
use super::{ArtifactId, RunId};

/// A file kept with a run. Its content is a blob, known by its hash.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The artifact's id.
    pub id: ArtifactId,
    /// The run that it belongs to.
    pub run_id: RunId,
    /// The client's own id of it.
    pub local_artifact_id: Option<String>,
    /// Its path in the workspace.
    pub original_path: Option<String>,
    /// Where the client keeps its copy.
    pub stored_path: Option<String>,
    /// `metrics`, `figure`, `log`, `config`, `artifact`, `checkpoint`, `other`.
    pub kind: String,
    /// Its size in bytes.
    pub size_bytes: i64,
    /// Its hash as the client told it.
    pub hash: Option<String>,
    /// Its media type as the client told it.
    pub content_type: String,
    /// The hash of its content in the store; `None` where the content is not stored.
    pub sha256: Option<Sha256Digest>,
    /// When the client captured it.
    pub captured_at: Option<OffsetDateTime>,
    /// That its content was here and was deleted by a rule of the project.
    pub deleted: Option<DeletedContent>,
}

impl Artifact {
    /// What to call it: its path in the workspace, else its id.
    pub fn name(&self) -> String {
        self.original_path.clone().or_else(|| self.stored_path.clone()).unwrap_or_else(|| self.id.to_string())
    }

    /// The last part of its path, for a download.
    pub fn file_name(&self) -> String {
        let name = self.name();
        name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("artifact").to_owned()
    }

    /// What a browser may be told it is: text and plain images show, the rest is downloaded.
    pub fn preview(&self) -> Preview {
        let name = self.file_name().to_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "png" => Preview::Image("image/png"),
            "jpg" | "jpeg" => Preview::Image("image/jpeg"),
            "gif" => Preview::Image("image/gif"),
            "webp" => Preview::Image("image/webp"),
            "avif" => Preview::Image("image/avif"),
            "txt" | "log" | "md" | "json" | "jsonl" | "ndjson" | "csv" | "tsv" | "yaml" | "yml" | "toml" | "ini"
            | "cfg" | "py" | "sh" | "rs" | "diff" | "patch" | "xml" | "html" | "svg" | "js" | "css" | "tex" => {
                Preview::Text
            }
            _ if self.content_type.starts_with("text/") || self.content_type == "application/json" => Preview::Text,
            _ => Preview::None,
        }
    }
}

/// How an artifact may be shown in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// As plain text, whatever it claims to be.
    Text,
    /// As an image of this media type.
    Image(&'static str),
    /// Not at all: it is downloaded.
    None,
}
