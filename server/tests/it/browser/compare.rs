//! Comparing runs and walking their tree, as people do.

use serde_json::json;

use super::demo::Demo;
use super::{Browser, site};

#[tokio::test]
async fn runs_are_chosen_compared_against_another_baseline_and_left_out() {
    let demo = Demo::new().await;
    let browser = Browser::open(1440, 900, false).await;
    let base = format!("{}{}", site(&demo.server), demo.project.base);
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    browser.be(&demo.cookie).await;

    browser.visit(&format!("{base}/compare")).await;
    for run in ["exp007", "exp006", "exp005"] {
        browser.press(&format!("input[value='{run}']")).await;
    }
    browser.press_button("Compare").await;
    browser.shows(&["Compare 3 runs", "exp007, exp006, exp005", "Code between them"]).await;

    // Choosing another baseline is enough; what was chosen before stays.
    browser.press("#baseline option[value='exp006']").await;
    let is_baseline = "return document.readyState === 'complete'
        && new URLSearchParams(location.search).get('baseline') === arguments[0]
        && document.querySelector('#baseline').value === arguments[0]";
    browser.wait_for("the other baseline", is_baseline, &[json!("exp006")]).await;
    browser.press("a[aria-label='Leave out exp005']").await;
    browser.shows(&["Compare 2 runs", "exp007, exp006"]).await;
    browser.expect_no_problems("the comparison").await;

    browser.visit(&format!("{base}/lineage?active=exp006")).await;
    browser.shows(&["Lineage", "leads to exp006", "exp007"]).await;
    browser.press("#run-exp007 .from a").await;
    browser.shows(&["leads to exp007"]).await;
    browser.press("#run-exp007 a.clip").await;
    browser.wait_for_path(&format!("{}/runs/exp007", demo.project.base)).await;
    browser.expect_no_problems("the lineage").await;
}
