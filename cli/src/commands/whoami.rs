//! `otrace whoami`: whose key is in use, for which project, on which server.

use serde_json::json;

use crate::args::WhoamiArgs;
use crate::client::Client;
use crate::commands::load_settings;
use crate::error::Result;
use crate::printer;
use crate::workspace::Workspace;

/// Asks the server and prints its answer.
pub async fn run(args: &WhoamiArgs) -> Result<()> {
    let settings = load_settings(&args.credentials, &Workspace::current()?)?;
    let identity = Client::new(&settings)?.whoami().await?;
    settings.check_flags(&identity.project)?;
    if args.json {
        printer::json(&json!({
            "account": identity.account,
            "project": identity.project,
            "api_key": identity.api_key,
            "api_url": settings.api_url,
        }))?;
    } else {
        printer::line(format_args!("Account: {}", identity.account.email));
        printer::line(format_args!("Project: {}", identity.project.name));
        printer::line(format_args!("API key: {}…", identity.api_key.prefix));
        printer::line(format_args!("Server: {}", settings.api_url));
    }
    if let Some(disagreement) = settings.disagreement(&identity.project) {
        printer::warning(disagreement);
    }
    Ok(())
}
