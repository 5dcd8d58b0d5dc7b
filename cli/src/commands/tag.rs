//! `otrace tag`: adds tags to a run, and takes others away.

use std::process::ExitCode;

use clap::Args;

use crate::args::CredentialArgs;
use crate::commands::{changing, connect, load_settings};
use crate::error::{Error, Result};
use crate::printer;
use crate::workspace::Workspace;

/// `otrace tag`.
#[derive(Debug, Args)]
pub struct TagArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run, such as exp042
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// Tags to add (`+baseline`, or `baseline`) and to take away (`-baseline`); options come before them [default:
    /// show the run's tags]
    #[arg(value_name = "TAG", allow_hyphen_values = true)]
    pub changes: Vec<String>,
}

/// Sends the changes, and prints the run's tags.
pub async fn run(args: &TagArgs) -> Result<ExitCode> {
    let (add, remove) = changes(&args.changes)?;
    let client = if args.changes.is_empty() {
        connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?
    } else {
        let client = changing::client(&args.credentials).await?;
        client.change_tags(&args.experiment, &add, &remove).await?;
        client
    };
    client.run(&args.experiment).await?.tags.iter().for_each(printer::line);
    printer::done()
}

/// What to add, and what to take away.
fn changes(typed: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for change in typed {
        if change.starts_with("--") {
            return Err(Error::new(format!("{change} is no tag")).with_hint("Put options before the experiment."));
        }
        let (tag, tags) = match (change.strip_prefix('+'), change.strip_prefix('-')) {
            (Some(tag), _) => (tag, &mut add),
            (None, Some(tag)) => (tag, &mut remove),
            (None, None) => (change.as_str(), &mut add),
        };
        if tag.trim().is_empty() {
            return Err(Error::new("a tag needs a name").with_hint("Such as +baseline or -baseline."));
        }
        tags.push(tag.trim().to_owned());
    }
    match add.iter().find(|tag| remove.contains(tag)) {
        Some(tag) => Err(Error::new(format!("{tag} can't be added and taken away at once"))),
        None => Ok((add, remove)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(typed: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        changes(&typed.iter().map(|change| (*change).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_sign_says_what_becomes_of_a_tag() {
        let (add, remove) = told(&["+a", "-b", "c", "+d-e"]).expect("changes");
        assert_eq!((add, remove), (["a", "c", "d-e"].map(str::to_owned).to_vec(), vec!["b".to_owned()]));
        for wrong in [&["+"][..], &["-", "x"], &["--json"], &["+a", "-a"]] {
            assert!(told(wrong).is_err(), "{wrong:?}");
        }
    }
}
