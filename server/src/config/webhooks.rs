//! Where webhooks may go.

use clap::Args;

/// Where webhooks may go, besides public addresses.
#[derive(Args, Clone, Debug, Default)]
pub struct WebhooksConfig {
    /// Hosts that webhooks may go to although they are not public, such as `mattermost.internal` or `10.0.0.7`,
    /// separated by commas. Whoever owns a project can have the server send messages there.
    #[arg(long, env = "OTRACE_WEBHOOK_ALLOW", value_name = "HOSTS", value_delimiter = ',', value_parser = read_host)]
    pub webhook_allow: Vec<String>,
}

/// A name or an address, as it stands in a URL.
fn read_host(text: &str) -> Result<String, String> {
    let text = text.trim();
    let in_url = if text.contains(':') && !text.starts_with('[') { format!("[{text}]") } else { text.to_owned() };
    match url::Host::parse(&in_url) {
        Ok(host) if !text.contains('*') => Ok(host.to_string()),
        _ => Err(format!(
            "“{text}” is no host. Write names and addresses without https:// and port, separated by commas."
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        webhooks: WebhooksConfig,
    }

    fn read(hosts: &str) -> Result<Vec<String>, String> {
        let command = Command::try_parse_from(["serve", "--webhook-allow", hosts]);
        command.map(|command| command.webhooks.webhook_allow).map_err(|error| error.to_string())
    }

    #[test]
    fn hosts_are_separated_by_commas() {
        let hosts = read("mattermost.internal, 10.0.0.7,fd00::7,[fd00::8]").unwrap();
        assert_eq!(hosts, ["mattermost.internal", "10.0.0.7", "[fd00::7]", "[fd00::8]"]);
        assert!(Command::try_parse_from(["serve"]).unwrap().webhooks.webhook_allow.is_empty());
    }

    #[test]
    fn what_is_no_host_is_refused_with_a_sentence() {
        for text in ["https://mattermost.internal", "mattermost.internal:8065", "10.0.0.0/8", "*", "a,,b"] {
            let error = read(text).unwrap_err();
            assert!(error.contains("is no host"), "{text}: {error}");
        }
    }
}
