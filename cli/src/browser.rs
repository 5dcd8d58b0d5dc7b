//! This person's browser: whether there is one to open, and which pages may be opened in it.

use std::process::Stdio;

use reqwest::Url;
use tokio::process::Command;

use crate::settings::{self, is_loopback};

/// Set to anything, it keeps the browser shut.
const TURNED_OFF: &str = "OTRACE_NO_BROWSER";
/// Set where the person sits at another machine, whose browser is out of reach.
const REMOTE: [&str; 3] = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];
/// Set where there is a screen to open a window on.
const DISPLAYS: [&str; 2] = ["DISPLAY", "WAYLAND_DISPLAY"];

/// Opens a page, if it may be and there is something to open it with. Says whether it was tried.
///
/// The opener is no shell, has nothing of our terminal, and is not waited for.
pub fn open(page: &str) -> bool {
    let Some(page) = web_page(page) else { return false };
    let Some(opener) = opener(&settings::variable, cfg!(target_os = "macos")) else { return false };
    Command::new(opener)
        .arg(page.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Our Ctrl-C is not the browser's.
        .process_group(0)
        .spawn()
        .is_ok()
}

/// Whether a text is the address of a page, and not of a file or a program.
pub fn is_web_page(page: &str) -> bool {
    web_page(page).is_some()
}

/// Whether a page is one of this very server. A hostile one could name any other.
pub fn is_page_of(page: &str, server: &str) -> bool {
    let Some((page, server)) = web_page(page).zip(web_page(server)) else { return false };
    // This machine has several names, and a server there knows one of them.
    let is_here = is_loopback(page.as_str()) && is_loopback(server.as_str());
    let door = |url: &Url| (url.scheme().to_owned(), url.port_or_known_default());
    page.origin() == server.origin() || (is_here && door(&page) == door(&server))
}

/// Whether a project's name can stand in an address. A server could lead elsewhere by any other.
pub fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn web_page(text: &str) -> Option<Url> {
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none();
    // A parser forgives line breaks, which would not look like the address that they are in.
    let url = Url::parse(text).ok().filter(|_| !text.contains(char::is_control));
    url.filter(|url| matches!(url.scheme(), "http" | "https") && is_plain(url))
}

/// The program that opens pages here.
fn opener(variable: &dyn Fn(&str) -> Option<String>, is_mac: bool) -> Option<&'static str> {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.trim().is_empty());
    if is_set(&TURNED_OFF) || REMOTE.iter().any(is_set) {
        return None;
    }
    if is_mac {
        return Some("open");
    }
    DISPLAYS.iter().any(is_set).then_some("xdg-open")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(set: &[(&str, &str)], is_mac: bool) -> Option<&'static str> {
        let variable = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        opener(&variable, is_mac)
    }

    #[test]
    fn a_browser_is_opened_only_where_its_person_sits() {
        let x11 = ("DISPLAY", ":0");
        assert_eq!(chosen(&[x11], false), Some("xdg-open"));
        assert_eq!(chosen(&[("WAYLAND_DISPLAY", "wayland-0")], false), Some("xdg-open"));
        assert_eq!(chosen(&[], true), Some("open"));
        assert_eq!(chosen(&[], false), None);
        assert_eq!(chosen(&[("DISPLAY", "")], false), None);
        for away in ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "OTRACE_NO_BROWSER"] {
            assert_eq!(chosen(&[x11, (away, "1")], false), None, "{away}");
            assert_eq!(chosen(&[(away, "1")], true), None, "{away}");
        }
    }

    #[test]
    fn only_the_servers_own_pages_are_opened() {
        let server = "https://trace.example.org/lab";
        for page in ["https://trace.example.org/device?code=A", "https://trace.example.org:443/device"] {
            assert!(is_page_of(page, server), "{page}");
        }
        for page in [
            "http://trace.example.org/device",
            "https://trace.example.org:8443/device",
            "https://trace.example.org.evil.example/device",
            "https://trace.example.org@evil.example/device",
            "https://ada:secret@trace.example.org/device",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://trace.example.org/\ndevice",
            "--help",
            "",
        ] {
            assert!(!is_page_of(page, server), "{page}");
        }
        assert!(is_page_of("http://localhost:8000/device", "http://127.0.0.1:8000"));
        assert!(!is_page_of("http://localhost:8001/device", "http://127.0.0.1:8000"));
        assert!(is_web_page("https://elsewhere.example/") && !is_web_page("file:///etc/passwd"));
        assert!(!open("file:///etc/passwd"));
    }

    #[test]
    fn a_projects_name_leads_nowhere_else() {
        assert!(is_slug("wake-word_2"));
        for name in ["", ".", "..", "a/b", "a?b", "a%2fb", "ä"] {
            assert!(!is_slug(name), "{name}");
        }
    }
}
