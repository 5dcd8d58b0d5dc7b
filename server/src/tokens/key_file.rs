//! The file of the signing keys: who may read it, and how it is made and changed.
//!
//! It only changes by a whole new file in its place, which is on disk before it gets its name. So
//! nobody reads half of it, whether the power fails or several servers share it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use secrecy::zeroize::Zeroizing;
use tempfile::NamedTempFile;
use time::{Duration, OffsetDateTime};

use super::keys::{KeyRing, generate};

/// Keys for a thousand years of yearly rotation are less.
const BYTES_MAX: u64 = 128 * 1024;

const HEADING: &str =
    "# The keys that sign Trace's run tokens and download links. Keep this file secret, and in your backup.
# `otrace-server secrets rotate` adds one. Delete the line of one that leaked, and its tokens end at once.
";

/// What tells one state of the file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    device: u64,
    inode: u64,
    changed_at: (i64, i64),
    bytes: u64,
}

impl Version {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            changed_at: (found.ctime(), found.ctime_nsec()),
            bytes: found.size(),
        }
    }
}

/// Which state the file is in, without reading it.
pub fn version(path: &Path) -> anyhow::Result<Version> {
    let found = fs::symlink_metadata(path).with_context(|| format!("looking at {}", path.display()))?;
    Ok(Version::of(&found))
}

/// The keys of the file, and its state; `None` where there is no file.
pub fn read(path: &Path) -> anyhow::Result<Option<(KeyRing, Version)>> {
    let Some((file, version)) = open(path)? else { return Ok(None) };
    let keys = KeyRing::parse(&text_of(&file, path)?).with_context(|| about(path))?;
    Ok(Some((keys, version)))
}

/// Makes the file, with one key, unless somebody else just did.
pub fn create(path: &Path, now: OffsetDateTime) -> anyhow::Result<()> {
    let folder = folder_of(path);
    make_folder(folder).with_context(|| format!("creating {} for the signing keys", folder.display()))?;
    let (_, line) = generate(now)?;
    let text = Zeroizing::new(format!("{HEADING}{}", line.as_str()));
    let made = write_aside(folder, &text).and_then(|aside| match aside.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => sync(folder),
    });
    made.with_context(|| format!("writing {}", path.display()))
}

/// Adds a key, which takes over in a minute, and drops those whose tokens have all ended. Returns its name.
pub fn rotate(path: &Path, now: OffsetDateTime) -> anyhow::Result<String> {
    let file = lock(path)?;
    let text = text_of(&file, path)?;
    let keys = KeyRing::parse(&text).with_context(|| about(path))?;
    let newest = keys.newest_created_at();
    ensure!(
        newest <= now + Duration::minutes(1),
        "the newest key in {} is from the future, {newest}; set this machine's clock",
        path.display()
    );
    // The order of the keys is that of their times, to the second.
    let (kid, line) = generate(now.max(newest + Duration::seconds(1)))?;

    let mut new_text = Zeroizing::new(String::with_capacity(text.len() + line.len() + 1));
    for old_line in text.lines().filter(|old_line| stays(old_line, &keys, now)) {
        new_text.push_str(old_line);
        new_text.push('\n');
    }
    new_text.push_str(&line);

    let folder = folder_of(path);
    let replaced = write_aside(folder, &new_text).and_then(|aside| {
        keep_owner(&file, aside.as_file())?;
        aside.persist(path).map_err(|error| error.error)?;
        sync(folder)
    });
    replaced.with_context(|| format!("writing {}", path.display()))?;
    Ok(kid)
}

fn about(path: &Path) -> String {
    format!("the signing keys in {}", path.display())
}

/// Comments stay, and keys that are still believed.
fn stays(line: &str, keys: &KeyRing, now: OffsetDateTime) -> bool {
    match line.split_ascii_whitespace().next() {
        Some(word) if !word.starts_with('#') => keys.accepted(word, now).is_some(),
        _ => true,
    }
}

/// Opens the file if nobody else can have read or written it.
fn open(path: &Path) -> anyhow::Result<Option<(File, Version)>> {
    // A link's target could be anybody's. Opening a pipe would wait for somebody to write to it.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => {
            bail!("{} is a link; name the file itself with --signing-keys-file", path.display());
        }
        Err(error) => return Err(error).with_context(|| format!("opening {}", path.display())),
    };
    let found = file.metadata()?;
    check(path, &found)?;
    Ok(Some((file, Version::of(&found))))
}

fn check(path: &Path, file: &Metadata) -> anyhow::Result<()> {
    let shown = path.display();
    let folder = fs::metadata(folder_of(path)).with_context(|| format!("looking at the folder of {shown}"))?;
    let us = Uid::effective();
    // Root may read and rotate the keys of a server that runs as another user.
    let is_ours = file.uid() == us.as_raw() || (us.is_root() && file.uid() == folder.uid());
    let is_folder_closed = folder.mode() & 0o022 == 0 || folder.mode() & 0o1000 != 0;
    ensure!(file.is_file(), "{shown} is no file; name another one with --signing-keys-file");
    ensure!(
        is_ours,
        "{shown} belongs to another user; run otrace-server as that user, or name another file with --signing-keys-file"
    );
    let others_may = file.mode() & 0o077;
    ensure!(others_may == 0, "others can read the signing keys; close them: chmod 600 {shown}");
    ensure!(
        is_folder_closed,
        "others can change the signing keys; close their folder: chmod go-w {}",
        folder_of(path).display()
    );
    ensure!(
        file.len() <= BYTES_MAX,
        "{shown} is too large for signing keys; name another file with --signing-keys-file"
    );
    Ok(())
}

fn text_of(file: &File, path: &Path) -> anyhow::Result<Zeroizing<String>> {
    // Large enough for most, so that it is not copied while it grows.
    let mut text = Zeroizing::new(String::with_capacity(8192));
    file.take(BYTES_MAX).read_to_string(&mut text).with_context(|| format!("reading {}", path.display()))?;
    Ok(text)
}

/// The file, held so that nobody else rotates meanwhile: two at once would lose one's key.
fn lock(path: &Path) -> anyhow::Result<File> {
    loop {
        let Some((file, _)) = open(path)? else {
            bail!(
                "there are no signing keys in {}; name their file with --signing-keys-file, or start the server, which makes it",
                path.display()
            );
        };
        file.lock().with_context(|| format!("locking {}", path.display()))?;
        // Whoever held it before has put another in its place.
        if Version::of(&file.metadata()?) == version(path)? {
            return Ok(file);
        }
    }
}

/// A file beside the real one, which only we may read, on disk.
fn write_aside(folder: &Path, text: &str) -> std::io::Result<NamedTempFile> {
    let mut aside = tempfile::Builder::new().prefix(".signing-keys-").tempfile_in(folder)?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    Ok(aside)
}

/// Where root rotates, the server's own user must still be able to read the file.
fn keep_owner(old: &File, new: &File) -> std::io::Result<()> {
    let (old, made) = (old.metadata()?, new.metadata()?);
    if old.uid() == made.uid() {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

/// Makes the folder, closed to others; the folders above it may hold other things, and stay as usual.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    fs::create_dir_all(parent)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(parent),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
