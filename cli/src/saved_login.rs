//! What `otrace login` keeps: a key for each server that somebody has logged in to.
//!
//! The file is the published clients' own, `$XDG_CONFIG_HOME/trace/config.json`, so that a login
//! made with either is good for both. They know one server and read `api_url` and `api_key`, which
//! are therefore the login that was made last; `servers` beside them has them all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What the file's group and everybody else may do with it: nothing.
const OTHERS: u32 = 0o077;

/// The keys of this person on this machine, each with its server.
#[derive(Default, Serialize, Deserialize)]
pub struct SavedLogins {
    /// The server that was logged in to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_url: Option<String>,
    /// The key for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    /// Every server, by its address.
    #[serde(default)]
    servers: BTreeMap<String, SavedServer>,
    /// What other clients keep here.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Default, Serialize, Deserialize)]
struct SavedServer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    /// Whether `otrace login` had the key made: then nobody else has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    made_by_login: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl SavedLogins {
    /// The server to speak to where nothing else is said.
    pub fn default_server(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// The key for a server, and for no other one.
    pub fn key_for(&self, server: &str) -> Option<&str> {
        // The published clients write the first two fields only: they are the newer ones.
        self.logins().find(|(url, _)| is_same(url, server)).map(|(_, key)| key)
    }

    /// The servers that there is a key for.
    pub fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<_> = self.logins().map(|(url, _)| url.trim_end_matches('/')).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }

    /// The same with one more login, which becomes the default.
    pub fn with(mut self, server: &str, key: &str) -> Self {
        if let (Some(url), Some(key)) = (self.api_url.take(), self.api_key.take()) {
            self.set(url.trim_end_matches('/'), key);
        }
        self.set(server, key.to_owned());
        Self { api_url: Some(server.to_owned()), api_key: Some(key.to_owned()), ..self }
    }

    /// The same, where `otrace login` had the key for this server made.
    pub fn made_by_login(mut self, server: &str) -> Self {
        self.servers.entry(server.to_owned()).or_default().made_by_login = true;
        self
    }

    /// Whether it had: then nobody else has the key.
    pub fn is_made_by_login(&self, server: &str) -> bool {
        let key = self.key_for(server);
        let is_it = |saved: &SavedServer| saved.made_by_login && saved.api_key.as_deref() == key;
        key.is_some() && self.servers.iter().any(|(url, saved)| is_same(url, server) && is_it(saved))
    }

    /// The same without the login for a server. Another server does not become the default by it.
    pub fn without(mut self, server: &str) -> Self {
        if self.api_url.as_deref().is_some_and(|url| is_same(url, server)) {
            (self.api_url, self.api_key) = (None, None);
        }
        for (_, saved) in self.servers.iter_mut().filter(|(url, _)| is_same(url, server)) {
            (saved.api_key, saved.made_by_login) = (None, false);
        }
        self.servers.retain(|url, saved| !is_same(url, server) || !saved.rest.is_empty());
        self
    }

    fn set(&mut self, server: &str, key: String) {
        let saved = self.servers.entry(server.to_owned()).or_default();
        // The mark is the key's own.
        saved.made_by_login &= saved.api_key.as_ref() == Some(&key);
        saved.api_key = Some(key);
    }

    fn logins(&self) -> impl Iterator<Item = (&str, &str)> {
        let last = self.api_url.as_deref().zip(self.api_key.as_deref());
        let all = self.servers.iter().filter_map(|(url, server)| Some((url.as_str(), server.api_key.as_deref()?)));
        last.into_iter().chain(all)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Where the logins are kept, given the two variables that decide it.
pub fn path(xdg_config_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let config = xdg_config_home.filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".config")))?;
    Some(config.join("trace").join("config.json"))
}

/// The saved logins: none if there is no file. A file that others can get at is refused: they may
/// have taken a key from it, or put a server into it.
pub fn load(path: &Path) -> Result<SavedLogins> {
    let failed = |error: std::io::Error| Error::file("read", path, &error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(SavedLogins::default()),
        Err(error) => return Err(failed(error)),
    };
    let shown = path.display();
    // Asked of the open file, so that it is the one that is read.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(Error::new(format!("the saved login {shown} is open to others (mode {mode:o}) and is not used"))
            .with_hint("Run `chmod 600` on it if nobody can have used it, else `otrace login` to write it anew."));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::new(format!("the saved login {shown} cannot be read: {error}"))
            .with_hint("Run `otrace login` to write it anew.")
    })
}

/// Keeps the logins for later, readable by nobody else.
///
/// The file is replaced as a whole, so that another `otrace` never reads half of it.
pub fn save(path: &Path, logins: &SavedLogins) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // Temporary files are made with mode 0600, and keep it when they are renamed.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, logins)?;
        file.write_all(b"\n")?;
        // A key is handed out once: a power cut must not leave an empty file in the place of all of them.
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error| Error::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_file_lies_where_the_published_clients_look() {
        let home = || Some(PathBuf::from("/home/ada"));
        assert_eq!(path(None, home()), Some("/home/ada/.config/trace/config.json".into()));
        assert_eq!(path(Some("/x".into()), home()), Some("/x/trace/config.json".into()));
        assert_eq!(path(Some("".into()), home()), path(None, home()));
        assert_eq!(path(None, None), None);
    }

    fn read(file: Value) -> SavedLogins {
        serde_json::from_value(file).expect("logins")
    }

    #[test]
    fn a_file_of_the_published_clients_is_one_login_and_stays_one_beside_the_next() {
        let old = read(json!({"api_url": "http://a/", "api_key": "trc_a", "theme": "dark"}));
        assert_eq!((old.default_server(), old.key_for("http://a")), (Some("http://a/"), Some("trc_a")));
        assert_eq!(old.key_for("http://b"), None);

        let both = old.with("http://b", "trc_b");
        assert_eq!((both.key_for("http://a"), both.key_for("http://b")), (Some("trc_a"), Some("trc_b")));
        assert_eq!(both.servers(), ["http://a", "http://b"]);
        let expected = json!({
            "api_url": "http://b",
            "api_key": "trc_b",
            "servers": {"http://a": {"api_key": "trc_a"}, "http://b": {"api_key": "trc_b"}},
            "theme": "dark",
        });
        assert_eq!(serde_json::to_value(both).expect("JSON"), expected);
    }

    #[test]
    fn what_is_not_ours_is_kept() {
        let file = json!({"servers": {"http://a": {"api_key": "trc_a", "note": 1}, "http://c": {}}});
        let logins = read(file).with("http://a", "trc_new");
        assert_eq!(logins.key_for("http://c"), None);
        let written = serde_json::to_value(logins).expect("JSON");
        assert_eq!(written["servers"]["http://a"], json!({"api_key": "trc_new", "note": 1}));
    }
}
