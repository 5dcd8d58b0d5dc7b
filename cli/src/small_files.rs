//! Small files that people write, such as `.env`: read whole, as far as they are what they should be.
//!
//! A repository can bring along a `.env` that leads to a device, or that has no end: nothing of that is taken in. A
//! pipe is waited for: there are keepers of passwords that hand a `.env` out so.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// What is larger is no file that somebody has written by hand.
const SIZE_MAX: u64 = 1024 * 1024;

/// All of a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_fifo() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_has_no_end_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("small"), "text").expect("written");
        assert_eq!(read(&path("small")).expect("read"), b"text");
        File::create(path("large")).and_then(|file| file.set_len(SIZE_MAX + 1)).expect("made");
        symlink("/dev/zero", path("endless")).expect("linked");
        let refusal = |name: &str| read(&path(name)).expect_err("refused").to_string();
        assert_eq!(refusal("large"), "it is larger than 1 MiB");
        assert_eq!(refusal("endless"), "it is no file");
    }
}
