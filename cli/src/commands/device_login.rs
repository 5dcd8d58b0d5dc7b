//! A login through the browser: shows a code, has a person compare and approve it, and takes the key.
//!
//! It works from a machine without a browser, over SSH too: the page may be opened anywhere.

use std::time::Duration;

use otrace_wire::device::{DeviceCode, DeviceCodeRequest, DeviceKey, DeviceToken};
use tokio::time::{Instant, sleep};

use crate::capture::machine;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::{browser, printer};

/// How often a server is asked, in seconds, whatever it says itself.
const INTERVAL: (u64, u64) = (1, 30);
/// Nobody is waited for longer than this, in seconds.
const LONGEST: u64 = 60 * 60;

/// Waits until somebody has approved or denied. Nothing, if the server does not know of such logins.
pub async fn approve(settings: &Settings) -> Result<Option<DeviceKey>> {
    let client = Client::without_key(settings)?;
    let machine = DeviceCodeRequest {
        client: concat!("otrace ", env!("CARGO_PKG_VERSION")).to_owned(),
        machine: machine::describe().hostname.unwrap_or_default(),
    };
    let Some(code) = client.device_code(&machine).await? else { return Ok(None) };
    show(&code, &settings.api_url)?;
    wait(&client, &code).await.map(Some)
}

fn show(code: &DeviceCode, server: &str) -> Result<()> {
    let page = &code.verification_url_complete;
    if !browser::is_web_page(page) {
        return Err(Error::new(format!("{server} names no page to approve the login on"))
            .with_hint("Check TRACE_API_URL, or give a key with --api-key."));
    }
    printer::line("To log in, open this page, choose the project and approve:");
    printer::line(format_args!("  {page}"));
    printer::line(format_args!("Approve only if it shows this code: {}", code.user_code));
    if !browser::is_page_of(page, server) {
        printer::warning(format_args!("that page is not on {server}: open it only if you know its address"));
    } else if browser::open(page) {
        printer::line("Your browser should have opened it.");
    }
    printer::line("Waiting for your approval… (Ctrl-C gives up)");
    Ok(())
}

async fn wait(client: &Client, code: &DeviceCode) -> Result<DeviceKey> {
    let interval = Duration::from_secs(code.interval_seconds.clamp(INTERVAL.0, INTERVAL.1));
    let end = Instant::now() + Duration::from_secs(code.expires_in_seconds.min(LONGEST));
    while Instant::now() < end {
        sleep(interval).await;
        match client.device_token(&code.device_code).await {
            Ok(Some(DeviceToken::Approved(key))) => return Ok(key),
            Ok(Some(DeviceToken::Denied)) => {
                return Err(Error::new("the login was denied in the browser").with_hint("Nothing was changed."));
            }
            Ok(Some(DeviceToken::Pending)) => {}
            Ok(None) => break,
            // The network may be back before the code has expired.
            Err(error) if error.is_unreachable() => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new("the login was not approved in time").with_hint("Run `otrace login` again."))
}
