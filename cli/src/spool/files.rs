//! Small JSON files that are either there in whole or not at all, also after a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::private_files;

/// What the owner's group and everybody else may do: nothing.
const OTHERS: u32 = 0o077;

/// Writes a file. When this returns, it is on disk, and so is its name.
pub fn write(folder: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let (new, path) = (folder.join(format!(".{name}.new")), folder.join(name));
    let write = || {
        let file = as_json(&new, value)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_folder(folder)
    };
    write().map_err(|error| Error::file("write", &path, &error))
}

/// Writes a file that outlives us, but need not outlive the machine.
pub fn write_quickly(folder: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let new = folder.join(format!(".{name}.new"));
    as_json(&new, value)?;
    fs::rename(&new, folder.join(name))
}

fn as_json(path: &Path, value: &impl Serialize) -> io::Result<File> {
    let mut file = BufWriter::new(private_files::file(path)?);
    serde_json::to_writer(&mut file, value)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Makes what was renamed or removed in a folder outlast a power cut.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads a file; nothing where there is none, or a power cut has left nothing but its name.
pub fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>> {
    let path = folder.join(name);
    let file = match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", &path, &error)),
    };
    let found = file.metadata().map_err(|error| Error::file("read", &path, &error))?;
    check_private(&path, &found)?;
    if found.len() == 0 {
        return Ok(None);
    }
    let value = serde_json::from_reader(BufReader::new(file)).map_err(|error| {
        Error::new(format!("{} is damaged ({error})", path.display()))
            .with_hint("What was captured is in .trace/; delete this folder to give up sending it.")
    })?;
    Ok(Some(value))
}

/// A repository can bring along a `.trace/spool` of its own, which would have us send what it names. None
/// comes with our rights: what others may read or change is not ours.
pub fn check_private(path: &Path, found: &fs::Metadata) -> Result<()> {
    let is_ours = found.uid() == geteuid().as_raw() || geteuid().is_root();
    if is_ours && found.mode() & OTHERS == 0 {
        return Ok(());
    }
    Err(Error::new(format!("{} is open to others, so that it is not used", path.display()))
        .with_hint("Delete it, or, if otrace made it, close it with `chmod go=`."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_reads_back_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read::<String>(folder.path(), "a.json").expect("answered"), None);
        write(folder.path(), "a.json", &"first").expect("written");
        write_quickly(folder.path(), "a.json", &"second").expect("written");
        assert_eq!(read::<String>(folder.path(), "a.json").expect("read").as_deref(), Some("second"));
        let found = folder.path().join("a.json").metadata().expect("it is there");
        assert_eq!(found.mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().expect("read").count(), 1, "nothing else is left");
    }

    #[test]
    fn what_others_may_change_or_what_is_damaged_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a.json", &"text").expect("written");
        let path = folder.path().join("a.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        let error = read::<String>(folder.path(), "a.json").expect_err("open to others").to_string();
        assert!(error.contains("open to others"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
        fs::write(&path, "{").expect("written");
        let error = read::<String>(folder.path(), "a.json").expect_err("damaged").to_string();
        assert!(error.contains("is damaged"), "{error}");
    }

    #[test]
    fn what_never_got_to_the_disk_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a.json", &"text").expect("written");
        File::create(folder.path().join("a.json")).expect("emptied");
        assert_eq!(read::<String>(folder.path(), "a.json").expect("answered"), None);
    }
}
