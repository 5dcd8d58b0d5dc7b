//! Where signing in leads on to: a page of this server, whatever the link that began it says.

use otrace_server::testing::PASSWORD;
use url::Url;
use url::form_urlencoded::Serializer;

use super::{ADA, Visitor, execute, parameter, person, server};

/// Pages of this server, to which signing in leads on.
const PAGES: [&str; 6] = [
    "/",
    "/projects/new",
    "/projects/kws-edge/runs?before=7&status=failed",
    "/a/b#c",
    "/%C3%A9",
    "/projects/new?next=//evil.example",
];

/// What a link may carry to lead to another place.
#[rustfmt::skip]
const LURES: &[&str] = &[
    // Another host, without a scheme.
    "//evil.example", "///evil.example", "////evil.example", "//evil.example/projects", "//evil.example:8000",
    "//EVIL.EXAMPLE", "//evil.example%2f..", "//user@evil.example", "//user:password@evil.example",
    "//localhost:8000@evil.example", "//localhost:8000.evil.example", "//localhost:9999", "//127.0.0.1", "//[::1]/",
    "//2130706433", "//0x7f.1", "//%65vil.example", "//evil。example", "//ｅｖｉｌ.example", "//evil%E3%80%82example",
    "//evil.example#", "//evil.example?", "//evil.example/..", "//", "///",
    // Backslashes, which browsers read as slashes.
    "/\\evil.example", "/\\/evil.example", "/\\\\evil.example", "\\evil.example", "\\\\evil.example",
    "\\/evil.example", "\\/\\/evil.example", "/\\localhost:9999", "/\\", "\\",
    // What browsers leave out, and what a header must not hold.
    "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "/\r\n/evil.example", "/\t\\evil.example",
    "\t//evil.example", "\n//evil.example", " //evil.example", "//evil.example ", "/ /evil.example", " /projects",
    "\0//evil.example", "/\0/evil.example", "/\x0b/evil.example", "/\x0c//evil.example", "/\x08//evil.example",
    "\u{a0}//evil.example", "\u{200b}//evil.example", "\u{feff}//evil.example", "/\u{202e}/evil.example",
    "/\u{2028}/evil.example", "/\u{85}/evil.example", "／／evil.example", "/／evil.example", "/é",
    "/\r\nLocation: https://evil.example", "/\r\nSet-Cookie: otrace_session=planted", "/a\r\n\r\n<script>x()</script>",
    // Schemes.
    "https://evil.example", "http://evil.example", "HTTPS://EVIL.EXAMPLE", "https:evil.example", "https:/evil.example",
    "https:///evil.example", "https:\\\\evil.example", "hTtPs:\\/evil.example", "http:evil.example", "http:",
    "http://localhost:8000@evil.example", "http://localhost:8000.evil.example", "http://localhost:9999/",
    "https://localhost:8000/", "http://localhost:8000/projects", "ftp://evil.example", "ws://evil.example",
    "file:///etc/passwd", "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "\x01javascript:x",
    "data:text/html,<script>x()</script>", "blob:http://localhost:8000/x", "vbscript:x", "mailto:x@evil.example",
    "about:blank", "view-source:http://evil.example", "intent://evil.example#Intent;end", "trace:x",
    // Without a slash at its beginning.
    "", " ", "evil.example", "evil", "@evil.example", ".evil.example", ":80", "..//evil.example", "./evil.example",
    "?next=//evil.example", "#//evil.example", ";//evil.example", "%2f%2fevil.example", "%2F%5Cevil.example",
    "%09//evil.example", "projects/new",
];

/// What looks like a way to another place, and is none: wherever it leads, it is here.
#[rustfmt::skip]
const ODD_PAGES: &[&str] = &[
    "/%2fevil.example", "/%2F%2Fevil.example", "/%5cevil.example", "/%09/evil.example", "/%0d%0a/evil.example",
    "/%00/evil.example", "/%252f%252fevil.example", "/.//evil.example", "/..//evil.example", "/./\\evil.example",
    "/../\\evil.example", "/a/..//evil.example", "/a\\..\\..\\\\evil.example", "/.%2e//evil.example", "/;@evil.example",
    "/@evil.example", "/:@evil.example", "/?//evil.example", "/#//evil.example", "/?\\\\evil.example",
    "/x?next=https://evil.example", "/https://evil.example", "/javascript:alert(1)", "/.evil.example",
];

/// Whether a browser that is sent there stays on this server.
fn stays_here(location: &str) -> bool {
    let here: Url = "http://localhost:8000/signin/with/sso/callback".parse().unwrap();
    let is_plain = location.starts_with('/') && location.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && here.join(location).is_ok_and(|there| there.origin() == here.origin())
}

/// Where the ways lead: to the page itself, to the first page, or at least to one of ours.
#[track_caller]
fn check(next: &str, location: &str) {
    assert!(stays_here(location), "{next:?} leads to {location:?}");
    if PAGES.contains(&next) {
        assert_eq!(location, next);
    }
    if LURES.contains(&next) {
        assert_eq!(location, "/", "{next:?}");
    }
}

fn all() -> impl Iterator<Item = &'static str> {
    PAGES.into_iter().chain(LURES.iter().copied()).chain(ODD_PAGES.iter().copied())
}

#[test]
fn the_search_for_ways_out_finds_them() {
    assert!(LURES.len() + ODD_PAGES.len() >= 80, "{}", LURES.len() + ODD_PAGES.len());
    assert!(LURES.iter().filter(|lure| lure.starts_with('/') && !stays_here(lure)).count() >= 40);
    assert!(PAGES.iter().all(|page| stays_here(page)));
    for location in ["", "evil", "//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil.example"] {
        assert!(!stays_here(location), "{location:?}");
    }
}

#[tokio::test]
async fn signing_in_with_a_password_leads_to_a_page_of_this_server() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let ada = Visitor::new(&app);
    for next in all() {
        execute(&app, "DELETE FROM rate_limits").await;
        let mut browser = ada.another();
        let fields = [("email", ADA), ("password", PASSWORD), ("next", next)];
        let answer = browser.post("/signin", &fields).await.expect(303);
        check(next, answer.header("location"));
    }
}

#[tokio::test]
async fn signing_in_through_a_provider_leads_to_a_page_of_this_server() {
    let (app, _provider) = server().await;
    let first = Visitor::new(&app);
    for next in all() {
        let query = Serializer::new(String::new()).append_pair("next", next).finish();
        let mut ada = first.another();
        let answer = ada.go(&format!("/signin/with/sso?{query}"), "ada").await.expect(303);
        check(next, answer.header("location"));
        assert_eq!(ada.who().await.as_deref(), Some(ADA), "{next:?}");
    }
}

#[tokio::test]
async fn who_is_signed_in_already_is_led_to_a_page_of_this_server() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    for next in all() {
        let query = Serializer::new(String::new()).append_pair("next", next).finish();
        let answer = ada.get(&format!("/signin?{query}")).await.expect(303);
        check(next, answer.header("location"));
    }
}

/// Who has an account with that address is led to the sign-in page first, and on from there.
#[tokio::test]
async fn confirming_an_identity_leads_to_a_page_of_this_server() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let first = Visitor::new(&app);
    for next in all() {
        let query = Serializer::new(String::new()).append_pair("next", next).finish();
        let mut ada = first.another();
        let answer = ada.go(&format!("/signin/with/sso?{query}"), "ada").await.expect(303);
        let location = answer.header("location");
        assert!(stays_here(location) && location.starts_with("/signin?"), "{next:?} leads to {location:?}");
        let there: Url = format!("http://localhost:8000{location}").parse().unwrap();
        check(next, &parameter(&there, "next").unwrap());
    }
}
