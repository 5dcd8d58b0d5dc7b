//! Terminals of the command's own, one for each of its streams that we have a terminal for.
//!
//! The command sees a terminal of our terminal's size, and what it writes comes out of it byte for byte: our
//! terminal does with it what it would have done anyway. Input does not come this way: the command reads from
//! our terminal itself (see [`crate::child`]).

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Weak};

use nix::libc::O_NOCTTY;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

/// Opens a terminal like this one: what comes out of it, and where the command writes.
pub fn open(like: impl AsFd) -> io::Result<(File, OwnedFd)> {
    let mut modes = tcgetattr(&like)?;
    let size = tcgetwinsize(&like)?;
    let source = openpt(flags())?;
    // Without it the command would inherit its other end, and would never be told that we have gone.
    fcntl_setfd(&source, FdFlags::CLOEXEC)?;
    grantpt(&source)?;
    unlockpt(&source)?;
    let path = ptsname(&source, Vec::new())?;
    let path = OsStr::from_bytes(path.to_bytes());
    // It must not become the terminal whose keys send signals to us.
    let end = OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY).open(path)?;
    // A line's end is made into what a terminal wants by ours.
    modes.output_modes.remove(OutputModes::OPOST);
    modes.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
    tcsetattr(&end, OptionalActions::Now, &modes)?;
    tcsetwinsize(&source, size)?;
    Ok((source.into(), end.into()))
}

fn flags() -> OpenptFlags {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    #[cfg(target_os = "linux")]
    let flags = flags | OpenptFlags::CLOEXEC;
    flags
}

/// Keeps the size of a terminal that was opened what the size of ours is.
#[derive(Debug)]
pub struct Size {
    ours: OwnedFd,
    /// Held by whoever reads from it: when that one gives up, the command is told so.
    theirs: Weak<File>,
}

impl Size {
    /// Of the terminal that is read from here, to be what the size of ours is.
    pub fn new(ours: impl AsFd, theirs: &Arc<File>) -> io::Result<Self> {
        Ok(Self { ours: ours.as_fd().try_clone_to_owned()?, theirs: Arc::downgrade(theirs) })
    }

    /// Passes a change on. Says whether there was one.
    pub fn update(&self) -> bool {
        let Some(theirs) = self.theirs.upgrade() else { return false };
        let (Ok(wanted), Ok(size)) = (tcgetwinsize(&self.ours), tcgetwinsize(&*theirs)) else { return false };
        let is_same = (wanted.ws_row, wanted.ws_col, wanted.ws_xpixel, wanted.ws_ypixel)
            == (size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
        !is_same && tcsetwinsize(&*theirs, wanted).is_ok()
    }
}
