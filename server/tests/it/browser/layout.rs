//! No page is wider than its window.

use super::demo::{Demo, Page};
use super::{Browser, VIEWS};

/// What sticks out, if the page can be scrolled sideways.
const STICKS_OUT: &str = "
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1);
    const name = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute('class') ?? ''}`;
    return [`${root.scrollWidth} > ${root.clientWidth}`, ...out.slice(0, 6).map(name)];
";

#[tokio::test]
async fn no_page_is_wider_than_its_window_however_long_its_texts_are() {
    let demo = Demo::new().await;
    let browser = Browser::open(1440, 900, false).await;
    let mut wide = Vec::new();
    for page in demo.pages().await {
        measure(&browser, &demo, &page, "", &mut wide).await;
    }
    for page in demo.pages_of(&demo.long).await {
        measure(&browser, &demo, &page, "long texts: ", &mut wide).await;
    }
    assert!(wide.is_empty(), "these pages can be scrolled sideways:\n{}", wide.join("\n"));
}

async fn measure(browser: &Browser, demo: &Demo, page: &Page, what: &str, wide: &mut Vec<String>) {
    page.open(browser, demo).await;
    for view in VIEWS {
        browser.look_as(view).await;
        let out: Vec<String> = browser.script(STICKS_OUT, Vec::new()).await;
        if !out.is_empty() {
            wide.push(format!("{what}{} at {} px, dark: {}: {}", page.name, view.width, view.dark, out.join(", ")));
        }
    }
    browser.expect_no_problems(page.name).await;
}
