//! The files of a run: their tree, how each is shown, and all of them as one zip.

use std::io::{Cursor, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;
use zip::ZipArchive;

use super::{PAGE_POLICY, artifacts, text_of};

/// Records a run with these files; returns where its pages are, and its files' ids.
async fn keep(app: &TestApp, project: &TestProject, files: &[(&str, &[u8])]) -> (String, Vec<String>) {
    let run = app.run(&project.key, "keeps files").await["experiment_id"].as_str().unwrap().to_owned();
    let file =
        |(path, content): &(&str, &[u8])| json!({"original_path": path, "content_base64": STANDARD.encode(content)});
    let files: Vec<_> = files.iter().map(file).collect();
    app.api(&project.key, "PUT", &format!("/v1/runs/{run}/details"), Some(json!({"artifacts": files})))
        .await
        .expect(200);
    let ids = artifacts(app, project, &run).await;
    (format!("/projects/{}/runs/{run}", project.slug), ids)
}

#[tokio::test]
async fn files_stand_in_their_folders_by_name() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let files: [(&str, &[u8]); 4] =
        [("z.txt", b"z"), ("outputs/plots/b.txt", b"b"), ("outputs/a.txt", b"a"), ("outputs/plots/<i>.txt", b"i")];
    let (run, _) = keep(&app, &project, &files).await;
    let page = app.get(&project.cookie, &format!("{run}/artifacts")).await.expect(200).text();
    let tree = page.split_once("class=\"filetree\"").unwrap().1.split_once("</nav>").unwrap().0;
    let order = ["outputs</span>", "plots</span>", "&#60;i&#62;.txt", "b.txt", "a.txt", "z.txt"];
    let places: Vec<usize> =
        order.iter().map(|name| tree.find(&format!("clip\">{name}")).unwrap_or(usize::MAX)).collect();
    assert!(places.is_sorted() && places[5] < usize::MAX, "{places:?} in {tree}");
    assert_eq!(tree.matches("<ul>").count(), tree.matches("</ul>").count());
}

#[tokio::test]
async fn each_kind_of_file_is_shown_as_what_it_is_and_runs_nothing() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let header = (0..20_000).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    let wide = format!("{header}\n{}\n", "1,".repeat(19_999));
    let files: [(&str, &[u8]); 8] = [
        ("metrics.json", b"{\"a\":{\"b\":1}}"),
        ("wide.csv", wide.as_bytes()),
        ("notes.md", b"# Why\n\n**bold** ![x](https://evil.example/x.png)\n\n<script>alert(1)</script>"),
        ("plot.html", b"<script>alert(1)</script>"),
        ("latin.log", b"caf\xe9\n"),
        ("paper.pdf", b"%PDF-1.7"),
        ("speech.wav", b"RIFF"),
        ("LICENSE", b"Do what you want."),
    ];
    let (run, ids) = keep(&app, &project, &files).await;
    for (id, wanted, more) in [
        (0, "{\n  &#34;a&#34;: {\n    &#34;b&#34;: 1", ""),
        (1, "the first 50 of 20 000 columns", ""),
        (2, "<strong>bold</strong>", ""),
        (3, "sandbox=\"\"", "; frame-src 'self'"),
        (4, "no text in UTF-8", ""),
        (5, "/raw?inline\" title=\"paper.pdf\"", "; frame-src 'self'"),
        (6, "<audio", "; media-src 'self'"),
        (7, "Do what you want.", ""),
    ] {
        let page = app.get(&project.cookie, &format!("{run}/artifacts/{}", ids[id])).await.expect(200);
        assert!(text_of(&page).contains(wanted), "{wanted} in {}", page.text());
        assert!(!page.text().contains("<script>") && !page.text().contains("src=\"https:"), "{}", page.text());
        assert_eq!(page.header("content-security-policy"), format!("{PAGE_POLICY}{more}"), "{wanted}");
    }
    let rendered = app.get(&project.cookie, &format!("{run}/artifacts/{}/raw?rendered", ids[3])).await.expect(200);
    assert_eq!(rendered.header("content-type"), "text/html; charset=utf-8");
    assert!(rendered.header("content-security-policy").contains("; sandbox; "));
    let paper = app.get(&project.cookie, &format!("{run}/artifacts/{}/raw?inline", ids[5])).await.expect(200);
    assert_eq!((paper.header("content-type"), paper.header("x-frame-options")), ("application/pdf", "SAMEORIGIN"));
    // What is no page is not rendered as one.
    let text = app.get(&project.cookie, &format!("{run}/artifacts/{}/raw?rendered", ids[2])).await.expect(200);
    assert_eq!(text.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn all_files_come_as_one_zip_whose_names_are_safe() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let large = b"0123456789abcdef".repeat(40_000);
    let files: [(&str, &[u8]); 3] =
        [("../../etc/passwd", b"no"), ("out/weights.bin", &large), ("out/weights.bin", b"again")];
    let (run, _) = keep(&app, &project, &files).await;
    let answer = app.get(&project.cookie, &format!("{run}/artifacts.zip")).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/zip");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"exp001.zip\"");
    let mut zip = ZipArchive::new(Cursor::new(answer.body)).unwrap();
    let wanted: [(&str, &[u8]); 3] =
        [("exp001/etc/passwd", b"no"), ("exp001/out/weights.bin", &large), ("exp001/out/weights (2).bin", b"again")];
    assert_eq!(zip.len(), wanted.len());
    for (name, content) in wanted {
        let mut found = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut found).unwrap();
        assert!(found == content, "{name}");
    }
}
