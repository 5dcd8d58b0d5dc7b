//! What a project's owners have settled: for how long artifacts are kept, and who is told how its runs end.

use otrace_server::testing::TestApp;
use uuid::Uuid;

/// A message of a webhook, and what came of it.
#[derive(Clone, Copy)]
pub(in crate::browser) struct Message<'a> {
    pub(in crate::browser) event: &'a str,
    /// The number of the run that it tells of.
    pub(in crate::browser) run: i32,
    pub(in crate::browser) hours_ago: i32,
    pub(in crate::browser) attempts: i32,
    pub(in crate::browser) status: Option<i32>,
    pub(in crate::browser) answer: Option<&'a str>,
    pub(in crate::browser) error: Option<&'a str>,
    /// It is tried again.
    pub(in crate::browser) waits: bool,
}

/// One that arrived.
const TAKEN: Message<'static> = Message {
    event: "run.completed",
    run: 1,
    hours_ago: 167,
    attempts: 1,
    status: Some(200),
    answer: Some("ok"),
    error: None,
    waits: false,
};

/// What the lab's channel was told in a week, the oldest first.
const WEEK: [Message<'static>; 5] = [
    TAKEN,
    Message { run: 3, hours_ago: 119, attempts: 2, ..TAKEN },
    Message {
        event: "run.failed",
        run: 4,
        hours_ago: 98,
        attempts: 7,
        status: Some(503),
        answer: Some("<html>\n<head><title>503 Service Temporarily Unavailable</title></head>\n</html>"),
        ..TAKEN
    },
    Message {
        event: "run.capture_failed",
        run: 6,
        hours_ago: 43,
        attempts: 7,
        status: None,
        answer: None,
        error: Some("There was no connection: connection refused."),
        waits: false,
    },
    Message {
        event: "run.out_of_contact",
        run: 8,
        hours_ago: 1,
        attempts: 3,
        status: Some(429),
        answer: Some("rate_limited"),
        error: None,
        waits: true,
    },
];

/// Settles it, in the name of an owner who has signed in. Returns where the page of a webhook is that has told much.
pub(super) async fn settle(app: &TestApp, cookie: &str, base: &str, is_long: bool) -> String {
    let (kind, path) =
        if is_long { ("k".repeat(200), "p/".repeat(100)) } else { ("figure".into(), "outputs/*".into()) };
    let tags = if is_long { format!("{}, {}", "t".repeat(200), "u".repeat(200)) } else { "baseline, paper".to_owned() };
    rule(app, cookie, base, &kind, &path, 30).await;
    for sql in [
        "UPDATE retention_rules SET created_at = created_at - interval '40 days'",
        // What it makes lasts for more than its time: the next sweep deletes something.
        "UPDATE runs SET updated_at = updated_at - interval '60 days' WHERE number = 3",
    ] {
        sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    }
    rule(app, cookie, base, "checkpoint", "", 7).await;
    app.post(cookie, &format!("{base}/settings/storage/tags"), &[("tags", &tags)]).await.expect(303);

    let host = if is_long { ["h".repeat(60).as_str(); 4].join(".") } else { "hooks.halden.example".to_owned() };
    let address = format!("https://{host}/services/{}", "T0".repeat(if is_long { 800 } else { 4 }));
    let name = if is_long { "W".repeat(100) } else { "Lab channel".to_owned() };
    let channel = webhook(app, base, &name, &address, None).await;
    let gone = "Its receiver answered 410 Gone: it wants no more messages.";
    let former = webhook(app, base, "Former dashboard", &address, Some(gone)).await;
    message(app, former, Message { hours_ago: 169, status: Some(410), answer: Some("Gone"), ..TAKEN }).await;
    for told in WEEK {
        message(app, channel, told).await;
    }
    if is_long {
        let (answer, error) = ("a".repeat(1000), "e".repeat(300));
        message(app, channel, Message { answer: Some(&answer), error: Some(&error), ..WEEK[2] }).await;
    }
    format!("{base}/settings/webhooks/{channel}")
}

/// Makes a rule of retention.
pub(in crate::browser) async fn rule(app: &TestApp, cookie: &str, base: &str, kind: &str, path: &str, days: u16) {
    let days = days.to_string();
    let fields = [("kind", kind), ("path", path), ("days", days.as_str())];
    app.post(cookie, &format!("{base}/settings/storage/rules"), &fields).await.expect(303);
}

/// Makes a webhook without looking its address up, which nothing here answers; off, if there is a reason for that.
pub(in crate::browser) async fn webhook(
    app: &TestApp,
    base: &str,
    name: &str,
    address: &str,
    off_reason: Option<&str>,
) -> Uuid {
    let sql = "
        INSERT INTO webhooks
            (id, project_id, name, url, format, events, secret, created_by, created_at, turned_off_at, off_reason)
        SELECT gen_random_uuid(), p.id, $2, $3, 'slack', '{run.completed,run.failed,run.out_of_contact}'::text[],
               decode(repeat('00', 32), 'hex'), m.account_id, now() - interval '30 days',
               CASE WHEN $4::text IS NOT NULL THEN now() END, $4
        FROM projects p
        JOIN members m ON m.project_id = p.id AND m.role = 'owner'
        WHERE p.slug = $1
        ORDER BY m.created_at, m.account_id
        LIMIT 1
        RETURNING id
    ";
    let slug = base.strip_prefix("/projects/").unwrap();
    let made = sqlx::query_scalar(sql).bind(slug).bind(name).bind(address).bind(off_reason);
    made.fetch_one(&app.app.pool).await.unwrap()
}

/// Writes down a message of a webhook.
pub(in crate::browser) async fn message(app: &TestApp, webhook: Uuid, told: Message<'_>) {
    let sql = "
        INSERT INTO webhook_deliveries
            (webhook_id, project_id, run_id, event, occurred_at, created_at, attempts, attempted_at, took_ms, status,
             answer, error, delivered_at, next_attempt_at)
        SELECT w.id, w.project_id, r.id, $3, told.at, told.at, $5, told.at, 84, $6, $7, $8,
               CASE WHEN $6 = 200 THEN told.at END, CASE WHEN $9 THEN now() + interval '1 hour' END
        FROM webhooks w
        LEFT JOIN runs r ON r.project_id = w.project_id AND r.number = $2
        CROSS JOIN (SELECT now() - make_interval(hours => $4) AS at) told
        WHERE w.id = $1
    ";
    let Message { event, run, hours_ago, attempts, status, answer, error, waits } = told;
    let written = sqlx::query(sql).bind(webhook).bind(run).bind(event).bind(hours_ago).bind(attempts);
    let written = written.bind(status).bind(answer).bind(error).bind(waits);
    assert_eq!(written.execute(&app.app.pool).await.unwrap().rows_affected(), 1);
}
