//! Every page loads, and none is wider than its window; `OTRACE_SCREENSHOTS=folder` keeps a picture of each, large and small, light and dark.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::demo::{Demo, Page};
use super::layout::{expect_none, measure};
use super::{Browser, VIEWS, View};

#[tokio::test]
async fn every_page_of_the_server_loads_with_its_style_its_fonts_and_its_title_and_fits_its_window() {
    let demo = Demo::new().await;
    look_at(&demo, &demo.pages_of_server()).await;
}

#[tokio::test]
async fn every_page_of_a_project_loads_with_its_style_its_fonts_and_its_title_and_fits_its_window() {
    let demo = Demo::new().await;
    look_at(&demo, &demo.pages_of(&demo.project).await).await;
}

async fn look_at(demo: &Demo, pages: &[Page]) {
    let folder = std::env::var_os("OTRACE_SCREENSHOTS").map(PathBuf::from);
    let browser = Browser::open(1440, 900, false).await;
    let mut wide = Vec::new();
    for page in pages {
        page.open(&browser, demo).await;
        let title = browser.driver.title().await.unwrap();
        assert!(title.contains("Trace"), "{}: {title}", page.name);
        browser.wait_for("the fonts", FONTS_ARE_THERE, &[]).await;
        let headings: usize = browser.script("return document.querySelectorAll('h1').length", Vec::new()).await;
        assert_eq!(headings, 1, "{} has one first heading", page.name);
        measure(&browser, page, &mut wide).await;
        browser.expect_no_problems(page.name).await;
        if let Some(folder) = &folder {
            take_pictures(&browser, page, folder).await;
        }
    }
    expect_none(&wide);
}

const FONTS_ARE_THERE: &str =
    "return document.fonts.status === 'loaded' && document.fonts.check('1rem \"Instrument Sans\"')
    && getComputedStyle(document.body).fontFamily.includes('Instrument Sans')";

/// Those further down are drawn when they come near.
pub(super) const CURVES_ARE_DRAWN: &str = "
    document.querySelector('.curves')?.scrollIntoView();
    const areDrawn = [...document.querySelectorAll('[data-curve]')].every((curve) => curve.querySelector('.ln'));
    if (areDrawn) scrollTo(0, 0);
    return areDrawn";

async fn take_pictures(browser: &Browser, page: &Page, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for view in VIEWS {
        browser.look_as(view).await;
        browser.wait_for("the fonts", FONTS_ARE_THERE, &[]).await;
        // Those further down would only be fetched when somebody scrolls there.
        let images = "return [...document.images].every((image) => {
            image.loading = 'eager';
            return image.complete;
        })";
        browser.wait_for("the images", images, &[]).await;
        browser.wait_for("the curves", CURVES_ARE_DRAWN, &[]).await;
        let View { width, height, dark } = view;
        let length: u32 = browser.script("return document.documentElement.scrollHeight", Vec::new()).await;
        let whole = json!({"x": 0, "y": 0, "width": width, "height": length.max(height), "scale": 1});
        let picture = json!({"format": "png", "captureBeyondViewport": true, "clip": whole});
        let taken: Value = browser.cdp("Page.captureScreenshot", picture).await;
        let png = STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        let theme = if dark { "dark" } else { "light" };
        std::fs::write(folder.join(format!("{}-{width}-{theme}.png", page.name)), png).unwrap();
    }
}
