//! What can be wrong with the store of contents.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::{Check, Tell, machine};
use crate::blobs::Blobs;
use crate::config::Config;

/// How long the store may take for all of it.
const PROBE_TIME: Duration = Duration::from_secs(20);

/// Looks at the store: writes, reads, lists and deletes an object.
pub async fn check(config: &Config, tell: Tell<'_>) {
    let opened = match config.storage.folder(&config.database.data_dir()) {
        Ok(Some(folder)) => match open_folder(&folder, tell) {
            Some(opened) => opened,
            None => return,
        },
        Ok(None) => Blobs::open(config),
        Err(error) => Err(error),
    };
    let blobs = match opened {
        Ok(blobs) => blobs,
        Err(error) => return tell(Check::failed("storage", format_args!("{error:#}"))),
    };
    let place =
        config.storage.storage_url.as_ref().map_or_else(|| "the data directory".to_owned(), ToString::to_string);
    tell(match timeout(PROBE_TIME, blobs.probe()).await {
        Ok(Ok(())) => Check::ok("storage", format_args!("objects are written, read, listed and deleted in {place}")),
        Ok(Err(error)) => Check::failed(
            "storage",
            format_args!("{place}: {error:#}. Check OTRACE_STORAGE_URL, the store's credentials and what they allow."),
        ),
        Err(_) => Check::failed(
            "storage",
            format_args!("{place} does not answer within {} s. Check OTRACE_STORAGE_URL.", PROBE_TIME.as_secs()),
        ),
    });
}

/// A folder of contents; nothing, where all is said.
fn open_folder(folder: &Path, tell: Tell<'_>) -> Option<anyhow::Result<Blobs>> {
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            tell(Check::ok("storage", format_args!("no {shown} yet; the first start makes it")));
            return None;
        }
        Err(error) => {
            tell(Check::failed("storage", format_args!("{shown} can't be looked at: {error}")));
            return None;
        }
        Ok(found) if !found.is_dir() => {
            tell(Check::failed("storage", format_args!("{shown} is no folder. Move it away, or name another one.")));
            return None;
        }
        Ok(found) if found.mode() & 0o077 != 0 => {
            tell(Check::warning(
                "storage",
                format_args!("others can look into {shown}. Run `chmod 700` on it, as the next start does."),
            ));
        }
        Ok(_) => {}
    }
    tell(machine::room("disk", folder));
    Some(Blobs::in_folder_as_it_is(folder))
}
