//! What can be wrong with the machine: open files, and room on the disks.

use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;

use super::{Check, Tell};
use crate::config::Config;

/// The open files that are not connections.
const OTHER_FILES: u64 = 4096;
/// With less room than this PostgreSQL may stop.
const ROOM_MIN: u64 = 100 << 20;
/// With less than this it is time to make room.
const ROOM_WANTED: u64 = 2 << 30;

/// Looks at the machine.
pub fn check(config: &Config, tell: Tell<'_>) {
    tell(open_files(u64::from(config.http.connections) + OTHER_FILES));
    let data_dir = config.database.data_dir();
    tell(room("disk", &data_dir));
    let temporary = std::env::temp_dir();
    // Long bodies wait there.
    if !is_one_disk(&data_dir, &temporary) {
        tell(room("disk", &temporary));
    }
}

fn open_files(wanted: u64) -> Check {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, most)) if most < wanted => Check::warning(
            "files",
            format_args!(
                "the server may hold {most} files and connections open, and wants {wanted}. Raise it: LimitNOFILE= \
                 with systemd, `ulimit -n` in a shell, `ulimits` in a compose file."
            ),
        ),
        Ok((_, most)) => Check::ok("files", format_args!("{} may be open at once", most.min(1 << 30))),
        Err(error) => Check::warning("files", format_args!("how many may be open is not known: {error}")),
    }
}

/// The room where a folder is or will be.
pub fn room(name: &'static str, folder: &Path) -> Check {
    let Some(place) = folder.ancestors().find(|place| place.exists()) else {
        return Check::warning(name, format_args!("{} has no place yet", folder.display()));
    };
    match statvfs(place) {
        Ok(found) => told(name, folder, bytes(found.fragment_size(), found.blocks_available())),
        Err(error) => Check::warning(name, format_args!("the room at {} is not known: {error}", folder.display())),
    }
}

fn told(name: &'static str, folder: &Path, free: u64) -> Check {
    let (shown, gib) = (folder.display(), tenths_of_gib(free));
    match free {
        ..ROOM_MIN => Check::failed(name, format_args!("{gib} GiB free at {shown}, which is too little. Make room.")),
        ROOM_MIN..ROOM_WANTED => Check::warning(name, format_args!("{gib} GiB free at {shown}. Make room soon.")),
        _ => Check::ok(name, format_args!("{gib} GiB free at {shown}")),
    }
}

fn tenths_of_gib(bytes: u64) -> String {
    let tenths = bytes / ((1 << 30) / 10);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What blocks come to. How systems count them differs.
fn bytes(size: impl Into<u128>, count: impl Into<u128>) -> u64 {
    u64::try_from(size.into().saturating_mul(count.into())).unwrap_or(u64::MAX)
}

fn is_one_disk(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| {
        let place = path.ancestors().find(|place| place.exists())?;
        statvfs(place).ok().map(|found| found.filesystem_id())
    };
    id(one) == id(other)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn too_little_room_fails_and_little_warns() {
        let of = |free| told("disk", Path::new("/data"), free).status;
        assert_eq!((of(0), of(ROOM_MIN), of(ROOM_WANTED)), (Status::Failed, Status::Warning, Status::Ok));
        assert!(told("disk", Path::new("/data"), 5 << 30).message.starts_with("5.0 GiB free at /data"));
    }
}
