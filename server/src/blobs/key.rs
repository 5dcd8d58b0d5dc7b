//! Where a content lies in the store.

use object_store::path::Path;
use otrace_wire::Sha256Digest;

use crate::domain::ProjectId;

/// `projects/{project}/{first two digits}/{sha256}`. Made of ids only: no name of a client's is ever part of it.
pub fn of(project_id: ProjectId, digest: &Sha256Digest) -> Path {
    let hex = digest.hex();
    Path::from_iter(["projects", &project_id.to_string(), &hex[..2], &hex])
}
