//! Backups that are not whole, and places that are not empty.

use std::fs;
use std::path::Path;

use otrace_server::services::backup::{self, Made};
use otrace_server::testing::TestApp;
use time::Duration;

use super::server::{fill, keep};
use super::{Place, assert_same_rows, keys, noise, rows_of, stores};

async fn filled() -> (TestApp, Place, Made) {
    let app = TestApp::new().await;
    fill(&app).await;
    let place = Place::new();
    let made = backup::make(stores(&app), &place.store, app.app.clock.now()).await.unwrap();
    (app, place, made)
}

/// Whether nothing has come to a server.
async fn assert_empty(app: &TestApp) {
    let rows = rows_of(app).await;
    assert!(rows.values().all(Vec::is_empty), "{rows:?}");
}

fn flip_a_bit(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
}

/// What is done to a file.
type Damage = fn(&Path);

#[tokio::test]
async fn whatever_is_damaged_is_found_and_not_brought_back() {
    let (_, place, made) = filled().await;
    let all = place.keys().await;
    let dump = all.iter().find(|key| key.ends_with("/runs.copy.zst")).unwrap().as_str();
    let object = all.iter().find(|key| key.contains("/objects/")).unwrap().as_str();
    let elsewhere = TestApp::new().await;
    let damages: [(&str, Damage); 5] = [
        (dump, cut),
        (dump, flip_a_bit),
        (object, flip_a_bit),
        (object, cut),
        (object, |file| fs::remove_file(file).unwrap()),
    ];
    for (key, damage) in damages {
        let file = place.folder.path().join(key);
        let whole = fs::read(&file).unwrap();
        damage(&file);
        let verified = backup::verify(&place.store, &made.name).await.unwrap();
        assert_eq!((verified.damaged, verified.damaged_keys), (1, vec![key.to_owned()]));
        let told = backup::restore(stores(&elsewhere), &place.store, &made.name).await.unwrap_err().message();
        assert!(told.contains("damaged"), "{told}");
        assert_empty(&elsewhere).await;
        fs::write(&file, whole).unwrap();
    }
    // What broke off is begun again, and what has come so far is not taken for wrong.
    assert!(keys(&elsewhere.app.blobs).await.contains(&"restoring".to_owned()));
    backup::restore(stores(&elsewhere), &place.store, &made.name).await.unwrap();
    let left = keys(&elsewhere.app.blobs).await;
    assert_eq!(left.len() as u64, made.objects, "{left:?}");
}

#[tokio::test]
async fn a_manifest_that_was_changed_in_any_way_is_none() {
    let (_, place, made) = filled().await;
    let file = place.folder.path().join(format!("backups/{}/manifest.jsonl", made.name));
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(place, _)| *place != left_out);
        kept.flat_map(|(_, line)| [*line, "\n"]).collect::<String>()
    };
    let elsewhere = TestApp::new().await;
    for changed in [
        String::new(),
        without(0),
        without(1),
        without(lines.len() - 2),
        without(lines.len() - 1),
        whole.trim_end().to_owned(),
        format!("{whole}{}\n", lines[1]),
        whole.replacen("\"size_bytes\":", "\"size_bytes\":1", 1),
        whole.replacen("projects/", "projects/../", 1),
    ] {
        fs::write(&file, changed).unwrap();
        let told = backup::restore(stores(&elsewhere), &place.store, &made.name).await.unwrap_err().message();
        assert!(told.contains("damaged"), "{told}");
        backup::verify(&place.store, &made.name).await.unwrap_err();
        // What can't be read does not tell what it needs.
        backup::prune(&place.store, 1, elsewhere.app.clock.now()).await.unwrap_err();
    }
    fs::remove_file(&file).unwrap();
    assert!(backup::list(&place.store).await.unwrap().is_empty());
    assert!(backup::choose(&place.store, None).await.unwrap_err().message().contains("no backup"));
    backup::restore(stores(&elsewhere), &place.store, &made.name).await.unwrap_err();
    assert_empty(&elsewhere).await;
    assert!(keys(&elsewhere.app.blobs).await.is_empty());
}

#[tokio::test]
async fn nothing_is_brought_back_to_where_something_is() {
    let (_, place, made) = filled().await;
    let with_rows = TestApp::new().await;
    with_rows.account("ada@example.org").await;
    let before = rows_of(&with_rows).await;
    let told = backup::restore(stores(&with_rows), &place.store, &made.name).await.unwrap_err().message();
    assert!(told.contains("database is not empty") && told.contains("accounts"), "{told}");
    assert_same_rows(&rows_of(&with_rows).await, &before);
    assert!(keys(&with_rows.app.blobs).await.is_empty());

    let with_contents = TestApp::new().await;
    with_contents.app.blobs.put_object("projects/x", "somebody's".into()).await.unwrap();
    let told = backup::restore(stores(&with_contents), &place.store, &made.name).await.unwrap_err().message();
    assert!(told.contains("not empty") && told.contains("projects/x"), "{told}");
    assert_empty(&with_contents).await;
    assert_eq!(keys(&with_contents.app.blobs).await, ["projects/x"]);
}

#[tokio::test]
async fn no_backup_is_made_of_contents_that_are_missing_or_not_what_they_were() {
    let (app, place, made) = filled().await;
    let project = app.project("third").await;
    keep(&app, &project, noise(9, 300_000)).await;
    let folder = app.contents_folder().join(format!("projects/{}/objects", project.id));
    let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let before = place.keys().await;
    let back_up = async || {
        app.app.clock.advance(Duration::seconds(1));
        backup::make(stores(&app), &place.store, app.app.clock.now()).await
    };
    flip_a_bit(&file);
    let told = back_up().await.unwrap_err().message();
    assert!(told.contains("is not what the database says"), "{told}");
    fs::remove_file(&file).unwrap();
    let told = back_up().await.unwrap_err().message();
    assert!(told.contains("lacks projects/"), "{told}");
    // The former one is as good as before, and nothing is left of the others.
    assert_eq!(place.keys().await, before);
    assert_eq!(backup::verify(&place.store, &made.name).await.unwrap().damaged, 0);

    fs::write(&file, whole).unwrap();
    let second = back_up().await.unwrap();
    assert_eq!((second.sent_objects, second.sent_bytes), (1, 300_000));
}
