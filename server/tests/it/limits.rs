//! Limits that several servers keep together on one database.

use futures_util::future::join_all;
use otrace_server::clock::Clock;
use otrace_server::config::LimitsConfig;
use otrace_server::error::{AppError, Result};
use otrace_server::limits::{Limit, Limits, RESET_EMAIL, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS};
use otrace_server::testing::TestDatabase;
use sqlx::PgPool;
use time::Duration;
use time::macros::datetime;
use tokio::time::timeout;

const LIMIT: Limit = Limit { name: "test", burst: 5, refill_seconds: 60.0 };
const ADDRESS: &str = "192.0.2.7";

/// Several servers with one database and one clock.
struct Cluster {
    pool: PgPool,
    clock: Clock,
}

impl Cluster {
    async fn new() -> Self {
        let clock = Clock::frozen_at(datetime!(2026-06-01 12:00 UTC));
        Self { pool: TestDatabase::new().await.pool, clock }
    }

    /// One more server, which settles only when it is told to.
    fn server(&self) -> Limits {
        Limits::new(self.pool.clone(), self.clock.clone(), &LimitsConfig::default())
    }

    async fn rows(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM rate_limits").fetch_one(&self.pool).await.unwrap()
    }
}

/// `None`: let through. Else when to come back, in seconds.
#[track_caller]
fn wait(taken: Result<()>) -> Option<u64> {
    match taken {
        Ok(()) => None,
        Err(AppError::RateLimited { retry_after_seconds }) => Some(retry_after_seconds),
        Err(other) => panic!("{other:?}"),
    }
}

/// How often it is let through before it is refused.
fn count_until_refused(server: &Limits, limit: &Limit) -> usize {
    (0..1000).take_while(|_| wait(server.count(limit, ADDRESS)).is_none()).count()
}

#[tokio::test]
async fn what_is_strict_counts_on_all_servers_at_once() {
    let cluster = Cluster::new().await;
    let (one, other) = (cluster.server(), cluster.server());
    for turn in 0..5 {
        let server = if turn % 2 == 0 { &one } else { &other };
        assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), None, "{turn}");
    }
    assert_eq!(wait(one.take(&LIMIT, ADDRESS).await), Some(60));
    assert_eq!(wait(other.take(&LIMIT, ADDRESS).await), Some(60));
    // Another subject and another limit have buckets of their own.
    assert_eq!(wait(one.take(&LIMIT, "192.0.2.8").await), None);
    assert_eq!(wait(one.take(&SIGN_IN_ADDRESS, ADDRESS).await), None);
}

#[tokio::test]
async fn a_token_comes_back_with_time_and_the_answer_says_when() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    for _ in 0..5 {
        server.take(&LIMIT, ADDRESS).await.unwrap();
    }
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), Some(60));
    cluster.clock.advance(Duration::milliseconds(12_500));
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), Some(48));
    assert_eq!(wait(cluster.server().take(&LIMIT, ADDRESS).await), Some(48));
    cluster.clock.advance(Duration::seconds(48));
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), None);
    // Half a second was left over.
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), Some(60));
    cluster.clock.advance(Duration::milliseconds(59_499));
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), Some(1));
    cluster.clock.advance(Duration::milliseconds(1));
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), None);

    // However long nothing is done, no more than a burst is there.
    cluster.clock.advance(Duration::days(30));
    for _ in 0..5 {
        server.take(&LIMIT, ADDRESS).await.unwrap();
    }
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), Some(60));
}

#[tokio::test]
async fn an_account_is_tried_twenty_times_an_hour_once_its_burst_is_spent() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    let mut let_through = 0;
    for _ in 0..3600 / 30 {
        while wait(server.take(&SIGN_IN_ACCOUNT, "ada@example.org").await).is_none() {
            let_through += 1;
        }
        cluster.clock.advance(Duration::seconds(30));
    }
    assert_eq!(let_through, 10 + 19, "the next one comes with the hour's end");
    assert_eq!(wait(server.take(&SIGN_IN_ACCOUNT, "ada@example.org").await), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tries_at_once_get_exactly_the_burst() {
    let cluster = Cluster::new().await;
    let limit = Limit { burst: 37, ..LIMIT };
    // Each from a server of its own, so that no memory helps.
    let tries = (0..1000).map(|_| {
        let server = cluster.server();
        tokio::spawn(async move { wait(server.take(&limit, ADDRESS).await).is_none() })
    });
    let let_through = join_all(tries).await.into_iter().filter(|through| *through.as_ref().unwrap()).count();
    assert_eq!(let_through, 37);
}

#[tokio::test]
async fn of_several_limits_all_are_taken_or_none() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    let account = "ada@example.org";
    for _ in 0..3 {
        server.take(&RESET_EMAIL, account).await.unwrap();
    }
    let both = [(&LIMIT, ADDRESS.to_owned()), (&RESET_EMAIL, account.to_owned())];
    for _ in 0..20 {
        assert_eq!(wait(cluster.server().take_all(&both).await), Some(3600));
    }
    let other = [(&LIMIT, ADDRESS.to_owned()), (&RESET_EMAIL, "grace@example.org".to_owned())];
    for _ in 0..3 {
        assert_eq!(wait(server.take_all(&other).await), None);
    }
    // Of this address' five tokens two are left: none was lost by what was refused.
    let twice = [(&LIMIT, ADDRESS.to_owned()), (&LIMIT, ADDRESS.to_owned())];
    assert_eq!(wait(server.take_all(&twice).await), None);
    assert_eq!(wait(server.take_all(&twice).await), Some(120));
    assert_eq!(wait(server.take_all(&[]).await), None);
}

#[tokio::test]
async fn limits_taken_crosswise_at_once_never_wait_in_a_circle() {
    let cluster = Cluster::new().await;
    let limit = Limit { burst: 1000, ..LIMIT };
    let tries = (0..100).map(|turn| {
        let server = cluster.server();
        tokio::spawn(async move {
            let mut subjects: Vec<(&Limit, String)> = (0..10).map(|number| (&limit, number.to_string())).collect();
            subjects.rotate_left(turn % 10);
            wait(server.take_all(&subjects).await)
        })
    });
    let answers: Vec<Option<u64>> = join_all(tries).await.into_iter().map(std::result::Result::unwrap).collect();
    assert_eq!(answers, vec![None; 100]);
}

#[tokio::test]
async fn what_is_fast_counts_on_all_servers_once_they_settled() {
    let cluster = Cluster::new().await;
    let (one, other) = (cluster.server(), cluster.server());
    assert_eq!(count_until_refused(&one, &LIMIT), 5);
    one.settle().await.unwrap();
    // The other one can't know before it settles; then it does, and what it gave away counts as well.
    assert_eq!(count_until_refused(&other, &LIMIT), 5);
    other.settle().await.unwrap();
    assert_eq!(wait(other.count(&LIMIT, ADDRESS)), Some(6 * 60));
    cluster.clock.advance(Duration::minutes(5));
    assert_eq!(wait(other.count(&LIMIT, ADDRESS)), Some(60));
    cluster.clock.advance(Duration::minutes(1));
    assert_eq!(wait(other.count(&LIMIT, ADDRESS)), None);
    other.settle().await.unwrap();

    // And a third one, which counted a single request, learns of all of them.
    let third = cluster.server();
    assert_eq!(wait(third.count(&LIMIT, ADDRESS)), None);
    third.settle().await.unwrap();
    assert_eq!(wait(third.count(&LIMIT, ADDRESS)), Some(120));
    // What was counted by some is also what asking first finds.
    assert_eq!(wait(cluster.server().take(&LIMIT, ADDRESS).await), Some(120));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_counted_while_settling_is_neither_lost_nor_counted_twice() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    let limit = Limit { burst: 500, ..LIMIT };
    let counting = (0..4).map(|_| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut let_through = 0;
            for _ in 0..250 {
                let_through += usize::from(wait(server.count(&limit, ADDRESS)).is_none());
                tokio::task::yield_now().await;
            }
            let_through
        })
    });
    let settling = async {
        for _ in 0..50 {
            server.settle().await.unwrap();
        }
    };
    let (counted, ()) = tokio::join!(join_all(counting), settling);
    assert_eq!(counted.into_iter().map(std::result::Result::unwrap).sum::<usize>(), 500);
    server.settle().await.unwrap();
    let left: f64 = sqlx::query_scalar("SELECT tokens FROM rate_limits").fetch_one(&cluster.pool).await.unwrap();
    assert!(left.abs() < 1e-6, "{left}");
}

#[tokio::test]
async fn a_server_settles_by_itself_until_it_is_closed() {
    let cluster = Cluster::new().await;
    let server = Limits::start(cluster.pool.clone(), cluster.clock.clone(), &LimitsConfig::default());
    server.count_write("key").unwrap();
    let told = async { while cluster.rows().await == 0 {} };
    timeout(std::time::Duration::from_secs(30), told).await.expect("it settles each second");
    server.close();
}

#[tokio::test]
async fn while_the_database_is_away_a_server_counts_alone_and_tells_it_later() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    sqlx::query("ALTER TABLE rate_limits RENAME TO away").execute(&cluster.pool).await.unwrap();
    assert_eq!(count_until_refused(&server, &LIMIT), 5);
    server.settle().await.unwrap_err();
    assert_eq!(wait(server.count(&LIMIT, ADDRESS)), Some(60));
    server.take(&LIMIT, "192.0.2.8").await.unwrap_err();
    sqlx::query("ALTER TABLE away RENAME TO rate_limits").execute(&cluster.pool).await.unwrap();
    server.settle().await.unwrap();
    assert_eq!(wait(cluster.server().take(&LIMIT, ADDRESS).await), Some(60));
}

#[tokio::test]
async fn a_server_whose_clock_is_ahead_does_not_shut_the_others_out() {
    let cluster = Cluster::new().await;
    let ahead = Clock::frozen_at(cluster.clock.now() + Duration::hours(1));
    let ahead = Limits::new(cluster.pool.clone(), ahead, &LimitsConfig::default());
    assert_eq!(wait(ahead.take(&LIMIT, ADDRESS).await), None);
    let server = cluster.server();
    for _ in 0..4 {
        assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), None);
    }
    assert_eq!(wait(server.take(&LIMIT, ADDRESS).await), Some(60));
}

#[tokio::test]
async fn a_key_has_a_burst_and_a_rate_for_writes_and_for_reads_or_no_limit() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    let writes = (0..2000).take_while(|_| server.count_write("key").is_ok()).count();
    let reads = (0..2000).take_while(|_| server.count_read("key").is_ok()).count();
    assert_eq!((writes, reads), (1000, 300));
    assert_eq!(wait(server.count_write("key")), Some(1));
    cluster.clock.advance(Duration::seconds(1));
    let writes = (0..2000).take_while(|_| server.count_write("key").is_ok()).count();
    let reads = (0..2000).take_while(|_| server.count_read("key").is_ok()).count();
    assert_eq!((writes, reads), (200, 50));
    assert_eq!(wait(server.count_write("another key")), None);

    let unlimited = LimitsConfig { api_writes_per_second: 0, api_reads_per_second: 0, ..LimitsConfig::default() };
    let unlimited = Limits::new(cluster.pool.clone(), cluster.clock.clone(), &unlimited);
    assert!((0..2000).all(|_| unlimited.count_write("key").is_ok() && unlimited.count_read("key").is_ok()));
}

#[tokio::test]
async fn nothing_personal_lies_in_the_table() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    let subjects = ["192.0.2.7", "2001:db8:1:2::/64", "ada@example.org"];
    for subject in subjects {
        server.take(&SIGN_IN_ADDRESS, subject).await.unwrap();
        server.count(&LIMIT, subject).unwrap();
    }
    server.settle().await.unwrap();
    // A row each: the same subject can't be followed from one limit to another.
    assert_eq!(cluster.rows().await, 6);
    // A bytea reads as hexadecimal, so that the words are looked for in both forms.
    let stored: String = sqlx::query_scalar("SELECT string_agg(r::text, ' ') FROM rate_limits r")
        .fetch_one(&cluster.pool)
        .await
        .unwrap();
    assert!(stored.contains("sign_in_address"), "{stored}");
    for subject in subjects {
        let hex = subject.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        assert!(!stored.contains(subject) && !stored.contains(&hex), "{stored}");
    }
}

#[tokio::test]
async fn full_buckets_are_cleared_away_now_and_then_and_no_others() {
    let cluster = Cluster::new().await;
    let server = cluster.server();
    server.settle().await.unwrap();
    server.take(&LIMIT, ADDRESS).await.unwrap();
    server.take(&RESET_EMAIL, "ada@example.org").await.unwrap();
    // Full again after a minute, which nobody looks at yet.
    cluster.clock.advance(Duration::minutes(2));
    server.settle().await.unwrap();
    assert_eq!(cluster.rows().await, 2);
    cluster.clock.advance(Duration::minutes(8));
    server.settle().await.unwrap();
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM rate_limits").fetch_all(&cluster.pool).await.unwrap();
    assert_eq!(names, ["reset_email"]);
    cluster.clock.advance(Duration::minutes(50));
    server.settle().await.unwrap();
    assert_eq!(cluster.rows().await, 0);
    // What is gone is full.
    for _ in 0..3 {
        assert_eq!(wait(server.take(&RESET_EMAIL, "ada@example.org").await), None);
    }
    assert_eq!(wait(server.take(&RESET_EMAIL, "ada@example.org").await), Some(3600));
}
