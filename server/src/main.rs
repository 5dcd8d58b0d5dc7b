//! The `otrace-server` binary: reads the command line and hands over to [`otrace_server::commands`].

use std::process::ExitCode;

use otrace_server::commands;

fn main() -> ExitCode {
    commands::run()
}
