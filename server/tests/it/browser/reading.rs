//! Pages on paper and on a phone: nothing in the way, and nothing cut off.

use otrace_server::testing::TestServer;
use serde_json::json;

use super::demo::Demo;
use super::{Browser, VIEWS, View, site};

/// What is of no use on paper, and what is wider than its place.
const ON_PAPER: &str = "
    const isSeen = (element) => element.getClientRects().length > 0;
    const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''} ${element.textContent.trim().slice(0, 40)}`;
    const ways = [...document.querySelectorAll('.top, .skip, .tabs, .acts, form, [data-copy], .pager, .toc, .danger')];
    const texts = [...document.querySelectorAll('main :is(h1, h2, p, dd, pre, th, td, .clip)')].filter((text) => !text.closest('.art'));
    return [
        ...ways.filter(isSeen).map((way) => `shown: ${name(way)}`),
        ...texts.filter((text) => text.scrollWidth > text.clientWidth + 1 && text.clientWidth > 0).map((text) => `cut: ${name(text)}`),
    ];
";

#[tokio::test]
async fn a_run_and_the_notebook_are_printed_whole_in_black_on_white() {
    let demo = Demo::new().await;
    // A4 within its margins, from a reader who has it dark.
    let paper = View { width: 718, height: 1047, dark: true };
    let browser = Browser::open(paper.width, paper.height, paper.dark).await;
    let base = format!("{}{}", site(&demo.server), demo.project.base);
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    browser.be(&demo.cookie).await;
    let of_run = [
        "exp007",
        "Distilled from KWT-3, 12 KB",
        "A large teacher should carry the small model over the line",
        "temperature 4, weight 0.7",
        "Temperature does the work, not the weight",
        "0.9703",
        "1st of 5",
        "python3 distill.py --teacher kwt3 --temperature 4 --alpha 0.7",
        "Per word",
        "outputs/model.tflite",
        "distill/kwt3",
        "gpu-node-04",
    ];
    let of_notebook = [
        "exp001",
        "Does the published architecture reach its number",
        "The seeds differ by 0.13 points",
        "exp008",
        "python3 distill.py --teacher kwt3 --hold-out age<12",
    ];
    for (path, texts) in [("runs/exp007", &of_run[..]), ("notebook", &of_notebook[..])] {
        browser.look_as(paper).await;
        browser.visit(&format!("{base}/{path}")).await;
        let features = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
        browser.cdp("Emulation.setEmulatedMedia", json!({"media": "print", "features": features})).await;
        browser.wait_for("the printed page", "return matchMedia('print').matches", &[]).await;
        let wrong: Vec<String> = browser.script(ON_PAPER, Vec::new()).await;
        assert!(wrong.is_empty(), "{path}: {wrong:#?}");
        let seen: String = browser.script("return document.body.innerText.replace(/\\s+/g, ' ')", Vec::new()).await;
        let missing: Vec<&&str> = texts.iter().filter(|text| !seen.contains(**text)).collect();
        assert!(missing.is_empty(), "{path} lacks {missing:?}: {seen}");
        let colour: String = browser.script("return getComputedStyle(document.body).backgroundColor", Vec::new()).await;
        assert_eq!(colour, "rgb(255, 255, 255)", "{path}");
    }
}

#[tokio::test]
async fn on_a_phone_no_column_of_the_documentation_is_as_narrow_as_a_word() {
    let server = TestServer::start().await;
    let browser = Browser::open(1440, 900, false).await;
    browser.look_as(VIEWS[2]).await;
    for page in ["api-reference", "api", "operations"] {
        browser.visit(&format!("{}/docs/{page}", site(&server))).await;
        let narrowest = "return Math.min(...[...document.querySelectorAll('article tbody :is(th, td)')].map((cell) => cell.getBoundingClientRect().width))";
        let narrowest: f64 = browser.script(narrowest, Vec::new()).await;
        assert!(narrowest > 300.0, "{page} has a cell {narrowest} px wide");
    }
}
