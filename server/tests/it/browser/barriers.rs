//! axe-core finds nothing on any page that keeps people out.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::demo::{Demo, Page};
use super::{Browser, DAY_AND_NIGHT};

/// Asks axe for what is wrong by WCAG 2.2 AA and by good practice.
const ASK: &str = "
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const where = (node) => `${node.target.join(' ')}: ${node.failureSummary}`;
    window.axe.run(document, { resultTypes: ['violations'], preload: false, runOnly: { type: 'tag', values: tags } }).then(
        ({ violations }) => done(violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(where) }))),
        (error) => done([{ id: String(error), impact: 'critical', nodes: [] }]),
    );
";

/// A rule that a page breaks.
#[derive(Deserialize)]
struct Violation {
    id: String,
    impact: Option<String>,
    nodes: Vec<String>,
}

#[tokio::test]
async fn no_page_of_the_server_keeps_anyone_out() {
    let demo = Demo::new().await;
    let opened = [
        ("admin-accounts", "button[popovertarget^='disable-']"),
        ("admin-projects", "button[popovertarget^='enter-']"),
    ];
    expect_no_barrier(&demo, &demo.pages_of_server(), &opened).await;
}

#[tokio::test]
async fn no_page_of_a_project_keeps_anyone_out() {
    let demo = Demo::new().await;
    let opened = [
        ("keys", "details.menu summary"),
        ("keys", "button[popovertarget^='revoke-']"),
        ("members", "button[popovertarget^='transfer-']"),
        ("webhook", "button[popovertarget^='delete-']"),
    ];
    expect_no_barrier(&demo, &demo.pages_of(&demo.project).await, &opened).await;
}

/// Looks at all pages, and at what opens over some of them: a menu, the question before an act.
async fn expect_no_barrier(demo: &Demo, pages: &[Page], opened: &[(&str, &str)]) {
    let browser = Browser::open(1440, 900, false).await;
    // The driver may run it where the page's own policy lets nothing in.
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": axe_source()})).await;
    let mut found = Vec::new();
    for page in pages {
        page.open(&browser, demo).await;
        check(&browser, page, "", &mut found).await;
    }
    for (name, opens) in opened {
        let page = pages.iter().find(|page| page.name == *name).unwrap();
        page.open(&browser, demo).await;
        browser.press(opens).await;
        check(&browser, page, &format!(" after {opens}"), &mut found).await;
    }
    assert!(found.is_empty(), "axe found:\n{}", found.join("\n"));
}

/// Looks at each width and at each scheme once.
async fn check(browser: &Browser, page: &Page, state: &str, found: &mut Vec<String>) {
    for view in DAY_AND_NIGHT {
        browser.look_as(view).await;
        let answer = browser.driver.execute_async(ASK, Vec::<Value>::new()).await.unwrap();
        let violations: Vec<Violation> = answer.convert().unwrap();
        for Violation { id, impact, nodes } in violations {
            if matches!(impact.as_deref(), Some("serious" | "critical")) {
                let view = format!("{} px, dark: {}", view.width, view.dark);
                found.push(format!("{}{state} at {view}: {id}\n    {}", page.name, nodes.join("\n    ")));
            }
        }
    }
}

/// axe itself.
fn axe_source() -> String {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/axe/node_modules/axe-core/axe.min.js");
    let path = std::env::var_os("OTRACE_AXE").map_or_else(installed, PathBuf::from);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `make test` installs axe-core", path.display()))
}
