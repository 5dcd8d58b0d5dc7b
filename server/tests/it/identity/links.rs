//! Links that work once: choosing a new password behind one, and what makes any of them worthless.

use futures_util::future::join;
use otrace_server::config::HttpConfig;
use otrace_server::store;
use otrace_server::testing::{PASSWORD, TestApp};
use time::Duration;

use super::{
    ADA, ADMIN, BOB, NEW_PASSWORD, account, address, change, count, form, from_address, is_signed_in, path_of, person,
    reset_path, session, set_cookies, sign_in, sign_up_path, statuses, told, with_header, with_mail,
};

/// Nobody's address.
const EVE: &str = "eve@example.org";
const NEW: [(&str, &str); 1] = [("password", NEW_PASSWORD)];

#[tokio::test]
async fn a_forgotten_password_is_replaced_behind_the_link_that_was_mailed() {
    let (app, mail) = with_mail().await;
    let sessions = [person(&app, ADA).await, session(&app, ADA).await];
    let bobs = person(&app, BOB).await;
    app.post("", "/forgot", &[("email", " Ada@Example.org")]).await.expect(303);
    let letter = mail.next_to(ADA).await;
    assert_eq!(letter.subject, "Choose a new password for Halden Lab");
    let path = path_of(&app, letter.link());
    assert!(path.starts_with("/reset/trr_") && path.len() == "/reset/trr_".len() + 43, "{path}");
    // Programs that look at mail open links.
    for _ in 0..2 {
        assert!(app.get("", path).await.expect(200).text().contains(ADA));
    }
    let easy = app.post("", path, &[("password", ADA)]).await.expect(422);
    assert!(easy.text().contains("easy to guess"), "{}", easy.text());
    assert!(is_signed_in(&app, &sessions[0]).await);

    let done = app.post("", path, &NEW).await.expect(303);
    assert!(done.header("location").starts_with("/signin") && set_cookies(&done).is_empty());
    for session in &sessions {
        assert!(!is_signed_in(&app, session).await);
    }
    assert!(is_signed_in(&app, &bobs).await);
    sign_in(&app, ADA, PASSWORD).await.expect(422);
    sign_in(&app, ADA, NEW_PASSWORD).await.expect(303);
    let notice = mail.next_to(ADA).await;
    assert_eq!(notice.subject, "Your password for Halden Lab was changed");
    assert_eq!(path_of(&app, notice.link()), "/forgot");

    app.get("", path).await.expect(404);
    let again = app.post("", path, &[("password", PASSWORD)]).await.expect(404);
    assert!(again.text().contains("This link no longer works"), "{}", again.text());
    sign_in(&app, ADA, PASSWORD).await.expect(422);
}

#[tokio::test]
async fn asking_for_a_link_tells_nobody_which_addresses_have_an_account() {
    let (app, mail) = with_mail().await;
    person(&app, ADA).await;
    person(&app, BOB).await;
    change(&app, "UPDATE accounts SET disabled_at = now() WHERE email = $1", BOB).await;
    let mut answers = Vec::new();
    for email in [EVE, BOB, ADA] {
        answers.push(told(&app.post("", "/forgot", &[("email", email)]).await.expect(303)));
        app.app.clock.advance(Duration::minutes(1));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    mail.next_to(ADA).await;
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 1);
}

#[tokio::test]
async fn links_are_asked_for_three_times_an_hour_whether_or_not_there_is_an_account() {
    let (app, _mail) = with_mail().await;
    person(&app, ADA).await;
    let ask = async |place: u16, email: &str| {
        let request = form("", "/forgot", &[("email", email)]);
        app.send(from_address(request, address(place))).await
    };
    // By the address that mail goes to, wherever it is asked from.
    let mut refused = Vec::new();
    for (email, place) in [(ADA, 0), (EVE, 10)] {
        for number in 0..3 {
            ask(place + number, email).await.expect(303);
        }
        let (status, headers, text) = told(&ask(place + 3, email).await.expect(429));
        assert!(headers.contains(&("retry-after".to_owned(), "3600".to_owned())), "{headers:?}");
        refused.push((status, headers, text.replace(email, "somebody")));
    }
    assert_eq!(refused[0], refused[1]);
    // And by the address that it is asked from.
    for number in 0..3 {
        ask(20, &format!("p{number}@example.org")).await.expect(303);
    }
    assert_eq!(ask(20, "p3@example.org").await.expect(429).header("retry-after"), "1200");
}

#[tokio::test]
async fn a_link_for_a_new_password_works_for_half_an_hour() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let path = reset_path(&app, ADA).await;
    app.app.clock.advance(Duration::minutes(30) - Duration::seconds(1));
    app.get("", &path).await.expect(200);
    app.app.clock.advance(Duration::seconds(1));
    app.get("", &path).await.expect(404);
    app.post("", &path, &NEW).await.expect(404);
    sign_in(&app, ADA, PASSWORD).await.expect(303);
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_chooses_the_password() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let path = reset_path(&app, ADA).await;
    let other = "nine brass telescopes";
    let (one, two) = join(app.post("", &path, &NEW), app.post("", &path, &[("password", other)])).await;
    let answers = [one, two];
    assert_eq!(statuses(&answers), [303, 404]);
    let (winner, loser) = if answers[0].status.as_u16() == 303 { (NEW_PASSWORD, other) } else { (other, NEW_PASSWORD) };
    sign_in(&app, ADA, winner).await.expect(303);
    sign_in(&app, ADA, loser).await.expect(422);
}

#[tokio::test]
async fn using_one_link_ends_the_accounts_other_ones_even_at_once() {
    let app = TestApp::new().await;
    person(&app, BOB).await;
    let bobs = reset_path(&app, BOB).await;
    for at_once in [false, true] {
        let email = format!("ada-{at_once}@example.org");
        person(&app, &email).await;
        let links = [reset_path(&app, &email).await, reset_path(&app, &email).await];
        let (one, other) = (app.post("", &links[1], &NEW), app.post("", &links[0], &NEW));
        let (one, other) = if at_once { join(one, other).await } else { (one.await, other.await) };
        assert_eq!(statuses(&[one, other]), [303, 404], "at once: {at_once}");
        for link in &links {
            app.get("", link).await.expect(404);
        }
    }
    app.post("", &bobs, &NEW).await.expect(303);
}

#[tokio::test]
async fn a_link_is_worth_nothing_on_the_pages_of_other_links() {
    let (app, mail) = with_mail().await;
    let adas = person(&app, ADA).await;
    let reset = reset_path(&app, ADA).await;
    let sign_up = sign_up_path(&app, &mail, "carol@example.org").await;
    app.post(&adas, "/account/email", &[("email", "ada@new.example.org")]).await.expect(303);
    let email = mail.next_to("ada@new.example.org").await;
    let email = path_of(&app, email.link());
    let paths = [reset.as_str(), sign_up.as_str(), email];
    for path in paths {
        let (page, token) = path.rsplit_once('/').unwrap();
        for foreign in ["/reset", "/signup", "/account/email", "/invitations"] {
            if foreign != page {
                let elsewhere = format!("{foreign}/{token}");
                app.get(&adas, &elsewhere).await.expect(404);
                app.post(&adas, &elsewhere, &NEW).await.expect(404);
            }
        }
        app.app.clock.advance(Duration::minutes(5));
    }
    // They still work where they belong.
    for path in paths {
        app.get(&adas, path).await.expect(200);
    }
}

#[tokio::test]
async fn guessing_links_is_slowed_down() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    for number in 0..10 {
        let path = format!("/{}/trr_{number:0>43}", if number % 2 == 0 { "reset" } else { "signup" });
        app.post("", &path, &NEW).await.expect(404);
    }
    let path = reset_path(&app, ADA).await;
    let refused = app.post("", &path, &NEW).await.expect(429);
    assert_eq!(refused.header("retry-after"), "60");
    app.app.clock.advance(Duration::minutes(1));
    app.post("", &path, &NEW).await.expect(303);
}

#[tokio::test]
async fn no_header_of_a_request_leads_a_link_elsewhere() {
    let (app, mail) = with_mail().await;
    person(&app, ADA).await;
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-server", "evil.example"),
        ("x-original-host", "evil.example"),
        ("x-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-url", "//evil.example/forgot"),
        ("forwarded", "host=evil.example;proto=https"),
        ("referer", "http://evil.example/forgot"),
        ("host", "LOCALHOST:8000"),
        ("host", "127.0.0.1:1"),
    ] {
        let request = with_header(form("", "/forgot", &[("email", ADA)]), name, value);
        app.send(request).await.expect(303);
        let letter = mail.next_to(ADA).await;
        assert!(letter.link().starts_with("http://localhost:8000/reset/trr_"), "{name}: {}", letter.link());
        assert!(!letter.text.contains("evil"), "{name}: {}", letter.text);
        app.app.clock.advance(Duration::hours(1));
    }
    for host in ["evil.example", "localhost.evil.example", "localhost:8000@evil.example"] {
        app.send(with_header(form("", "/forgot", &[("email", ADA)]), "host", host)).await.expect(400);
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_its_name_takes_none_from_a_request() {
    let mail = crate::mail::MailServer::start().await;
    let app = TestApp::with(|config| {
        config.mail = mail.config();
        config.http = HttpConfig::local(([0, 0, 0, 0], 8000).into());
    })
    .await;
    person(&app, ADA).await;
    let request = with_header(form("", "/forgot", &[("email", ADA)]), "host", "evil.example");
    app.send(request).await.expect(303);
    let letter = mail.next_to(ADA).await;
    assert!(letter.link().starts_with("http://localhost:8000/reset/trr_"), "{}", letter.link());
}

#[tokio::test]
async fn what_is_opened_from_the_page_of_a_link_does_not_hear_of_it() {
    let (app, mail) = with_mail().await;
    let adas = person(&app, ADA).await;
    let reset = reset_path(&app, ADA).await;
    let sign_up = sign_up_path(&app, &mail, "carol@example.org").await;
    app.post(&adas, "/account/email", &[("email", "ada@new.example.org")]).await.expect(303);
    let email = mail.next_to("ada@new.example.org").await;
    for path in [reset.as_str(), &sign_up, path_of(&app, email.link()), "/reset/used", "/signup/used"] {
        let page = app.get(&adas, path).await;
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
    }
    let refused = app.post("", &reset, &[("password", "short")]).await.expect(422);
    assert_eq!(refused.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn without_a_mail_server_the_page_says_who_makes_a_link_and_that_link_works() {
    let app = TestApp::new().await;
    person(&app, ADMIN).await;
    person(&app, ADA).await;
    assert!(app.get("", "/forgot").await.expect(200).text().contains("otrace-server user reset-link"));
    app.post("", "/forgot", &[("email", ADA)]).await.expect(422);
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 0);
    let path = reset_path(&app, ADA).await;
    app.post("", &path, &NEW).await.expect(303);
    sign_in(&app, ADA, NEW_PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_link_opens_no_account_that_was_closed_meanwhile() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let path = reset_path(&app, ADA).await;
    change(&app, "UPDATE accounts SET disabled_at = now() WHERE email = $1", ADA).await;
    app.post("", &path, &NEW).await.expect(404);
    change(&app, "UPDATE accounts SET disabled_at = NULL WHERE email = $1", ADA).await;
    sign_in(&app, ADA, PASSWORD).await.expect(303);
}

#[tokio::test]
async fn the_database_holds_no_link() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let path = reset_path(&app, ADA).await;
    let token = path.strip_prefix("/reset/").unwrap();
    let stored: String = sqlx::query_scalar(
        "SELECT string_agg(l::text, ' ') || (SELECT string_agg(a::text, ' ') FROM audit_events a) FROM one_time_links l",
    )
    .fetch_one(&app.app.pool)
    .await
    .unwrap();
    assert!(stored.contains(ADA) && !stored.contains(&token[4..]), "{stored}");
}

#[tokio::test]
async fn proving_an_address_takes_from_its_account_what_others_had_put_there_before() {
    let (app, mail) = with_mail().await;
    // Somebody took the address before the server could send mail, and left ways back in.
    let planted = person(&app, ADA).await;
    let ada = account(&app, ADA).await.id;
    let mut connection = app.app.pool.acquire().await.unwrap();
    let now = app.app.clock.now();
    store::identities::insert(&mut connection, ada, "https://sso.example.org", "eve", Some(EVE), now).await.unwrap();
    drop(connection);
    app.post(&planted, "/projects", &[("name", "wake-word")]).await.expect(200);
    let live_keys = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL";
    assert_eq!(count(&app, live_keys).await, 1);

    app.post("", "/forgot", &[("email", ADA)]).await.expect(303);
    let letter = mail.next_to(ADA).await;
    app.post("", path_of(&app, letter.link()), &NEW).await.expect(303);
    assert!(!is_signed_in(&app, &planted).await);
    let proved = "SELECT count(*) FROM accounts WHERE email = 'ada@example.org' AND email_verified_at IS NOT NULL";
    let left =
        [count(&app, proved).await, count(&app, "SELECT count(*) FROM identities").await, count(&app, live_keys).await];
    assert_eq!(left, [1, 0, 0], "an address that is proved, no identity, no key");
}
