//! No page is wider than its window.

use super::demo::{Demo, Page};
use super::{Browser, DAY_AND_NIGHT, site};

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
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    let mut wide = Vec::new();
    for page in demo.pages_of(&demo.long).await {
        page.open(&browser, &demo).await;
        measure(&browser, &page, &mut wide).await;
        browser.expect_no_problems(page.name).await;
    }
    expect_none(&wide);
}

/// Measures the page that is open on a desk and on a phone, without loading it again.
pub(super) async fn measure(browser: &Browser, page: &Page, wide: &mut Vec<String>) {
    for view in DAY_AND_NIGHT {
        browser.look_as(view).await;
        let out: Vec<String> = browser.script(STICKS_OUT, Vec::new()).await;
        if !out.is_empty() {
            wide.push(format!("{} at {} px: {}", page.name, view.width, out.join(", ")));
        }
    }
}

pub(super) fn expect_none(wide: &[String]) {
    assert!(wide.is_empty(), "these pages can be scrolled sideways:\n{}", wide.join("\n"));
}
