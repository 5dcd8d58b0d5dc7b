//! What a page hears that was away, or whose server was.

use otrace_server::live::Live;
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use super::{Page, get, now, second_server_with, server};

#[tokio::test]
async fn what_a_run_prints_is_told_as_such_also_to_a_page_that_was_away() {
    let server = server().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "prints").await;
    let mut page = Page::open(server.url(), &project, now(&server) + 60_000_000).await;
    let print = async |offset: usize| {
        let path = format!("/v1/runs/exp001/logs/stdout?offset={offset}");
        server.app.api_raw(&project.key, "POST", &path, "line\n").await.expect(200);
    };
    print(0).await;
    // That the run was made may be told first.
    let (id, event) = loop {
        let heard = page.hear().await;
        if heard.1["output"] == json!(true) {
            break heard;
        }
    };
    assert_eq!(event["experiment_id"], "exp001");

    // Away for a while.
    drop(page);
    print(5).await;
    let response = get(server.url(), &project.slug, &project.cookie, "", Some(id)).await;
    let (again, event) = Page::of(response).hear().await;
    assert_eq!(event["experiment_id"], "exp001");
    assert!(again >= id, "{again} after {id}");
}

#[tokio::test]
async fn who_missed_too_much_is_told_to_look_anew() {
    let server = server().await;
    let project = server.project("wake-word").await;
    let since = now(&server);
    for _ in 0..100 {
        server.app.run(&project.key, "one of many").await;
    }
    let mut page = Page::open(server.url(), &project, since).await;
    assert_eq!(page.event().await.unwrap().name, "resync");
    server.app.run(&project.key, "afterwards").await;
    assert_eq!(page.hear_until("exp101").await.last().unwrap(), "exp101");
}

#[tokio::test]
async fn a_server_that_could_not_listen_for_a_while_tells_its_pages_to_look_anew() {
    let first = server().await;
    let project = first.project("wake-word").await;
    // Connections by which this server alone listens.
    let name = format!("test-{}", Uuid::now_v7().simple());
    let options = (*first.app.app.pool.connect_options()).clone().application_name(&name);
    let live = Live::start(PgPoolOptions::new().max_connections(4).connect_with(options).await.unwrap());
    let (second, _) = second_server_with(&first, live).await;
    let mut page = Page::open(&second, &project, now(&first)).await;
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1")
        .bind(&name)
        .execute(&first.app.app.pool)
        .await
        .unwrap();
    assert_eq!(page.event().await.unwrap().name, "resync");
    first.app.run(&project.key, "heard again").await;
    assert_eq!(page.hear().await.1["experiment_id"], "exp001");
}
