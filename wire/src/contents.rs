//! Contents: bytes known by their SHA-256.
//!
//! Our own CLI sends contents first and then names them by hash in the run's details; published clients send
//! them inline as base64. It asks which of them the project lacks (`POST /v1/contents/lacking`) and sends those:
//! small ones many at a time ([`packed`]), others one by one (`PUT /v1/contents/{sha256}`). One that is larger
//! than [`PART_BYTES`] goes in parts, each a content by itself, so that a broken transfer goes on where it
//! stopped; the server puts them together when it is told how (`PUT /v1/contents/{sha256}/parts`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The SHA-256 of some content, written `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "String", try_from = "String")]
pub struct Sha256Digest([u8; 32]);

/// The text is not a SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADigest;

impl Sha256Digest {
    /// The digest made of these 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits, without `sha256:`.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = NotADigest;

    /// Takes 64 hex digits, with or without `sha256:` before them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(bytes))
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for NotADigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a SHA-256 digest: 64 hex digits, with or without sha256: before them")
    }
}

impl std::error::Error for NotADigest {}

/// `PUT /v1/contents/{sha256}`: the content is stored, durably.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoredContent {
    /// Its hash, as the server computed it.
    pub hash: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// The length of a part in bytes; only a content's last part may be shorter.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;
/// The most contents that one request asks for.
pub const LACKING_MAX: usize = 1000;

/// `POST /v1/contents/lacking`: contents that a client has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Offered {
    /// At most [`LACKING_MAX`].
    pub contents: Vec<OfferedContent>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfferedContent {
    /// Its hash.
    pub hash: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// The answer: those that are to be sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lacking {
    /// In the order in which they were offered.
    pub lacking: Vec<LackingContent>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LackingContent {
    /// Its hash.
    pub hash: Sha256Digest,
    /// A presigned address of the store: `PUT` the bytes there without any credentials, then say so with
    /// `POST /v1/contents/arrived`. Where there is none, and where that fails, they go to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_to: Option<String>,
}

/// `POST /v1/contents/arrived`: contents that were put to the store directly. The answer is a [`Lacking`]: those that
/// are not there, or are not what they were announced as.
pub type Arrived = Offered;

/// `PUT /v1/contents/{sha256}/parts`: the parts that make up a content, which the project all has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parts {
    /// The content's size in bytes.
    pub size_bytes: u64,
    /// The hashes of its parts, the first first, each of [`PART_BYTES`] but for the last.
    pub parts: Vec<Sha256Digest>,
}

/// The answer. Until `is_stored`, the server reads the parts to check the content's hash: ask again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartsTaken {
    /// Whether the content is stored, durably.
    pub is_stored: bool,
}

/// `POST /v1/contents`: small contents, many at a time.
///
/// The body is one frame after another: the content's SHA-256 (32 bytes), its length in bytes (4 bytes, big-endian),
/// and its bytes. All of them are stored when the answer comes, or none.
pub mod packed {
    use super::Sha256Digest;

    /// The largest content that may travel so, in bytes.
    pub const CONTENT_MAX: usize = 256 * 1024;
    /// The most that one request takes, in bytes, the frames' heads included.
    pub const BODY_MAX: usize = 8 * 1024 * 1024;
    /// The length of a frame's head in bytes.
    pub const HEAD_BYTES: usize = 36;

    /// The head of a content's frame.
    pub fn head(digest: &Sha256Digest, length: u32) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        head[..32].copy_from_slice(digest.as_bytes());
        head[32..].copy_from_slice(&length.to_be_bytes());
        head
    }

    /// The frame that begins at a place in a body: the announced hash, and where its bytes are; the next frame begins
    /// where they end. Nothing, where the body ends, is cut, or the content is too long.
    pub fn next(body: &[u8], at: usize) -> Option<(Sha256Digest, std::ops::Range<usize>)> {
        let head = body.get(at..)?.first_chunk::<HEAD_BYTES>()?;
        let (hash, length) = head.split_first_chunk::<32>()?;
        let length = usize::try_from(u32::from_be_bytes(*length.first_chunk()?)).ok()?;
        let start = at + HEAD_BYTES;
        (length <= CONTENT_MAX && body.len() - start >= length)
            .then_some((Sha256Digest::new(*hash), start..start + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_as_it_was_written() {
        let digest = Sha256Digest::new([0xab; 32]);
        assert_eq!(digest.to_string(), format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.hex().parse(), Ok(digest));
    }

    #[test]
    fn frames_read_back_and_a_cut_one_is_told() {
        let digest = Sha256Digest::new([7; 32]);
        let mut body = packed::head(&digest, 3).to_vec();
        body.extend_from_slice(b"abc");
        body.extend_from_slice(&packed::head(&digest, 0));
        let (hash, first) = packed::next(&body, 0).unwrap();
        assert_eq!((hash, &body[first.clone()]), (digest, &b"abc"[..]));
        let (_, second) = packed::next(&body, first.end).unwrap();
        assert_eq!(second, body.len()..body.len());
        assert_eq!(packed::next(&body, second.end), None, "there is no third");
        assert_eq!(packed::next(&body[..first.end - 1], 0), None, "the first is cut");
        assert_eq!(packed::next(&packed::head(&digest, u32::MAX), 0), None, "it is too long");
    }

    #[test]
    fn other_text_is_no_digest() {
        for text in ["", "sha256:", "sha256:abc", &"g".repeat(64), &"ä".repeat(32)] {
            assert_eq!(text.parse::<Sha256Digest>(), Err(NotADigest), "{text}");
        }
    }
}
