//! `otrace-server sweep`, the real binary on the database and the folder of a test.

use std::process::{Command, Output};

use otrace_server::store;
use uuid::Uuid;

use super::*;

const SERVER: &str = env!("CARGO_BIN_EXE_otrace-server");

impl Space {
    async fn command(&self, arguments: &[&str]) -> Output {
        let url = std::env::var("OTRACE_TEST_DATABASE_URL").unwrap();
        let pool = &self.app.app.pool;
        let schema: String = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(pool).await.unwrap();
        let mark = if url.contains('?') { '&' } else { '?' };
        let mut command = Command::new(SERVER);
        command
            .arg("sweep")
            .args(arguments)
            .env("DATABASE_URL", format!("{url}{mark}options[search_path]={schema}"))
            .env("OTRACE_STORAGE_URL", format!("file://{}", self.app.contents_folder().display()));
        command.output().unwrap()
    }
}

fn told(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[tokio::test]
async fn the_command_says_what_a_sweep_would_free_and_then_frees_it() {
    let space = Space::new().await;
    space.put(&noise(1, 12_000)).await;
    // The command has a clock of its own.
    sqlx::query("UPDATE blobs SET kept_until = 'epoch'").execute(&space.app.app.pool).await.unwrap();

    let rehearsed = space.command(&["--dry-run", "--json"]).await;
    assert!(rehearsed.status.success(), "{}", told(&rehearsed.stderr));
    let lines = json!([{"project": "wake-word", "reason": "unneeded", "count": 1, "objects": 1, "bytes": 12_000}]);
    let expected = json!({"dry_run": true, "freed_bytes": 12_000, "lines": lines, "failed": []});
    assert_eq!(serde_json::from_slice::<Value>(&rehearsed.stdout).unwrap(), expected);
    assert_eq!(space.stored_bytes(), 12_000);

    let lock = store::sweep::lock(space.app.app.pool.acquire().await.unwrap()).await.unwrap().unwrap();
    let refused = space.command(&[]).await;
    assert!(!refused.status.success());
    assert!(told(&refused.stderr).contains("another sweep is under way"), "{}", told(&refused.stderr));
    store::sweep::unlock(lock).await.unwrap();

    let swept = space.command(&[]).await;
    assert!(swept.status.success(), "{}", told(&swept.stderr));
    let words = told(&swept.stdout);
    assert!(
        words.contains("1 content that nothing refers to") && words.contains("Freed 12.0 KB (12000 bytes)."),
        "{words}"
    );
    assert_eq!(space.stored_bytes(), 0);
    assert_eq!(told(&space.command(&["--dry-run"]).await.stdout), "Nothing is to be removed.\n");
}

/// What is left of an import of a project that was killed: a sweep leaves it, as the database may be the wrong one.
#[tokio::test]
async fn projects_that_the_database_never_had_go_when_the_command_is_told_so_but_for_what_is_new() {
    let space = Space::new().await;
    let own = space.put(&noise(1, 12_000)).await;
    let project = Uuid::now_v7();
    let objects = space.app.contents_folder().join(format!("projects/{project}/objects"));
    fs::create_dir_all(&objects).unwrap();
    for (name, length) in [(Uuid::now_v7().to_string(), 5_000), (format!("{}#1", Uuid::now_v7()), 300)] {
        let path = objects.join(name);
        fs::write(&path, noise(2, length)).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    fs::write(objects.join(Uuid::now_v7().to_string()), noise(3, 70)).unwrap();

    let looked = space.command(&["--unknown-projects"]).await;
    assert!(looked.status.success(), "{}", told(&looked.stderr));
    let words = told(&looked.stdout);
    let line = format!("{project}  {:>9}  2 objects of a project that this database never had", "5.3 KB");
    assert!(words.contains(&line) && words.contains("With --remove it does."), "{words}");
    assert_eq!(space.stored_bytes(), 17_370, "nothing was removed");

    let removed = space.command(&["--unknown-projects", "--remove", "--json"]).await;
    assert!(removed.status.success(), "{}", told(&removed.stderr));
    let line =
        json!({"project": project.to_string(), "reason": "unknown_project", "count": 2, "objects": 2, "bytes": 5_300});
    let expected = json!({"dry_run": false, "freed_bytes": 5_300, "lines": [line], "failed": []});
    assert_eq!(serde_json::from_slice::<Value>(&removed.stdout).unwrap(), expected);
    assert_eq!(space.stored_bytes(), 12_070);
    assert!(space.read(own).await.is_some());
}
