//! The runs that a notebook and a ledger are made of: the project's, or those of this workspace alone.

use otrace_wire::Run;

use crate::args::CredentialArgs;
use crate::commands::{connect, load_settings};
use crate::error::{Error, Result};
use crate::printer;
use crate::settings::Settings;
use crate::spool::kept;
use crate::workspace::Workspace;

/// What of the project is not in this workspace.
const ALONE: &str = "this is made of the runs of this workspace alone, without notes";

/// Runs, and what their project is called.
pub(super) struct History {
    pub(super) project: String,
    /// In no order.
    pub(super) runs: Vec<Run>,
}

/// The project's runs, from the server. Those of the workspace where it is away, or where nobody wants it asked; that
/// is said on standard error.
pub(super) async fn read(credentials: &CredentialArgs, workspace: &Workspace, is_offline: bool) -> Result<History> {
    if is_offline {
        Workspace::initialized()?;
        printer::note(format_args!("Offline: {ALONE}."));
        return of_workspace(workspace).await;
    }
    match of_project(&load_settings(credentials, workspace)?).await {
        Err(error) if error.is_unreachable() => {
            printer::warning(format_args!("{}; {ALONE}", error.message()));
            of_workspace(workspace).await
        }
        read => read,
    }
}

async fn of_project(settings: &Settings) -> Result<History> {
    let client = connect(settings).await?;
    let project = client.whoami().await?.project.name;
    Ok(History { project, runs: client.all_runs().await? })
}

/// It is called after the directory: which project its runs are of, the server knows.
async fn of_workspace(workspace: &Workspace) -> Result<History> {
    let (project, workspace) = (workspace.name(), workspace.clone());
    let runs = tokio::task::spawn_blocking(move || kept::runs(&workspace)).await;
    let runs = runs.map_err(|error| Error::new(format!("a mistake in otrace ended it ({error})")))?;
    Ok(History { project, runs })
}
