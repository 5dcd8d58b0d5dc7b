//! What the server signs, and checks without a look-up: run tokens, download tickets, page passes,
//! known browsers.
//!
//! JSON Web Tokens with HS256 and nothing else. What may be accepted is decided here, never by the
//! token: its header must be, field by field, the one that we would have written. [`claims`] is what
//! a token says and for how long, [`keys`] the keys and when each is used, [`key_file`] where they
//! are kept, [`key_source`] how a running server hears of a new one.
//!
//! This room touches the file of the keys and nothing else: no database, no network, no clock.

mod claims;
mod key_file;
mod key_source;
mod keys;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::{AccountId, ApiKeyId, ArtifactId, ProjectId, RunId};
use crate::error::Result;
use claims::{Claims, Purpose};
use key_source::KeySource;

pub use key_file::{create, rotate};

/// Whether there are keys in this file. One that others could have read or written, or that holds no good key, is
/// refused; none is made.
pub fn look_at(file: &Path) -> anyhow::Result<bool> {
    Ok(key_file::read(file)?.is_some())
}

/// How long a download ticket works.
pub const DOWNLOAD_LIFETIME: time::Duration = Purpose::DOWNLOAD.lifetime;
/// How long a page pass works, unless its key ends sooner.
pub const PAGE_PASS_LIFETIME: time::Duration = Purpose::PAGES.lifetime;

/// Ours have less than a third of this; nobody makes us decode a megabyte.
const TOKEN_BYTES_MAX: usize = 2048;

/// Signs tokens and tells which ones are ours.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// The server's address, which its tokens name: those of another server are none of ours.
    issuer: String,
    keys: KeySource,
}

/// What a run token opens: appending to one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunClaims {
    /// The run.
    pub run: RunId,
    /// The run's project.
    pub project: ProjectId,
    /// The key that the run was created with.
    pub key: ApiKeyId,
}

/// What a download ticket opens: reading one artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketClaims {
    /// The artifact.
    pub artifact: ArtifactId,
    /// The artifact's project.
    pub project: ProjectId,
}

/// What a page pass opens: reading the pages of one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagePassClaims {
    /// The key that asked for it, and that it ends with.
    pub key: ApiKeyId,
    /// The key's project.
    pub project: ProjectId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunGrant {
    project: ProjectId,
    key: ApiKeyId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DownloadGrant {
    project: ProjectId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagesGrant {
    project: ProjectId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrowserGrant {}

impl Tokens {
    /// With the keys of this file, which is made where there is none. It is looked at again while it
    /// is used, so a key that is added to it needs no restart.
    ///
    /// A file that others could have read or written, or that holds no good key, is refused.
    pub fn open(file: &Path, issuer: &str, now: OffsetDateTime) -> anyhow::Result<Self> {
        Ok(Self::with(KeySource::open(file, now)?, issuer))
    }

    /// With a key of its own that nobody else knows, and that ends with it: for tests, and for
    /// commands that don't serve.
    pub fn with_new_key(issuer: &str, now: OffsetDateTime) -> anyhow::Result<Self> {
        Ok(Self::with(KeySource::in_memory(now)?, issuer))
    }

    fn with(keys: KeySource, issuer: &str) -> Self {
        Self(Arc::new(Parts { issuer: issuer.to_owned(), keys }))
    }

    /// A token that can only append to this run, for as long as a long job takes.
    pub fn run_token(&self, run: RunId, project: ProjectId, key: ApiKeyId, now: OffsetDateTime) -> Result<String> {
        self.sign(&Purpose::RUN, run, RunGrant { project, key }, now)
    }

    /// Which run a token is for, if it is a run token of ours and holds now.
    pub fn check_run_token(&self, token: &str, now: OffsetDateTime) -> Option<RunClaims> {
        let (run, RunGrant { project, key }) = self.check(&Purpose::RUN, token, now)?;
        Some(RunClaims { run, project, key })
    }

    /// A ticket that reads one artifact within the next minutes.
    pub fn download_ticket(&self, artifact: ArtifactId, project: ProjectId, now: OffsetDateTime) -> Result<String> {
        self.sign(&Purpose::DOWNLOAD, artifact, DownloadGrant { project }, now)
    }

    /// Which artifact a ticket is for, if it is a download ticket of ours and holds now.
    pub fn check_download_ticket(&self, ticket: &str, now: OffsetDateTime) -> Option<TicketClaims> {
        let (artifact, DownloadGrant { project }) = self.check(&Purpose::DOWNLOAD, ticket, now)?;
        Some(TicketClaims { artifact, project })
    }

    /// A pass that reads the project's pages within the next minutes, while the key lives.
    pub fn page_pass(&self, key: ApiKeyId, project: ProjectId, now: OffsetDateTime) -> Result<String> {
        self.sign(&Purpose::PAGES, key, PagesGrant { project }, now)
    }

    /// Which pages a pass opens, if it is a page pass of ours and holds now. Whether its key still lives has to be
    /// asked besides.
    pub fn check_page_pass(&self, pass: &str, now: OffsetDateTime) -> Option<PagePassClaims> {
        let (key, PagesGrant { project }) = self.check(&Purpose::PAGES, pass, now)?;
        Some(PagePassClaims { key, project })
    }

    /// A mark for a browser that this account has signed in with. It opens nothing; it only keeps
    /// strangers who try passwords from locking the account's owner out.
    pub fn known_browser(&self, account: AccountId, now: OffsetDateTime) -> Result<String> {
        self.sign(&Purpose::BROWSER, account, BrowserGrant {}, now)
    }

    /// Which account a browser is known to, if the mark is ours and holds now.
    pub fn check_known_browser(&self, token: &str, now: OffsetDateTime) -> Option<AccountId> {
        let (account, BrowserGrant {}) = self.check(&Purpose::BROWSER, token, now)?;
        Some(account)
    }

    /// Signs and checks once, before anybody depends on it.
    pub fn self_test(&self, now: OffsetDateTime) -> anyhow::Result<()> {
        let claims = RunClaims { run: RunId::new(), project: ProjectId::new(), key: ApiKeyId::new() };
        let token = self.run_token(claims.run, claims.project, claims.key, now)?;
        let is_known = self.check_run_token(&token, now) == Some(claims);
        let opens_more = self.check_download_ticket(&token, now).is_some();
        let altered = token.get(..token.len().saturating_sub(1)).unwrap_or_default();
        let is_believed_altered = self.check_run_token(altered, now).is_some();
        ensure!(
            is_known && !opens_more && !is_believed_altered,
            "the server can't tell its own tokens from others on this machine; install otrace-server again"
        );
        Ok(())
    }

    fn sign<S: Serialize, G: Serialize>(
        &self,
        purpose: &Purpose,
        subject: S,
        grant: G,
        now: OffsetDateTime,
    ) -> Result<String> {
        let keys = self.0.keys.current(now);
        let key = keys.signing(now);
        let claims = Claims::new(&self.0.issuer, purpose, subject, grant, now);
        Ok(encode(&header(purpose, &key.kid), &claims, &key.encoding).context("signing a token")?)
    }

    fn check<S: DeserializeOwned, G: DeserializeOwned>(
        &self,
        purpose: &Purpose,
        token: &str,
        now: OffsetDateTime,
    ) -> Option<(S, G)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let found = decode_header(token).ok()?;
        let keys = self.0.keys.current(now);
        let key = keys.accepted(found.kid.as_deref()?, now)?;
        // Whatever else a header could ask for (another algorithm, a key of its own, an address to
        // fetch one from, an extension) is not what we write.
        if found != header(purpose, &key.kid) {
            return None;
        }
        let validation = validation(&self.0.issuer, purpose);
        let claims = decode::<Claims<S, G>>(token, &key.decoding, &validation).ok()?.claims;
        claims.hold(purpose, now).then_some((claims.sub, claims.grant))
    }
}

/// The only header that a token of this use has.
fn header(purpose: &Purpose, kid: &str) -> Header {
    Header { typ: Some(purpose.typ.to_owned()), kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) }
}

/// What the crate checks. By default it accepts a token that lacks all of these.
fn validation(issuer: &str, purpose: &Purpose) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[purpose.audience]);
    // It would ask the machine's clock; `Claims::hold` asks ours.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}
