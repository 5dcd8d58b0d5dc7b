//! nginx before the servers, with the files of `deploy/nginx`.

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::until;

/// The header in which it tells which server answered.
pub const ANSWERED_BY: &str = "x-answered-by";

/// The servers that `deploy/nginx/upstream.conf` names.
const NAMED: [&str; 2] = ["127.0.0.1:8000", "127.0.0.1:8001"];

/// Where nginx may be besides `PATH`.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin"];

/// An nginx of nobody else's. It is killed when it is dropped.
pub struct Nginx {
    url: String,
    _process: Child,
}

impl Nginx {
    /// Starts it at an address, before these servers, with its files in the folder.
    pub async fn start(folder: &Path, address: SocketAddr, servers: [SocketAddr; 2]) -> Self {
        let program = program().expect("the tests of two servers need nginx: `make test` installs the package nginx");
        let home = folder.join("nginx");
        fs::create_dir(&home).unwrap();
        let config = home.join("nginx.conf");
        fs::write(&config, configuration(&home, address, servers)).unwrap();
        let log = home.join("stderr");
        let process = Command::new(program)
            .arg("-p")
            .arg(&home)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = || fs::read_to_string(&log).unwrap();
        let is_there = async || {
            assert!(!said().contains("[emerg]"), "{}", said());
            TcpStream::connect(address).await.is_ok()
        };
        until("nginx listens", is_there).await;
        Self { url: format!("http://{address}"), _process: process }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    folders.find_map(|folder| Some(folder.join("nginx")).filter(|program| program.is_file()))
}

/// What is deployed, with these servers, around it what a test needs. One process, so that nothing outlives the test.
fn configuration(home: &Path, address: SocketAddr, servers: [SocketAddr; 2]) -> String {
    let deployed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nginx").canonicalize().unwrap();
    let mut upstream = fs::read_to_string(deployed.join("upstream.conf")).unwrap();
    for (named, server) in NAMED.into_iter().zip(servers) {
        assert!(upstream.contains(named), "deploy/nginx/upstream.conf no longer names {named}");
        upstream = upstream.replace(named, &server.to_string());
    }
    let (home, locations) = (home.display(), deployed.join("trace.conf"));
    let locations = locations.display();
    format!(
        r#"
daemon off;
master_process off;
pid "{home}/pid";
error_log "{home}/error.log" warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path "{home}/bodies";
    proxy_temp_path "{home}/answers";
    fastcgi_temp_path "{home}/fastcgi";
    uwsgi_temp_path "{home}/uwsgi";
    scgi_temp_path "{home}/scgi";
    {upstream}
    server {{
        listen {address};
        add_header {ANSWERED_BY} $upstream_addr always;
        include "{locations}";
    }}
}}
"#
    )
}
