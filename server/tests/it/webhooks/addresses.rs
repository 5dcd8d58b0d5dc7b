//! Where a webhook may not lead: nowhere near what only the server can reach.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use otrace_server::domain::Actor;
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::services::projects::NewProject;
use otrace_server::testing::{PASSWORD, TestApp};

use super::World;

const NOT_PUBLIC: &str = "This address is not public";

/// Something private on this machine that nobody must connect to.
struct Private(TcpListener);

impl Private {
    fn listen() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Addresses that lead to it, to this machine's networks, or to what clouds tell their own machines.
    fn addresses(&self) -> Vec<String> {
        let port = self.0.local_addr().unwrap().port();
        let hosts = ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST"];
        let here = hosts.iter().flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:{port}/")));
        let elsewhere = [
            "https://10.0.0.1/",
            "https://100.64.0.1/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://0.0.0.0/",
        ];
        here.chain(elsewhere.map(str::to_owned)).collect()
    }

    #[track_caller]
    fn assert_untouched(&self, what: &str) {
        let connected = self.0.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(connected, Err(ErrorKind::WouldBlock), "{what}");
    }
}

/// A server whose settings allow nothing that is private.
async fn strict() -> World {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    World { app, project }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_saved() {
    let (world, private) = (strict().await, Private::listen());
    for url in private.addresses() {
        let fields = [("name", "CI"), ("url", url.as_str()), ("format", "trace"), ("event", "run.failed")];
        let page = world.post(&world.path(""), &fields, 422).await;
        assert!(page.contains(&format!("id=\"url-says\">{NOT_PUBLIC}")), "{url}: {page}");
        private.assert_untouched(&url);
        // Each try counts.
        world.advance(time::Duration::minutes(1));
    }
    for url in ["ftp://example.org/", "https://me:secret@1.1.1.1/", "file:///etc/passwd", "example.org", ""] {
        let fields = [("name", "CI"), ("url", url), ("format", "trace"), ("event", "run.failed")];
        let page = world.post(&world.path(""), &fields, 422).await;
        assert!(page.contains("class=\"err\" id=\"url-says\""), "{url}: {page}");
    }
    assert_eq!(world.count("webhooks").await, 0);
}

/// A name may lead elsewhere than when it was saved.
#[tokio::test]
async fn an_address_that_is_not_public_is_not_called_either() {
    let (world, private) = (strict().await, Private::listen());
    let hook = world.hook("https://1.1.1.1/", "trace").await;
    for url in private.addresses() {
        sqlx::query("UPDATE webhooks SET url = $1").bind(&url).execute(&world.app.app.pool).await.unwrap();
        let tested = world.post(&format!("{}/test", hook.url), &[], 303).await;
        assert!(world.page(&tested).await.contains(NOT_PUBLIC), "{url}");
        world.failed_run().await;
        assert_eq!(world.deliver().await, 1);
        private.assert_untouched(&url);
        sqlx::query("DELETE FROM webhook_deliveries").execute(&world.app.app.pool).await.unwrap();
        world.advance(time::Duration::minutes(1));
    }
}

#[tokio::test]
async fn a_server_that_others_reach_calls_nobody_without_tls() {
    let app = TestApp::with(|config| {
        config.http = config.http.clone().called("https://trace.example.org".parse().unwrap());
        config.webhooks.webhook_allow = vec!["127.0.0.1".to_owned()];
    })
    .await;
    // Nobody signs up to such a server without an invitation.
    let email = "ada@example.org";
    let input = SignUp { email: email.to_owned(), name: String::new(), password: PASSWORD.to_owned() };
    let owner = services::accounts::create(&app.app, input, &Actor::command()).await.unwrap();
    let input = NewProject { name: "Wake word".to_owned(), description: String::new() };
    let project = services::projects::create(&app.app, &owner, &Actor::command(), input).await.unwrap();
    let fields = [("name", "CI"), ("url", "http://127.0.0.1:9/"), ("format", "trace"), ("event", "run.failed")];
    let path = format!("/projects/{}/settings/webhooks", project.slug);
    let page = app.post(&app.session(email).await, &path, &fields).await.expect(422).text();
    assert!(page.contains("id=\"url-says\">Begin the address with https://."), "{page}");
}
