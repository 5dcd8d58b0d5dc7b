//! `otrace open`: a run's page, or the project's, in the browser.

use std::process::ExitCode;

use clap::Args;

use crate::args::CredentialArgs;
use crate::browser;
use crate::client::Client;
use crate::commands::load_settings;
use crate::error::Result;
use crate::printer;
use crate::workspace::Workspace;

/// `otrace open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run, such as exp042 [default: the project's list of runs]
    #[arg(value_name = "EXP_ID")]
    pub experiment: Option<String>,
}

/// Prints the page's address, and opens it where there is a browser.
pub async fn run(args: &OpenArgs) -> Result<ExitCode> {
    let settings = load_settings(&args.credentials, &Workspace::current()?)?;
    let client = Client::new(&settings)?;
    let project = client.whoami().await?.project;
    settings.check_flags(&project)?;
    let slug = if browser::is_slug(&project.slug) { project.slug.as_str() } else { "current" };
    let mut page = format!("{}/projects/{slug}/runs", settings.api_url);
    if let Some(experiment) = &args.experiment {
        page = format!("{page}/{}", client.run(experiment).await?.experiment_id);
    }
    printer::line(&page);
    if !browser::is_page_of(&page, &settings.api_url) || !browser::open(&page) {
        printer::note("There is no browser to open here: open the address above.");
    }
    printer::done()
}
