//! What a reader of this repository may rely on: which room touches what, and how files look.

use std::fs;
use std::path::{Path, PathBuf};

/// What a room must not mention. What this can't see, review does.
#[rustfmt::skip]
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("wire/src",            &["axum", "sqlx", "reqwest"]),
    ("doctor/src",          &["axum", "sqlx", "reqwest", "tokio", "std::fs", "now_utc", "otrace_server"]),
    ("history/src",         &["axum", "sqlx", "reqwest", "tokio", "std::fs", "now_utc", "otrace_server"]),
    ("mcp/src",             &["axum", "sqlx", "reqwest", "tokio"]),
    ("run-spec/src",        &["axum", "sqlx", "reqwest", "tokio", "std::fs", "now_utc", "otrace_server"]),
    ("server/src/domain",   &["axum", "tokio", "sqlx::query", "PgConnection", "crate::store", "crate::services", "Clock"]),
    ("server/src/store",    &["axum", "crate::services", "crate::api", "crate::web", ".begin()", ".commit()", "Clock"]),
    ("server/src/blobs",    &["axum", "sqlx"]),
    ("server/src/services", &["axum", "askama", "sqlx::query", "crate::api", "crate::web"]),
    ("server/src/auth",     &["askama", "sqlx"]),
    ("server/src/providers", &["axum", "askama", "sqlx", "crate::store", "crate::services", "Clock"]),
    ("server/src/outbound", &["axum", "askama", "sqlx", "crate::store", "crate::services", "Clock"]),
    ("server/src/mail",     &["axum", "sqlx", "crate::store", "crate::services"]),
    ("server/src/tokens",   &["axum", "sqlx", "crate::store", "crate::services", "Clock"]),
    ("server/src/limits",   &["axum", "askama", "sqlx::query", "crate::services"]),
    ("server/src/api",      &["sqlx", ".begin()", ".commit()", "askama", "crate::web"]),
    ("server/src/openapi",  &["axum", "askama", "sqlx", "crate::web", "crate::store", "crate::services"]),
    ("server/src/web",      &["sqlx", ".begin()", ".commit()", "crate::api"]),
    ("server/src/mcp",      &["sqlx", ".begin()", ".commit()", "askama", "crate::api", "crate::web"]),
    ("cli/src/commands",    &["println!", "process::exit", "env::var", "reqwest"]),
];

/// A file that has grown past this has two subjects.
const LINES_MAX: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files below a folder with this ending, by their path from the root.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no {ending}");
    found
}

/// A file's code, without comments and tests.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_room_touches_only_what_it_may() {
    let mut wrong = Vec::new();
    for (room, forbidden) in FORBIDDEN {
        for (name, source) in files(room, ".rs") {
            let code = code(&source);
            wrong.extend(
                forbidden.iter().filter(|word| code.contains(**word)).map(|word| format!("{name} mentions {word}")),
            );
        }
    }
    // The ids of `domain` are database types; that is a derive, not a query.
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent = ["wire", "doctor", "history", "run-spec", "mcp", "server/src", "cli/src", "server/tests", "cli/tests"]
        .into_iter()
        .flat_map(|folder| files(folder, ".rs"))
        .filter(|(_, source)| !source.starts_with("//!"))
        .map(|(name, _)| name)
        .collect::<Vec<_>>();
    assert!(silent.is_empty(), "no //! at the top of {silent:?}");
}

#[test]
fn no_file_has_two_subjects() {
    let long = ["wire", "doctor", "history", "run-spec", "mcp", "server/src", "cli/src", "server/tests", "cli/tests"]
        .into_iter()
        .flat_map(|folder| files(folder, ".rs"))
        .filter(|(_, source)| source.lines().count() > LINES_MAX)
        .map(|(name, _)| name)
        .collect::<Vec<_>>();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:?}");
}

#[test]
fn urls_are_routed_in_one_place() {
    let elsewhere = files("server/src", ".rs")
        .into_iter()
        .filter(|(name, source)| name != "server/src/routes.rs" && code(source).contains(".route("))
        .map(|(name, _)| name)
        .collect::<Vec<_>>();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn every_template_is_used() {
    let sources: String =
        files("server/src/web", ".rs").into_iter().chain(files("templates", ".html")).map(|(_, text)| text).collect();
    let unused = files("templates", ".html")
        .into_iter()
        .map(|(name, _)| name.strip_prefix("templates/").unwrap().to_owned())
        .filter(|name| !sources.contains(&format!("\"{name}\"")))
        .collect::<Vec<_>>();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn no_page_carries_a_style_or_a_script_within() {
    for (name, template) in files("templates", ".html") {
        for inline in [" style=", "<style", " onclick=", " onload=", " onerror=", "<script>", "javascript:"] {
            assert!(!template.contains(inline), "{name} has {inline}");
        }
    }
}

#[test]
fn the_paths_that_clients_use_are_in_the_url_table() {
    use otrace_wire::{Sha256Digest, paths};
    let table = fs::read_to_string(root().join("server/src/routes.rs")).unwrap();
    let digest = Sha256Digest::new([0; 32]);
    for path in [
        paths::WHOAMI.to_owned(),
        paths::WORKSPACE.to_owned(),
        paths::DEVICE_CODE.to_owned(),
        paths::DEVICE_TOKEN.to_owned(),
        paths::KEYS_REVOKE.to_owned(),
        paths::PAGE_PASSES.to_owned(),
        paths::RUNS.to_owned(),
        paths::RUN_COUNT.to_owned(),
        paths::run("{run}"),
        paths::run_details("{run}"),
        paths::run_log("{run}", "{stream}"),
        paths::run_heartbeat("{run}"),
        paths::run_series("{run}"),
        paths::artifact_download("{artifact}"),
        paths::IMPORTS.to_owned(),
        paths::import("{import}"),
        paths::import_runs("{import}"),
        paths::import_commit("{import}"),
        paths::content(&digest).replace(&digest.hex(), "{sha256}"),
    ] {
        assert!(table.contains(&format!("\"{path}\"")), "{path}");
    }
}
