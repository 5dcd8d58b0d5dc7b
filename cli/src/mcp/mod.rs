//! MCP on standard input and output: the tools of `otrace-mcp`, over the client and this workspace.
//!
//! Standard output is the protocol's alone. What the tools say is in `otrace-mcp`, what they are told in [`source`].

mod source;

use otrace_mcp::McpServer;
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use rmcp::transport::stdio;

use crate::args::CredentialArgs;
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use source::Here;

/// Answers an agent until it goes.
pub async fn serve(credentials: CredentialArgs, workspace: Workspace, may_write: bool) -> Result<()> {
    let server = McpServer::new(Here::new(credentials, workspace, may_write));
    let running = match server.serve(stdio()).await {
        Ok(running) => running,
        // It has gone without a word, as some do to see whether the program is there.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => {
            return Err(Error::new(format!("the agent does not speak MCP as it should: {error}"))
                .with_hint("Start `otrace mcp` from an MCP client."));
        }
    };
    running.waiting().await.map_err(|error| Error::new(format!("a mistake in otrace ended it ({error})")))?;
    Ok(())
}
