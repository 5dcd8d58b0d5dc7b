//! The pages in Chromium, used as people use them.
//!
//! `make test` installs Chromium, its driver and axe-core. Each test starts one browser with an empty profile against
//! a server of its own, and waits for what it wants to see, never for a time.

mod account;
mod admin;
mod barriers;
mod both_streams;
mod compare;
mod contents;
mod demo;
mod habits;
mod hostile;
mod journey;
mod keyboard;
mod layout;
mod live_log;
mod machines;
mod metrics;
mod moves;
mod pictures;
mod projects;
mod provider;
mod reading;
mod recorded;
mod run_pages;
mod runs_list;
mod strip;
mod team;
mod too_long;
mod without_script;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use otrace_server::testing::TestServer;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::extensions::query::ElementPollerWithTimeout;
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

/// What is not there after so long will not come. Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Root can't have the sandbox; the rest keeps Chromium from asking other hosts for anything.
const ARGUMENTS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--lang=en-GB",
];

/// Remembers what a page was not allowed to do, and what failed in it.
const WATCH: &str = "
    window.__problems = [];
    const note = (text) => window.__problems.push(text);
    document.addEventListener('securitypolicyviolation', (e) => note(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
    addEventListener('error', (e) => note(`error: ${e.message}`));
    addEventListener('unhandledrejection', (e) => note(`rejection: ${e.reason}`));
";

/// A window's size and whether the reader's system is dark.
#[derive(Clone, Copy, Debug)]
struct View {
    width: u32,
    height: u32,
    dark: bool,
}

/// A desk and a phone, by day and by night.
const VIEWS: [View; 4] = [
    View { width: 1440, height: 900, dark: false },
    View { width: 1440, height: 900, dark: true },
    View { width: 390, height: 844, dark: false },
    View { width: 390, height: 844, dark: true },
];

/// A desk by day and a phone by night: each width and each scheme once.
const DAY_AND_NIGHT: [View; 2] = [VIEWS[0], VIEWS[3]];

/// A Chromium with an empty profile, until it is dropped.
struct Browser {
    // Dropped in this order: the session, which ends Chromium, then the driver, then the profile.
    driver: WebDriver,
    _chromedriver: Chromedriver,
    _profile: TempDir,
}

/// The program that drives Chromium. It is killed when it is dropped.
struct Chromedriver {
    port: u16,
    _process: Child,
    // Kept open: the driver would break off when it can't print.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Chromedriver {
    async fn start() -> Self {
        let program = find_program("chromedriver")
            .expect("browser tests need Chromium and chromedriver, which `make test` installs");
        let mut process = Command::new(program)
            .args(["--port=0", "--log-level=SEVERE"])
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = timeout(PATIENCE, port_in(&mut stdout)).await.expect("chromedriver says where it listens");
        Self { port, _process: process, _stdout: stdout }
    }
}

/// The port that chromedriver has chosen.
async fn port_in(stdout: &mut Lines<BufReader<ChildStdout>>) -> u16 {
    loop {
        let line = stdout.next_line().await.unwrap().expect("chromedriver goes on until it is ready");
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().unwrap();
        }
    }
}

/// A program of `PATH`, or of the folder where Debian has it.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}

/// The server's address as people write it.
fn site(server: &TestServer) -> String {
    server.url().replace("127.0.0.1", "localhost")
}

impl Browser {
    /// Starts one whose window is so large, on a system that is dark or not.
    async fn open(width: u32, height: u32, dark: bool) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let chromedriver = Chromedriver::start().await;
        let mut capabilities = DesiredCapabilities::chrome();
        // Elsewhere the driver finds Chrome by itself.
        if let Some(chromium) = find_program("chromium") {
            capabilities.set_binary(&chromium.display().to_string()).unwrap();
        }
        for argument in ARGUMENTS {
            capabilities.add_arg(argument).unwrap();
        }
        capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
        let address = format!("http://127.0.0.1:{}", chromedriver.port);
        // The session ends while the test's runtime stands still, so over a connection that is not kept from before.
        let client =
            reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(2 * PATIENCE).build().unwrap();
        let driver = WebDriver::builder(address, capabilities).client(client).await.unwrap();
        driver.set_poller(Arc::new(ElementPollerWithTimeout::new(PATIENCE, LOOK_EVERY)));
        let browser = Self { driver, _chromedriver: chromedriver, _profile: profile };
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH})).await;
        browser.look_as(View { width, height, dark }).await;
        browser
    }

    /// Sends a command of the `DevTools` protocol.
    async fn cdp(&self, method: &str, params: Value) -> Value {
        self.driver.cdp().send_raw(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Makes the window so large, also smaller than Chromium makes one by itself, and the system dark or not.
    async fn look_as(&self, View { width, height, dark }: View) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.cdp("Emulation.setEmulatedMedia", json!({"media": "", "features": features})).await;
        let taken =
            "return innerWidth === arguments[0] && matchMedia('(prefers-color-scheme: dark)').matches === arguments[1]";
        self.wait_for("the window's size and colours", taken, &[json!(width), json!(dark)]).await;
    }

    /// Opens a page by its address.
    async fn visit(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Brings the cookie of someone who has signed in; the browser is on a page of the site already.
    async fn be(&self, cookie: &str) {
        let (name, value) = cookie.split_once('=').unwrap();
        self.driver.add_cookie(Cookie::new(name, value)).await.unwrap();
    }

    /// The element, once it is there.
    async fn find(&self, css: &str) -> WebElement {
        self.driver.query(By::Css(css)).first().await.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// What an element says on screen.
    async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Types into a field that may hold something.
    async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks.
    async fn press(&self, css: &str) {
        self.find(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Clicks the button that says this, together with what it says only to those who don't see the page.
    async fn press_button(&self, says: &str) {
        let button = format!("//button[normalize-space()='{says}']");
        let found = self.driver.query(By::XPath(button.as_str())).first().await;
        let button = found.unwrap_or_else(|error| panic!("{says}: {error}"));
        button.click().await.unwrap_or_else(|error| panic!("{says}: {error}"));
    }

    /// Says yes to the question that is open.
    async fn confirm(&self) {
        self.press(".dlg:popover-open .danger").await;
    }

    /// Sends the form that asks for an address and a password.
    async fn send_credentials(&self, email: &str, password: &str) {
        self.fill("#email", email).await;
        self.fill("#password", password).await;
        self.press("main button[type=submit]").await;
    }

    /// Presses a key, wherever the focus is.
    async fn key(&self, key: Key) {
        self.driver.action_chain().send_keys(key).perform().await.unwrap();
    }

    /// Runs the body of a function in the page and returns what it returns.
    async fn script<T: DeserializeOwned>(&self, body: &str, arguments: Vec<Value>) -> T {
        let returned = self.driver.execute(body, arguments).await.unwrap_or_else(|error| panic!("{body}: {error}"));
        returned.convert().unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// Waits until the body of a function returns true, over changes of the page too.
    async fn wait_for(&self, what: &str, body: &str, arguments: &[Value]) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            // A page that is just leaving can't answer; the next one will.
            if let Ok(answer) = self.driver.execute(body, arguments.to_vec()).await
                && *answer.json() == json!(true)
            {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
        let (url, text) = (self.driver.current_url().await, self.all_text().await);
        panic!("waited in vain for {what} on {url:?}, which says: {text}");
    }

    /// Waits until the page's address is this path.
    async fn wait_for_path(&self, path: &str) {
        self.wait_for(
            path,
            "return document.readyState === 'complete' && location.pathname === arguments[0]",
            &[json!(path)],
        )
        .await;
    }

    /// Waits until the page says all of this, with one space for each gap between words.
    async fn shows(&self, wanted: &[&str]) {
        let body = "const text = document.body.textContent.replace(/\\s+/g, ' ');
            return document.readyState === 'complete' && arguments[0].every((wanted) => text.includes(wanted))";
        self.wait_for(&format!("{wanted:?}"), body, &[json!(wanted)]).await;
    }

    /// Everything that the page says, also what is out of sight.
    async fn all_text(&self) -> String {
        let body = "return document.body.textContent.replace(/\\s+/g, ' ')";
        self.driver.execute(body, Vec::<Value>::new()).await.and_then(|text| text.convert()).unwrap_or_default()
    }

    /// Fails when the page tried what its policy forbids, or one of its scripts failed.
    async fn expect_no_problems(&self, page: &str) {
        let problems: Vec<String> = self.script("return window.__problems ?? []", Vec::new()).await;
        assert!(problems.is_empty(), "{page}: {problems:?}");
    }
}
