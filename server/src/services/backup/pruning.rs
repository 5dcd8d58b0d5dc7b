//! Removing the oldest backups of a place, with what only they need.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::manifest::{Objects, names, overview};
use crate::blobs::Blobs;
use crate::domain::backup::{self, FOLDER};
use crate::error::Result;

/// Where the objects of all projects are.
const OBJECTS: &str = "contents/projects";

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many backups.
    pub backups: u64,
    /// How many objects that no backup names any more.
    pub objects: u64,
    /// How many bytes those had.
    pub bytes: u64,
}

/// So long it may take to make a backup: until then one without a manifest is being made, by another server perhaps.
const MADE_WITHIN: Duration = Duration::DAY;

/// Keeps so many of the youngest backups, and removes the older ones with all that no other names. What was left by
/// backups that broke off goes too, after a day: while one may be being made, it does not tell yet what it needs, and
/// all contents stay.
pub async fn prune(target: &Blobs, keep: usize, now: OffsetDateTime) -> Result<Pruned> {
    let mut kept = names(target).await?;
    let old = kept.drain(..kept.len().saturating_sub(keep)).collect::<Vec<_>>();
    for name in &kept {
        // One that can't be read does not tell what it needs, and then nothing may go.
        overview(target, name).await?;
    }
    let mut pruned = Pruned { backups: old.len() as u64, ..Pruned::default() };
    let young = backup::name_of(now - MADE_WITHIN)?;
    let mut is_any_being_made = false;
    for folder in target.folders(FOLDER).await? {
        if kept.contains(&folder) {
            continue;
        }
        if backup::is_name(&folder) && folder > young && !old.contains(&folder) {
            is_any_being_made = true;
            continue;
        }
        remove_folder(target, &folder).await?;
    }
    if is_any_being_made {
        return Ok(pruned);
    }
    let mut readers = Vec::with_capacity(kept.len());
    for name in &kept {
        readers.push(Objects::open(target, name).await?);
    }
    for project in target.folders(OBJECTS).await? {
        let below = format!("projects/{project}/");
        let mut needed = HashSet::new();
        for reader in &mut readers {
            reader.add_below(&below, &mut needed).await?;
        }
        let needed = needed.iter().map(|key| backup::kept_key(key)).collect();
        let (objects, bytes) = target.remove_objects(&format!("{OBJECTS}/{project}"), &needed).await?;
        pruned.objects += objects;
        pruned.bytes += bytes;
    }
    Ok(pruned)
}

/// Removes what belongs to one backup alone: first its manifest, without which the rest is no backup.
pub(super) async fn remove_folder(target: &Blobs, name: &str) -> Result<()> {
    target.remove_object(&backup::manifest_key(name)).await?;
    target.remove_objects(&backup::folder_of(name), &HashSet::new()).await?;
    Ok(())
}
