//! What others run the server with: the image, the compose file, the unit and the manifests name settings and commands
//! that exist. `scripts/check-deploy` holds the files to their schemas and to each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use otrace_server::testing::TestServer;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

const SERVER: &str = env!("CARGO_BIN_EXE_otrace-server");

/// What a build is told, not the server.
const NO_SETTINGS: [&str; 1] = ["OTRACE_COMMIT"];

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(SERVER);
    command.args(arguments).env_remove("OTRACE_LISTEN").env_remove("OTRACE_TLS_CERTIFICATE");
    command.output().unwrap()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The files that people deploy with.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files: Vec<_> = ["Dockerfile", "docker-compose.yml", ".env.example"].map(|name| root.join(name)).into();
    let mut folders = vec![root.join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

/// The words of a text that begin like the variables of settings.
fn settings(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    words.filter(|word| word.starts_with("OTRACE_") || word.starts_with("DATABASE_URL"))
}

#[test]
fn every_setting_that_is_deployed_with_exists() {
    let help = text_of(&run(&["serve", "--help"]).stdout);
    // A secret's value is not shown.
    let known = |name: &str| help.contains(&format!("[env: {name}=")) || help.contains(&format!("[env: {name}]"));
    let mut named = 0;
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        for name in settings(&text).filter(|name| !NO_SETTINGS.contains(name)) {
            let secret = name.strip_suffix("_FILE").unwrap_or(name);
            assert!(known(name) || known(secret), "{} sets {name}, which `serve --help` does not know", path.display());
            named += 1;
        }
    }
    assert!(named > 20, "only {named} settings were found");
}

#[tokio::test]
async fn a_container_asks_its_server_whether_it_can_serve() {
    let server = TestServer::start().await;
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let well = spawn_blocking(move || run(&["health", "--listen", &address])).await.unwrap();
    assert!(well.status.success(), "{}", text_of(&well.stderr));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let ill = spawn_blocking(move || run(&["health", "--live", "--listen", &address])).await.unwrap();
    assert!(!ill.status.success() && text_of(&ill.stderr).contains("no server answers at"), "{}", text_of(&ill.stderr));
}
