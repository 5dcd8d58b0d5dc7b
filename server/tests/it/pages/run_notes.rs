//! Writing notes on a run's page, and losing none of them.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};

async fn with_runs() -> (TestApp, TestProject, String) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for intent in ["first", "second"] {
        app.run(&project.key, intent).await;
    }
    let notes = format!("/projects/{}/runs/exp001/notes", project.slug);
    (app, project, notes)
}

#[tokio::test]
async fn a_note_is_shown_as_markdown_and_runs_that_mention_one_another_are_linked() {
    let (app, project, notes) = with_runs().await;
    let text = "It **saturates**, unlike exp002. #insight\r\n<script>alert(1)</script>";
    let added = app.post(&project.cookie, &notes, &[("text", text)]).await.expect(303);
    assert!(added.header("location").starts_with(&format!("{notes}#note-")));
    let page = app.get(&project.cookie, &notes).await.expect(200).text();
    for part in ["<strong>saturates</strong>", "/runs/exp002\"", ">exp002</a>", "tag on\">#insight", "&lt;script&gt;"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let overview =
        app.get(&project.cookie, &format!("/projects/{}/runs/exp001", project.slug)).await.expect(200).text();
    let learned = overview.split_once("class=\"learned\"").unwrap().1.split_once("</dl>").unwrap().0;
    assert!(learned.contains("<strong>saturates</strong>") && !learned.contains("#insight"), "{learned}");
    let other = app.get(&project.cookie, &notes.replace("exp001", "exp002")).await.expect(200).text();
    assert!(other.contains("Mentioned in") && other.contains("runs/exp001/notes"), "{other}");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_one_note() {
    let (app, project, notes) = with_runs().await;
    let form = [("text", "once"), ("id", "0193e9a0-0000-7000-8000-000000000001")];
    for _ in 0..2 {
        app.post(&project.cookie, &notes, &form).await.expect(303);
    }
    assert_eq!(app.get(&project.cookie, &notes).await.expect(200).text().matches("<article").count(), 1);
}

#[tokio::test]
async fn what_was_typed_comes_back_with_what_stands_against_it() {
    let (app, project, notes) = with_runs().await;
    for (text, sentence) in
        [("x".repeat(2 * 1024 * 1024), "64 KiB long at most"), (" \n ".to_owned(), "the note is empty")]
    {
        let again = app.post(&project.cookie, &notes, &[("text", &text)]).await.expect(422).text();
        assert!(again.contains(sentence) && again.contains(&format!(">\n{text}</textarea>")), "{} bytes", again.len());
    }
}

#[tokio::test]
async fn a_session_that_ends_while_one_writes_loses_nothing() {
    let (app, project, notes) = with_runs().await;
    let text = "Typed for an hour.\n<b>&";
    let form = [("text", text), ("id", "0193e9a0-0000-7000-8000-000000000001")];
    let page = app.post("", &notes, &form).await.expect(401).text();
    for part in [
        "Typed for an hour.\n&#60;b&#62;&#38;</textarea>",
        &format!("action=\"{notes}\""),
        "value=\"0193e9a0-0000-7000-8000-000000000001\"",
        "href=\"/signin\" target=\"_blank\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // Signed in again, the same form is sent once more.
    app.post(&project.cookie, &notes, &form).await.expect(303);
    assert!(app.get(&project.cookie, &notes).await.expect(200).text().contains("Typed for an hour."));
}

#[tokio::test]
async fn a_note_is_deleted_by_who_wrote_it_alone() {
    let (app, project, notes) = with_runs().await;
    let added = app.post(&project.cookie, &notes, &[("text", "mine")]).await.expect(303);
    let id = added.header("location").split_once("#note-").unwrap().1.to_owned();
    let editor = app.account("editor@example.org").await;
    app.join(&project, "editor@example.org", Role::Editor).await;
    let viewer = app.account("viewer@example.org").await;
    app.join(&project, "viewer@example.org", Role::Viewer).await;
    for (cookie, may_write, status) in [(&editor, true, 404), (&viewer, false, 403)] {
        let page = app.get(cookie, &notes).await.expect(200).text();
        assert!(!page.contains("Delete note") && page.contains("<textarea") == may_write, "{page}");
        app.post(cookie, &format!("{notes}/{id}/delete"), &[]).await.expect(status);
    }
    app.post(&viewer, &notes, &[("text", "not mine to say")]).await.expect(403);
    app.post(&project.cookie, &format!("{notes}/{id}/delete"), &[]).await.expect(303);
    assert!(!app.get(&project.cookie, &notes).await.expect(200).text().contains("<article"));
}
