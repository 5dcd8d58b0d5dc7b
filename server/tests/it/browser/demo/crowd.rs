//! Who and what is around a project's runs: people, invitations, links, and keys in every state.

use std::net::IpAddr;

use otrace_server::auth::sessions::SessionHash;
use otrace_server::auth::{Client, ProjectMember, SignedIn};
use otrace_server::domain::audit::Chain;
use otrace_server::domain::one_time_link::Purpose;
use otrace_server::domain::secret_token::hash;
use otrace_server::domain::{Account, Actor, ApiKeyId, Role, Scope};
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::services::invitations::{MadeInvitation, NewInvitation};
use otrace_server::store;
use otrace_server::store::one_time_links::NewLink;
use otrace_server::testing::{PASSWORD, TestApp};

use super::{MIRA, deeds};

/// A provider that Mira has linked.
pub(super) const GOOGLE: &str = "https://accounts.google.com";

/// An address as long as they get.
const LONG_ADDRESS: &str = "2001:db8:85a3:8d3:1319:8a2e:370:7348";

/// Who works on the project beside Mira.
const TEAM: [(&str, &str, Role); 5] = [
    ("Lena Brandt", "lena@halden.example", Role::Owner),
    ("Kai Nakamura", "kai@halden.example", Role::Editor),
    ("نور الهدى عبد الرحمن", "noor@halden.example", Role::Editor),
    ("Zoë 👩🏽‍🔬", "zoe@halden.example", Role::Viewer),
    ("Inês Duarte", "ines@halden.example", Role::Viewer),
];

/// Who works on the project of long texts beside all of them.
fn long_team() -> [(String, String, Role); 5] {
    let email = |letter: &str| format!("{}@{}.example", letter.repeat(100), letter.repeat(140));
    [
        ("W".repeat(100), email("w"), Role::Editor),
        ("ش".repeat(100), email("r"), Role::Viewer),
        ("🧪".repeat(100), email("e"), Role::Viewer),
        // They turn the direction of what follows, if they are let.
        ("\u{202e}drowssap ruoy\u{2066} \u{202d}".to_owned(), email("d"), Role::Viewer),
        ("一".repeat(100), email("c"), Role::Owner),
    ]
}

/// Makes all accounts, Mira's first, which runs the server.
pub(super) async fn arrive(app: &TestApp) {
    person(app, "Mira Solberg", MIRA).await;
    for (name, email, _) in TEAM {
        person(app, name, email).await;
    }
    for (name, email, _) in &long_team() {
        person(app, name, email).await;
    }
    for sql in [
        "UPDATE accounts SET email_verified_at = now(), is_admin = true WHERE email LIKE 'lena@%'",
        "UPDATE accounts SET password_hash = NULL WHERE email LIKE 'kai@%'",
        "UPDATE accounts SET disabled_at = now() WHERE email LIKE 'ines@%'",
    ] {
        sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    }
    let browsers = [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/139.0.0.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "\u{202e}a browser of which nobody knows",
    ];
    let mira = services::accounts::find(&app.app, MIRA).await.unwrap();
    for user_agent in browsers {
        let client =
            Client { address: Some(long_address()), user_agent: Some(user_agent.to_owned()), is_forwarded: false };
        services::sign_in::begin_session(&app.app, mira.clone(), &client).await.unwrap();
    }
    let sql = "
        INSERT INTO identities (id, account_id, issuer, subject, email, created_at)
        VALUES (gen_random_uuid(), $1, $2, '1', $3, now())
    ";
    let [(_, long_email, _), ..] = long_team();
    sqlx::query(sql).bind(mira.id.0).bind(GOOGLE).bind(long_email).execute(&app.app.pool).await.unwrap();
}

/// Makes an account, whatever the rule of signing up.
async fn person(app: &TestApp, name: &str, email: &str) {
    let input = SignUp { email: email.to_owned(), name: name.to_owned(), password: PASSWORD.to_owned() };
    services::accounts::create(&app.app, input, &Actor::command()).await.unwrap();
}

pub(super) fn long_address() -> IpAddr {
    LONG_ADDRESS.parse().unwrap()
}

/// Brings the people into the project whose pages are at `base`, with keys, invitations and a long audit log.
/// Returns where the link of an open invitation leads.
pub(super) async fn gather(app: &TestApp, base: &str, is_long: bool) -> String {
    let owner = member(app, MIRA, base).await;
    let mut maker = owner.clone();
    for (_, email, role) in TEAM {
        join(app, &owner, email, role).await;
    }
    if is_long {
        let team = long_team();
        for (_, email, role) in &team {
            join(app, &owner, email, *role).await;
        }
        maker = member(app, &team[0].1, base).await;
    }
    deeds::record(app, Chain::Project(owner.project.id), is_long).await;
    make_keys(app, &owner, &maker, is_long).await;
    let email = if is_long { format!("{}@halden.example", "i".repeat(200)) } else { "theo@uni.example".to_owned() };
    invite(app, &owner, Role::Editor, &email, 30).await;
    invite(app, &owner, Role::Owner, "", 1).await;
    path_of(app, &invite(app, &owner, Role::Viewer, "", 7).await)
}

/// A member as a request's extractor finds them.
async fn member(app: &TestApp, email: &str, base: &str) -> ProjectMember {
    let account = services::accounts::find(&app.app, email).await.unwrap();
    let slug = base.strip_prefix("/projects/").unwrap();
    let (project, role) = services::projects::find_for(&app.app, &account, slug).await.unwrap().unwrap();
    ProjectMember { account, project, role, client: Client::default() }
}

/// Also of people whose account is closed.
async fn join(app: &TestApp, owner: &ProjectMember, email: &str, role: Role) {
    let sql = "
        INSERT INTO members (project_id, account_id, role, created_at, last_visited_at)
        SELECT $1, id, $3, now(), now() FROM accounts WHERE email = $2
    ";
    let id = owner.project.id.0;
    let done = sqlx::query(sql).bind(id).bind(email).bind(role.as_str()).execute(&app.app.pool).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{email}");
}

async fn invite(app: &TestApp, owner: &ProjectMember, role: Role, email: &str, days: u16) -> MadeInvitation {
    let input = NewInvitation { email: email.to_owned(), days: Some(days) };
    services::invitations::create(&app.app, owner, role, input).await.unwrap()
}

/// Where the link of an invitation leads.
fn path_of(app: &TestApp, made: &MadeInvitation) -> String {
    made.link.as_deref().unwrap().strip_prefix(app.app.config.public_url_str()).unwrap().to_owned()
}

/// Makes keys in every state in which one can be.
async fn make_keys(app: &TestApp, owner: &ProjectMember, maker: &ProjectMember, is_long: bool) {
    let make = async |name: &str, scope: Scope, lifetime_days: Option<u16>| -> ApiKeyId {
        let name: String = if is_long { name.repeat(100).chars().take(100).collect() } else { name.to_owned() };
        let input = NewKeyInput { name, scope, lifetime_days };
        services::api_keys::create(&app.app, maker, input).await.unwrap().record.id
    };
    let change = async |id: ApiKeyId, sql: &'static str| {
        sqlx::query(sql).bind(id.0).execute(&app.app.pool).await.unwrap();
    };
    let expired = make("old-laptop", Scope::Write, Some(30)).await;
    let sql = "
        UPDATE api_keys
        SET created_at = created_at - interval '40 days', expires_at = expires_at - interval '40 days'
        WHERE id = $1
    ";
    change(expired, sql).await;
    let revoked = make("paper", Scope::Read, Some(365)).await;
    services::api_keys::revoke(&app.app, owner, revoked).await.unwrap();
    let gone = make("cluster", Scope::Write, Some(90)).await;
    services::api_keys::rotate(&app.app, owner, gone).await.unwrap();
    change(gone, "UPDATE api_keys SET expires_at = now() - interval '1 hour' WHERE id = $1").await;
    let replaced = make("ci", Scope::Write, Some(90)).await;
    services::api_keys::rotate(&app.app, owner, replaced).await.unwrap();
    make("laptop", Scope::Write, Some(7)).await;
    make("dashboard", Scope::Read, None).await;
    let used = make("gpu-node-04", Scope::Write, Some(90)).await;
    let sql = "UPDATE api_keys SET last_used_at = now(), last_used_address = $2 WHERE id = $1";
    sqlx::query(sql).bind(used.0).bind(LONG_ADDRESS).execute(&app.app.pool).await.unwrap();
}

/// Where links lead that were sent or handed over, and machines that wait.
pub(super) struct Links {
    pub(super) sign_up: String,
    pub(super) reset: String,
    pub(super) email_change: String,
    pub(super) invitation: String,
    pub(super) invitation_for_another: String,
    pub(super) device: String,
    pub(super) device_long: String,
}

impl Links {
    pub(super) async fn make(app: &TestApp) -> Self {
        let mira = services::accounts::find(&app.app, MIRA).await.unwrap();
        let [(_, long_email, _), ..] = long_team();
        let for_another = invite_to_server(app, &mira).await;
        let token = for_another.rsplit('/').next().unwrap();
        sqlx::query("UPDATE invitations SET email = $2 WHERE token_hash = $1")
            .bind(hash(token).to_vec())
            .bind(&long_email)
            .execute(&app.app.pool)
            .await
            .unwrap();
        Self {
            sign_up: format!("/signup/{}", mailed(app, Purpose::SignUp, None, &long_email).await),
            reset: format!("/reset/{}", mailed(app, Purpose::PasswordReset, Some(&mira), MIRA).await),
            email_change: format!(
                "/account/email/{}",
                mailed(app, Purpose::EmailChange, Some(&mira), &long_email).await
            ),
            invitation: invite_to_server(app, &mira).await,
            invitation_for_another: for_another,
            device: device(app, "otrace 0.2.0", "gpu-node-04").await,
            device_long: device(app, &"client".repeat(20), &"machine".repeat(20)).await,
        }
    }
}

/// Invites whoever has the link to the server alone.
async fn invite_to_server(app: &TestApp, admin: &Account) -> String {
    let admin = SignedIn {
        account: admin.clone(),
        session: SessionHash([0; 32]),
        authenticated_at: app.app.clock.now(),
        client: Client::default(),
    };
    let made = services::invitations::create_for_server(&app.app, &admin, NewInvitation::default()).await.unwrap();
    path_of(app, &made)
}

/// The token of a link as it goes out by mail.
async fn mailed(app: &TestApp, purpose: Purpose, account: Option<&Account>, email: &str) -> String {
    let token = purpose.generate().unwrap();
    let now = app.app.clock.now();
    let link = NewLink {
        token_hash: &hash(&token),
        purpose,
        account_id: account.map(|account| account.id),
        email,
        name: account.is_none().then_some("Theo"),
        was_mailed: true,
        created_at: now,
        expires_at: now + purpose.lifetime(),
    };
    let mut connection = app.app.pool.acquire().await.unwrap();
    store::one_time_links::insert(&mut connection, &link).await.unwrap();
    token
}

/// The page on which a machine is let in that waits for it.
async fn device(app: &TestApp, program: &str, machine: &str) -> String {
    let asked = services::device_logins::ask(&app.app, program, machine, &Client::default()).await.unwrap();
    format!("/device?code={}", asked.user_code)
}
