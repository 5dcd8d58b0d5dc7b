//! Sweeps of a bucket.

use futures_util::TryStreamExt;
use otrace_server::services::sweep::{self, Line};
use otrace_server::testing::TestApp;
use time::Duration;

use super::s3::{BUCKET, S3};
use super::{LARGE, artifact, bytes, keep, read};

/// What the bucket holds, in bytes.
async fn stored_bytes(app: &TestApp) -> u64 {
    let objects = app.app.blobs.objects("");
    objects.try_fold(0, |sum, object| async move { Ok(sum + object.size_bytes) }).await.unwrap()
}

#[tokio::test]
async fn a_sweep_of_a_bucket_frees_what_its_rehearsal_said_and_nothing_that_a_run_names() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}/trace")).await;
    let project = app.project("wake-word").await;
    let named = keep(&app, &project, &bytes(LARGE)).await;
    artifact(&app, &project, &named).await;
    for length in [1000, 70_001] {
        keep(&app, &project, &bytes(length)).await;
    }
    app.app.clock.advance(Duration::days(2));

    let (objects, before) = (s3.objects(), stored_bytes(&app).await);
    let rehearsed = sweep::rehearse(&app.app).await.unwrap();
    assert_eq!(s3.objects(), objects, "nothing was changed");
    let swept = sweep::sweep(&app.app).await.unwrap().unwrap();
    assert_eq!(rehearsed.lines().collect::<Vec<Line>>(), swept.lines().collect::<Vec<Line>>());
    assert_eq!((swept.lines().map(|line| line.count).sum::<u64>(), s3.objects().len()), (2, objects.len() - 2));
    assert_eq!(before - stored_bytes(&app).await, swept.freed_bytes());
    assert!(swept.freed_bytes() > 0);
    assert!(read(&app, &project, &named, LARGE).await == bytes(LARGE));
}
