//! An audit log as it is after months: more than one page shows, by every kind of actor, of every action.

use otrace_server::domain::audit::{Action, Chain, NewEvent};
use otrace_server::domain::{Actor, ApiKeyId};
use otrace_server::services;
use otrace_server::testing::TestApp;
use time::Duration;

use super::MIRA;
use super::crowd::long_address;

/// More than one page shows.
const EVENTS: usize = 130;

/// What happens in a project week after week: to what, and what else is known of it.
const WEEK: [(Action, &str, &str, &str); 10] = [
    (Action::InvitationMade, "lena@halden.example", "role", "editor"),
    (Action::MemberJoined, "editor", "invited_by", MIRA),
    (Action::KeyCreated, "gpu-node-04 (trc_5hQm…)", "expires", "2027-02-20"),
    (Action::MemberRoleChanged, "kai@halden.example", "from", "viewer"),
    (Action::RunDeleted, "exp004", "title", "Batch 1024, to train overnight"),
    (Action::KeyRotated, "ci (trc_x2Lp…)", "replaced_by", "ci (trc_9QwT…)"),
    (Action::KeyRevoked, "paper (trc_mm01…)", "why", "somebody who held it reported it as leaked"),
    (Action::MemberRemoved, "theo@uni.example", "keys_revoked", "2"),
    (Action::AdminEntered, "wake-word-in-12-kb", "role", "viewer"),
    (Action::AuditExported, "", "events", "812"),
];

/// Writes the log of a chain.
pub(super) async fn record(app: &TestApp, chain: Chain, is_long: bool) {
    let mira = services::accounts::find(&app.app, MIRA).await.unwrap();
    let now = app.app.clock.now();
    let mut hours_ago = i64::try_from(EVENTS).unwrap();
    let mut transaction = app.app.pool.begin().await.unwrap();
    for number in 0..EVENTS {
        let actor = match number % 4 {
            0 => Actor::account(&mira, None),
            1 => Actor::key(ApiKeyId::new(), "trc_5hQm", Some(long_address())),
            2 => Actor::command(),
            _ if is_long => Actor::nobody(&long_text(number / 4), Some(long_address())),
            _ => Actor::nobody("kai@halden.example", Some([192, 0, 2, 7].into())),
        };
        let event = if is_long { long(number) } else { of_week(number) };
        let at = now - Duration::hours(hours_ago);
        services::audit::record(&mut transaction, chain, &actor, event, at).await.unwrap();
        hours_ago -= 1;
    }
    transaction.commit().await.unwrap();
}

fn of_week(number: usize) -> NewEvent {
    let (action, target, name, value) = WEEK[number % WEEK.len()];
    NewEvent::new(action, target).with(name, value)
}

/// Every action in turn, of something whose name is too long.
fn long(number: usize) -> NewEvent {
    let action = Action::ALL[number % Action::ALL.len()];
    NewEvent::new(action, long_text(number)).with("title", long_text(number + 1)).with("role", "editor")
}

/// A text without a space, in letters that differ.
fn long_text(number: usize) -> String {
    ["W", "ش", "🧪", "一", "path/", "\u{202e}evil\u{2066}"][number % 6].repeat(100)
}
