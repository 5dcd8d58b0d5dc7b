//! `otrace-server sweep`, the real binary on the database and the folder of a test.

use std::process::{Command, Output};

use otrace_server::store;

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
