//! Copies of files without their secrets, hashed in the same pass. What is no text stays as it is.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::capture::stored::{self, Measure, StoredFile};
use crate::private_files;
use crate::secrets::{Masker, Stream, Surface};

/// How much of a file is read at a time.
const BUFFER: usize = 256 * 1024;
/// What has a zero byte in so much of its beginning is no text.
const START: usize = 8 * 1024;

/// Who masks secrets, and where they are said to be found; nothing, if they are to stay.
pub type Masking<'a> = Option<(&'a Masker, Surface)>;

/// A copy, and what became of it.
#[derive(Clone, Debug)]
pub struct Masked {
    /// The copy.
    pub file: StoredFile,
    /// Whether a secret was masked in it.
    pub is_masked: bool,
}

/// Copies a file. The hash is of the copy.
pub fn copy(source: &Path, target: PathBuf, masking: Masking<'_>) -> io::Result<Masked> {
    if masking.is_none() {
        return Ok(Masked { file: stored::copy(source, target)?, is_masked: false });
    }
    if let Some(folder) = target.parent() {
        private_files::folders(folder)?;
    }
    let mut copy = private_files::file(&target)?;
    let (measure, is_masked) = pass(File::open(source)?, &mut copy, masking, false)?;
    Ok(Masked { file: measure.of_file(target), is_masked })
}

/// Masks the secrets in a file that is in place already.
pub fn in_place(path: PathBuf, masking: Masking<'_>) -> io::Result<Masked> {
    let Some((masker, surface)) = masking else {
        return Ok(Masked { file: stored::measure(path)?, is_masked: false });
    };
    if let Some(measure) = without_secrets(&path, masker, &surface)? {
        return Ok(Masked { file: measure.of_file(path), is_masked: false });
    }
    let mut new_path = path.clone().into_os_string();
    new_path.push(".masked");
    let new_path = PathBuf::from(new_path);
    let replace = || {
        let mut new = private_files::file(&new_path)?;
        let (measure, _) = pass(File::open(&path)?, &mut new, Some((masker, surface)), false)?;
        fs::rename(&new_path, &path)?;
        Ok(measure)
    };
    let measure: io::Result<Measure> = replace();
    let measure = measure.inspect_err(|_| drop(fs::remove_file(&new_path)))?;
    Ok(Masked { file: measure.of_file(path), is_masked: true })
}

/// What is kept of a file that is somebody's own: itself, or where it has secrets a copy without them.
pub fn aside(source: &Path, target: PathBuf, masking: Masking<'_>) -> io::Result<Masked> {
    let Some((masker, surface)) = masking else {
        return Ok(Masked { file: stored::measure(source.to_path_buf())?, is_masked: false });
    };
    match without_secrets(source, masker, &surface)? {
        Some(measure) => Ok(Masked { file: measure.of_file(source.to_path_buf()), is_masked: false }),
        None => copy(source, target, Some((masker, surface))),
    }
}

/// Measures a file, if nothing in it is to be masked: most have no secrets, and need not be written a second time.
fn without_secrets(path: &Path, masker: &Masker, surface: &Surface) -> io::Result<Option<Measure>> {
    let trial = masker.on_trial();
    let (measure, has_secrets) = pass(File::open(path)?, &mut io::sink(), Some((&trial, surface.clone())), false)?;
    Ok((!has_secrets).then_some(measure))
}

/// Passes a file on, tells what arrives, and whether a secret was masked in it. One that `may_be_binary` and is,
/// by its beginning, passes as it is.
pub fn pass(
    mut from: impl Read,
    to: &mut impl Write,
    masking: Masking<'_>,
    may_be_binary: bool,
) -> io::Result<(Measure, bool)> {
    let mut start = Vec::with_capacity(START);
    from.by_ref().take(START as u64).read_to_end(&mut start)?;
    let masking = masking.filter(|_| !(may_be_binary && start.contains(&0)));
    let mut stream = masking.map(|(masker, surface)| masker.stream(surface));
    let (mut measure, mut out) = (Measure::default(), Vec::new());
    let mut from = start.as_slice().chain(from);
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let is_end = length == 0;
        let arrived = match &mut stream {
            Some(stream) => next_of(stream, &buffer[..length], is_end, &mut out),
            None => &buffer[..length],
        };
        measure.add(arrived);
        to.write_all(arrived)?;
        if is_end {
            return Ok((measure, stream.is_some_and(|stream| stream.has_masked())));
        }
    }
}

fn next_of<'a>(stream: &mut Stream, piece: &[u8], is_end: bool, out: &'a mut Vec<u8>) -> &'a [u8] {
    out.clear();
    stream.push(piece, out);
    if is_end {
        stream.finish(out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    const SECRET: &str = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";

    fn trial(bytes: &[u8]) -> (Vec<u8>, bool, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let masker = Masker::of(&Workspace::at(folder.path())).expect("a masker");
        let (source, target) = (folder.path().join("source"), folder.path().join("copy"));
        fs::write(&source, bytes).expect("written");
        let surface = Surface::File("source".to_owned());
        let copied = copy(&source, target, Some((&masker, surface.clone()))).expect("copied");
        let content = fs::read(&copied.file.path).expect("read");
        assert_eq!(stored::measure(copied.file.path).expect("measured").digest, copied.file.digest);
        let report = masker.report();
        let replaced = in_place(source, Some((&masker, surface))).expect("masked");
        assert_eq!(
            (fs::read(&replaced.file.path).expect("read"), replaced.is_masked),
            (content.clone(), copied.is_masked)
        );
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2, "nothing else is left");
        (content, copied.is_masked, report)
    }

    #[test]
    fn a_secret_is_masked_wherever_it_is_in_a_file() {
        let before = "a line of a log, as there are many\n".repeat(20_000);
        let (content, is_masked, report) = trial(format!("{before}token {SECRET}, kept\n").as_bytes());
        assert!(is_masked);
        assert_eq!(content, format!("{before}token [masked: github token], kept\n").as_bytes());
        assert!(report[0].contains("github token in source (line 20001)"), "{report:?}");
    }

    #[test]
    fn a_file_without_secrets_stays_as_it_is_and_a_nul_hides_none_unless_the_file_may_be_binary() {
        let harmless = "lr: 0.1\n".repeat(1000).into_bytes();
        assert_eq!(trial(&harmless), (harmless, false, vec![]));
        let binary = format!("\0{SECRET}").into_bytes();
        // Such as a log that was cut while it was written.
        let (kept, is_masked, _) = trial(&binary);
        assert!(is_masked && !kept.ends_with(SECRET.as_bytes()), "{kept:?}");
        let folder = tempfile::tempdir().expect("a folder");
        let (masker, mut passed) = (Masker::of(&Workspace::at(folder.path())).expect("a masker"), Vec::new());
        let masking = Some((&masker, Surface::Stdout));
        pass(binary.as_slice(), &mut passed, masking, true).expect("passed");
        assert_eq!(passed, binary);
        assert_eq!(trial(b""), (Vec::new(), false, vec![]));
    }
}
