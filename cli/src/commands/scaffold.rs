//! `otrace scaffold`: files to begin with, of a form that runs are read from.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::libc::O_NOFOLLOW;

use crate::error::{Error, Result};
use crate::printer;

/// The files, by their path in the folder.
const FILES: [(&str, &str); 5] = [
    ("metrics.json", METRICS),
    ("series.csv", "step,epoch,dataset,split,metric,value\n0,0,replace-me,eval,loss,\n"),
    ("predictions_sample.jsonl", PREDICTIONS),
    ("eval.log", "run_start model=replace-me dataset=replace-me\n"),
    // So that git keeps the folder.
    ("figures/.gitkeep", ""),
];
/// What is declared of them.
const FLAGS: [(&str, &str); 5] = [
    ("--expect-artifact", "metrics.json"),
    ("--expect-artifact", "series.csv"),
    ("--expect-artifact", "predictions_sample.jsonl"),
    ("--expect-artifact", "figures"),
    ("--expect-log", "eval.log"),
];
const METRICS: &str = r#"{
  "dataset": "replace-me",
  "split": "eval",
  "model": "replace-me",
  "learning_rate": null,
  "batch_size": null,
  "seed": null,
  "epoch_count": null,
  "accuracy": null,
  "loss": null,
  "mAP": null,
  "status": "replace-me"
}
"#;
const PREDICTIONS: &str = r#"{"id": "example-1", "dataset": "replace-me", "split": "eval", "prompt": "replace-me", "prediction": "replace-me", "target": "replace-me", "score": null}
"#;

/// `otrace scaffold`.
#[derive(Debug, clap::Args)]
pub struct ScaffoldArgs {
    /// What to make.
    #[command(subcommand)]
    pub what: Scaffold,
}

/// What there is to make.
#[derive(Debug, clap::Subcommand)]
pub enum Scaffold {
    /// Make a folder for a command's outputs, with an example of each kind
    Outputs(OutputsArgs),
}

/// `otrace scaffold outputs`.
#[derive(Debug, clap::Args)]
pub struct OutputsArgs {
    /// The folder to make them in
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub dir: PathBuf,

    /// Write them anew, even where they are there already
    #[arg(long)]
    pub force: bool,
}

/// Makes what was asked for, and says what is there now.
pub fn run(args: &ScaffoldArgs) -> Result<()> {
    let Scaffold::Outputs(args) = &args.what;
    // As people write it: `./outputs` is `outputs`.
    let folder: PathBuf = args.dir.components().filter(|part| *part != Component::CurDir).collect();
    for (name, text) in FILES {
        let path = folder.join(name);
        let done = if write(&path, text, args.force)? { "created" } else { "skipped" };
        printer::line(format_args!("{done} {}", path.display()));
    }
    printer::line("\nUse these flags on your next traced run:");
    for (flag, name) in FLAGS {
        printer::line(format_args!("  {flag} {}", quoted(&folder.join(name))));
    }
    Ok(())
}

/// Says whether it has written the file; without `force`, one that is there stays as it is.
fn write(path: &Path, text: &str, force: bool) -> Result<bool> {
    let failed = |error: io::Error| Error::file("write", path, &error);
    if force && path.is_symlink() {
        return Err(Error::new(format!("{} is a link, which is not written through", path.display()))
            .with_hint("Move it away first."));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(O_NOFOLLOW);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    match options.open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    shlex::try_quote(&path).map_or_else(|_| path.to_string(), Into::into)
}
