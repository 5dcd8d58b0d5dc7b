//! Contents that clients put into the bucket themselves, at addresses that the server signs.
//!
//! What arrives so is unchecked, and whoever has the address can change it while the address works. Hence it is
//! copied to an object of ours first, which nobody else can write, and that copy is what is checked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{CopyOptions, ObjectStore, ObjectStoreExt};
use otrace_wire::Sha256Digest;
use uuid::Uuid;

use super::{Blobs, Unnamed, key};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

/// How long an address works.
const LIFETIME: Duration = Duration::from_mins(15);

/// What signs addresses.
#[derive(Clone)]
pub struct Direct {
    signer: Arc<dyn Signer>,
    /// What comes before the names of all objects.
    prefix: Path,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Direct({})", self.prefix)
    }
}

impl Direct {
    pub(super) fn new(signer: Arc<dyn Signer>, prefix: Path) -> Self {
        Self { signer, prefix }
    }
}

impl Blobs {
    /// An address where a client can put a content itself for some minutes, where the server says so.
    pub async fn address_for(&self, project_id: ProjectId, digest: &Sha256Digest) -> Result<Option<String>> {
        let Some(Direct { signer, prefix }) = &self.direct else { return Ok(None) };
        let location = prefix.parts().chain(key::of_incoming(project_id, digest).parts()).collect();
        Ok(Some(signer.signed_url(Method::PUT, &location, LIFETIME).await?.into()))
    }

    /// Makes what a client put there an object of ours, unchecked; nothing, where there is none of this size.
    pub async fn take_incoming(
        &self,
        project_id: ProjectId,
        digest: &Sha256Digest,
        size_bytes: u64,
        unnamed: &mut Unnamed,
    ) -> Result<Option<Uuid>> {
        let (object, incoming) = (Uuid::now_v7(), key::of_incoming(project_id, digest));
        match self.reads.head(&incoming).await {
            Ok(found) if found.size == size_bytes => {}
            Ok(_) => {
                // What is larger is not even copied.
                self.remove_incoming(project_id, digest).await;
                return Ok(None);
            }
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let copied =
            self.writes.copy_opts(&incoming, &key::of_object(project_id, object), CopyOptions::default()).await;
        match copied {
            Ok(()) => {
                unnamed.adopt(object);
                Ok(Some(object))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(AppError::from(error)),
        }
    }

    /// Removes what a client put there, now that it is stored or refused.
    pub async fn remove_incoming(&self, project_id: ProjectId, digest: &Sha256Digest) {
        if let Err(error) = self.writes.delete(&key::of_incoming(project_id, digest)).await {
            tracing::warn!(%error, "could not remove what a client put into the bucket");
        }
    }
}
