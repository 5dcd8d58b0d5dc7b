//! A database that has no connection left.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use otrace_server::app::AppState;
use otrace_server::config::DatabaseConfig;
use otrace_server::database::Database;
use otrace_server::live::Live;
use otrace_server::testing::TestApp;
use otrace_server::{database, routes};
use sqlx::PgPool;
use tower::ServiceExt as _;

#[test]
fn a_request_waits_five_seconds_for_a_connection() {
    assert_eq!(database::pool(10).get_acquire_timeout(), Duration::from_secs(5));
    assert_eq!(database::pool(7).get_max_connections(), 7);
}

#[tokio::test]
async fn no_statement_no_lock_and_no_transaction_holds_a_connection_for_ever() {
    let url = std::env::var("OTRACE_TEST_DATABASE_URL").expect("tests need a PostgreSQL: run `make test`");
    let database = Database::start(&DatabaseConfig::at(&url)).await.unwrap();
    for (setting, limit) in
        [("statement_timeout", "10s"), ("lock_timeout", "3s"), ("idle_in_transaction_session_timeout", "15s")]
    {
        let current = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        let current: String = current.fetch_one(&database.pool).await.unwrap();
        assert_eq!(current, limit, "{setting}");
    }
    database.close().await.unwrap();
}

const ACQUIRE_WITHIN: Duration = Duration::from_millis(200);

/// The same app on a pool of two.
async fn with_pool_of_two(app: &AppState) -> (PgPool, Router) {
    let options = (*app.pool.connect_options()).clone();
    let pool = database::pool(2).acquire_timeout(ACQUIRE_WITHIN).connect_with(options).await.unwrap();
    let live = Live::start(app.pool.clone());
    let (config, clock, blobs) = (app.config.clone(), app.clock.clone(), app.blobs.clone());
    let app = AppState::new(config, clock, pool.clone(), blobs, live, app.tokens.clone()).unwrap();
    (pool, routes::router(app))
}

#[tokio::test]
async fn while_all_connections_are_taken_requests_are_told_to_come_again() {
    let first = TestApp::new().await;
    let project = first.project("wake-word").await;
    let (pool, router) = with_pool_of_two(&first.app).await;
    let get = async |path: &str| {
        let request = Request::get(path).header(AUTHORIZATION, format!("Bearer {}", project.key));
        router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };

    let taken = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    for path in ["/v1/runs", "/health/ready"] {
        let began = Instant::now();
        let refused = get(path).await;
        assert_eq!(refused.status().as_u16(), 503, "{path}");
        assert_eq!(refused.headers()["retry-after"], "5", "{path}");
        assert!(began.elapsed() >= ACQUIRE_WITHIN, "{path}: it waits for a connection first");
    }
    assert_eq!(get("/health/live").await.status().as_u16(), 200, "the server itself is well");
    drop(taken);
    for path in ["/v1/runs", "/health/ready"] {
        assert_eq!(get(path).await.status().as_u16(), 200, "{path}");
    }

    // Who asks again within a second costs no connection.
    let _taken = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    assert_eq!(get("/health/ready").await.status().as_u16(), 200);
    first.app.clock.advance(time::Duration::seconds(1));
    assert_eq!(get("/health/ready").await.status().as_u16(), 503);
}

#[tokio::test]
async fn all_who_ask_whether_the_server_is_ready_share_one_look() {
    let app = TestApp::new().await;
    let (pool, router) = with_pool_of_two(&app.app).await;
    let taken = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let ask = || router.clone().oneshot(Request::get("/health/ready").body(Body::empty()).unwrap());
    // One that gives up takes nothing from the others.
    assert!(ask().now_or_never().is_none());
    let began = Instant::now();
    for answer in join_all((0..50).map(|_| ask())).await {
        assert_eq!(answer.unwrap().status().as_u16(), 503);
    }
    assert!(began.elapsed() < 10 * ACQUIRE_WITHIN, "one after the other they would wait for ten seconds");
    drop(taken);
    assert_eq!(ask().await.unwrap().status().as_u16(), 200);
}
