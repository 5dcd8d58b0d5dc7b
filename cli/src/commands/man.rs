//! `otrace man`: writes the manual pages, for packages to install. It is not shown in the help.

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::Cli;
use crate::error::{Error, Result};

/// Without the commit: the pages change with the version only.
const SOURCE: &str = concat!("otrace ", env!("CARGO_PKG_VERSION"));

/// `otrace man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The folder to write them into
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Writes a page for `otrace` and one for each command.
pub fn run(args: &ManArgs) -> Result<()> {
    let mut command = Cli::command().version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    command.build();
    std::fs::create_dir_all(&args.folder)
        .and_then(|()| write(&command, &args.folder))
        .map_err(|error| Error::file("write the manual pages into", &args.folder, &error))
}

fn write(command: &clap::Command, folder: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write(subcommand, folder)?;
    }
    Man::new(command.clone()).source(SOURCE).manual("Trace").generate_to(folder)?;
    Ok(())
}
