//! The real binary: backups and archives by script.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::settings::binary::Machine;

/// A server that is only ever asked by script.
struct Server(Machine);

impl Server {
    async fn new() -> Self {
        Self(Machine::new().await)
    }

    /// Runs a command that prints one JSON object, and returns what else it said.
    fn script(&self, arguments: &[&str]) -> (Value, String) {
        let output = self.0.run(self.0.command(arguments), "correct horse battery\n");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {told}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        (serde_json::from_str(&stdout).unwrap(), told)
    }

    /// Runs a command that fails, and returns what it said.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.0.run(self.0.command(arguments), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Beside the data directory.
    fn path(&self, name: &str) -> PathBuf {
        self.0.data_dir().with_file_name(name)
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_server_is_backed_up_and_restored_and_a_project_moved_by_script() {
    let server = Server::new().await;
    server.script(&["user", "create", "--email", "ada@example.org", "--password-stdin"]);
    server.script(&["project", "create", "--owner", "ada@example.org", "--name", "Wake word"]);
    let place = server.path("backups");
    let place = place.to_str().unwrap();
    let missing = server.refused(&["restore", "--list", "--from", place]);
    assert!(missing.contains("there is no folder"), "{missing}");

    let (made, told) = server.script(&["backup", "--to", place, "--keep", "7"]);
    let keys = server.0.data_dir().join("secrets/signing-keys");
    assert_eq!(made["signing_keys_file"], keys.to_str().unwrap());
    assert!(told.contains("not in the backup") && told.contains(keys.to_str().unwrap()), "{told}");
    assert_eq!((made["objects"].as_u64(), made["removed_backups"].as_u64()), (Some(0), Some(0)));
    assert!(made["rows"].as_u64().unwrap() >= 4, "{made}");
    // A folder of somebody's stays as it is, and only what is put into it is closed.
    let folder = server.path("theirs");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    let (other, _) = server.script(&["backup", "--to", folder.to_str().unwrap()]);
    let manifest = folder.join("backups").join(other["backup"].as_str().unwrap()).join("manifest.jsonl");
    let modes = [server.path("backups"), folder.clone(), folder.join("backups"), manifest].map(|path| mode(&path));
    assert_eq!(modes, [0o700, 0o755, 0o700, 0o600], "{modes:?}");
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    server.script(&["backup", "--verify", folder.to_str().unwrap()]);
    assert_eq!(mode(&folder), 0o555);
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();

    let (verified, _) = server.script(&["backup", "--verify", place]);
    assert_eq!((&verified["backup"], &verified["damaged"]), (&made["backup"], &Value::from(0)));

    let elsewhere = Server::new().await;
    let (listed, _) = elsewhere.script(&["restore", "--list", "--from", place]);
    assert_eq!((&listed["backup"], &listed["rows"]), (&made["backup"], &made["rows"]));
    let (restored, told) = elsewhere.script(&["restore", "--from", place]);
    assert!(told.contains("Everybody signs in again"), "{told}");
    assert_eq!((&restored["backup"], &restored["rows"]), (&made["backup"], &made["rows"]));
    let twice = elsewhere.refused(&["restore", "--from", place]);
    assert!(twice.contains("The database is not empty"), "{twice}");

    let file = elsewhere.path("wake-word.tar");
    let file = file.to_str().unwrap();
    let (exported, _) = elsewhere.script(&["project", "export", "wake-word", "--output", file]);
    assert_eq!((&exported["slug"], &exported["runs"]), (&Value::from("wake-word"), &Value::from(0)));
    assert!(elsewhere.refused(&["project", "export", "wake-word", "--output", file]).contains("already"));
    assert!(elsewhere.refused(&["project", "export", "other", "--output", "other.tar"]).contains("Project not found"));
    // Any tar reads it.
    let names = Command::new("tar").args(["-tf", file]).output().unwrap();
    let names = String::from_utf8(names.stdout).unwrap();
    assert_eq!(names.lines().collect::<Vec<_>>(), ["archive.json", "runs.jsonl", "series.jsonl", "end.json"]);
    let import = ["project", "import", file, "--owner", "ada@example.org"];
    assert!(elsewhere.refused(&import).contains("--name"));
    let (imported, _) = elsewhere.script(&[&import[..], &["--name", "A copy"]].concat());
    assert_eq!((&imported["slug"], &imported["name"]), (&Value::from("a-copy"), &Value::from("A copy")));

    // A flipped bit makes the exit code one that a script sees.
    let dump = format!("{place}/backups/{}/tables/accounts.copy.zst", made["backup"].as_str().unwrap());
    let mut bytes = fs::read(&dump).unwrap();
    bytes[10] ^= 1;
    fs::write(&dump, bytes).unwrap();
    let damaged = server.refused(&["backup", "--verify", place]);
    assert!(damaged.contains("is damaged"), "{damaged}");
}
