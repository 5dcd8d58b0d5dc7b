//! What the server signs: only what it made itself, for this use, now, is accepted.

mod corpus;
mod files;
mod rotation;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use otrace_server::domain::{AccountId, ApiKeyId, ArtifactId, ProjectId, RunId};
use otrace_server::tokens::{RunClaims, TicketClaims, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
const ISSUER: &str = "https://trace.example.org";
const KID: &str = "test-key";

/// The secret of the key that these tests know.
fn secret() -> Vec<u8> {
    (1..=32).collect()
}

fn key_line(kid: &str, made_at: OffsetDateTime, secret: &[u8]) -> String {
    format!("{kid} {} {}\n", made_at.unix_timestamp(), URL_SAFE_NO_PAD.encode(secret))
}

/// A key file as the server leaves it: closed to others, in a folder that is too.
struct KeyFile {
    _folder: TempDir,
    path: PathBuf,
}

impl KeyFile {
    /// None yet.
    fn missing() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let path = folder.path().join("signing-keys");
        Self { _folder: folder, path }
    }

    fn with(text: &str) -> Self {
        let file = Self::missing();
        file.write(text);
        file
    }

    /// One that holds the key that these tests know.
    fn known() -> Self {
        Self::with(&key_line(KID, NOW - Duration::hours(1), &secret()))
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
        self.set_mode(0o600);
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(&self.path, Permissions::from_mode(mode)).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn open(&self) -> Tokens {
        Tokens::open(&self.path, ISSUER, NOW).unwrap()
    }

    fn refusal(&self) -> String {
        refusal_of(&self.path)
    }
}

fn refusal_of(path: &Path) -> String {
    format!("{:#}", Tokens::open(path, ISSUER, NOW).unwrap_err())
}

fn some_run() -> RunClaims {
    RunClaims { run: RunId::new(), project: ProjectId::new(), key: ApiKeyId::new() }
}

fn run_token(tokens: &Tokens, claims: RunClaims, now: OffsetDateTime) -> String {
    tokens.run_token(claims.run, claims.project, claims.key, now).unwrap()
}

/// The header and the claims of a token that holds now.
fn good(claims: RunClaims) -> (Value, Value) {
    let now = NOW.unix_timestamp();
    let header = json!({"typ": "run+jwt", "alg": "HS256", "kid": KID});
    let claims = json!({
        "iss": ISSUER,
        "aud": "otrace-run",
        "sub": claims.run,
        "grant": {"project": claims.project, "key": claims.key},
        "iat": now,
        "nbf": now,
        "exp": now + 30 * 24 * 3600,
    });
    (header, claims)
}

/// A token with this header and these claims, as somebody who knows the secret can make it.
fn forge(header: &Value, claims: &Value) -> String {
    forge_text(&header.to_string(), &claims.to_string(), &secret(), Algorithm::HS256)
}

fn forge_text(header: &str, claims: &str, secret: &[u8], algorithm: Algorithm) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Whether any use accepts it.
fn is_accepted(tokens: &Tokens, token: &str, now: OffsetDateTime) -> bool {
    tokens.check_run_token(token, now).is_some()
        || tokens.check_download_ticket(token, now).is_some()
        || tokens.check_known_browser(token, now).is_some()
}

#[test]
fn each_token_tells_what_it_was_made_for() {
    let tokens = Tokens::with_new_key(ISSUER, NOW).unwrap();
    let claims = some_run();
    assert_eq!(tokens.check_run_token(&run_token(&tokens, claims, NOW), NOW), Some(claims));

    let ticket = TicketClaims { artifact: ArtifactId::new(), project: ProjectId::new() };
    let text = tokens.download_ticket(ticket.artifact, ticket.project, NOW).unwrap();
    assert_eq!(tokens.check_download_ticket(&text, NOW), Some(ticket));

    let account = AccountId::new();
    let browser = tokens.known_browser(account, NOW).unwrap();
    assert_eq!(tokens.check_known_browser(&browser, NOW), Some(account));
    tokens.self_test(NOW).unwrap();
}

#[test]
fn no_use_accepts_another_ones_token() {
    let tokens = Tokens::with_new_key(ISSUER, NOW).unwrap();
    let run = run_token(&tokens, some_run(), NOW);
    let ticket = tokens.download_ticket(ArtifactId::new(), ProjectId::new(), NOW).unwrap();
    let browser = tokens.known_browser(AccountId::new(), NOW).unwrap();
    for (token, is_run, is_ticket, is_browser) in
        [(run, true, false, false), (ticket, false, true, false), (browser, false, false, true)]
    {
        assert_eq!(tokens.check_run_token(&token, NOW).is_some(), is_run);
        assert_eq!(tokens.check_download_ticket(&token, NOW).is_some(), is_ticket);
        assert_eq!(tokens.check_known_browser(&token, NOW).is_some(), is_browser);
    }
}

#[test]
fn a_token_ends_with_its_time() {
    let tokens = Tokens::with_new_key(ISSUER, NOW).unwrap();
    let run = run_token(&tokens, some_run(), NOW);
    let ticket = tokens.download_ticket(ArtifactId::new(), ProjectId::new(), NOW).unwrap();
    let browser = tokens.known_browser(AccountId::new(), NOW).unwrap();
    for (token, lifetime) in [(run, Duration::days(30)), (ticket, Duration::minutes(5)), (browser, Duration::days(180))]
    {
        assert!(!is_accepted(&tokens, &token, NOW - Duration::seconds(6)));
        assert!(is_accepted(&tokens, &token, NOW + lifetime - Duration::seconds(1)));
        assert!(!is_accepted(&tokens, &token, NOW + lifetime + Duration::seconds(6)));
    }
}

#[test]
fn a_token_of_another_server_is_refused_even_where_the_keys_are_shared() {
    let file = KeyFile::known();
    let here = file.open();
    let elsewhere = Tokens::open(&file.path, "https://other.example.org", NOW).unwrap();
    let token = run_token(&elsewhere, some_run(), NOW);
    assert!(is_accepted(&elsewhere, &token, NOW) && !is_accepted(&here, &token, NOW));
}

#[test]
fn tokens_print_themselves_without_their_keys() {
    let file = KeyFile::known();
    let printed = format!("{:?}", file.open());
    assert!(printed.contains(KID) && printed.contains("redacted"), "{printed}");
    assert!(!printed.contains(&URL_SAFE_NO_PAD.encode(secret())) && !printed.contains("1, 2, 3, 4"), "{printed}");
}
