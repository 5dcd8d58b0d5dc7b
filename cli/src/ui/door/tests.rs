//! Who gets in and who does not, over everything that a request can say of itself.

use axum::http::{HeaderName, HeaderValue};

use super::*;

const PORT: u16 = 4321;

fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in all {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"));
    }
    headers
}

fn judge(door: &Door, path: &str, all: &[(&'static str, &str)]) -> Verdict {
    door.judge(&Method::GET, &path.parse().expect("a path"), &headers(all))
}

/// A door, and the cookie that a browser has after it came by the link.
fn opened() -> (Door, Keys, String) {
    let (door, keys) = Door::new(PORT).expect("random numbers");
    let link = keys.link.strip_prefix("http://127.0.0.1:4321").expect("its own address");
    let Verdict::Begin(cookie) = judge(&door, link, &[("host", "127.0.0.1:4321")]) else { panic!("the link opens") };
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    (door, keys, cookie)
}

#[test]
fn only_our_own_names_get_in() {
    let (door, _, cookie) = opened();
    for host in ["127.0.0.1:4321", "localhost:4321", "LOCALHOST:4321"] {
        assert_eq!(judge(&door, "/", &[("host", host), ("cookie", &cookie)]), Verdict::Enter, "{host}");
    }
    for host in [
        "10.evil.example:4321",
        "localhost.evil.example:4321",
        "127.0.0.1.nip.io:4321",
        "localhost.:4321",
        "localhost",
        "localhost:43210",
        "127.0.0.1:8000",
        "127.0.0.2:4321",
        "0.0.0.0:4321",
        "[::1]:4321",
        "",
    ] {
        assert_eq!(judge(&door, "/", &[("host", host), ("cookie", &cookie)]), Verdict::Refuse(WRONG_NAME), "{host}");
    }
    let own = ("host", "localhost:4321");
    assert_eq!(judge(&door, "/", &[("cookie", &cookie)]), Verdict::Refuse(WRONG_NAME));
    assert_eq!(judge(&door, "/", &[own, own, ("cookie", &cookie)]), Verdict::Refuse(WRONG_NAME));
    let elsewhere = "http://evil.example/";
    assert_eq!(judge(&door, elsewhere, &[own, ("cookie", &cookie)]), Verdict::Refuse(WRONG_NAME));
}

#[test]
fn no_page_of_another_site_or_port_gets_in() {
    let (door, _, cookie) = opened();
    let with = |more: (&'static str, &str)| judge(&door, "/", &[("host", "127.0.0.1:4321"), ("cookie", &cookie), more]);
    for site in ["cross-site", "same-site", "?", ""] {
        assert_eq!(with(("sec-fetch-site", site)), Verdict::Refuse(OTHER_SITE), "{site}");
    }
    for origin in ["http://evil.example", "http://localhost:8000", "https://127.0.0.1:4321", "null", ""] {
        assert_eq!(with(("origin", origin)), Verdict::Refuse(OTHER_SITE), "{origin}");
    }
    for own in [("sec-fetch-site", "none"), ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:4321")] {
        assert_eq!(with(own), Verdict::Enter, "{own:?}");
    }
}

#[test]
fn nobody_without_a_secret_gets_in() {
    let (door, keys, cookie) = opened();
    let host = ("host", "127.0.0.1:4321");
    let (_, value) = cookie.split_once('=').expect("a cookie");
    for wrong in [
        String::new(),
        format!("otrace_ui_4321={}", "0".repeat(64)),
        "otrace_ui_4321=".to_owned(),
        format!("otrace_ui_4322={value}"),
    ] {
        assert_eq!(judge(&door, "/", &[host, ("cookie", &wrong)]), Verdict::Refuse(NO_KEY), "{wrong}");
    }
    let among = format!("theme=dark; {cookie}; a=b");
    assert_eq!(judge(&door, "/", &[host, ("cookie", &among)]), Verdict::Enter);

    let bearer = format!("Bearer {}", keys.token);
    assert_eq!(judge(&door, "/api/trace/status", &[host, ("authorization", &bearer)]), Verdict::Enter);
    assert_eq!(
        judge(&door, "/", &[host, ("authorization", &bearer)]),
        Verdict::Refuse(NO_KEY),
        "a program needs no page"
    );
    assert_eq!(judge(&door, "/api/trace/status", &[host, ("authorization", "Bearer x")]), Verdict::Refuse(NO_KEY));
}

#[test]
fn the_link_opens_once_and_a_wrong_one_does_not_use_it_up() {
    let (door, keys) = Door::new(PORT).expect("random numbers");
    let host = ("host", "127.0.0.1:4321");
    let link = keys.link.strip_prefix("http://127.0.0.1:4321").expect("its own address");
    assert_eq!(judge(&door, "/?token=", &[host]), Verdict::Refuse(USED_LINK));
    assert_eq!(judge(&door, &format!("/?token={}", keys.token), &[host]), Verdict::Refuse(USED_LINK));
    let path = link.replacen("/?", "/projects?", 1);
    assert_eq!(judge(&door, &path, &[host]), Verdict::Refuse(NO_KEY));
    assert_eq!(judge(&door, link, &[("host", "evil.example:4321")]), Verdict::Refuse(WRONG_NAME));
    // From a terminal that is itself a page.
    let Verdict::Begin(set) = judge(&door, link, &[host, ("sec-fetch-site", "cross-site")]) else { panic!("it opens") };
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{set}");
    assert_eq!(judge(&door, link, &[host]), Verdict::Refuse(USED_LINK));
    let cookie = set.split(';').next().expect("a cookie");
    assert_eq!(judge(&door, link, &[host, ("cookie", cookie)]), Verdict::Home);
}
