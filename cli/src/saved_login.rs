//! What `otrace login` keeps: one key, and the server that it is for.
//!
//! The file is the published clients' own, `$XDG_CONFIG_HOME/trace/config.json`, so that a login
//! made with either is good for both.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A key and its server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLogin {
    /// The server's address.
    pub api_url: String,
    /// The project's API key.
    pub api_key: String,
}

/// Where the login is kept, given the two variables that decide it.
pub fn path(xdg_config_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let config = xdg_config_home.filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".config")))?;
    Some(config.join("trace").join("config.json"))
}

/// The saved login, if there is one.
pub fn load(path: &Path) -> Result<Option<SavedLogin>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path, &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        Error::new(format!("the saved login {} cannot be read: {error}", path.display()))
            .with_hint("Run `otrace login` to write it anew.")
    })
}

/// Keeps a login for later, readable by nobody else.
///
/// The file is replaced as a whole, so that another `otrace` never reads half of it.
pub fn save(path: &Path, login: &SavedLogin) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // Temporary files are made with mode 0600, and keep it when they are renamed.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, login)?;
        file.write_all(b"\n")?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error| Error::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lies_where_the_published_clients_look() {
        let home = || Some(PathBuf::from("/home/ada"));
        assert_eq!(path(None, home()), Some("/home/ada/.config/trace/config.json".into()));
        assert_eq!(path(Some("/x".into()), home()), Some("/x/trace/config.json".into()));
        assert_eq!(path(Some("".into()), home()), path(None, home()));
        assert_eq!(path(None, None), None);
    }
}
