//! New keys take over while servers run, and old ones end when nothing they signed can be good.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use otrace_server::clock::Clock;
use otrace_server::tokens::{Tokens, rotate};
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::{ISSUER, KID, KeyFile, NOW, forge, good, is_accepted, key_line, run_token, some_run};

fn kid_of(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[test]
fn a_new_key_signs_after_a_minute_without_a_restart() {
    let file = KeyFile::known();
    let tokens = file.open();
    let old = run_token(&tokens, some_run(), NOW);
    let kid = rotate(&file.path, NOW).unwrap();
    for (after, signing) in [(0, KID), (5, KID), (59, KID), (60, kid.as_str()), (3600, kid.as_str())] {
        let now = NOW + Duration::seconds(after);
        let token = run_token(&tokens, some_run(), now);
        assert_eq!(kid_of(&token), signing, "after {after} s");
        assert!(is_accepted(&tokens, &token, now) && is_accepted(&tokens, &old, now));
    }
    let mode = fs::metadata(&file.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn rotating_under_load_fails_no_request_on_any_server() {
    let file = KeyFile::known();
    let clock = Clock::frozen_at(NOW);
    let servers = [file.open(), file.open()];
    let (is_over, checked, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let serve = |from: &Tokens, to: &Tokens| {
        while !is_over.load(Ordering::Relaxed) {
            let claims = some_run();
            let token = run_token(from, claims, clock.now());
            let is_right = to.check_run_token(&token, clock.now()) == Some(claims);
            failed.fetch_add(usize::from(!is_right), Ordering::Relaxed);
            checked.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| serve(&servers[0], &servers[1]));
            scope.spawn(|| serve(&servers[1], &servers[0]));
        }
        // Seconds and minutes pass in turns: both servers see keys that wait, and keys that sign.
        for round in 0..20 {
            rotate(&file.path, clock.now()).unwrap();
            for _ in 0..5 {
                let so_far = checked.load(Ordering::Relaxed);
                while checked.load(Ordering::Relaxed) < so_far + 20 {
                    thread::yield_now();
                }
                clock.advance(Duration::seconds(if round % 2 == 0 { 7 } else { 61 }));
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(failed.into_inner(), 0);
    let token = run_token(&servers[0], some_run(), clock.now());
    assert_ne!(kid_of(&token), KID);
    assert_eq!(file.text().lines().count(), 21);
}

#[test]
fn rotations_at_once_lose_no_key() {
    let file = KeyFile::known();
    let kids: Vec<String> = thread::scope(|scope| {
        let rotating: Vec<_> = (0..8).map(|_| scope.spawn(|| rotate(&file.path, NOW).unwrap())).collect();
        rotating.into_iter().map(|rotation| rotation.join().unwrap()).collect()
    });
    let text = file.text();
    assert!(kids.iter().all(|kid| text.contains(kid.as_str())) && text.contains(KID), "{kids:?}");
}

#[test]
fn an_old_key_is_refused_after_the_longest_life_of_a_token_and_then_dropped() {
    let file = KeyFile::known();
    let tokens = file.open();
    let kid = rotate(&file.path, NOW).unwrap();
    // What somebody could sign who found the old key.
    let forged_at = |now: OffsetDateTime| {
        let (header, mut claims) = good(some_run());
        let now = now.unix_timestamp();
        claims["iat"] = json!(now);
        claims["nbf"] = json!(now);
        claims["exp"] = json!(now + 60);
        forge(&header, &claims)
    };
    let (before, after) = (NOW + Duration::days(180), NOW + Duration::days(181));
    assert!(is_accepted(&tokens, &forged_at(before), before));
    assert!(!is_accepted(&tokens, &forged_at(after), after));
    rotate(&file.path, before).unwrap();
    assert!(file.text().contains(KID));
    rotate(&file.path, after).unwrap();
    assert!(!file.text().contains(KID) && file.text().contains(&kid));
}

#[test]
fn a_key_whose_line_is_deleted_ends_within_seconds() {
    let file = KeyFile::known();
    let tokens = file.open();
    let leaked = run_token(&tokens, some_run(), NOW);
    let kid = rotate(&file.path, NOW).unwrap();
    let text = file.text();
    let others: Vec<&str> = text.lines().filter(|line| !line.starts_with(KID)).collect();
    file.write(&others.join("\n"));
    let now = NOW + Duration::seconds(5);
    assert!(!is_accepted(&tokens, &leaked, now));
    assert_eq!(kid_of(&run_token(&tokens, some_run(), now)), kid);
}

#[test]
fn a_file_that_goes_bad_while_the_server_runs_changes_nothing() {
    let file = KeyFile::known();
    let tokens = file.open();
    let token = run_token(&tokens, some_run(), NOW);
    let good_text = file.text();
    let mut now = NOW;
    let mut still_works = |what: &str| {
        now += Duration::seconds(5);
        assert!(is_accepted(&tokens, &token, now), "{what}");
        assert_eq!(kid_of(&run_token(&tokens, some_run(), now)), KID, "{what}");
    };
    file.write("");
    still_works("emptied");
    file.write("half a li");
    still_works("cut");
    file.write(&key_line("others", NOW - Duration::hours(1), &[1_u8, 2].repeat(16)));
    file.set_mode(0o644);
    still_works("opened to others");
    fs::remove_file(&file.path).unwrap();
    still_works("deleted");
    file.write(&format!("{good_text}# and a comment\n"));
    still_works("there again");
}

#[test]
fn rotating_keeps_comments_and_refuses_what_it_can_not_add_to() {
    let file = KeyFile::known();
    file.write(&format!("# ours\n\n{}", file.text()));
    rotate(&file.path, NOW).unwrap();
    assert!(file.text().starts_with("# ours\n\n"), "{}", file.text());

    let nothing = KeyFile::missing();
    let refused = format!("{:#}", rotate(&nothing.path, NOW).unwrap_err());
    assert!(refused.contains("no signing keys in") && refused.contains("--signing-keys-file"), "{refused}");
    assert!(!nothing.path.exists());
    // A key that was made by a wrong clock would stay the newest for long.
    let refused = format!("{:#}", rotate(&file.path, NOW - Duration::days(1)).unwrap_err());
    assert!(refused.contains("from the future"), "{refused}");
}

#[test]
fn the_command_adds_a_key_to_the_data_directorys_file_or_the_named_one() {
    let folder = KeyFile::missing();
    let data_dir = folder.path.parent().unwrap();
    let path = data_dir.join("secrets/signing-keys");
    let run = |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_otrace-server"));
        command.args(["secrets", "rotate"]).args(arguments).arg("--data-dir").arg(data_dir);
        command.env_remove("OTRACE_SIGNING_KEYS_FILE").env_remove("OTRACE_DATA_DIR").env_remove("DATABASE_URL");
        command.output().unwrap()
    };
    let refused = run(&[]);
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && stderr.contains("there are no signing keys"), "{stderr}");

    let long_ago = datetime!(2020-01-01 0:00 UTC);
    Tokens::open(&path, ISSUER, long_ago).unwrap();
    for arguments in [vec![], vec!["--signing-keys-file", path.to_str().unwrap()]] {
        let rotated = run(&arguments);
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        let printed: Value = serde_json::from_slice(&rotated.stdout).unwrap();
        assert_eq!(printed["file"], path.to_str().unwrap());
        let kid = printed["kid"].as_str().unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains(&format!("\n{kid} ")), "{printed}");
    }
}
