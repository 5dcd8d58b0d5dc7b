//! How much the local copies of runs may take in `.trace/`.
//!
//! What the server has confirmed is kept for its owner's convenience only: where there is more than fits, the
//! oldest runs' copies go first. What it has not confirmed is never touched; a run is confirmed when the spool has
//! none of its name any more. To sum all of it up after each run would take long, so a tally is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;
use otrace_wire::ExperimentId;

use super::{ASKED, Spool};
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use crate::{printer, settings};

/// Which setting says how much.
const SETTING: &str = "TRACE_KEEP_LOCAL";
/// How much where none does.
const LIMIT: u64 = 10 << 30;
/// The folders of `.trace/` that have files of runs.
const FOLDERS: [&str; 4] = ["artifacts", "logs", "metrics", "snapshots"];
/// How much they took when somebody last looked, and what was added since.
const TALLY: &str = "kept";

/// What one run has in `.trace/`.
struct Kept {
    paths: Vec<PathBuf>,
    bytes: u64,
    /// When it was last written to.
    newest: SystemTime,
}

/// What runs have there together.
struct Room {
    runs: BTreeMap<String, Kept>,
    /// The runs that are not confirmed.
    unsent: BTreeSet<String>,
    /// Whoever has written since then may be a run whose name is not known yet.
    settled: Option<SystemTime>,
}

/// Counts what a run has left here, and makes room for it if need be.
pub fn after_run(workspace: &Workspace, bytes: u64) {
    look(workspace, Some(bytes));
}

/// Makes room if need be.
pub fn make_room(workspace: &Workspace) {
    look(workspace, None);
}

/// What to tell somebody whose unsent runs take more than all together may.
pub fn warning(workspace: &Workspace) -> Option<String> {
    too_much_unsent(Room::of(workspace).ok()?.unsent_bytes(), limit())
}

fn look(workspace: &Workspace, added: Option<u64>) {
    // Who can't have the tally leaves it to another otrace, which looks at all of it just now, or to the next one.
    let Ok(mut tally) = open_tally(workspace) else { return };
    if tally.try_lock().is_err() {
        return;
    }
    let limit = limit();
    let known = added.and_then(|added| read_tally(&mut tally)?.checked_add(added));
    let total = known.filter(|total| *total <= limit).unwrap_or_else(|| sweep(workspace, limit));
    let _ = write_tally(&mut tally, total);
}

/// Removes the oldest confirmed runs' files until the rest fits. Gives what is left, in bytes.
fn sweep(workspace: &Workspace, limit: u64) -> u64 {
    let room = match Room::of(workspace) {
        Ok(room) => room,
        Err(error) => {
            printer::warning(error);
            return u64::MAX;
        }
    };
    if let Some(warning) = too_much_unsent(room.unsent_bytes(), limit) {
        printer::warning(warning);
    }
    let mut total: u64 = room.runs.values().map(|kept| kept.bytes).sum();
    for kept in room.removable() {
        if total <= limit {
            break;
        }
        match remove(&kept.paths) {
            Ok(()) => total = total.saturating_sub(kept.bytes),
            Err(error) => printer::warning(format_args!("could not make room in .trace: {error}")),
        }
    }
    total
}

fn too_much_unsent(unsent: u64, limit: u64) -> Option<String> {
    (unsent > limit).then(|| {
        let (unsent, limit) = (printer::bytes(unsent), printer::bytes(limit));
        format!(
            "what is not sent takes {unsent} in .trace, more than the {limit} that {SETTING} allows; \
             `otrace sync` sends it, and makes room"
        )
    })
}

impl Room {
    fn of(workspace: &Workspace) -> Result<Self> {
        // In this order: whatever run has files is in the spool by then, or has been confirmed.
        let mut runs = BTreeMap::new();
        for folder in FOLDERS {
            gather(&workspace.trace_dir().join(folder), &mut runs);
        }
        let (mut unsent, mut settled) = (BTreeSet::new(), None::<SystemTime>);
        for entry in Spool::of(workspace).entries() {
            if let Some(started) = entry.started()? {
                unsent.insert(started.name);
                continue;
            }
            let asked = entry.folder.join(ASKED).metadata().and_then(|found| found.modified());
            let since = match asked {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                asked => asked.unwrap_or(SystemTime::UNIX_EPOCH),
            };
            settled = Some(settled.map_or(since, |settled| settled.min(since)));
        }
        Ok(Self { runs, unsent, settled })
    }

    fn unsent_bytes(&self) -> u64 {
        self.unsent.iter().filter_map(|name| self.runs.get(name)).map(|kept| kept.bytes).sum()
    }

    /// The confirmed runs, the oldest first.
    fn removable(&self) -> Vec<&Kept> {
        let is_settled = |kept: &Kept| self.settled.is_none_or(|settled| kept.newest < settled);
        let confirmed = self.runs.iter().filter(|(name, kept)| !self.unsent.contains(*name) && is_settled(kept));
        let mut confirmed: Vec<_> = confirmed.map(|(_, kept)| kept).collect();
        confirmed.sort_by_key(|kept| kept.newest);
        confirmed
    }
}

/// Adds what the runs have in a folder.
fn gather(folder: &Path, runs: &mut BTreeMap<String, Kept>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
        let path = entry.path();
        let Ok(found) = path.symlink_metadata() else { continue };
        if !is_run(name) || !is_ours(&found) {
            continue;
        }
        let written = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let new = || Kept { paths: Vec::new(), bytes: 0, newest: written };
        let kept = runs.entry(name.to_owned()).or_insert_with(new);
        kept.bytes += size(&path, &found);
        kept.newest = kept.newest.max(written);
        kept.paths.push(path);
    }
}

/// Whether it is a name that we give to runs: `exp001`, `exp001-019ab3f2`, `offline-5d3f02aa`.
fn is_run(name: &str) -> bool {
    let first = name.split('-').next().unwrap_or_default();
    first.parse::<ExperimentId>().is_ok() || name.starts_with("offline-")
}

/// A link is none of our files, wherever it leads.
fn is_ours(found: &Metadata) -> bool {
    let is_own = found.uid() == geteuid().as_raw() || geteuid().is_root();
    is_own && (found.is_file() || found.is_dir())
}

fn size(path: &Path, found: &Metadata) -> u64 {
    if !found.is_dir() {
        return found.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(size(&entry.path(), &entry.metadata().ok()?))).sum()
}

fn remove(paths: &[PathBuf]) -> io::Result<()> {
    for path in paths {
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn open_tally(workspace: &Workspace) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(O_NOFOLLOW);
    options.open(workspace.trace_dir().join(TALLY))
}

fn read_tally(tally: &mut File) -> Option<u64> {
    let mut text = String::new();
    tally.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_tally(tally: &mut File, total: u64) -> io::Result<()> {
    tally.set_len(0)?;
    tally.rewind()?;
    writeln!(tally, "{total}")
}

fn limit() -> u64 {
    let Some(text) = settings::variable(SETTING).filter(|text| !text.trim().is_empty()) else { return LIMIT };
    parse(&text).unwrap_or_else(|| {
        let told = Error::new(format!("{SETTING} is no size: {text}")).with_hint("Sizes look like 10GB, 500MB or 0.");
        printer::warning(told);
        LIMIT
    })
}

/// Reads a size, such as `10GB`, `512 MiB` or a number of bytes.
fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otrace_wire::{CreateRun, Snapshot};
    use uuid::Uuid;

    use super::*;
    use crate::spool::Locked;
    use crate::spool::records::{Asked, Configs, Started};

    struct Runs {
        _folder: tempfile::TempDir,
        workspace: Workspace,
    }

    impl Runs {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let workspace = Workspace::at(folder.path());
            workspace.prepare().expect("prepared");
            Self { _folder: folder, workspace }
        }

        /// A run with a log of 10 bytes and an artifact of 90, written at this minute.
        fn add(&self, name: &str, minute: u64) {
            let artifacts = self.workspace.artifacts_folder(name);
            fs::create_dir_all(artifacts.join("outputs")).expect("made");
            fs::write(artifacts.join("outputs/a.bin"), [0; 90]).expect("written");
            let log = self.workspace.stdout_log(name);
            fs::write(&log, [0; 10]).expect("written");
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
            for path in [artifacts, log] {
                File::open(path).and_then(|file| file.set_modified(at)).expect("dated");
            }
        }

        fn begin(&self) -> Locked {
            let recorded_at = "2026-06-01T12:00:00Z".to_owned();
            let asked = Asked {
                request: CreateRun::default(),
                recorded_at,
                server: None,
                project_id: None,
                keeps_secrets: false,
                unstored_paths: Vec::new(),
                secrets: Vec::new(),
            };
            Spool::of(&self.workspace).begin(Uuid::now_v7(), &asked).expect("begun")
        }

        fn begin_as(&self, name: &str) -> Locked {
            let run = self.begin();
            let started = Started {
                run: run.entry().id,
                name: name.to_owned(),
                experiment: None,
                run_token: None,
                started_at: "2026-06-01T12:00:00Z".to_owned(),
                snapshot: Snapshot::default(),
                configs: Configs::default(),
                contents: Vec::new(),
            };
            run.write_started(&started).expect("written");
            run
        }

        fn left(&self) -> Vec<&'static str> {
            let is_there = |name: &&str| {
                let (log, artifacts) = (self.workspace.stdout_log(name), self.workspace.artifacts_folder(name));
                assert_eq!(log.exists(), artifacts.exists(), "{name} is there in whole or not at all");
                log.exists()
            };
            ["exp001", "exp002", "exp003", "exp004"].into_iter().filter(is_there).collect()
        }
    }

    #[test]
    fn the_oldest_confirmed_runs_go_first_and_no_other_ever() {
        let runs = Runs::new();
        for (name, minute) in [("exp001", 1), ("exp002", 4), ("exp003", 3), ("exp004", 2)] {
            runs.add(name, minute);
        }
        let _unsent = runs.begin_as("exp001");
        assert_eq!(sweep(&runs.workspace, 400), 400);
        assert_eq!(runs.left().len(), 4);
        assert_eq!(sweep(&runs.workspace, 399), 300);
        assert_eq!(runs.left(), ["exp001", "exp002", "exp003"]);
        assert_eq!(sweep(&runs.workspace, 0), 100);
        assert_eq!(runs.left(), ["exp001"]);
    }

    #[test]
    fn a_run_that_may_have_got_its_name_just_now_stays() {
        let runs = Runs::new();
        runs.add("exp001", 1);
        let _begun = runs.begin();
        runs.add("exp002", 100_000_000);
        assert_eq!(sweep(&runs.workspace, 0), 100);
        assert_eq!(runs.left(), ["exp002"]);
    }

    #[test]
    fn links_and_what_others_have_put_there_stay() {
        let runs = Runs::new();
        runs.add("exp001", 1);
        let trace = runs.workspace.trace_dir();
        fs::write(trace.join("logs/mine.log"), "mine").expect("written");
        fs::write(trace.join("target"), "target").expect("written");
        std::os::unix::fs::symlink("../target", trace.join("logs/exp002.link")).expect("linked");
        std::os::unix::fs::symlink("../../../target", trace.join("artifacts/exp001/link")).expect("linked");
        sweep(&runs.workspace, 0);
        assert!(runs.left().is_empty());
        assert!(trace.join("logs/mine.log").exists() && trace.join("target").exists());
        assert!(trace.join("logs/exp002.link").is_symlink());
    }

    #[test]
    fn all_is_summed_up_only_when_the_tally_is_full() {
        let runs = Runs::new();
        let tally = || fs::read_to_string(runs.workspace.trace_dir().join(TALLY)).expect("a tally");
        runs.add("exp001", 1);
        after_run(&runs.workspace, 7);
        assert_eq!(tally(), "100\n", "the first time all of it is counted");
        after_run(&runs.workspace, 7);
        assert_eq!(tally(), "107\n");
        after_run(&runs.workspace, LIMIT);
        assert_eq!(tally(), "100\n");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = ["10GB", " 512 MiB ", "0", "7", "3k", "10 apples", "", "-1", "1.5GB", "99999999TB"].map(parse);
        let expected = [Some(10_000_000_000), Some(512 << 20), Some(0), Some(7), Some(3000)];
        assert_eq!(read[..5], expected);
        assert!(read[5..].iter().all(Option::is_none), "{read:?}");
    }
}
