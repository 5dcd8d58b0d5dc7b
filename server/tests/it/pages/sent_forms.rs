//! Forms that come too late: after the session has ended, or after somebody else's.

use otrace_server::testing::TestApp;

const SETTINGS: &str = "/projects/wake-word/settings";

#[tokio::test]
async fn a_form_that_is_sent_after_the_session_has_ended_comes_back_with_all_of_it() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let fields = [("name", "Key\"words"), ("description", "<b>& typed\nfor an hour")];
    let page = app.post("", SETTINGS, &fields).await.expect(401).text();
    for part in [
        "name=\"name\" value=\"Key&#34;words\"",
        &format!("action=\"{SETTINGS}\""),
        "name=\"description\" value=\"&#60;b&#62;&#38; typed\nfor an hour\"",
        "href=\"/signin\" target=\"_blank\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // Signed in again, the same form is sent once more.
    app.post(&project.cookie, SETTINGS, &fields).await.expect(303);
    assert!(app.get(&project.cookie, SETTINGS).await.expect(200).text().contains("for an hour"));
}

#[tokio::test]
async fn no_password_is_given_back_and_no_empty_form() {
    let app = TestApp::new().await;
    let fields = [("current", "correct horse battery"), ("password", "an unrelated few words")];
    let page = app.post("", "/account/password", &fields).await.expect(401).text();
    assert!(page.contains("Sign in first") && !page.contains("battery") && !page.contains("unrelated"), "{page}");
    let page = app.post("", "/projects", &[("name", "")]).await.expect(401).text();
    assert!(page.contains("Sign in first") && !page.contains("Send it again"), "{page}");
}

#[tokio::test]
async fn a_form_that_somebody_else_was_faster_with_is_refused_once_and_says_what_they_wrote() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let opened = [("before_name", "Wake word"), ("before_description", "What makes it better?")];
    let theirs = [&[("name", "Keywords"), ("description", "Theirs,\r\nin lines")][..], &opened[..]].concat();
    app.post(&project.cookie, SETTINGS, &theirs).await.expect(303);

    let mine = [("name", "Hot words"), ("description", "Mine")];
    let late = [&mine[..], &opened[..]].concat();
    let page = app.post(&project.cookie, SETTINGS, &late).await.expect(422).text();
    for part in ["Meanwhile somebody saved", "“Keywords”", "value=\"Hot words\"", ">Mine</textarea>"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // The form has come back with what stands there now, as a browser sends it.
    let again = [&mine[..], &[("before_name", "Keywords"), ("before_description", "Theirs,\nin lines")][..]].concat();
    assert!(page.contains("name=\"before_name\" value=\"Keywords\""), "{page}");
    app.post(&project.cookie, SETTINGS, &again).await.expect(303);
    assert!(app.get(&project.cookie, SETTINGS).await.expect(200).text().contains("value=\"Hot words\""));
}
