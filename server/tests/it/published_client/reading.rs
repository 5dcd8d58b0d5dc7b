//! Reading back: `runs`, `show`, `artifacts`, `download`, `mcp`.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{MODEL, Person, TRAIN_OPTIONS, text, the};

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_newest_first_and_filtered() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    let expect = ["--expect-artifact", "none", "--title"];
    person.run(&[&expect[..], &["First"]].concat(), "true").await.text();
    assert_eq!(person.run(&[&expect[..], &["Second"]].concat(), "exit 1").await.code, Some(1));
    person.run(&[&expect[..], &["Third"]].concat(), "true").await.text();

    let titles = |listed: Value| -> Vec<String> {
        assert_eq!(listed["count"], listed["runs"].as_array().map_or(0, Vec::len));
        listed["runs"].as_array().expect("a list").iter().map(|run| text(&run["title"]).to_owned()).collect()
    };
    assert_eq!(titles(person.otrace(&["runs", "--json"]).await.json()), ["Third", "Second", "First"]);
    assert_eq!(titles(person.otrace(&["runs", "--json", "--status", "failed"]).await.json()), ["Second"]);
    assert_eq!(titles(person.otrace(&["runs", "--json", "--query", "first"]).await.json()), ["First"]);
    assert_eq!(titles(person.otrace(&["runs", "--json", "--limit", "1"]).await.json()), ["Third"]);
    assert_eq!(server.get_json(&project.key, "/v1/runs/count").await["count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_shown_by_its_id_and_by_its_experiment_id() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    person.run(TRAIN_OPTIONS, "sh train.sh").await.text();
    let id = server.get_json(&project.key, "/v1/runs/exp001").await["run"]["id"].clone();

    let shown = person.otrace(&["show", text(&id), "--json"]).await.json();
    assert_eq!(shown, person.otrace(&["show", "exp001", "--json"]).await.json());
    assert_eq!(shown["id"], id);
    assert_eq!(shown["title"], "Baseline");
    assert_eq!(shown["artifact_count"], 7);
    assert_eq!(shown["metrics"]["accuracy"], 0.91);
    assert_eq!(the(&shown["logs"], "stream", "stdout")["text_preview"], "epoch 1 of 1\n");

    let listed = person.otrace(&["artifacts", "exp001", "--json", "--type", "log"]).await.json();
    assert_eq!(listed["count"], 1);
    assert_eq!(listed["artifacts"][0]["name"], "outputs/train.log");
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_are_equal_to_the_byte() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    let large: Vec<u8> = (0..1_000_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    person.write("large.bin", &large);
    let options = [TRAIN_OPTIONS, &["--expect-artifact", "large.bin"]].concat();
    person.run(&options, "sh train.sh").await.text();

    let listed = person.otrace(&["artifacts", "exp001", "--json"]).await.json();
    let report = person.read("outputs/report.md");
    let files: [(&str, &[u8]); 4] = [
        ("outputs/model.bin", MODEL),
        ("outputs/report.md", &report),
        ("outputs/empty.ckpt", b""),
        ("large.bin", &large),
    ];
    for (path, content) in files {
        let id = text(&the(&listed["artifacts"], "name", path)["id"]);
        let told = person.otrace(&["download", id, "--output", "downloaded", "--json"]).await.json();
        assert_eq!(told["size_bytes"], content.len(), "{path}");
        assert!(person.read("downloaded") == content, "{path} came back changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_reads_runs_and_artifacts_over_mcp() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    person.run(TRAIN_OPTIONS, "sh train.sh").await.text();
    let run = &server.get_json(&project.key, "/v1/runs/exp001").await["run"];
    let model = the(&run["artifacts"], "original_path", "outputs/model.bin");

    let call = |name: &str, arguments: Value| ("tools/call", json!({"name": name, "arguments": arguments}));
    let requests = [
        ("initialize", json!({"protocolVersion": "2024-11-05", "capabilities": {}})),
        ("tools/list", json!({})),
        call("trace_list_runs", json!({"status": "completed"})),
        call("trace_get_run", json!({"run_id": "exp001"})),
        call("trace_list_artifacts", json!({"run_id": run["id"], "type": "log"})),
        call("trace_download_artifact", json!({"artifact_id": model["id"], "output": "from-mcp.bin"})),
        call("trace_get_run", json!({"run_id": "exp999"})),
    ];
    let input: String = requests
        .iter()
        .enumerate()
        .map(|(id, (method, params))| {
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string() + "\n"
        })
        .collect();
    let said = person.otrace_with_input(&input, &["mcp"]).await.text();
    let answers: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let payload = |index: usize| -> Value {
        serde_json::from_str(text(&answers[index]["result"]["content"][0]["text"])).expect("JSON")
    };

    assert_eq!(answers.len(), requests.len());
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "otrace");
    let tool = the(&answers[1]["result"]["tools"], "name", "trace_get_run");
    assert_eq!(tool["inputSchema"]["required"], json!(["run_id"]));
    assert_eq!(payload(2)["count"], 1);
    assert_eq!(payload(2)["runs"][0]["id"], run["id"]);
    assert_eq!(payload(3)["metrics"]["loss"], 0.25);
    assert_eq!(payload(4)["artifacts"][0]["original_path"], "outputs/train.log");
    assert_eq!(payload(5)["size_bytes"], 12);
    assert_eq!(person.read("from-mcp.bin"), MODEL);
    assert_eq!(answers[6]["error"], json!({"code": -32000, "message": "Run not found (code=not_found)"}));
}

// The client asks for all runs of the project when an answer is `Run not found` and nothing else. Our `code` beside it
// spares a large project that, and the person the wait.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_so() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    let unknown = Uuid::now_v7().to_string();

    for run in [unknown.as_str(), "exp001", "nonsense"] {
        for command in ["show", "artifacts"] {
            let refusal = person.otrace(&[command, run]).await.refusal();
            assert_eq!(refusal, "otrace: Run not found (code=not_found)", "{command} {run}");
        }
    }
    for artifact in [unknown.as_str(), "nonsense"] {
        let refusal = person.otrace(&["download", artifact]).await.refusal();
        assert_eq!(refusal, "otrace: Artifact not found (code=not_found)", "{artifact}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reaches_nothing_of_another_project() {
    let server = TestServer::start().await;
    let (mine, theirs) = (server.project("wake-word").await, server.project("keyword-spotting").await);
    let person = Person::set_up(server.url(), &theirs.key).await;
    person.run(TRAIN_OPTIONS, "sh train.sh").await.text();
    let run = &server.get_json(&theirs.key, "/v1/runs/exp001").await["run"];

    let stranger = Person::set_up(server.url(), &mine.key).await;
    let refusal = stranger.otrace(&["show", text(&run["id"])]).await.refusal();
    assert_eq!(refusal, "otrace: Run not found (code=not_found)");
    let refusal = stranger.otrace(&["download", text(&run["artifacts"][0]["id"])]).await.refusal();
    assert_eq!(refusal, "otrace: Artifact not found (code=not_found)");
    assert_eq!(stranger.otrace(&["runs", "--json"]).await.json(), json!({"runs": [], "count": 0}));
}
