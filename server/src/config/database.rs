//! Where records are kept.

use std::path::PathBuf;

use clap::{Args, value_parser};
use nix::unistd::Uid;
use secrecy::SecretString;

/// Where records are kept: a PostgreSQL by URL, or a private one in the data directory.
#[derive(Args, Clone, Debug)]
pub struct DatabaseConfig {
    /// The PostgreSQL to use. Without one, the server runs a private PostgreSQL in its data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// The directory that holds the private PostgreSQL and, unless told otherwise, the contents
    /// [default: /var/lib/otrace for root, else ~/.local/share/otrace].
    #[arg(long, env = "OTRACE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The most connections to the database at once; 4 or more. One of them hears what other servers do.
    #[arg(long, env = "OTRACE_DATABASE_CONNECTIONS", default_value_t = 10, value_name = "COUNT", value_parser = value_parser!(u32).range(4..))]
    pub database_connections: u32,
}

impl DatabaseConfig {
    /// A PostgreSQL by URL.
    pub fn at(database_url: &str) -> Self {
        Self { database_url: Some(database_url.into()), data_dir: None, database_connections: 10 }
    }

    /// The directory that the server keeps its files in.
    pub fn data_dir(&self) -> PathBuf {
        if let Some(dir) = &self.data_dir {
            return dir.clone();
        }
        // Root's home is closed to the user that PostgreSQL is handed to.
        if Uid::effective().is_root() {
            return PathBuf::from("/var/lib/otrace");
        }
        let data_home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/share");
        data_home.unwrap_or_else(home).join("otrace")
    }
}
