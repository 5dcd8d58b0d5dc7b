//! What the commands have in common that change runs that were recorded.

use std::time::Duration;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::load_settings;
use crate::error::Result;
use crate::workspace::Workspace;

/// How long a server that fails is waited for: each request may be repeated.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client for the project that the workspace is meant for. Where its key belongs to another one, nothing is changed:
/// exp042 is a different run there.
pub(super) async fn client(credentials: &CredentialArgs) -> Result<Client> {
    let settings = load_settings(credentials, &Workspace::current()?)?;
    let client = Client::new(&settings)?.patient(PATIENCE);
    if settings.guards_changes() {
        settings.check_project(&client.whoami().await?.project)?;
    }
    Ok(client)
}
