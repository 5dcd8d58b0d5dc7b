//! Thousands of operations on a project's members in random order, against a model of a few lines.

use std::net::{IpAddr, Ipv4Addr};

use otrace_server::auth::sessions::SessionHash;
use otrace_server::auth::{Client, ProjectMember, SignedIn};
use otrace_server::domain::audit::Chain;
use otrace_server::domain::{Account, Project, Role};
use otrace_server::error::{AppError, Result};
use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::services::invitations::NewInvitation;
use otrace_server::testing::TestApp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

const PEOPLE: usize = 6;
const OPERATIONS: usize = 2_500;
/// So many live keys a person has at most.
const KEYS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Act {
    ChangeRole(Role),
    Remove,
    Transfer,
    /// Invites somebody, who accepts.
    Invite(Role),
    MakeKey,
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    by: usize,
    /// To whom, where the act is done to somebody.
    who: usize,
    act: Act,
    /// Whether the request began while they were an owner, or so they say.
    claims_to_own: bool,
}

fn operations() -> impl Strategy<Value = Operation> {
    let role = || prop_oneof![Just(Role::Viewer), Just(Role::Editor), Just(Role::Owner)];
    let act = prop_oneof![
        4 => role().prop_map(Act::ChangeRole),
        3 => Just(Act::Remove),
        2 => Just(Act::Transfer),
        5 => role().prop_map(Act::Invite),
        2 => Just(Act::MakeKey),
    ];
    (0..PEOPLE, 0..PEOPLE, act, any::<bool>()).prop_map(|(by, who, act, claims_to_own)| Operation {
        by,
        who,
        act,
        claims_to_own,
    })
}

type Roles = [Option<Role>; PEOPLE];

/// Who is what afterwards, and how many events tell of it. `None`: it is refused.
fn expected(roles: Roles, operation: Operation) -> Option<(Roles, i64)> {
    let Operation { by, who, act, .. } = operation;
    let own = roles[by]?;
    let owners = roles.iter().flatten().filter(|role| **role == Role::Owner).count();
    let is_last_owner = roles[who] == Some(Role::Owner) && owners == 1;
    let with = |who: usize, role: Option<Role>, mut roles: Roles| {
        roles[who] = role;
        roles
    };
    match act {
        Act::ChangeRole(_) | Act::Transfer | Act::Invite(_) if own != Role::Owner => None,
        Act::ChangeRole(role) => match roles[who]? {
            held if held == role => Some((roles, 0)),
            _ if is_last_owner => None,
            _ => Some((with(who, Some(role), roles), 1)),
        },
        Act::Remove => {
            roles[who]?;
            let may = by == who || own == Role::Owner;
            (may && !is_last_owner).then(|| (with(who, None, roles), 1))
        }
        Act::Transfer => {
            roles[who]?;
            let handed = with(by, Some(Role::Editor), with(who, Some(Role::Owner), roles));
            (by != who).then_some((handed, 1))
        }
        // A role is never lowered by an invitation.
        Act::Invite(role) if roles[who] >= Some(role) => Some((roles, 1)),
        Act::Invite(role) => Some((with(who, Some(role), roles), 2)),
        Act::MakeKey => (own >= Role::Editor).then_some((roles, 1)),
    }
}

struct MadeKey {
    of: usize,
    key: String,
    is_live: bool,
}

struct World {
    app: TestApp,
    project: Project,
    people: Vec<Account>,
    roles: Roles,
    keys: Vec<MadeKey>,
    /// How many events the project's log has.
    events: i64,
    calls: u32,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let project = app.project("members").await;
        let mut emails = vec![project.email.clone()];
        for number in 1..PEOPLE {
            let email = format!("p{number}@example.org");
            app.account(&email).await;
            emails.push(email);
        }
        let mut people = Vec::new();
        for email in emails {
            people.push(services::accounts::find(&app.app, &email).await.unwrap());
        }
        let found = services::projects::find_for(&app.app, &people[0], &project.slug).await.unwrap();
        let mut roles = [None; PEOPLE];
        roles[0] = Some(Role::Owner);
        let project = found.unwrap().0;
        let mut world = Self { app, project, people, roles, keys: Vec::new(), events: 0, calls: 0 };
        world.events = world.stored_events().await;
        world
    }

    /// A client at an address of its own, so that no limit stands in the way.
    fn client(&mut self) -> Client {
        self.calls += 1;
        let address = Ipv4Addr::from(0x0a00_0000 + self.calls);
        Client { address: Some(IpAddr::V4(address)), ..Client::default() }
    }

    /// A member as a request's extractor finds them.
    async fn member(&self, number: usize, client: Client) -> Result<ProjectMember> {
        let account = self.people[number].clone();
        let found = services::projects::find_for(&self.app.app, &account, &self.project.slug).await?;
        let (project, role) = found.ok_or(AppError::NotFound("Project"))?;
        Ok(ProjectMember { account, project, role, client })
    }

    async fn perform(&mut self, operation: Operation) -> Result<()> {
        let Operation { by, who, act, claims_to_own } = operation;
        let client = self.client();
        let claimed = if claims_to_own { Role::Owner } else { self.roles[by].unwrap_or(Role::Viewer) };
        let (account, project) = (self.people[by].clone(), self.project.clone());
        let claiming = ProjectMember { account, project, role: claimed, client: client.clone() };
        let target = self.people[who].clone();
        let app = &self.app.app;
        match act {
            Act::ChangeRole(role) => services::members::change_role(app, &claiming, target.id, role).await,
            Act::Remove => services::members::remove(app, &claiming, target.id).await,
            Act::Transfer => services::members::transfer(app, &claiming, target.id).await,
            Act::Invite(role) => {
                let member = self.member(by, client.clone()).await?;
                let made = services::invitations::create(app, &member, role, NewInvitation::default()).await?;
                let link = made.link.unwrap();
                let token = link.rsplit('/').next().unwrap();
                let (session, authenticated_at) = (SessionHash([0; 32]), app.clock.now());
                let guest = SignedIn { account: target, session, authenticated_at, client };
                services::invitations::accept(app, &guest, token).await.map(|_| ())
            }
            Act::MakeKey => {
                let member = self.member(by, client).await?;
                let made = services::api_keys::create(app, &member, NewKeyInput::named("a key")).await?;
                self.keys.push(MadeKey { of: by, key: made.key, is_live: true });
                Ok(())
            }
        }
    }

    async fn stored_events(&self) -> i64 {
        let sql = "SELECT count(*) FROM audit_events WHERE chain_id = $1";
        sqlx::query_scalar(sql).bind(self.project.id.0).fetch_one(&self.app.app.pool).await.unwrap()
    }

    async fn stored_roles(&self) -> Roles {
        let sql = "SELECT account_id, role FROM members WHERE project_id = $1";
        let rows: Vec<(Uuid, String)> =
            sqlx::query_as(sql).bind(self.project.id.0).fetch_all(&self.app.app.pool).await.unwrap();
        let mut roles = [None; PEOPLE];
        for (id, role) in rows {
            let number = self.people.iter().position(|account| account.id.0 == id).unwrap();
            roles[number] = Some(role.parse().unwrap());
        }
        roles
    }

    /// What becomes of keys when roles do.
    fn follow(&mut self, roles: Roles) {
        for (number, role) in roles.into_iter().enumerate() {
            let has_left = self.roles[number].is_some() && role.is_none();
            if has_left {
                self.keys.iter_mut().filter(|key| key.of == number).for_each(|key| key.is_live = false);
            } else if role < Some(Role::Editor) {
                // What live keys of viewers may is another test's.
                self.keys.retain(|key| key.of != number || !key.is_live);
            }
        }
        self.roles = roles;
    }

    /// Whether each key that is asked about opens the project exactly if it should.
    async fn check_keys(&mut self, is_asked_about: impl Fn(&MadeKey) -> bool) {
        for index in 0..self.keys.len() {
            if !is_asked_about(&self.keys[index]) {
                continue;
            }
            let client = self.client();
            let key = &self.keys[index];
            let found = services::api_keys::authenticate(&self.app.app, &key.key, &client).await;
            assert_eq!(found.is_ok(), key.is_live, "a key of person {}", key.of);
        }
    }
}

#[tokio::test]
async fn however_members_come_and_go_an_owner_stays_and_nobody_does_what_they_may_not() {
    let mut world = World::new().await;
    let mut runner = TestRunner::deterministic();
    let operations = operations();
    let (mut changed, mut refused) = (0, 0);
    for number in 0..OPERATIONS {
        let operation = operations.new_tree(&mut runner).unwrap().current();
        let held = world.keys.iter().filter(|key| key.of == operation.by && key.is_live).count();
        if matches!(operation.act, Act::MakeKey) && held >= KEYS {
            continue;
        }
        let told = format!("operation {number}, {operation:?} of {:?}", world.roles);
        let expected = expected(world.roles, operation);
        let done = world.perform(operation).await;
        assert_eq!(done.is_ok(), expected.is_some(), "{told}: {done:?}");
        let (roles, events) = expected.unwrap_or((world.roles, 0));
        assert_eq!(world.stored_roles().await, roles, "{told}");
        assert!(roles.contains(&Some(Role::Owner)), "{told}");
        world.events += events;
        assert_eq!(world.stored_events().await, world.events, "{told}");
        if done.is_ok() {
            changed += usize::from(roles != world.roles);
        } else {
            refused += 1;
        }
        world.follow(roles);
        if roles[operation.who].is_none() {
            world.check_keys(|key| key.of == operation.who && number % 5 == 0).await;
        }
        if number % 500 == 0 {
            world.check_keys(|_| true).await;
        }
    }
    world.check_keys(|_| true).await;
    // A test of nothing would pass as well.
    let dead = world.keys.iter().filter(|key| !key.is_live).count();
    assert!(changed > 100 && refused > 500 && dead > 20, "{changed} changed, {refused} refused, {dead} dead keys");
    let chain = Chain::Project(world.project.id);
    assert_eq!(services::audit::check(&world.app.app, chain).await.unwrap(), None);
}
