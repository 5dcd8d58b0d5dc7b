//! `otrace login`: keeps a key for all workspaces on this machine, once the server has taken it.

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::with_key;
use crate::error::{Error, Result};
use crate::printer;
use crate::saved_login::{self, SavedLogin};
use crate::settings::{self, Settings};
use crate::workspace::Workspace;

/// Checks a key and saves it with its server. A key that is refused changes nothing.
pub async fn run(args: &CredentialArgs) -> Result<()> {
    let path = settings::saved_login_path()
        .ok_or_else(|| Error::new("there is no home directory to keep the login in").with_hint("Set HOME."))?;
    // Whoever logs in wants to give a key, not to hear that there is one already.
    let settings = Settings::load(args, &Workspace::current()?)?.without_saved_key();
    let settings = with_key(settings)?;
    let identity = Client::new(&settings)?.whoami().await?;
    let login = SavedLogin { api_url: settings.api_url.clone(), api_key: settings.api_key()?.expose().to_owned() };
    saved_login::save(&path, &login)?;
    printer::line(format_args!("Logged in to {}", settings.api_url));
    printer::line(format_args!("Account: {}", identity.account.email));
    printer::line(format_args!("Project: {}", identity.project.name));
    printer::line(format_args!("Saved in {}, readable by you only", path.display()));
    Ok(())
}
