//! `otrace mcp`: the project's runs for agents, over MCP on standard input and output.

use std::io::{IsTerminal as _, stdin};

use clap::Args;

use crate::args::CredentialArgs;
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use crate::{mcp, printer};

/// `otrace mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Let the agent write notes on runs
    #[arg(long)]
    pub allow_write: bool,
}

/// Answers an agent until it goes. Which server and key is found out at each call, so that it starts without them.
pub async fn run(args: McpArgs) -> Result<()> {
    if args.credentials.api_key.as_deref() == Some("-") {
        return Err(Error::new("the key can't be read from standard input, on which the agent speaks")
            .with_hint("Set TRACE_API_KEY, or run `otrace login`."));
    }
    if stdin().is_terminal() {
        printer::note("This speaks MCP on standard input and output: have your agent start it. Ctrl-C ends it.");
    }
    mcp::serve(args.credentials, Workspace::current()?, args.allow_write).await
}
