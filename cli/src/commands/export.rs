//! `otrace export`: packs the workspace into one file.

use std::process::ExitCode;

use serde_json::json;

use crate::error::Result;
use crate::export::{self, Exported, Wanted};
use crate::printer::{self, human};
use crate::workspace::Workspace;

/// So many files that could not be packed are named.
const NAMED_MAX: usize = 5;

/// `otrace export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// What kind of archive
    #[arg(long, value_enum, default_value_t = Format::Zip)]
    pub format: Format,

    /// Where to [default: `<directory>-trace-snapshot.zip`]
    #[arg(long, value_name = "PATH")]
    pub output: Option<String>,

    /// Overwrite a file that is there already
    #[arg(long)]
    pub force: bool,

    /// Leave this out too: a name at any depth, a path or a glob; may be repeated
    #[arg(long = "exclude", value_name = "PATTERN")]
    pub excludes: Vec<String>,

    /// Pack virtual environments, caches and builds as well
    #[arg(long)]
    pub no_default_excludes: bool,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// The kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A zip file
    Zip,
}

/// Packs it, and says what is in it.
pub async fn run(args: &ExportArgs) -> Result<ExitCode> {
    let Format::Zip = args.format;
    let wanted = Wanted {
        output: args.output.clone(),
        force: args.force,
        excludes: args.excludes.clone(),
        no_default_excludes: args.no_default_excludes,
    };
    let made = export::export(&Workspace::current()?, &wanted).await?;
    for note in &made.notes {
        printer::warning(note);
    }
    if let Some(told) = left_out(&made) {
        printer::warning(told);
    }
    if args.json {
        printer::json(&json!({
            "path": made.path.to_string_lossy(),
            "size_bytes": made.size_bytes,
            "files": made.files,
            "left_out": made.left_out,
            "notes": made.notes,
        }))?;
    } else {
        let (path, size) = (made.path.display(), printer::bytes(made.size_bytes));
        let files = human::counted(made.files, "file");
        printer::line(format_args!("Exported {files} to {path} ({size})"));
    }
    printer::done()
}

fn left_out(made: &Exported) -> Option<String> {
    let named = made.left_out.iter().take(NAMED_MAX);
    let named: Vec<_> = named.map(|left_out| format!("{} ({})", left_out.path, left_out.reason)).collect();
    let others = made.left_out.len() - named.len();
    let others = if others == 0 { String::new() } else { format!(" and {others} more") };
    (!named.is_empty()).then(|| format!("left out: {}{others}; the manifest lists all", named.join(", ")))
}
