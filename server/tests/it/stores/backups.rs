//! Backups in a bucket: of contents in a folder, and back into a bucket.

use futures_util::TryStreamExt;
use otrace_server::blobs::Blobs;
use otrace_server::services::backup::{self, Stores};
use otrace_server::testing::TestApp;
use time::Duration;

use super::s3::{ACCESS_KEY, BUCKET, S3, SECRET_KEY};
use super::{LARGE, bytes, keep, read};
use crate::settings::binary::{Machine, text_of};

#[tokio::test]
async fn a_backup_in_a_bucket_sends_only_what_is_new_and_comes_back_into_another_bucket() {
    let s3 = S3::start().await;
    let url = format!("s3://{BUCKET}/backups");
    let place = Blobs::at(&url, &s3.storage_with_secret(&url, SECRET_KEY)).unwrap();
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let digest = keep(&app, &project, &bytes(LARGE)).await;
    let of = Stores { pool: &app.app.pool, contents: &app.app.blobs };
    let first = backup::make(of, &place, app.app.clock.now()).await.unwrap();
    assert_eq!((first.sent_objects, first.sent_bytes), (first.objects, first.bytes), "all of it is new");
    keep(&app, &project, b"one more").await;
    app.app.clock.advance(Duration::seconds(1));
    let made = backup::make(of, &place, app.app.clock.now()).await.unwrap();
    assert_eq!((made.sent_objects, made.sent_bytes, made.objects), (1, 8, first.objects + 1));
    assert!(s3.objects().iter().all(|key| key.starts_with("backups/")), "{:?}", s3.objects());
    assert_eq!(s3.leftovers(), [""; 0]);
    assert_eq!(backup::choose(&place, None).await.unwrap(), made.name);
    assert_eq!(backup::verify(&place, &made.name).await.unwrap().damaged, 0);

    let elsewhere = s3.app(&format!("s3://{BUCKET}/restored")).await;
    let to = Stores { pool: &elsewhere.app.pool, contents: &elsewhere.app.blobs };
    backup::restore(to, &place, &made.name).await.unwrap();
    assert!(read(&elsewhere, &project, &digest, LARGE).await == bytes(LARGE));
    let pruned = backup::prune(&place, 0, app.app.clock.now()).await.unwrap();
    assert_eq!((pruned.backups, pruned.objects), (2, made.objects));
    let left: Vec<_> = place.objects("").try_collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

// The bucket is in this process, and the test waits for another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_has_variables_of_its_own_and_those_of_the_contents_are_not_used_for_it() {
    let (s3, machine) = (S3::start().await, Machine::new().await);
    machine.script(&["user", "create", "--email", "ada@example.org", "--password-stdin"], "correct horse battery");
    let place = format!("s3://{BUCKET}/backups");
    let run = |arguments: &[&str]| {
        let mut command = machine.command(arguments);
        command.envs([("AWS_ENDPOINT", "http://127.0.0.1:1"), ("AWS_ACCESS_KEY_ID", "of the contents")]);
        command.env("AWS_SECRET_ACCESS_KEY", "of the contents").env("OTRACE_BACKUP_AWS_ENDPOINT", s3.endpoint());
        command.envs([("OTRACE_BACKUP_AWS_REGION", "us-east-1"), ("OTRACE_BACKUP_AWS_ACCESS_KEY_ID", ACCESS_KEY)]);
        command.env("OTRACE_BACKUP_AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        let done = machine.run(command, "");
        assert!(done.status.success(), "{}", text_of(&done));
    };
    run(&["backup", "--to", &place]);
    run(&["backup", "--verify", &place]);
    let is_manifest = |key: &String| key.starts_with("backups/backups/") && key.ends_with("/manifest.jsonl");
    assert_eq!(s3.objects().iter().filter(|key| is_manifest(key)).count(), 1, "{:?}", s3.objects());
}
