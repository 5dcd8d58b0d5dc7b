//! The contents that a checkout needs, fetched once each into a folder of ours that goes with the checkout.

use std::collections::HashMap;
use std::path::PathBuf;

use otrace_wire::Sha256Digest;
use tempfile::TempDir;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// The contents that were fetched.
pub struct Contents<'a> {
    client: &'a Client,
    folder: TempDir,
    /// Where each of them is, or that the server does not have it.
    fetched: HashMap<Sha256Digest, Result<PathBuf, String>>,
}

impl<'a> Contents<'a> {
    /// None yet.
    pub fn of(client: &'a Client, workspace: &Workspace) -> Result<Self> {
        workspace.prepare()?;
        let parent = workspace.trace_dir().join("checkouts");
        let folder = tempfile::Builder::new().prefix("fetching-").tempdir_in(&parent);
        let folder = folder.map_err(|error| Error::file("write to", &parent, &error))?;
        Ok(Self { client, folder, fetched: HashMap::new() })
    }

    /// A content's file; or that the server does not have it. All else that goes wrong is an error: the checkout
    /// would have a hole by mere chance.
    pub async fn get(&mut self, digest: Sha256Digest, size_bytes: i64) -> Result<Result<PathBuf, String>> {
        if let Some(known) = self.fetched.get(&digest) {
            return Ok(known.clone());
        }
        let target = self.folder.path().join(digest.hex());
        let size = u64::try_from(size_bytes).unwrap_or_default();
        let fetched = match self.client.download(&digest, size, &target, false).await {
            Ok(()) => Ok(target),
            Err(error) if error.is_absent() => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        self.fetched.insert(digest, fetched.clone());
        Ok(fetched)
    }
}
