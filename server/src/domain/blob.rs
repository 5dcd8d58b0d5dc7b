//! Contents in the store, and where their bytes are.

use otrace_wire::Sha256Digest;
use uuid::Uuid;

/// A content that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its hash.
    pub sha256: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Where its bytes are.
    pub place: Place,
}

/// Where a content's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an object that is called after the content's hash: so the first versions stored them.
    Named,
    /// In an object, alone or among others.
    Object(Extent),
    /// In other contents, one after the other.
    Parts,
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The object.
    pub object: Uuid,
    /// Where in the object it begins, in bytes.
    pub start: u64,
    /// Where its compressed frames end, in bytes from `start` on; nothing where it is stored as it is.
    pub frames: Option<Vec<u32>>,
}
