//! What comes with the program: completions, manual pages, and which commit it is of.

use std::path::Path;

use tokio::process::Command;

use crate::workspace::Workspace;

/// Every page of help, as its snapshot is named: `otrace-scaffold-outputs`. The tests of help see that none
/// is missing.
fn help_pages() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help");
    let names = folder.read_dir().expect("the snapshots").map(|page| page.expect("a page").path());
    let mut pages: Vec<_> =
        names.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    pages.sort_unstable();
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_has_its_completions() {
    let workspace = Workspace::new();
    let pages = help_pages();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let answer = workspace.otrace(&["completions", shell]).await.succeeded();
        for command in pages.iter().filter_map(|page| page.rsplit_once('-')).map(|(_, command)| command) {
            assert!(answer.stdout.contains(command), "{shell} does not know {command}");
        }
        assert_eq!(answer.stderr, "", "{shell}");
    }
    assert_eq!(workspace.otrace(&["completions", "tcsh"]).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_commands_and_their_options() {
    let workspace = Workspace::new();
    let script = workspace.otrace(&["completions", "bash"]).await.succeeded().stdout;
    let complete = async |words: &str, word: &str, before: &str| {
        let position = words.split_whitespace().count() - 1;
        let asked = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={position}; _otrace otrace {word} {before}; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let answer = Command::new("bash").args(["--norc", "-c", &asked]).output().await.expect("bash runs");
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    };
    assert_eq!(complete("otrace who", "who", "otrace").await, "whoami");
    assert_eq!(complete("otrace run --expect-a", "--expect-a", "run").await, "--expect-artifact");
}

#[tokio::test(flavor = "multi_thread")]
async fn manual_pages_are_the_same_each_time_and_there_for_each_command() {
    let workspace = Workspace::new();
    let pages = async |folder: &str| {
        let answer = workspace.otrace(&["man", folder]).await.succeeded();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", ""));
        let mut pages: Vec<_> = std::fs::read_dir(workspace.path(folder))
            .expect("read")
            .map(|page| page.expect("read").path())
            .map(|page| (page.file_name().expect("a name").to_owned(), std::fs::read_to_string(&page).expect("text")))
            .collect();
        pages.sort_unstable();
        pages
    };
    let first = pages("man/first").await;
    assert_eq!(first, pages("man/second").await);
    let text = |name: &str| {
        let page = first.iter().find(|(page, _)| page == name);
        let (_, text) = page.unwrap_or_else(|| panic!("no {name}"));
        text.as_str()
    };
    let names: Vec<_> = first.iter().map(|(page, _)| page.to_string_lossy().into_owned()).collect();
    let wanted: Vec<_> = help_pages().into_iter().map(|page| format!("{page}.1")).collect();
    assert!(wanted.iter().all(|name| names.contains(name)) && wanted.len() == names.len(), "{names:?}");
    for name in &wanted {
        assert!(text(name).contains(".SH NAME"), "{name}");
    }
    assert!(text("otrace-run.1").contains("intent"));
    let help = workspace.otrace(&["--help"]).await.succeeded().stdout;
    assert!(!help.contains("manual pages"), "{help}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_has_the_commit_where_it_is_known() {
    let workspace = Workspace::new();
    let told = workspace.otrace(&["--version"]).await.succeeded().stdout;
    let rest = told.strip_prefix(concat!("otrace ", env!("CARGO_PKG_VERSION"))).expect("the version");
    let commit = rest.trim_end().strip_prefix(" (").and_then(|rest| rest.strip_suffix(')'));
    let is_commit = |commit: &str| (7..=12).contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(rest == "\n" || commit.is_some_and(is_commit), "{told}");
    assert_eq!(workspace.otrace(&["-V"]).await.succeeded().stdout, told);
}
