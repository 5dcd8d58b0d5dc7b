//! Runs that come into the spool, are worked on, and go.

use std::os::unix::fs::PermissionsExt as _;

use otrace_wire::CreateRun;

use super::*;

fn asked() -> Asked {
    let request = CreateRun { intent: "why".to_owned(), ..CreateRun::default() };
    Asked {
        request,
        recorded_at: "2026-06-01T12:00:00Z".to_owned(),
        server: None,
        project_id: None,
        keeps_secrets: false,
        unstored_paths: Vec::new(),
        secrets: Vec::new(),
    }
}

fn workspace() -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = Workspace::at(folder.path());
    workspace.prepare().expect("prepared");
    (folder, Spool::of(&workspace))
}

#[test]
fn a_run_is_there_until_it_is_confirmed() {
    let (_folder, spool) = workspace();
    let ids = [Uuid::now_v7(), Uuid::now_v7()];
    let [first, _second] = ids.map(|id| spool.begin(id, &asked()).expect("begun"));
    let found: Vec<_> = spool.entries().into_iter().map(|entry| entry.id).collect();
    assert_eq!(found, ids, "the oldest first");
    let read = first.entry().asked().expect("read").expect("it is there");
    assert_eq!(read.request.intent, "why");
    assert!(first.entry().started().expect("read").is_none());
    first.remove();
    assert_eq!(spool.entries().len(), 1);
    assert_eq!(fs::read_dir(&spool.folder).expect("read").count(), 1, "nothing else is left");
}

#[test]
fn what_somebody_was_killed_at_who_began_a_run_goes_and_what_somebody_works_on_stays() {
    let (_folder, spool) = workspace();
    let half_made = |name: &str| {
        let folder = spool.folder.join(format!("{NEW}{name}"));
        fs::create_dir(&folder).expect("made");
        let lock = open_lock(&folder).expect("a lock");
        fs::write(folder.join(RESERVE), [0; RESERVE_BYTES]).expect("written");
        (folder, lock)
    };
    let age = |folder: &Path| {
        let before = folder.metadata().and_then(|found| found.modified()).expect("a time") - 2 * MAKING;
        File::open(folder).and_then(|folder| folder.set_modified(before)).expect("aged");
    };
    let ((left, _), (held, lock), (young, _)) = (half_made("left"), half_made("held"), half_made("young"));
    lock.try_lock().expect("it is free");
    age(&left);
    age(&held);
    assert!(spool.entries().is_empty(), "none is a run");
    assert_eq!([&left, &held, &young].map(|folder| folder.exists()), [false, true, true]);
    drop(lock);
    age(&held);
    spool.entries();
    assert_eq!([&held, &young].map(|folder| folder.exists()), [false, true]);
}

#[test]
fn a_run_has_one_worker_at_a_time() {
    let (_folder, spool) = workspace();
    let worker = spool.begin(Uuid::now_v7(), &asked()).expect("begun");
    let entry = || spool.entries().pop().expect("a run");
    assert!(entry().lock().expect("answered").is_none());
    drop(worker);
    let worker = entry().lock().expect("answered").expect("it is free");
    let late = entry();
    worker.remove();
    assert!(late.asked().expect("answered").is_none(), "it has gone");
}

#[test]
fn a_run_is_private_and_one_that_is_not_is_not_used() {
    let (_folder, spool) = workspace();
    let begun = spool.begin(Uuid::now_v7(), &asked()).expect("begun");
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    let folder = begun.entry().folder.clone();
    assert_eq!(mode(&folder), 0o700);
    for file in [LOCK, ASKED] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    drop(begun);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("changed");
    let error = spool.entries().pop().expect("a run").lock().expect_err("open to others").to_string();
    assert!(error.contains("open to others"), "{error}");
}

#[test]
fn a_command_that_has_ended_is_not_alive() {
    let (_folder, spool) = workspace();
    let begun = spool.begin(Uuid::now_v7(), &asked()).expect("begun");
    assert_eq!(begun.entry().living_child(), None);
    begun.note_child(std::process::id());
    assert_eq!(begun.entry().living_child(), Some(std::process::id()));
    let mut child = std::process::Command::new("true").spawn().expect("started");
    begun.note_child(child.id());
    child.wait().expect("ended");
    assert_eq!(begun.entry().living_child(), None);
}
