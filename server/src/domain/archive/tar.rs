//! The headers of a tar: as every system writes and unpacks it, for plain files with short names.

use crate::domain::text::Invalid;

/// Headers are as long, and files are filled up to a multiple of it, in bytes.
pub const BLOCK: usize = 512;

/// Where fields are: name, mode, owner, group, size, time, checksum, type, mark, and what longer names begin with.
const NAME: std::ops::Range<usize> = 0..100;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
const MARK: std::ops::Range<usize> = 257..263;
const PREFIX: std::ops::Range<usize> = 345..500;

/// The largest size that fits into the digits of a header.
const DIGITS_MAX: u64 = 0o777_7777_7777;

/// A file of a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// How much follows a file, so that the next header begins with a block.
pub fn padding(size_bytes: u64) -> usize {
    let over = usize::try_from(size_bytes % BLOCK as u64).unwrap_or_default();
    (BLOCK - over) % BLOCK
}

/// The header of a file, which anybody may read; its time is in seconds since 1970.
pub fn header(name: &str, size_bytes: u64, time: u64) -> Result<[u8; BLOCK], Invalid> {
    let mut header = [0; BLOCK];
    if name.is_empty() || name.len() > NAME.len() {
        return Err(Invalid("A file of an archive has a name of at most 100 bytes."));
    }
    header[..name.len()].copy_from_slice(name.as_bytes());
    put(&mut header[100..108], b"0000644");
    put(&mut header[108..116], b"0000000");
    put(&mut header[116..124], b"0000000");
    if size_bytes <= DIGITS_MAX {
        put(&mut header[SIZE], format!("{size_bytes:011o}").as_bytes());
    } else {
        // What all of today's programs take for sizes from 8 GiB on: a bit that says so, then the number itself.
        header[SIZE.start] = 0x80;
        put(&mut header[SIZE.end - 8..SIZE.end], &size_bytes.to_be_bytes());
    }
    put(&mut header[136..148], format!("{:011o}", time.min(DIGITS_MAX)).as_bytes());
    header[TYPE] = b'0';
    put(&mut header[MARK.start..MARK.end + 2], b"ustar\x0000");
    let sum = format!("{:06o}\0 ", checksum(&header));
    put(&mut header[CHECKSUM], sum.as_bytes());
    Ok(header)
}

fn put(field: &mut [u8], bytes: &[u8]) {
    field[..bytes.len()].copy_from_slice(bytes);
}

/// The sum of all bytes, with spaces where it stands itself.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let byte = |(place, byte): (usize, &u8)| u32::from(if CHECKSUM.contains(&place) { b' ' } else { *byte });
    header.iter().enumerate().map(byte).sum()
}

/// The file that a header is of; `None`: there is none, it is the end. Folders, links and all else that a tar may have
/// are refused.
pub fn read(header: &[u8; BLOCK]) -> Result<Option<Entry>, Invalid> {
    const NONE_OF_OURS: Invalid = Invalid("This is no archive of a project: `project export` makes one.");
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let is_ours = header[MARK] == *b"ustar\0" && header[TYPE] == b'0' && header[PREFIX].iter().all(|byte| *byte == 0);
    if !is_ours || octal(&header[CHECKSUM]) != Some(u64::from(checksum(header))) {
        return Err(NONE_OF_OURS);
    }
    let name = &header[NAME];
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let name = std::str::from_utf8(&name[..length]).map_err(|_| NONE_OF_OURS)?;
    let size = &header[SIZE];
    let size_bytes = match size {
        [0x80, 0, 0, 0, number @ ..] => number.try_into().map(u64::from_be_bytes).ok(),
        digits => octal(digits),
    };
    // No file is as long, and sums with it stay exact.
    let size_bytes = size_bytes.filter(|size| *size < 1 << 60).ok_or(NONE_OF_OURS)?;
    Ok(Some(Entry { name: name.to_owned(), size_bytes }))
}

fn octal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_of_all_sizes_read_back() {
        for size_bytes in [0, 1, 511, 512, 513, DIGITS_MAX, DIGITS_MAX + 1, 1 << 50] {
            let name = format!("contents/{}", "a".repeat(64));
            let header = header(&name, size_bytes, 1_780_000_000).unwrap();
            assert_eq!(read(&header).unwrap(), Some(Entry { name, size_bytes }));
            assert_eq!((size_bytes + padding(size_bytes) as u64) % 512, 0);
        }
        assert_eq!(read(&[0; BLOCK]).unwrap(), None);
        assert!(header(&"x".repeat(101), 0, 0).is_err());
    }

    #[test]
    fn links_and_folders_and_changed_headers_are_refused() {
        let whole = header("runs.jsonl", 7, 0).unwrap();
        for (place, byte) in [(TYPE, b'5'), (TYPE, b'2'), (TYPE, b'x'), (0, b'R'), (CHECKSUM.start, b'7'), (300, 1)] {
            let mut changed = whole;
            changed[place] = byte;
            assert!(read(&changed).is_err(), "{place}");
        }
        let mut link = whole;
        link[TYPE] = b'2';
        let sum = format!("{:06o}\0 ", checksum(&link));
        put(&mut link[CHECKSUM], sum.as_bytes());
        assert!(read(&link).is_err(), "a link with a right sum");
    }

    proptest! {
        #[test]
        fn whatever_a_header_is_reading_it_ends(bytes in prop::collection::vec(any::<u8>(), BLOCK)) {
            let mut header: [u8; BLOCK] = bytes.try_into().unwrap();
            let _ = read(&header);
            put(&mut header[MARK], b"ustar\0");
            header[TYPE] = b'0';
            header[PREFIX].fill(0);
            let sum = format!("{:06o}\0 ", checksum(&header));
            put(&mut header[CHECKSUM], sum.as_bytes());
            let _ = read(&header);
        }
    }
}
