//! `otrace login`: keeps a key for all workspaces on this machine: one that is approved in the
//! browser, or a given one, once the server has taken it.

use std::path::{Path, PathBuf};

use crate::args::LoginArgs;
use crate::client::Client;
use crate::commands::{ask_for_key, device_login, load_settings};
use crate::error::{Error, Result};
use crate::printer;
use crate::saved_login;
use crate::settings::{self, ApiKey, Settings};
use crate::workspace::Workspace;

/// Gets a key and saves it with its server. A key that is refused changes nothing.
pub async fn run(args: &LoginArgs) -> Result<()> {
    let path = path()?;
    // Whoever logs in wants to give a key, not to hear that there is one already.
    let settings = load_settings(&args.credentials, &Workspace::current()?)?.without_saved_key();
    let given = settings.api_key().ok().filter(|_| !args.paste).cloned();
    if given.is_none() && !args.paste && in_browser(&settings).await?.is_some() {
        return Ok(());
    }
    let key = match given {
        Some(key) => key,
        None => ask_for_key(&settings)?,
    };
    let settings = settings.with_api_key(key);
    let identity = Client::new(&settings)?.whoami().await?;
    settings.check_flags(&identity.project)?;
    keep(&path, &settings, settings.api_key()?, false, [&identity.account.email, &identity.project.name])
}

/// Has a login approved in the browser and saves its key, which is also the answer. Nothing, if the
/// server does not know of such logins.
pub(super) async fn in_browser(settings: &Settings) -> Result<Option<ApiKey>> {
    let path = path()?;
    let Some(approved) = device_login::approve(settings).await? else { return Ok(None) };
    let key = ApiKey::new(&approved.api_key)?;
    if let Err(refused) = settings.check_flags(&approved.project) {
        give_back(settings, &key).await?;
        return Err(refused);
    }
    // It is handed out once: it is saved before anything else can fail.
    keep(&path, settings, &key, true, [&approved.account.email, &approved.project.name])?;
    Ok(Some(key))
}

/// Has a key end that was made for this login and is not kept: nobody else has it.
async fn give_back(settings: &Settings, key: &ApiKey) -> Result<()> {
    if !matches!(Client::without_key(settings)?.revoke_key(key).await, Ok(true)) {
        let server = &settings.api_url;
        printer::warning(format_args!("the API key that was made is not kept: revoke it at {server}/projects"));
    }
    Ok(())
}

pub(super) fn path() -> Result<PathBuf> {
    settings::saved_login_path()
        .ok_or_else(|| Error::new("there is no home directory to keep the login in").with_hint("Set HOME."))
}

fn keep(path: &Path, settings: &Settings, key: &ApiKey, is_made_here: bool, [email, project]: [&str; 2]) -> Result<()> {
    let server = &settings.api_url;
    // A file that can't be used was told of when the settings were loaded; it is written anew.
    let logins = saved_login::load(path).unwrap_or_default().with(server, key.expose());
    let logins = if is_made_here { logins.made_by_login(server) } else { logins };
    saved_login::save(path, &logins)?;
    printer::line(format_args!("Logged in to {server}"));
    printer::line(format_args!("Account: {email}"));
    printer::line(format_args!("Project: {project}"));
    printer::line(format_args!("Saved in {}, readable by you only", path.display()));
    Ok(())
}
