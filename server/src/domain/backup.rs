//! What a backup is made of, and how its manifest tells it.
//!
//! A manifest is lines of JSON: first the backup, then each table's dump, then each object that holds contents, in the
//! order of their keys, and last how many there were. Without that last line it is no manifest, and without a manifest
//! there is no backup.

use otrace_wire::Sha256Digest;
use serde::{Deserialize, Serialize};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};
use uuid::Uuid;

use super::text::Invalid;

/// How manifests are written today. One that is written otherwise is not read.
pub const FORMAT: u32 = 1;

/// Where all backups are in their place.
pub const FOLDER: &str = "backups";

const NAME: StaticFormatDescription = format_description!("[year][month][day]T[hour][minute][second]Z");

/// A line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The first one.
    Backup(Heading),
    /// A table.
    Table(TableDump),
    /// An object that holds contents.
    Object(StoredObject),
    /// The last one.
    End(End),
}

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// [`FORMAT`], when it was written.
    pub format: u32,
    /// The moment that it shows.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The version of the server that made it.
    pub server: String,
    /// The migrations that its database had seen, the first first.
    pub migrations: Vec<Migration>,
}

/// A migration that a database has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// The hash of its text, as hex.
    pub checksum: String,
}

/// The rows of a table, as PostgreSQL's COPY tells them in text, compressed by Zstandard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDump {
    /// The table.
    pub table: String,
    /// Its columns, in the order of the dump; those that PostgreSQL works out are left out.
    pub columns: Vec<String>,
    /// How many rows it has.
    pub rows: u64,
    /// Where in the backup's place the dump is.
    pub key: String,
    /// The dump's size in bytes.
    pub size_bytes: u64,
    /// The dump's hash.
    pub sha256: Sha256Digest,
}

/// An object as it lies in the store of contents, and in the backup's place below `contents/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its key in the store of contents.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The hash of its bytes.
    pub sha256: Sha256Digest,
}

/// How much there was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many tables.
    pub tables: u64,
    /// How many rows in them.
    pub rows: u64,
    /// How many objects.
    pub objects: u64,
    /// How many bytes in them.
    pub bytes: u64,
    /// The hash of all lines before, with their ends.
    pub sha256: Sha256Digest,
}

/// What a backup of this moment is called: its time to the second, so that names sort by it.
pub fn name_of(at: OffsetDateTime) -> Result<String, Invalid> {
    at.to_offset(UtcOffset::UTC).format(NAME).map_err(|_| Invalid("A backup of this time has no name."))
}

/// Whether a backup may be called so.
pub fn is_name(text: &str) -> bool {
    PrimitiveDateTime::parse(text, NAME).is_ok()
}

/// Where all that belongs to one backup alone is.
pub fn folder_of(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Where its manifest is.
pub fn manifest_key(name: &str) -> String {
    format!("{FOLDER}/{name}/manifest.jsonl")
}

/// Where the dump of a table is.
pub fn table_key(name: &str, table: &str) -> String {
    format!("{FOLDER}/{name}/tables/{table}.copy.zst")
}

/// Where an object of the store of contents is, which all backups of a place share.
pub fn kept_key(key: &str) -> String {
    format!("contents/{key}")
}

/// Whether an object of a store of contents may have this key: a manifest must not name anything else.
pub fn is_object_key(key: &str) -> bool {
    let is_id = |text: &str| Uuid::try_parse(text).is_ok_and(|id| id.to_string() == text);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    match key.split('/').collect::<Vec<_>>()[..] {
        ["projects", project, "objects", object] => is_id(project) && is_id(object),
        ["projects", project, first, digest] => {
            is_id(project) && first.len() == 2 && digest.len() == 64 && is_hex(digest) && digest.starts_with(first)
        }
        _ => false,
    }
}

/// Whether a database that has seen these migrations can be made by a server that knows those: by all of them up to
/// the last one, and no other.
pub fn can_be_made_by(seen: &[Migration], known: &[Migration]) -> bool {
    known.len() >= seen.len() && known[..seen.len()] == *seen
}

/// Names in an order in which each comes after all that it refers to, itself left aside.
pub fn in_order(mut waiting: Vec<(String, Vec<String>)>) -> Result<Vec<String>, Invalid> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there = |name: &String| waiting.iter().any(|(other, _)| other == name);
        let is_free = |(name, refers_to): &(String, Vec<String>)| {
            refers_to.iter().all(|referred| referred == name || !is_there(referred))
        };
        let free: Vec<String> = waiting.iter().filter(|table| is_free(table)).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            return Err(Invalid("The tables refer to one another in a circle, so that none of them can be the first."));
        }
        waiting.retain(|(name, _)| !free.contains(name));
        ordered.extend(free);
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn backups_sort_by_their_time() {
        let name = name_of(datetime!(2026-11-22 23:15:07.5 +01:00)).unwrap();
        assert_eq!(name, "20261122T221507Z");
        assert!(is_name(&name));
        for other in ["", "latest", "20261322T221507Z", "20261122T221507", "../20261122T221507Z"] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn a_manifest_names_objects_and_nothing_else() {
        let (project, digest) = (Uuid::now_v7(), format!("ab{}", "0".repeat(62)));
        assert!(is_object_key(&format!("projects/{project}/objects/{}", Uuid::now_v7())));
        assert!(is_object_key(&format!("projects/{project}/ab/{digest}")));
        for key in [
            String::new(),
            "restoring".to_owned(),
            format!("projects/{project}/objects/.."),
            format!("projects/{project}/../objects"),
            format!("projects/{project}/cd/{digest}"),
            format!("projects/{}/ab/{digest}", project.simple()),
            format!("/projects/{project}/ab/{digest}"),
            format!("projects/{project}/ab/{digest}/x"),
        ] {
            assert!(!is_object_key(&key), "{key}");
        }
    }

    #[test]
    fn tables_come_after_those_that_they_refer_to() {
        let table = |name: &str, refers_to: &[&str]| {
            (name.to_owned(), refers_to.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let tables =
            vec![table("notes", &["runs", "accounts"]), table("runs", &["runs", "accounts"]), table("accounts", &[])];
        assert_eq!(in_order(tables).unwrap(), ["accounts", "runs", "notes"]);
        assert!(in_order(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
        assert_eq!(in_order(vec![table("a", &["elsewhere"])]).unwrap(), ["a"]);
    }

    #[test]
    fn only_a_server_that_knows_all_of_a_databases_migrations_can_make_it() {
        let migration = |version| Migration { version, checksum: format!("{version:x}") };
        let known = [1, 2, 3].map(migration);
        assert!(can_be_made_by(&known, &known));
        assert!(can_be_made_by(&known[..2], &known));
        assert!(!can_be_made_by(&known, &known[..2]), "made by a newer one");
        assert!(!can_be_made_by(&[known[0].clone(), known[2].clone()], &known), "one was left out");
        assert!(!can_be_made_by(&[Migration { version: 1, checksum: "0".to_owned() }], &known), "another text");
    }

    #[test]
    fn lines_say_what_they_are() {
        let object = StoredObject { key: "k".to_owned(), size_bytes: 7, sha256: Sha256Digest::new([0; 32]) };
        let json = serde_json::to_string(&Line::Object(object.clone())).unwrap();
        assert!(json.starts_with(r#"{"line":"object","key":"k","size_bytes":7,"sha256":"sha256:00"#), "{json}");
        assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), Line::Object(object));
    }
}
