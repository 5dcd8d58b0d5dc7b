//! `otrace logout`: forgets a saved login, and ends its key where nobody else can have it.

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::{load_settings, login};
use crate::error::{Error, Result};
use crate::printer;
use crate::saved_login::{self, SavedLogins};
use crate::settings::ApiKey;
use crate::workspace::Workspace;

/// `otrace logout`.
#[derive(Debug, clap::Args)]
pub struct LogoutArgs {
    /// The server to log out of [default: `TRACE_API_URL`, .env, then the last login]
    #[arg(long, value_name = "URL", conflicts_with = "all")]
    pub api_url: Option<String>,

    /// Log out of all servers
    #[arg(long)]
    pub all: bool,
}

/// What became of a key.
enum Key {
    Revoked,
    /// Somebody gave it to `otrace`, and may use it elsewhere too.
    Given,
    /// It should have been revoked.
    StillGood(Error),
}

/// Ends the keys that `otrace login` had made, and forgets all that were asked for.
pub async fn run(args: &LogoutArgs) -> Result<()> {
    let path = login::path()?;
    let saved = saved_login::load(&path)?;
    let flags = CredentialArgs { api_url: args.api_url.clone(), ..CredentialArgs::default() };
    let settings = load_settings(&flags, &Workspace::current()?);
    let is_key_given = settings.as_ref().is_ok_and(|settings| settings.clone().without_saved_key().api_key().is_ok());
    let servers: Vec<String> = if args.all {
        saved.servers().into_iter().map(str::to_owned).collect()
    } else {
        vec![one(&saved, &settings?.api_url)?]
    };
    let mut ended = Vec::new();
    for server in &servers {
        ended.push((server, end_key(&saved, server).await));
    }
    if !servers.is_empty() {
        // Read anew: somebody may have logged in elsewhere meanwhile.
        let left = servers.iter().fold(saved_login::load(&path)?, |left, server| left.without(server));
        saved_login::save(&path, &left)?;
    }
    for (server, key) in ended {
        report(server, key);
    }
    if servers.is_empty() {
        printer::line("There is no saved login.");
    }
    if is_key_given {
        printer::warning("TRACE_API_KEY is set in your shell or in .env, and goes on being used");
    }
    Ok(())
}

/// The server to log out of, if there is a login for it.
fn one(saved: &SavedLogins, server: &str) -> Result<String> {
    if saved.key_for(server).is_some() {
        return Ok(server.to_owned());
    }
    let error = Error::new(format!("there is no saved login for {server}"));
    match saved.servers().join(", ") {
        others if others.is_empty() => Err(error),
        others => Err(error.with_hint(format!("Choose one with --api-url, or all with --all: {others}"))),
    }
}

async fn end_key(saved: &SavedLogins, server: &str) -> Key {
    let Some(key) = saved.key_for(server).filter(|_| saved.is_made_by_login(server)) else { return Key::Given };
    match revoke(server, key).await {
        Ok(true) => Key::Revoked,
        Ok(false) => Key::StillGood(Error::new("the server takes no key back")),
        Err(error) => Key::StillGood(error),
    }
}

/// Says whether the server does that at all.
async fn revoke(server: &str, key: &str) -> Result<bool> {
    let key = ApiKey::new(key)?;
    Client::at(server, None)?.revoke_key(&key).await
}

fn report(server: &str, key: Key) {
    printer::line(format_args!("Logged out of {server}"));
    match key {
        Key::Revoked => printer::line("Its API key was revoked"),
        Key::Given => printer::line(format_args!(
            "Its API key was not made by `otrace login` and stays good: if nobody needs it, \
             revoke it at {server}/projects"
        )),
        Key::StillGood(error) => printer::warning(format_args!(
            "the API key for {server} stays good until it expires or is revoked at {server}/projects: \
             it could not be revoked from here: {error}"
        )),
    }
}
