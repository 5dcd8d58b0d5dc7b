//! Comparing runs and walking their tree, as people do.

use serde_json::{Value, json};
use thirtyfour::prelude::Key;

use super::demo::Demo;
use super::{Browser, VIEWS, site};

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

#[tokio::test]
async fn three_runs_fit_beside_each_other_on_a_desk_and_one_at_a_time_on_a_phone() {
    let demo = Demo::new().await;
    let browser = Browser::open(1440, 900, false).await;
    let base = format!("{}{}", site(&demo.server), demo.project.base);
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    browser.be(&demo.cookie).await;

    // What stands beside a field stays in one line.
    let high = "return [...document.querySelectorAll('main label')].filter((label) => !label.classList.contains('sr'))
        .map((label) => label.querySelector('.dim') ?? label).filter((label) => label.offsetHeight > 24)
        .map((label) => label.textContent)";
    let room = "const box = document.querySelector('.cmp').parentElement; return [box.scrollWidth, box.clientWidth]";
    let runs = "const box = document.querySelector('.cmp').parentElement;
        const name = document.querySelector('.cmp tbody th').getBoundingClientRect();
        return [box.clientWidth - name.width, ...[...document.querySelectorAll('.cmp thead th')].map((run) => run.offsetWidth)]";
    for (page, view) in [("compare?ids=exp001,exp005,exp007", VIEWS[0]), ("lineage", VIEWS[0]), ("lineage", VIEWS[2])] {
        browser.look_as(view).await;
        browser.visit(&format!("{base}/{page}")).await;
        let high: Vec<String> = browser.script(high, Vec::new()).await;
        assert!(high.is_empty(), "{page} at {} px breaks {high:?}", view.width);
    }
    for query in ["ids=exp001,exp005,exp007", "ids=exp001,exp005,exp007&hide=nothing"] {
        browser.look_as(VIEWS[0]).await;
        browser.visit(&format!("{base}/compare?{query}")).await;
        let (wide, seen): (u32, u32) = browser.script(room, Vec::new()).await;
        assert!(wide <= seen, "{query} is {wide} wide in {seen}");
        browser.look_as(VIEWS[2]).await;
        let high: Vec<String> = browser.script(high, Vec::new()).await;
        assert!(high.is_empty(), "{query} at 390 px breaks {high:?}");
        let widths: Vec<f64> = browser.script(runs, Vec::new()).await;
        assert_eq!(widths.len(), 4);
        assert!(widths[1..].iter().all(|width| *width <= widths[0] + 1.0 && *width > 200.0), "{query}: {widths:?}");
    }

    // More of them are scrolled, and what a row is of stays where it is.
    browser.look_as(VIEWS[0]).await;
    browser.visit(&format!("{base}/compare?ids=exp001,exp002,exp003,exp005,exp007")).await;
    let (wide, seen): (u32, u32) = browser.script(room, Vec::new()).await;
    assert!(wide > seen, "five runs are {wide} wide in {seen}");
    let stays = "const box = document.querySelector('.cmp').parentElement;
        const left = () => document.querySelector('.cmp tbody th').getBoundingClientRect().left;
        const before = left();
        box.scrollLeft = 200;
        return [box.scrollLeft, left() - before]";
    let (scrolled, moved): (f64, f64) = browser.script(stays, Vec::new()).await;
    assert!(scrolled > 100.0 && moved.abs() < 1.0, "scrolled {scrolled}, moved {moved}");
}

#[tokio::test]
async fn the_tree_is_walked_with_keys() {
    let demo = Demo::new().await;
    let browser = Browser::open(1440, 900, false).await;
    let base = &demo.project.base;
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    browser.be(&demo.cookie).await;
    browser.visit(&format!("{}{base}/lineage", site(&demo.server))).await;
    // The newest, the one before, the fork of it, and back to what both went on from.
    for (key, run) in
        [("j", "exp008"), ("j", "exp007"), ("j", "exp006"), ("k", "exp007"), ("p", "exp005"), ("p", "exp003")]
    {
        browser.driver.action_chain().send_keys(key).perform().await.unwrap();
        let is_here = "return document.querySelector('.tree .at')?.id === arguments[0]
            && document.activeElement.closest('li')?.id === arguments[0]";
        browser.wait_for(run, is_here, &[json!(format!("run-{run}"))]).await;
    }
    // In the filter they are letters.
    browser.driver.action_chain().send_keys("/").perform().await.unwrap();
    browser.driver.action_chain().send_keys("jp").perform().await.unwrap();
    browser.wait_for("two letters", "return document.getElementById('q').value === 'jp'", &[]).await;
    browser.key(Key::Escape).await;
    browser.script::<Value>("document.querySelector('#run-exp003 a.clip').focus()", Vec::new()).await;
    browser.key(Key::Enter).await;
    browser.wait_for_path(&format!("{base}/runs/exp003")).await;
    browser.expect_no_problems("the tree").await;
}
