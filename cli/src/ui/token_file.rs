//! `.trace/ui.json`: where programs of this person find the local app, and what they prove themselves with. It is
//! there for as long as the app is.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::error::{Error, Result};
use crate::private_files;
use crate::workspace::Workspace;

/// What the file is called, in `.trace/`.
pub const NAME: &str = "ui.json";

/// The file, which goes when this is dropped.
pub struct TokenFile {
    path: PathBuf,
    text: String,
}

impl TokenFile {
    /// Writes it, for its owner only.
    pub fn write(workspace: &Workspace, port: u16, token: &str) -> Result<Self> {
        let path = workspace.trace_dir().join(NAME);
        let url = format!("http://127.0.0.1:{port}");
        let text = format!("{}\n", json!({ "url": url, "token": token }));
        private_files::file(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Error::file("write", &path, &error))?;
        Ok(Self { path, text })
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // Another app of this workspace may have written its own since.
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_private_and_goes_with_its_app_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(home.path());
        workspace.prepare().expect("prepared");
        let path = workspace.trace_dir().join(NAME);
        let first = TokenFile::write(&workspace, 8000, "a").expect("written");
        assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
        let second = TokenFile::write(&workspace, 8001, "b").expect("written");
        drop(first);
        assert!(fs::read_to_string(&path).expect("it stays").contains("8001"));
        drop(second);
        assert!(!path.exists());
    }
}
