//! Where contents lie in the store. Made of ids and hashes only: no name of a client's is ever part of it.

use object_store::path::Path;
use otrace_wire::Sha256Digest;
use uuid::Uuid;

use crate::domain::ProjectId;

/// `projects`: below it lies everything.
pub fn of_projects() -> Path {
    Path::from("projects")
}

/// `projects/{project}`: below it lies everything of a project.
pub fn of_project(project_id: ProjectId) -> Path {
    Path::from_iter(["projects", &project_id.to_string()])
}

/// `projects/{project}/objects/{object}`: an object of ours, written once and never changed.
pub fn of_object(project_id: ProjectId, object: Uuid) -> Path {
    Path::from_iter(["projects", &project_id.to_string(), "objects", &object.to_string()])
}

/// `projects/{project}/{first two digits}/{sha256}`: where the first versions stored a content.
pub fn of_named(project_id: ProjectId, digest: &Sha256Digest) -> Path {
    let hex = digest.hex();
    Path::from_iter(["projects", &project_id.to_string(), &hex[..2], &hex])
}

/// `projects/{project}/incoming/{sha256}`: where a client puts what it announced, unchecked.
pub fn of_incoming(project_id: ProjectId, digest: &Sha256Digest) -> Path {
    Path::from_iter(["projects", &project_id.to_string(), "incoming", &digest.hex()])
}
