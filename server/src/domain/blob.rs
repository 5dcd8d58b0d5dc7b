//! Contents in the store, and where their bytes are.

use otrace_wire::Sha256Digest;
use otrace_wire::contents::PART_BYTES;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// So long a content stays though nothing refers to it: whoever was told that it is here may name it without sending it.
pub const KEPT_FOR: Duration = Duration::DAY;
/// Who is told so again within this time finds it noted well enough.
pub const HELD_TO_WITHIN: Duration = Duration::HOUR;
/// The same for what may be a part of a larger content: sending all of them may take days.
const PART_KEPT_FOR: Duration = Duration::WEEK;

/// Until when a content of this size stays that arrives, or is said to be here, now.
pub fn kept_until(size_bytes: u64, now: OffsetDateTime) -> OffsetDateTime {
    now + if size_bytes == PART_BYTES { PART_KEPT_FOR } else { KEPT_FOR }
}

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
