//! What readers are used to of any page: back leads back, times are theirs, a button that is pressed twice does it once,
//! and keys do nothing where they are switched off.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};
use thirtyfour::prelude::Key;

use super::{Browser, site};

/// A browser of the owner of a project with two runs, and where the project is.
async fn with_two_runs() -> (TestServer, Browser, String) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for intent in ["first", "second"] {
        server.app.run(&project.key, intent).await;
    }
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{}/signin", site(&server))).await;
    browser.be(&project.cookie).await;
    let base = format!("{}/projects/{}", site(&server), project.slug);
    (server, browser, base)
}

#[tokio::test]
async fn times_are_told_in_the_readers_zone_with_the_exact_one_behind_them() {
    let (server, browser, base) = with_two_runs().await;
    browser.cdp("Emulation.setTimezoneOverride", json!({"timezoneId": "Asia/Kolkata"})).await;
    let is_told = "const time = document.querySelector(arguments[0]);
        const there = { hour: '2-digit', minute: '2-digit', timeZone: 'Asia/Kolkata' };
        const hour = time && new Intl.DateTimeFormat('en-GB', there).format(new Date(time.dateTime));
        return time !== null && time.title.includes(` ${hour}:`) && time.title.endsWith('GMT+5:30')
            && time.textContent.endsWith(hour) === 'exact' in time.dataset";
    let account = format!("{}/account", site(&server));
    for (page, time) in [(account, "time[data-exact]"), (format!("{base}/runs"), "time[data-relative]")] {
        browser.visit(&page).await;
        browser.wait_for(time, is_told, &[json!(time)]).await;
    }
}

#[tokio::test]
async fn back_leads_to_the_list_as_it_was_asked_for() {
    let (_server, browser, base) = with_two_runs().await;
    browser.visit(&format!("{base}/runs?q=first&sort=number")).await;
    browser.press("#run-exp001 .exp a").await;
    browser.shows(&["as before"]).await;
    browser.press(".tabs a[href$='/notes']").await;
    let is_at = "return document.readyState === 'complete' && location.pathname.endsWith(arguments[0])";
    browser.wait_for("the notes", is_at, &[json!("/runs/exp001/notes")]).await;
    browser.driver.back().await.unwrap();
    browser.wait_for("the run", is_at, &[json!("/runs/exp001")]).await;
    browser.driver.back().await.unwrap();
    let is_back = "return location.search === '?q=first&sort=number' && document.getElementById('q')?.value === 'first'
        && [...document.querySelectorAll('.runs tr[id]')].map((row) => row.id).join() === 'run-exp001'";
    browser.wait_for("the list", is_back, &[]).await;
    browser.expect_no_problems("the list").await;
}

#[tokio::test]
async fn a_button_that_is_pressed_twice_sends_its_form_once() {
    let (server, browser, _base) = with_two_runs().await;
    browser.visit(&format!("{}/projects/new", site(&server))).await;
    browser.fill("#name", "Keywords").await;
    // What gets as far as the window would go to the server.
    let press_twice = "window.__sent = 0;
        addEventListener('submit', (event) => {
            if (!event.defaultPrevented) window.__sent += 1;
            event.preventDefault();
        });
        for (const turn of [1, 2]) document.querySelector('main form').requestSubmit();
        return window.__sent";
    assert_eq!(browser.script::<u32>(press_twice, Vec::new()).await, 1);
    // Gone back to, the page sends it again.
    let again = "dispatchEvent(new Event('pageshow'));
        document.querySelector('main form').requestSubmit();
        return window.__sent";
    assert_eq!(browser.script::<u32>(again, Vec::new()).await, 2);
}

#[tokio::test]
async fn single_keys_do_nothing_for_who_switched_them_off() {
    let (server, browser, base) = with_two_runs().await;
    let account = format!("{}/account", site(&server));
    browser.visit(&account).await;
    browser.press("button[name=single][value=off]").await;
    browser.find("html[data-keys=off] button[value=off][aria-pressed=true]").await;
    browser.visit(&format!("{base}/runs")).await;
    browser.driver.action_chain().send_keys("?jx/gl").perform().await.unwrap();
    browser.driver.action_chain().key_down(Key::Control).send_keys("k").key_up(Key::Control).perform().await.unwrap();
    let leapt = "const open = [...document.querySelectorAll('dialog[open]')];
        return open.length === 1 && open[0].querySelector('input')?.value === ''";
    browser.wait_for("the search", leapt, &[]).await;
    let did_nothing = "return document.querySelector('.runs .at, .runs :checked') === null
        && document.getElementById('q').value === '' && location.pathname.endsWith('/runs')";
    assert!(browser.script::<bool>(did_nothing, Vec::new()).await, "a key did something");

    browser.visit(&account).await;
    browser.press("button[name=single][value=on]").await;
    browser.find("html:not([data-keys]) button[value=on][aria-pressed=true]").await;
    browser.visit(&format!("{base}/runs")).await;
    browser.driver.action_chain().send_keys("?").perform().await.unwrap();
    browser.find("dialog[open] dl").await;
    browser.script::<Value>("document.querySelector('dialog[open]').close()", Vec::new()).await;
    browser.expect_no_problems("the list").await;
}
