//! The key file: made with the server's first start, and refused where others could have had it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::{Uid, chown, mkfifo};
use otrace_server::tokens::Tokens;

use super::{ISSUER, KID, KeyFile, NOW, is_accepted, key_line, refusal_of, run_token, secret, some_run};

#[test]
fn the_first_start_makes_a_key_that_only_the_server_may_read() {
    let file = KeyFile::missing();
    let path = file.path.parent().unwrap().join("data/secrets/signing-keys");
    let tokens = Tokens::open(&path, ISSUER, NOW).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "something was left beside it");
    // The next start reads the same key.
    let token = run_token(&tokens, some_run(), NOW);
    assert!(is_accepted(&Tokens::open(&path, ISSUER, NOW).unwrap(), &token, NOW));
    // Another server's key is another one.
    assert!(!is_accepted(&KeyFile::missing().open(), &token, NOW));
}

#[test]
fn servers_that_start_at_once_agree_on_one_key() {
    let file = KeyFile::missing();
    let barrier = Barrier::new(8);
    let servers: Vec<Tokens> = thread::scope(|scope| {
        let start = || {
            barrier.wait();
            file.open()
        };
        let starting: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        starting.into_iter().map(|server| server.join().unwrap()).collect()
    });
    let token = run_token(&servers[0], some_run(), NOW);
    for server in &servers {
        assert!(is_accepted(server, &token, NOW));
    }
}

#[test]
fn a_file_without_a_good_key_is_refused_and_left_as_it_is() {
    let short = key_line(KID, NOW, &secret()[..31]);
    let zeros = key_line(KID, NOW, &[0; 32]);
    for text in ["", "\n", "# nothing\n", "secret\n", "change-me change-me change-me\n", &short, &zeros] {
        let file = KeyFile::with(text);
        let refused = file.refusal();
        assert!(refused.contains("signing-keys") && refused.contains("backup"), "{text:?}: {refused}");
        assert_eq!(file.text(), text);
    }
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused_with_the_way_out() {
    let file = KeyFile::known();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666] {
        file.set_mode(mode);
        assert!(file.refusal().contains("chmod 600"), "{mode:o}: {}", file.refusal());
    }
    file.set_mode(0o400);
    file.open();
    let folder = file.path.parent().unwrap();
    for mode in [0o770, 0o707, 0o777] {
        fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        assert!(file.refusal().contains("chmod go-w"), "{mode:o}: {}", file.refusal());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    file.open();
}

#[test]
fn what_is_no_file_is_refused() {
    let file = KeyFile::known();
    let folder = file.path.parent().unwrap();
    let (link, dangling, pipe) = (folder.join("link"), folder.join("dangling"), folder.join("pipe"));
    symlink(&file.path, &link).unwrap();
    symlink(folder.join("nothing"), &dangling).unwrap();
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    for link in [&link, &dangling] {
        assert!(refusal_of(link).contains("is a link"), "{}", refusal_of(link));
    }
    for other in [pipe.as_path(), folder] {
        assert!(refusal_of(other).contains("is no file"), "{}", refusal_of(other));
    }
    assert!(!folder.join("nothing").exists());
    fs::write(&file.path, vec![b'#'; 1 << 20]).unwrap();
    assert!(file.refusal().contains("too large"), "{}", file.refusal());
}

#[test]
fn root_leaves_the_file_to_the_user_that_the_server_runs_as() {
    if !Uid::effective().is_root() {
        return;
    }
    let file = KeyFile::known();
    let service = Uid::from_raw(54_321);
    chown(&file.path, Some(service), None).unwrap();
    assert!(file.refusal().contains("belongs to another user"), "{}", file.refusal());
    chown(file.path.parent().unwrap(), Some(service), None).unwrap();
    otrace_server::tokens::rotate(&file.path, NOW).unwrap();
    assert_eq!(fs::metadata(&file.path).unwrap().uid(), service.as_raw());
    file.open();
}
