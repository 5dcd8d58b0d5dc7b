//! The command line's grammar: every command and option, and how a wrong one is answered.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::child::heir::HeirArgs;
use crate::commands::artifacts::ArtifactsArgs;
use crate::commands::checkout::CheckoutArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::delete::DeleteArgs;
use crate::commands::diff::DiffArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::download::DownloadArgs;
use crate::commands::export::ExportArgs;
use crate::commands::import::ImportArgs;
use crate::commands::ledger::LedgerArgs;
use crate::commands::logout::LogoutArgs;
use crate::commands::logs::LogsArgs;
use crate::commands::man::ManArgs;
use crate::commands::mcp::McpArgs;
use crate::commands::note::NoteArgs;
use crate::commands::notebook::NotebookArgs;
use crate::commands::open::OpenArgs;
use crate::commands::restore::RestoreArgs;
use crate::commands::runs::RunsArgs;
use crate::commands::scaffold::ScaffoldArgs;
use crate::commands::show::ShowArgs;
use crate::commands::tag::TagArgs;
use crate::commands::ui::UiArgs;
use crate::error::Error;
use crate::{printer, version};

/// What whoever names no command is told.
pub const NO_COMMAND: &str = "No command provided. Use `otrace run --intent ... -- <command>`.";

/// What people type.
#[derive(Debug, Parser)]
#[command(name = "otrace", version = version::FULL, about, max_term_width = 100)]
#[command(after_help = "Settings: TRACE_API_URL, TRACE_API_KEY, TRACE_PROJECT_ID and \
    TRACE_PROJECT_NAME, from the environment or from .env in the workspace; TRACE_KEEP_LOCAL, from the environment.")]
pub struct Cli {
    /// Print data, warnings and errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this directory a workspace of the project that an API key belongs to
    Init(InitArgs),
    /// Log in through the browser, or with an API key, for all workspaces of this account on this machine
    Login(LoginArgs),
    /// Show whose API key is in use, and for which project
    Whoami(WhoamiArgs),
    /// Run a command and record why it ran, what it ran on and what came of it
    Run(RunArgs),
    /// Send what the server lacks of this workspace's runs
    Sync(SyncArgs),
    /// Show which of this workspace's runs the server lacks something of
    Status(StatusArgs),
    /// List the project's runs
    Runs(RunsArgs),
    /// Show one run, from why it was run to what came of it
    Show(ShowArgs),
    /// List the files that are kept with a run
    Artifacts(ArtifactsArgs),
    /// Download files that are kept with a run
    Download(DownloadArgs),
    /// Print what a run printed
    Logs(LogsArgs),
    /// Show what changed between two runs
    Diff(DiffArgs),
    /// Write a note on a run
    Note(NoteArgs),
    /// Add tags to a run and take others away
    Tag(TagArgs),
    /// Open a run's page in the browser
    Open(OpenArgs),
    /// Show this workspace and its project in the browser, without signing in
    Ui(UiArgs),
    /// Delete runs
    Delete(DeleteArgs),
    /// Bring deleted runs back
    Restore(RestoreArgs),
    /// Bring in runs that were made without otrace, as a manifest describes them
    Import(ImportArgs),
    /// Get the state that a run ran on back, into a folder of its own
    Checkout(CheckoutArgs),
    /// Pack this workspace into one file, to go on with it on another machine
    Export(ExportArgs),
    /// Forget a saved login, and revoke its API key where `otrace login` had it made
    Logout(LogoutArgs),
    /// Check the server, the key, the clock, git and the disk, and say what to do
    Doctor(DoctorArgs),
    /// Write down all of the project's runs as one document
    Notebook(NotebookArgs),
    /// Print one line for each of the project's runs, the oldest first
    Ledger(LedgerArgs),
    /// Make files to begin with
    Scaffold(ScaffoldArgs),
    /// Let an agent read the project's runs, over MCP on standard input and output
    Mcp(McpArgs),
    /// Print what a shell needs to complete the command line
    Completions(CompletionsArgs),
    /// Read on for an `otrace run` that is killed
    #[command(hide = true)]
    Heir(HeirArgs),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man(ManArgs),
}

/// Which server to speak to, with which key, for which project.
#[derive(Clone, Debug, Default, Args)]
pub struct CredentialArgs {
    /// The project's API key, trc_…, or `-` to read it from standard input [default:
    /// `TRACE_API_KEY`, .env, then the saved login]
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,

    /// The server's address [default: `TRACE_API_URL`, .env, the saved login, then `http://localhost:8000`]
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,

    /// The id of the project that this is meant for; a key of another one is refused [default: `TRACE_PROJECT_ID`,
    /// then .env]
    #[arg(long, value_name = "ID")]
    pub project_id: Option<String>,

    /// The name of the project that this is meant for; a key of another one is refused [default:
    /// `TRACE_PROJECT_NAME`, then .env]
    #[arg(long, value_name = "NAME")]
    pub project_name: Option<String>,
}

/// `otrace init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Write `TRACE_FOR_AGENTS.md` and .traceignore anew, even where they are there already
    #[arg(long)]
    pub force: bool,

    /// Accepted for scripts written for older clients; changes nothing: no .gitignore is ever edited.
    #[arg(long, hide = true)]
    pub no_gitignore: bool,
}

/// `otrace login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Ask for a key to be pasted, rather than for an approval in the browser
    #[arg(long, conflicts_with = "api_key")]
    pub paste: bool,
}

/// `otrace whoami`.
#[derive(Debug, Args)]
pub struct WhoamiArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// `otrace sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,
}

/// `otrace status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// `otrace run`.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that people type")]
pub struct RunArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Why the command is run
    #[arg(long, value_name = "TEXT")]
    pub intent: Option<String>,

    /// What it is run on, and what is assumed
    #[arg(long, value_name = "TEXT")]
    pub setup: Option<String>,

    /// A configuration file to keep with the run, as it is before the command starts; a glob is
    /// fine; may be repeated
    #[arg(long = "config", value_name = "PATH")]
    pub config_paths: Vec<String>,

    /// A file that the command should leave behind; a glob or a directory is fine; may be repeated
    #[arg(long = "expect-artifact", value_name = "PATH")]
    pub expected_artifact_paths: Vec<String>,

    /// A log file that the command should leave behind; a glob is fine; may be repeated
    #[arg(long = "expect-log", value_name = "PATH")]
    pub expected_log_paths: Vec<String>,

    /// A short name to show
    #[arg(long, alias = "name", value_name = "TEXT")]
    pub title: Option<String>,

    /// A word to find the run by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,

    /// Take all of the above and the command from this RunSpec file (YAML or JSON)
    #[arg(long, value_name = "PATH")]
    pub spec: Option<String>,

    /// Show the RunSpec and ask before anything is sent or started
    #[arg(long)]
    pub verify_runspec: bool,

    /// Ask no server; `otrace sync` sends the run later
    #[arg(long)]
    pub offline: bool,

    /// Give the command pipes for its output, even where otrace has a terminal
    #[arg(long)]
    pub no_tty: bool,

    /// Leave out what the machine's processors, memory, disks and GPUs are busy with
    #[arg(long)]
    pub no_system_metrics: bool,

    /// Keep passwords, tokens and other secrets as they are in what is recorded
    #[arg(long)]
    pub no_secret_masking: bool,

    /// Accepted for scripts written for older clients; changes nothing.
    #[arg(long, hide = true)]
    pub yes: bool,

    /// The command to run, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl RunArgs {
    /// Whether the run is described here, rather than in a RunSpec file.
    pub fn describes_a_run(&self) -> bool {
        self.gives_fields() || !self.command.is_empty()
    }

    /// Whether any option says something about the run.
    pub fn gives_fields(&self) -> bool {
        self.intent.is_some()
            || self.setup.is_some()
            || self.title.is_some()
            || !(self.config_paths.is_empty()
                && self.expected_artifact_paths.is_empty()
                && self.expected_log_paths.is_empty()
                && self.tags.is_empty())
    }
}

/// Answers a command line that names no command: with the help that was asked for, or with one line
/// that says what is wrong with it.
pub fn explain(refusal: &clap::Error) -> ExitCode {
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer::page(refusal.render().ansi());
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            printer::page(refusal.render().ansi());
            ExitCode::from(2)
        }
        ErrorKind::UnknownArgument if is_for_run() && is_word(refusal) => {
            printer::error(&Error::new(NO_COMMAND));
            ExitCode::FAILURE
        }
        ErrorKind::InvalidUtf8 => {
            let error = Error::new("an argument is not valid UTF-8, and a run is recorded as text");
            printer::error(&error.with_hint("Put the command into a script, and run that."));
            ExitCode::from(2)
        }
        _ => {
            let text = refusal.render().to_string();
            let mut parts = text.split("\n\n");
            let first = parts.next().unwrap_or_default();
            let message = first.strip_prefix("error: ").unwrap_or(first);
            // Such as the command that was probably meant.
            let tip = parts.find_map(|part| part.trim().lines().next()?.strip_prefix("tip: "));
            printer::error(&Error::new(message).with_hint(tip.unwrap_or("See `otrace --help`.")));
            ExitCode::from(2)
        }
    }
}

/// Whether the command line is one of `otrace run`. Only one option may come before it.
fn is_for_run() -> bool {
    let mut words = std::env::args_os().skip(1);
    words.find(|word| word != "-q" && word != "--quiet").is_some_and(|command| command == "run")
}

/// Whether what is not understood is no option: then it is a command without the `--` before it.
fn is_word(refusal: &clap::Error) -> bool {
    matches!(refusal.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if !word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn agents_are_told_of_every_command_but_those_for_people() {
        let guide = include_str!("agents.md");
        let for_people = ["completions", "login", "logout"];
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let is_told = guide.contains(&format!("otrace {name}"));
            assert_eq!(is_told, !for_people.contains(&name), "{name}");
        }
    }

    #[test]
    fn what_follows_the_dashes_is_the_command_untouched() {
        let line = ["otrace", "run", "--name", "n", "--tag", "a", "--tag", "b", "--", "ls", "--tag"];
        let Command::Run(args) = Cli::parse_from(line).command else {
            panic!("not a run");
        };
        assert_eq!(args.title.as_deref(), Some("n"));
        assert_eq!(args.tags, ["a", "b"]);
        assert_eq!(args.command, ["ls", "--tag"]);
    }

    #[test]
    fn a_command_without_the_dashes_is_told_from_an_unknown_option() {
        let is_forgotten = |words: &[&str]| {
            let refusal = Cli::try_parse_from(["otrace", "run", "--intent", "a"].iter().chain(words)).expect_err("no");
            refusal.kind() == ErrorKind::UnknownArgument && is_word(&refusal)
        };
        assert!(is_forgotten(&["python", "train.py"]));
        assert!(is_forgotten(&["python", "--lr", "3", "--", "x"]));
        assert!(!is_forgotten(&["--colour", "red"]));
    }
}
