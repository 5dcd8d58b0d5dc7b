//! `otrace-server user`: accounts without a browser.

use std::io::Read;

use anyhow::{Context, anyhow, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{DatabaseArguments, print_json};
use crate::domain::secret_token::random_base62;
use crate::domain::{AccountId, Actor};
use crate::services;
use crate::services::accounts::SignUp;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create an account; the first one runs the server
    Create(CreateArguments),
    /// Make a link to choose a new password with, to be handed over; it works once, for 30 minutes
    ResetLink(ResetLinkArguments),
}

/// Whose password it is.
#[derive(Args, Debug)]
pub struct ResetLinkArguments {
    /// The account's e-mail address
    #[arg(long)]
    email: String,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Serialize)]
struct ResetLink {
    email: String,
    link: String,
}

/// What an account is made of.
#[derive(Args, Debug)]
pub struct CreateArguments {
    /// The account's e-mail address
    #[arg(long)]
    email: String,
    /// What others see [default: what stands before the @]
    #[arg(long, default_value = "")]
    name: String,
    /// Read the password from standard input [default: print a link behind which it is chosen, within 30 minutes]
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Serialize)]
struct Created {
    id: AccountId,
    email: String,
    name: String,
    is_admin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl UserCommand {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(arguments) => arguments.run().await,
            Self::ResetLink(arguments) => arguments.run().await,
        }
    }
}

impl ResetLinkArguments {
    async fn run(self) -> anyhow::Result<()> {
        let Self { email, database } = self;
        let made = database
            .with_app(async |app| {
                let account = services::accounts::find(app, &email).await?;
                let link = services::links::make_reset(app, &account, &Actor::command()).await?;
                Ok(ResetLink { email: account.email, link })
            })
            .await?;
        print_json(&made)
    }
}

impl CreateArguments {
    async fn run(self) -> anyhow::Result<()> {
        let Self { email, name, password_stdin, database } = self;
        // Nobody is told the one that is made up; what is chosen behind the link takes its place.
        let password = if password_stdin { read_password()? } else { made_up_password()? };
        let input = SignUp { email, name, password };
        let created = database
            .with_app(async |app| {
                let account = services::accounts::create(app, input, &Actor::command()).await?;
                let link = if password_stdin {
                    None
                } else {
                    Some(services::links::make_reset(app, &account, &Actor::command()).await?)
                };
                Ok(Created {
                    id: account.id,
                    email: account.email,
                    name: account.name,
                    is_admin: account.is_admin,
                    link,
                })
            })
            .await?;
        print_json(&created)
    }
}

/// One that nobody guesses: 256 bits.
fn made_up_password() -> anyhow::Result<String> {
    random_base62(43).map_err(|error| anyhow!("no random numbers: {error}"))
}

/// All of standard input, without the line break at its end.
fn read_password() -> anyhow::Result<String> {
    let mut password = String::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut password)
        .context("reading the password from standard input")?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    let password = password.strip_suffix('\r').unwrap_or(password).to_owned();
    ensure!(
        !password.is_empty(),
        "no password on standard input; pipe it in: printf %s \"$PASSWORD\" | otrace-server user create …"
    );
    Ok(password)
}
