//! `otrace checkout`: the state that a run ran on, got back into a folder of its own.
//!
//! Everything comes from the server, which is not trusted: a name is checked ([`names`]), a file is written below the
//! destination and through no link ([`tree`]), git runs nothing ([`git`]), submodules come from the user's own clones
//! or over HTTPS and SSH ([`submodules`]), and what other programs would run by themselves is shown first ([`risky`]).
//! Nothing of the run is executed.

mod building;
mod contents;
mod copying;
pub mod destination;
mod git;
mod guide;
mod lfs;
pub mod names;
mod plan;
mod risky;
mod submodules;
mod tree;

use std::path::PathBuf;

use otrace_wire::Run;
use otrace_wire::details::HowWell;

use self::building::{Building, Built};
use self::contents::Contents;
use self::destination::Destination;
use self::plan::{Base, Plan};
use crate::client::Client;
use crate::error::Result;
use crate::workspace::Workspace;

/// A checkout that was made.
#[derive(Debug)]
pub struct CheckedOut {
    /// Where it is.
    pub path: PathBuf,
    /// What it was made from: `worktree`, `copy` or `nothing`.
    pub base: &'static str,
    /// How well the state is got back.
    pub how_well: HowWell,
    /// The same, in a sentence.
    pub verdict: &'static str,
    /// Why not better.
    pub reasons: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// How many artifacts are there.
    pub artifacts: usize,
    /// What the script is called that runs the command again.
    pub script: String,
}

/// Checks a run out. `agree` is asked when it brings files that other programs run by themselves.
pub async fn check_out(
    client: &Client,
    workspace: &Workspace,
    run: &Run,
    destination: Destination,
    agree: impl FnOnce(&str) -> Result<()>,
) -> Result<CheckedOut> {
    let mut contents = Contents::of(client, workspace)?;
    let plan = Plan::of(run, workspace, &mut contents).await?;
    let risky = risky::among(plan.paths.iter().map(String::as_str));
    if !risky.is_empty() {
        agree(&risky::list(&risky))?;
    }
    let destination = destination.prepare()?;
    let built = match Building::begin(run, &plan, workspace, &destination).await {
        Ok(building) => building.finish().await,
        Err(error) => Err(error),
    };
    let Built { laid, how_well, reasons, notes, artifacts, script } = match built {
        Ok(built) => built,
        Err(error) => {
            if let Base::Commit(repository, _) = &plan.base {
                repository.remove_worktree(destination.path()).await;
            }
            destination.abandon();
            return Err(error);
        }
    };
    let verdict = building::verdict(how_well, !reasons.is_empty());
    let path = destination.path().to_path_buf();
    Ok(CheckedOut { path, base: laid.as_str(), how_well, verdict, reasons, notes, artifacts, script })
}
