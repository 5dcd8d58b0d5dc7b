//! Which server to speak to, with which key, for which project.
//!
//! Each setting comes from the first of: the flag, the environment, `.env` in the workspace, the
//! saved login. No other module takes settings from the environment.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use otrace_wire::identity::WhoamiProject;
use reqwest::Url;

use crate::args::CredentialArgs;
use crate::error::{Error, Result};
use crate::saved_login::{self, SavedLogin};
use crate::workspace::Workspace;
use crate::{env_file, printer};

/// The server of a team that has set nothing else.
pub const DEFAULT_API_URL: &str = "http://localhost:8000";

/// A project's API key. It is not `Display`, and `Debug` hides it: it goes into one header only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes a key as a person gave it.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::new("an API key is required"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new("the API key holds characters that no key has")
                .with_hint("Copy it again: it starts with trc_."));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's base URL, without a slash at its end.
    pub api_url: String,
    /// The project that the workspace is meant for, if that is said.
    pub project_id: Option<String>,
    project_name: Option<String>,
    given_key: Option<ApiKey>,
    saved_key: Option<ApiKey>,
    /// The server that the saved login is for, where that is another one.
    saved_for: Option<String>,
}

impl Settings {
    /// Reads them from wherever they are.
    pub fn load(flags: &CredentialArgs, workspace: &Workspace) -> Result<Self> {
        let env_file = env_file::read(&workspace.root().join(".env"));
        let saved = saved_login_path().and_then(|path| {
            saved_login::load(&path).unwrap_or_else(|error| {
                printer::warning(error);
                None
            })
        });
        Self::resolve(flags, &|name| std::env::var(name).ok(), &env_file, saved)
    }

    fn resolve(
        flags: &CredentialArgs,
        environment: &dyn Fn(&str) -> Option<String>,
        env_file: &HashMap<String, String>,
        saved: Option<SavedLogin>,
    ) -> Result<Self> {
        let set = |flag: &Option<String>, name: &str| {
            let given = |value: &String| !value.trim().is_empty();
            let value = flag.clone().filter(given);
            let value = value.or_else(|| environment(name).filter(given));
            let value = value.or_else(|| env_file.get(name).cloned().filter(given));
            value.map(|value| value.trim().to_owned())
        };
        let saved_url = saved.as_ref().map(|login| login.api_url.clone());
        let key = |text: Option<String>| text.as_deref().map(ApiKey::new).transpose();
        let api_url = set(&flags.api_url, "TRACE_API_URL").or(saved_url).unwrap_or_else(|| DEFAULT_API_URL.to_owned());
        let api_url = base_url(&api_url)?;
        // A saved key is for the server that it was saved with: a `.env` in some cloned repository
        // must not be able to send it elsewhere.
        let (saved_here, saved_for) = match saved {
            Some(login) if login.api_url.trim_end_matches('/') == api_url => (Some(login.api_key), None),
            other => (None, other.map(|login| login.api_url)),
        };
        Ok(Self {
            api_url,
            project_id: set(&None, "TRACE_PROJECT_ID"),
            project_name: set(&None, "TRACE_PROJECT_NAME"),
            given_key: key(set(&flags.api_key, "TRACE_API_KEY"))?,
            saved_key: key(saved_here)?,
            saved_for,
        })
    }

    /// The key in force, or an error that says where to get one.
    pub fn api_key(&self) -> Result<&ApiKey> {
        self.given_key.as_ref().or(self.saved_key.as_ref()).ok_or_else(|| {
            let url = &self.api_url;
            let elsewhere = self.saved_for.as_ref().map_or_else(String::new, |saved| {
                format!(" (the saved login is for {saved}, and is sent nowhere else)")
            });
            Error::new(format!("no API key for {url}{elsewhere}")).with_hint(format!(
                "Make one at {url}/projects, then set TRACE_API_KEY, pass --api-key or run `otrace login`."
            ))
        })
    }

    /// The same settings with another key.
    pub fn with_api_key(self, api_key: ApiKey) -> Self {
        Self { given_key: Some(api_key), ..self }
    }

    /// The same settings for somebody who wants to log in with another key than the saved one.
    pub fn without_saved_key(self) -> Self {
        Self { saved_key: None, ..self }
    }

    /// What to tell a person whose settings are for another project than their key.
    pub fn other_project(&self, project: &WhoamiProject) -> Option<String> {
        contradiction("TRACE_PROJECT_ID", self.project_id.as_ref(), &project.id.to_string(), project)
    }

    /// The same, where the project's name counts too. It may merely have been renamed.
    pub fn disagreement(&self, project: &WhoamiProject) -> Option<String> {
        self.other_project(project)
            .or_else(|| contradiction("TRACE_PROJECT_NAME", self.project_name.as_ref(), &project.name, project))
    }
}

fn contradiction(setting: &str, set: Option<&String>, actual: &str, project: &WhoamiProject) -> Option<String> {
    let set = set.filter(|set| set.trim() != actual)?;
    let WhoamiProject { name, id, .. } = project;
    Some(format!("{setting} is {set}, but the API key belongs to {name} ({id}). Correct one of them."))
}

/// Where the login of this person on this machine is kept.
pub fn saved_login_path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    saved_login::path(folder("XDG_CONFIG_HOME"), folder("HOME"))
}

fn base_url(text: &str) -> Result<String> {
    let text = text.trim().trim_end_matches('/');
    let is_base = |url: &Url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    };
    match Url::parse(text) {
        Ok(url) if is_base(&url) => Ok(text.to_owned()),
        _ => Err(Error::new(format!("TRACE_API_URL is not the address of a server: {text}"))
            .with_hint(format!("It looks like {DEFAULT_API_URL}."))),
    }
}

#[cfg(test)]
mod tests;
