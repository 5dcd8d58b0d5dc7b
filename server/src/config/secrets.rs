//! Where the server's own secrets are kept.

use std::path::{Path, PathBuf};

use clap::Args;

/// Where the server's own secrets are kept.
#[derive(Args, Clone, Debug, Default)]
pub struct SecretsConfig {
    /// The file of the keys that sign run tokens and download links [default: `secrets/signing-keys` in the data
    /// directory]. The first start makes it, except in production; servers that run as one share it.
    #[arg(long, env = "OTRACE_SIGNING_KEYS_FILE", value_name = "FILE")]
    pub signing_keys_file: Option<PathBuf>,
}

impl SecretsConfig {
    /// The file of the signing keys.
    ///
    /// In a folder of its own, like the contents: the data directory itself must stay open to the
    /// user that root hands PostgreSQL to.
    pub fn signing_keys_file(&self, data_dir: &Path) -> PathBuf {
        self.signing_keys_file.clone().unwrap_or_else(|| data_dir.join("secrets/signing-keys"))
    }
}
