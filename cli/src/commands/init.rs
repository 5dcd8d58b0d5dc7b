//! `otrace init`: makes the current directory a workspace of the project that a key belongs to.

use otrace_wire::Whoami;

use crate::args::InitArgs;
use crate::capture::{git, machine, workspace_sync};
use crate::client::{Client, SyncedWorkspace};
use crate::commands::{ask_for_key, load_settings, login};
use crate::error::Result;
use crate::secrets::Masker;
use crate::settings::Settings;
use crate::workspace::{AGENTS_FILE, IGNORE_FILE, Workspace};
use crate::{printer, prompts};

/// Checks the key, writes the workspace's files and tells the server. Nothing is written if the key
/// is refused.
pub async fn run(args: &InitArgs) -> Result<()> {
    let workspace = Workspace::current()?;
    let settings = with_key(load_settings(&args.credentials, &workspace)?).await?;
    let client = Client::new(&settings)?;
    let identity = client.whoami().await?;
    settings.check_flags(&identity.project)?;
    workspace.prepare()?;
    workspace.write_guides(args.force)?;
    let masker = Masker::of(&workspace)?;
    let (git, python_version) = tokio::join!(git::facts(workspace.root(), Some(&masker)), machine::python_version());
    let mut description = workspace_sync::describe(&workspace, git.as_ref());
    description.python_version = python_version;
    description.project_id = Some(identity.project.id.to_string());
    let synced = client.sync_workspace(&description).await?;
    report(&workspace, &settings, &identity, &synced);
    if let Some(disagreement) = settings.disagreement(&identity.project) {
        printer::warning(disagreement);
    }
    Ok(())
}

/// Gets a key if there is none and there is somebody to approve or to type it.
async fn with_key(settings: Settings) -> Result<Settings> {
    if settings.api_key().is_ok() || !prompts::can_ask() {
        return Ok(settings);
    }
    let key = match login::in_browser(&settings).await? {
        Some(key) => key,
        None => ask_for_key(&settings)?,
    };
    Ok(settings.with_api_key(key))
}

fn report(workspace: &Workspace, settings: &Settings, identity: &Whoami, synced: &SyncedWorkspace) {
    let file = |name: &str| workspace.root().join(name).display().to_string();
    let name = synced.workspace_name.clone().unwrap_or_else(|| workspace.name());
    let project = &identity.project;
    printer::line(format_args!("Authenticated as: {}", identity.account.email));
    printer::line(format_args!("Project: {}", project.name));
    printer::line(format_args!("Workspace: {name}"));
    printer::line(format_args!("Runs are kept in: {}", workspace.trace_dir().display()));
    printer::line(format_args!("Guide for agents: {}", file(AGENTS_FILE)));
    printer::line(format_args!("What is left out: {}", file(IGNORE_FILE)));
    printer::line("");
    printer::line(".env was not written, and .gitignore was not edited. To use this project in every");
    printer::line("shell, add these lines to your shell's profile or to a .env that is not committed:");
    printer::line("");
    printer::line(format_args!("TRACE_API_URL={}", quoted(&settings.api_url)));
    printer::line("TRACE_API_KEY=\"<the project's API key>\"");
    printer::line(format_args!("TRACE_PROJECT_ID={}", quoted(&project.id.to_string())));
    printer::line(format_args!("TRACE_PROJECT_NAME={}", quoted(&project.name)));
}

/// A value as both shells and `.env` files take it.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}
