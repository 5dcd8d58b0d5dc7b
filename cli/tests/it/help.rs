//! What `--help` says of each command, byte for byte: `help/*.txt`. A change of it is seen in review.
//!
//! `OTRACE_WRITE_SNAPSHOTS=1 cargo nextest run -p otrace-cli every_command` writes the files anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::Workspace;

/// Writes what is there now, rather than comparing it.
const WRITE: &str = "OTRACE_WRITE_SNAPSHOTS";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help")
}

/// What a command says of itself, at a fixed width.
async fn help(workspace: &Workspace, words: &[String]) -> String {
    let mut args: Vec<_> = words.iter().map(String::as_str).collect();
    args.push("--help");
    let answer = workspace.otrace(&args).await.succeeded();
    assert_eq!(answer.stderr, "", "{words:?}");
    answer.stdout
}

/// The commands that a page of help lists, but for `help` itself.
fn commands(page: &str) -> Vec<String> {
    let lines = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    // What goes on on another line is indented further.
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every page, by the name of its file: `otrace-scaffold-outputs.txt`.
async fn pages() -> BTreeMap<String, String> {
    let workspace = Workspace::new().set("COLUMNS", "100");
    let mut pages = BTreeMap::new();
    let mut left = vec![Vec::new()];
    while let Some(words) = left.pop() {
        let page = help(&workspace, &words).await;
        left.extend(commands(&page).into_iter().map(|name| [words.as_slice(), &[name]].concat()));
        let name: Vec<_> = std::iter::once("otrace").chain(words.iter().map(String::as_str)).collect();
        pages.insert(format!("{}.txt", name.join("-")), page);
    }
    pages
}

fn kept() -> BTreeMap<String, String> {
    let files = folder().read_dir().expect("the snapshots");
    files
        .map(|file| {
            let file = file.expect("a file");
            let text = fs::read_to_string(file.path()).expect("a text");
            (file.file_name().to_string_lossy().into_owned(), text)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_what_it_did_when_it_was_last_looked_at() {
    let pages = pages().await;
    assert!(pages.len() > 20, "{:?}", pages.keys());
    if std::env::var_os(WRITE).is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).expect("made");
        for (name, page) in &pages {
            fs::write(folder().join(name), page).expect("written");
        }
    }
    let kept = kept();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&pages), names(&kept), "{WRITE}=1 writes the files anew");
    for (name, page) in &pages {
        assert_eq!(*page, kept[name], "{name}: {WRITE}=1 writes it anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_is_wider_than_it_may_be_and_each_option_is_described() {
    for (name, page) in pages().await {
        for line in page.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
        let options: Vec<_> = page.lines().map(str::trim_start).collect();
        for (option, next) in options.iter().zip(options.iter().skip(1).chain([&""])) {
            // Its description stands beside it, or on the line below.
            let is_bare = option.starts_with('-') && !option.starts_with("- ") && !option.contains("  ");
            assert!(!is_bare || !next.is_empty(), "{name}: {option} is not described");
        }
    }
}
