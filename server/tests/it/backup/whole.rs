//! Backups that come back whole.

use std::collections::BTreeMap;
use std::str::FromStr;

use futures_util::future::join;
use otrace_server::blobs::Blobs;
use otrace_server::database;
use otrace_server::services::backup::{self, Snapshot, Stores};
use otrace_server::testing::TestApp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use time::Duration;
use uuid::Uuid;

use super::server::{fill, fill_a_little, keep, send_points};
use super::{Place, assert_same_rows, contents_of, count, noise, read, rows, rows_of, stores};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_server_brings_back_every_row_and_every_byte_of_its_moment() {
    let app = TestApp::new().await;
    let project = fill(&app).await;
    let place = Place::new();
    let mut snapshot = Snapshot::take(&app.app.pool).await.unwrap();
    // Somebody else looks at the same moment.
    let id: String = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(snapshot.connection()).await.unwrap();
    let mut beside = app.app.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET TRANSACTION SNAPSHOT '{id}'"))).execute(&mut *beside).await.unwrap();

    let writing = async {
        for round in 0..20 {
            app.run(&project.key, "meanwhile").await;
            keep(&app, &project, noise(100 + round, 10_000)).await;
            if round == 5 {
                app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
            }
        }
    };
    let making = backup::make_of(snapshot, &app.app.blobs, &place.store, app.app.clock.now());
    let (made, ()) = join(making, writing).await;
    let made = made.unwrap();
    let expected = rows(&mut beside).await;
    beside.rollback().await.unwrap();
    assert_eq!(made.rows, count(&expected));
    assert!(rows_of(&app).await != expected, "others did write meanwhile");

    let elsewhere = TestApp::new().await;
    let restored = backup::restore(stores(&elsewhere), &place.store, &made.name).await.unwrap();
    assert_same_rows(&rows_of(&elsewhere).await, &without_sign_ins(&expected));
    assert_eq!((restored.rows, restored.objects, restored.bytes), (made.rows, made.objects, made.bytes));
    assert_eq!(restored.left_out, [""; 0]);
    let contents = contents_of(&elsewhere).await;
    assert_eq!(contents.len(), expected["blobs"].len());
    for (project, digest) in contents {
        assert!(read(&elsewhere, project, &digest).await == read(&app, project, &digest).await, "{digest}");
    }

    // Sessions that have ended since are not good again, and so none is.
    assert!(!expected["sessions"].is_empty());
    let page = format!("/projects/{}/settings/storage", project.slug);
    app.get(&project.cookie, &page).await.expect(200);
    elsewhere.get(&project.cookie, &page).await.expect(303);

    // It goes on from there: with its keys, its numbers, and what the database counts by itself.
    assert_eq!(elsewhere.run(&project.key, "after").await["experiment_id"], "exp005");
    send_points(&elsewhere, &project, 40_000, 10).await;
    let loss = elsewhere.api(&project.key, "GET", "/v1/runs/exp004/series/loss", None).await.expect(200).json();
    assert_eq!(loss["series"]["count"], 40_010);
}

#[tokio::test]
async fn a_second_backup_sends_only_what_is_new_and_old_ones_go_with_what_only_they_need() {
    let app = TestApp::new().await;
    let project = fill(&app).await;
    let place = Place::new();
    let make = async || {
        app.app.clock.advance(Duration::seconds(1));
        backup::make(stores(&app), &place.store, app.app.clock.now()).await.unwrap()
    };
    let gone = keep(&app, &project, noise(7, 300_000)).await;
    let first = make().await;
    assert_eq!((first.sent_objects, first.sent_bytes), (first.objects, first.bytes), "all of it is new");

    let removed = sqlx::query("DELETE FROM blobs WHERE sha256 = $1").bind(gone.as_bytes().to_vec());
    removed.execute(&app.app.pool).await.unwrap();
    keep(&app, &project, noise(8, 200_000)).await;
    let second = make().await;
    assert_eq!((second.sent_objects, second.sent_bytes), (1, 200_000));
    assert_eq!(second.bytes, first.bytes - 100_000);
    let third = make().await;
    assert_eq!((third.sent_objects, third.sent_bytes, third.bytes), (0, 0, second.bytes));
    let listed = backup::list(&place.store).await.unwrap();
    let names: Vec<&String> = listed.iter().map(|backup| &backup.name).collect();
    assert_eq!(names, [&first.name, &second.name, &third.name]);
    assert_eq!(backup::choose(&place.store, None).await.unwrap(), third.name);
    assert_eq!(backup::choose(&place.store, Some("2026-06-01T12:00:02.9Z")).await.unwrap(), second.name);
    assert!(backup::choose(&place.store, Some("2026-05-01")).await.unwrap_err().message().contains("no backup"));

    let pruned = backup::prune(&place.store, 2, app.app.clock.now()).await.unwrap();
    assert_eq!((pruned.backups, pruned.objects, pruned.bytes), (1, 1, 300_000));
    let again = backup::prune(&place.store, 2, app.app.clock.now()).await.unwrap();
    assert_eq!(again, backup::Pruned::default());
    let verified = backup::verify(&place.store, &second.name).await.unwrap();
    assert_eq!((verified.damaged, verified.objects, verified.bytes), (0, second.objects, second.bytes));
    assert!(!place.keys().await.iter().any(|key| key.contains(&first.name)));
    let elsewhere = TestApp::new().await;
    backup::restore(stores(&elsewhere), &place.store, &third.name).await.unwrap();
    assert_same_rows(&rows_of(&elsewhere).await, &without_sign_ins(&rows_of(&app).await));
}

#[tokio::test]
async fn what_somebody_else_is_backing_up_to_the_same_place_stays_for_a_day() {
    let app = TestApp::new().await;
    let project = fill_a_little(&app).await;
    let place = Place::new();
    let old = backup::make(stores(&app), &place.store, app.app.clock.now()).await.unwrap();
    app.app.clock.advance(Duration::seconds(1));
    let kept = backup::make(stores(&app), &place.store, app.app.clock.now()).await.unwrap();
    let begun = [
        "backups/20260601T120002Z/tables/accounts.copy.zst".to_owned(),
        format!("contents/projects/{}/objects/{}", project.id, Uuid::now_v7()),
    ];
    for key in &begun {
        place.store.put_object(key, "of another one".into()).await.unwrap();
    }
    app.app.clock.advance(Duration::hours(23));
    let pruned = backup::prune(&place.store, 1, app.app.clock.now()).await.unwrap();
    assert_eq!((pruned.backups, pruned.objects), (1, 0));
    let keys = place.keys().await;
    assert!(begun.iter().all(|key| keys.contains(key)) && !keys.iter().any(|key| key.contains(&old.name)), "{keys:?}");
    app.app.clock.advance(Duration::hours(2));
    let pruned = backup::prune(&place.store, 1, app.app.clock.now()).await.unwrap();
    assert_eq!((pruned.backups, pruned.objects), (0, 1));
    let keys = place.keys().await;
    assert!(!begun.iter().any(|key| keys.contains(key)), "{keys:?}");
    assert_eq!(backup::verify(&place.store, &kept.name).await.unwrap().damaged, 0);
}

/// What comes back of these rows: nobody is signed in.
fn without_sign_ins(rows: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    let mut rows = rows.clone();
    for table in ["sessions", "one_time_links", "device_logins", "provider_attempts"] {
        rows.get_mut(table).unwrap().clear();
    }
    rows
}

/// A schema in which nothing is.
async fn empty_schema() -> PgPool {
    let url = std::env::var("OTRACE_TEST_DATABASE_URL").expect("tests need a PostgreSQL: run `make test`");
    let options = PgConnectOptions::from_str(&url).unwrap();
    let schema = format!("backup_{}", Uuid::now_v7().simple());
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let options = options.options([("search_path", schema.as_str())]);
    PgPoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
}

#[tokio::test]
async fn a_backup_of_an_older_server_comes_back_on_this_one() {
    let known = database::known_migrations();
    let before = known[known.len() - 2].version;
    let older = empty_schema().await;
    database::migrate_until(&older, before).await.unwrap();
    let insert = "INSERT INTO accounts (id, email, name, created_at) VALUES ($1, 'ada@example.org', 'Ada', now())";
    sqlx::query(insert).bind(Uuid::now_v7()).execute(&older).await.unwrap();
    let place = Place::new();
    let contents = Blobs::in_memory();
    let now = time::macros::datetime!(2026-06-01 12:00 UTC);
    let made = backup::make(Stores { pool: &older, contents: &contents }, &place.store, now).await.unwrap();
    assert_eq!((made.rows, made.objects), (1, 0));

    let newer = empty_schema().await;
    let elsewhere = Stores { pool: &newer, contents: &Blobs::in_memory() };
    backup::restore(elsewhere, &place.store, &made.name).await.unwrap();
    let seen: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version").fetch_all(&newer).await.unwrap();
    assert_eq!(seen, known.iter().map(|migration| migration.version).collect::<Vec<_>>());
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM accounts").fetch_all(&newer).await.unwrap();
    assert_eq!(names, ["Ada"]);

    // A database that is empty, and was set up by another version, is none for it.
    let refused = TestApp::new().await;
    let told = backup::restore(stores(&refused), &place.store, &made.name).await.unwrap_err().message();
    assert!(told.contains("another version"), "{told}");
}

#[tokio::test]
async fn every_table_has_its_place_before_those_that_refer_to_it() {
    let app = TestApp::new().await;
    let mut connection = app.app.pool.acquire().await.unwrap();
    let tables = otrace_server::store::archive::tables::list(&mut connection).await.unwrap();
    let listed: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(listed, rows(&mut connection).await.keys().map(String::as_str).collect::<Vec<_>>());
    let refers = tables.iter().map(|table| (table.name.clone(), table.refers_to.clone())).collect();
    otrace_server::domain::backup::in_order(refers).unwrap();
}
