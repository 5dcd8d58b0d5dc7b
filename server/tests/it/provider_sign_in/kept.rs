//! What is kept of a sign-in through a provider: who it was, and none of the provider's tokens.

use otrace_server::testing::TestApp;
use sqlx::AssertSqlSafe;

use super::{ADA, Visitor, WAY, empty_server, parameter};

/// All that the database holds, as text.
async fn dump(app: &TestApp) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1",
    )
    .fetch_all(&app.app.pool)
    .await
    .unwrap();
    let mut dump = String::new();
    for table in tables {
        let sql = format!("SELECT string_agg(t::text, chr(10)) FROM {table} t");
        let rows: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&app.app.pool).await.unwrap();
        dump.push_str(&rows.unwrap_or_default());
        dump.push('\n');
    }
    dump
}

/// The words that may be tokens: long, of the characters of Base64 for URLs, and no hash in hex.
fn tokens_in(dump: &str) -> Vec<&str> {
    dump.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .filter(|word| word.len() >= 40 && !word.trim_start_matches('x').bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect()
}

#[tokio::test]
async fn nothing_is_kept_of_a_sign_in_but_who_it_was() {
    // No other account: the hash of a password looks like a token.
    let (app, provider) = empty_server(|_| {}).await;
    let mut ada = Visitor::at_this_machine(&app);
    let back = ada.vouched(WAY, "ada").await;
    let during = dump(&app).await;
    assert_eq!(tokens_in(&during).len(), 2, "the nonce and the verifier of the attempt: {during}");

    ada.come_back(&back).await.expect(303);
    // One that has the same address, and waits to be confirmed.
    ada.another().sign_in("second-ada").await.expect(303);
    let after = dump(&app).await;
    assert!(after.contains(ADA) && after.contains("second-ada"), "{after}");
    assert!(after.contains(provider.issuer.as_str().trim_end_matches('/')), "{after}");
    assert_eq!(tokens_in(&after), [""; 0]);
    for name in ["code", "state"] {
        assert!(!after.contains(&parameter(&back, name).unwrap()), "{name}");
    }
    for secret in ada.cookies.values() {
        assert!(!after.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_database_has_no_place_for_a_providers_tokens() {
    let (app, _provider) = empty_server(|_| {}).await;
    let mut columns: Vec<String> = sqlx::query_scalar(
        "
        SELECT (table_name || '.' || column_name)::text
        FROM information_schema.columns
        WHERE table_schema = current_schema()
          AND (table_name IN ('identities', 'unconfirmed_identities') OR column_name ~ 'token|secret|refresh|bearer')
        ",
    )
    .fetch_all(&app.app.pool)
    .await
    .unwrap();
    columns.sort();
    let expected = [
        "identities.account_id",
        "identities.created_at",
        "identities.email",
        "identities.id",
        "identities.issuer",
        "identities.subject",
        // SHA-256 of our own, and a number.
        "invitations.token_hash",
        "one_time_links.token_hash",
        "open_invitations.token_hash",
        "rate_limits.tokens",
        "sessions.former_token_hash",
        "sessions.token_hash",
        "sessions.token_made_at",
        "unconfirmed_identities.account_id",
        "unconfirmed_identities.browser_hash",
        "unconfirmed_identities.email",
        "unconfirmed_identities.expires_at",
        "unconfirmed_identities.issuer",
        "unconfirmed_identities.subject",
        // Our own, to sign with.
        "webhooks.former_secret",
        "webhooks.former_secret_until",
        "webhooks.secret",
    ];
    assert_eq!(columns, expected);
}
