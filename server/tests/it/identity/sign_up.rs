//! Signing up: by which rule, through a link that proves the address, and with which password.

use futures_util::future::{join, join_all};
use otrace_server::domain::SignUpPolicy;
use otrace_server::services::accounts::{SignUpDoor, sign_up_door};
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};
use time::Duration;

use super::{
    ADA, ADMIN, BOB, NEW_PASSWORD, account, accounts, address, be_public, change, count, form, from_address,
    is_signed_in, path_of, person, provider, public_server, set_cookies, set_policy, sign_in, sign_up_path, statuses,
    told, with_mail,
};

const CAROL: &str = "carol@example.org";

/// Signs up with a password.
async fn sign_up(app: &TestApp, email: &str, password: &str) -> TestResponse {
    app.post("", "/signup", &[("name", "Carol"), ("email", email), ("password", password)]).await
}

fn domains() -> SignUpPolicy {
    SignUpPolicy::Domains(vec!["example.org".to_owned()])
}

#[tokio::test]
async fn on_ones_own_machine_the_first_account_signs_up_and_runs_the_server() {
    let app = TestApp::new().await;
    sign_up(&app, ADA, PASSWORD).await.expect(303);
    sign_up(&app, BOB, PASSWORD).await.expect(303);
    assert!(account(&app, ADA).await.is_admin && !account(&app, BOB).await.is_admin);
}

#[tokio::test]
async fn on_a_server_that_others_reach_nobody_runs_it_by_signing_up_first() {
    let app = public_server().await;
    let emails: Vec<String> = (0..100).map(|number| format!("p{number}@example.org")).collect();
    let answers = join_all(emails.iter().map(|email| sign_up(&app, email, PASSWORD))).await;
    assert_eq!(statuses(&answers), [422; 100]);
    assert!(answers[0].text().contains("otrace-server user create"), "{}", answers[0].text());
    assert_eq!(accounts(&app).await, 0);
}

#[tokio::test]
async fn the_rule_that_nobody_chose_is_open_on_ones_own_machine_and_by_invitation_elsewhere() {
    for (app, status) in [(TestApp::new().await, 303), (public_server().await, 422)] {
        person(&app, ADMIN).await;
        let answer = sign_up(&app, CAROL, PASSWORD).await.expect(status);
        assert_eq!(accounts(&app).await, if status == 303 { 2 } else { 1 });
        assert_eq!(answer.text().contains("invitation"), status == 422, "{}", answer.text());
    }
}

#[tokio::test]
async fn the_rule_that_an_admin_chose_holds_wherever_the_server_is() {
    for app in [TestApp::new().await, public_server().await] {
        person(&app, ADMIN).await;
        for (number, (policy, status)) in
            [(SignUpPolicy::Invitation, 422), (SignUpPolicy::Off, 422), (SignUpPolicy::Open, 303), (domains(), 422)]
                .into_iter()
                .enumerate()
        {
            set_policy(&app, &policy).await;
            let before = accounts(&app).await;
            sign_up(&app, &format!("p{number}@example.org"), PASSWORD).await.expect(status);
            assert_eq!(accounts(&app).await - before, i64::from(status == 303), "{policy:?}");
        }
    }
}

#[tokio::test]
async fn the_door_is_the_one_that_can_prove_what_the_rule_asks_for() {
    use SignUpDoor::{ByInvitation, Closed, ThroughProvider, WithPassword};
    for (has_provider, has_passwords, expected) in [
        (false, true, [WithPassword, ByInvitation, ByInvitation, Closed]),
        (true, true, [WithPassword, ThroughProvider, ByInvitation, Closed]),
        (true, false, [ThroughProvider, ThroughProvider, ByInvitation, Closed]),
    ] {
        let app = TestApp::with(|config| {
            be_public(config);
            config.sign_in.password_sign_in = has_passwords;
            config.sign_in.more_providers = if has_provider { vec![provider()] } else { Vec::new() };
        })
        .await;
        person(&app, ADMIN).await;
        let mut doors = Vec::new();
        for policy in [SignUpPolicy::Open, domains(), SignUpPolicy::Invitation, SignUpPolicy::Off] {
            set_policy(&app, &policy).await;
            doors.push(sign_up_door(&app.app).await.unwrap());
        }
        assert_eq!(doors, expected, "a provider: {has_provider}, passwords: {has_passwords}");
    }
}

#[tokio::test]
async fn with_passwords_switched_off_not_even_the_first_account_gets_one() {
    let app = TestApp::with(|config| {
        config.sign_in.password_sign_in = false;
        config.sign_in.more_providers = vec![provider()];
    })
    .await;
    sign_up(&app, ADA, PASSWORD).await.expect(422);
    assert_eq!(accounts(&app).await, 0);
    assert!(app.get("", "/signup").await.expect(200).text().contains("/signin/with/sso"));
}

#[tokio::test]
async fn an_account_begins_behind_the_link_that_was_mailed_and_not_before() {
    let (app, mail) = with_mail().await;
    // Who asks for the link may be somebody else than who reads it: what they typed as a password is worth nothing.
    let fields = [("name", "Carol"), ("email", " Carol@Example.org "), ("password", PASSWORD)];
    let asked = app.post("", "/signup", &fields).await.expect(303);
    assert!(set_cookies(&asked).is_empty());
    let letter = mail.next_to(CAROL).await;
    let path = path_of(&app, letter.link());
    assert!(path.starts_with("/signup/trv_"), "{path}");
    // Programs that look at mail open links.
    for _ in 0..2 {
        assert!(app.get("", path).await.expect(200).text().contains(CAROL));
    }
    let easy = app.post("", path, &[("password", "password1234")]).await.expect(422);
    assert!(easy.text().contains("easy to guess"), "{}", easy.text());
    assert_eq!(accounts(&app).await, 1);

    let done = app.post("", path, &[("password", NEW_PASSWORD)]).await.expect(303);
    assert_eq!(done.header("location"), "/");
    assert!(is_signed_in(&app, &TestApp::cookie_of(&done)).await);
    assert_eq!(account(&app, CAROL).await.name, "Carol");
    let proved = "SELECT count(*) FROM accounts WHERE email = 'carol@example.org' AND email_verified_at IS NOT NULL";
    assert_eq!(count(&app, proved).await, 1);
    sign_in(&app, CAROL, NEW_PASSWORD).await.expect(303);
    sign_in(&app, CAROL, PASSWORD).await.expect(422);

    app.get("", path).await.expect(404);
    let again = app.post("", path, &[("password", NEW_PASSWORD)]).await.expect(404);
    assert!(again.text().contains("This link no longer works"), "{}", again.text());
    assert_eq!(accounts(&app).await, 2);
}

#[tokio::test]
async fn who_has_an_account_already_is_told_by_mail_and_nobody_else_is() {
    let (app, mail) = with_mail().await;
    person(&app, ADA).await;
    person(&app, BOB).await;
    change(&app, "UPDATE accounts SET disabled_at = now() WHERE email = $1", BOB).await;
    let mut answers = Vec::new();
    for email in [CAROL, ADA, BOB] {
        answers.push(told(&app.post("", "/signup", &[("name", "Carol"), ("email", email)]).await.expect(303)));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    for email in [ADA, BOB] {
        let letter = mail.next_to(email).await;
        assert_eq!(letter.subject, "You have an account at Halden Lab already");
        assert_eq!(path_of(&app, letter.link()), "/signin");
    }
    mail.next_to(CAROL).await;
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 1);
}

#[tokio::test]
async fn only_an_address_at_a_named_domain_gets_a_link() {
    let (app, mail) = with_mail().await;
    set_policy(&app, &domains()).await;
    for email in ["eve@evil-example.org", "eve@sub.example.org", "eve@example.org.evil.example", "eve@example.com"] {
        let refused = app.post("", "/signup", &[("name", "Eve"), ("email", email)]).await.expect(422);
        assert!(refused.text().contains("Use an address at example.org"), "{}", refused.text());
    }
    let path = sign_up_path(&app, &mail, CAROL).await;
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 1);
    app.post("", &path, &[("password", PASSWORD)]).await.expect(303);
}

#[tokio::test]
async fn a_sign_up_link_works_for_a_day() {
    let (app, mail) = with_mail().await;
    let path = sign_up_path(&app, &mail, CAROL).await;
    app.app.clock.advance(Duration::hours(24) - Duration::seconds(1));
    app.get("", &path).await.expect(200);
    app.app.clock.advance(Duration::seconds(1));
    app.get("", &path).await.expect(404);
    app.post("", &path, &[("password", PASSWORD)]).await.expect(404);
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test]
async fn of_two_who_use_a_sign_up_link_at_once_one_gets_the_account() {
    let (app, mail) = with_mail().await;
    let path = sign_up_path(&app, &mail, CAROL).await;
    let (one, other) =
        join(app.post("", &path, &[("password", PASSWORD)]), app.post("", &path, &[("password", NEW_PASSWORD)])).await;
    let answers = [one, other];
    assert_eq!(statuses(&answers), [303, 404]);
    let winner = if answers[0].status.as_u16() == 303 { PASSWORD } else { NEW_PASSWORD };
    sign_in(&app, CAROL, winner).await.expect(303);
    assert_eq!(accounts(&app).await, 2);
}

#[tokio::test]
async fn two_links_to_one_address_make_one_account_even_at_once() {
    let (app, mail) = with_mail().await;
    for at_once in [false, true] {
        let email = format!("carol-{at_once}@example.org");
        let links = [sign_up_path(&app, &mail, &email).await, sign_up_path(&app, &mail, &email).await];
        let fields = [("password", PASSWORD)];
        let (one, other) = (app.post("", &links[0], &fields), app.post("", &links[1], &fields));
        let (one, other) = if at_once { join(one, other).await } else { (one.await, other.await) };
        let statuses = statuses(&[one, other]);
        // The other one is told what happened, rather than that the server is busy.
        assert!(matches!(statuses[..], [303, 404 | 422]), "at once {at_once}: {statuses:?}");
    }
    assert_eq!(accounts(&app).await, 3);
}

#[tokio::test]
async fn a_link_that_is_out_brings_no_account_once_sign_up_is_switched_off() {
    let (app, mail) = with_mail().await;
    let path = sign_up_path(&app, &mail, CAROL).await;
    set_policy(&app, &SignUpPolicy::Off).await;
    let refused = app.post("", &path, &[("password", PASSWORD)]).await;
    assert_eq!(accounts(&app).await, 1);
    assert!(refused.status.is_client_error(), "{}", refused.status);
}

#[tokio::test]
async fn strangers_at_one_address_sign_up_three_times_an_hour() {
    let app = TestApp::new().await;
    person(&app, ADMIN).await;
    let sign_up = async |number: u16, place: u16| {
        let email = format!("p{number}@example.org");
        let fields = [("name", "Carol"), ("email", email.as_str()), ("password", PASSWORD)];
        app.send(from_address(form("", "/signup", &fields), address(place))).await
    };
    for number in 0..3 {
        sign_up(number, 0).await.expect(303);
    }
    let refused = sign_up(3, 0).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1200");
    sign_up(4, 1).await.expect(303);
    app.app.clock.advance(Duration::minutes(20));
    sign_up(3, 0).await.expect(303);
    sign_up(5, 0).await.expect(429);
    assert_eq!(accounts(&app).await, 6);
}

#[tokio::test]
async fn a_password_that_is_soon_guessed_is_refused_with_a_sentence() {
    let app = TestApp::new().await;
    let long = "x".repeat(1025);
    for (password, sentence) in [
        ("password1234", "easy to guess"),
        ("qwertyuiop12", "easy to guess"),
        ("aaaaaaaaaaaa", "easy to guess"),
        ("123456789012", "easy to guess"),
        (CAROL, "easy to guess"),
        ("eleven char", "at least 12 characters"),
        (long.as_str(), "at most 1024 bytes"),
    ] {
        let refused = sign_up(&app, CAROL, password).await.expect(422).text();
        assert!(refused.contains(sentence), "{password}: {refused}");
        assert!(password == CAROL || !refused.contains(password), "{password} comes back");
    }
    assert_eq!(accounts(&app).await, 0);
}

#[tokio::test]
async fn a_password_is_kept_byte_by_byte() {
    let app = TestApp::new().await;
    let longest = format!("{PASSWORD} {}", "x".repeat(1023 - PASSWORD.len()));
    assert_eq!(longest.len(), 1024);
    let passwords: [(&str, [&str; 3]); 4] = [
        (" six owls on a rafter ", ["six owls on a rafter", " six owls on a rafter", " six owls  on a rafter "]),
        // Composed and decomposed letters look the same.
        (
            "gr\u{fc}ne \u{c4}pfel am Fluss",
            ["gru\u{308}ne A\u{308}pfel am Fluss", "GR\u{dc}NE \u{c4}PFEL AM FLUSS", "grune Apfel am Fluss"],
        ),
        ("owls\0on a rafter 7", ["owls", "owls\u{fffd}on a rafter 7", "owlson a rafter 7"]),
        (longest.as_str(), [&longest[..1023], PASSWORD, &longest[..72]]),
    ];
    for (number, (password, others)) in passwords.into_iter().enumerate() {
        let email = format!("p{number}@example.org");
        sign_up(&app, &email, password).await.expect(303);
        for other in others {
            sign_in(&app, &email, other).await.expect(422);
        }
        sign_in(&app, &email, password).await.expect(303);
        app.app.clock.advance(Duration::hours(1));
    }
}
