//! Which server to speak to, with which key, for which project.
//!
//! Each setting comes from the first of: the flag, the environment, `.env` in the workspace, the
//! saved logins, which know nothing of projects. No other module takes settings from the environment.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use otrace_wire::identity::WhoamiProject;
use reqwest::Url;

use crate::args::CredentialArgs;
use crate::error::{Error, Result};
use crate::saved_login::{self, SavedLogins};
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

/// Where a setting was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Flag,
    Environment,
    EnvFile,
}

/// How a project is told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Id,
    Name,
}

/// The project that a setting says is meant.
#[derive(Clone, Debug)]
struct Meant {
    by: By,
    value: String,
    source: Source,
}

impl Meant {
    /// Whether it is said for this one command, which is then to do nothing at all with another project.
    fn is_flag(&self) -> bool {
        self.source == Source::Flag
    }

    /// Whether what it contradicts is another project. One whose name has been set at some time may merely have been
    /// renamed since.
    fn is_certain(&self) -> bool {
        self.by == By::Id || self.is_flag()
    }

    fn contradiction(&self, project: &WhoamiProject) -> Option<String> {
        let WhoamiProject { name, id, .. } = project;
        let (actual, flag, variable) = match self.by {
            By::Id => (id.to_string(), "--project-id", "TRACE_PROJECT_ID"),
            By::Name => (name.clone(), "--project-name", "TRACE_PROJECT_NAME"),
        };
        if self.value == actual {
            return None;
        }
        let setting = if self.is_flag() { flag } else { variable };
        Some(format!("{setting} is {}, but the API key belongs to {name} ({id}). Correct one of them.", self.value))
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's base URL, without a slash at its end.
    pub api_url: String,
    /// By its id, by its name, by both or by neither.
    meant: Vec<Meant>,
    given_key: Option<ApiKey>,
    saved_key: Option<ApiKey>,
    /// The servers that there are saved keys for, where this one is not among them.
    saved_for: Vec<String>,
}

impl Settings {
    /// Reads them from wherever they are.
    pub fn load(flags: &CredentialArgs, workspace: &Workspace) -> Result<Self> {
        let env_file = env_file::read(&workspace.root().join(".env"));
        let saved = saved_login_path().map_or_else(SavedLogins::default, |path| {
            saved_login::load(&path).unwrap_or_else(|error| {
                printer::warning(error);
                SavedLogins::default()
            })
        });
        Self::resolve(flags, &variable, &env_file, &saved)
    }

    fn resolve(
        flags: &CredentialArgs,
        environment: &dyn Fn(&str) -> Option<String>,
        env_file: &HashMap<String, String>,
        saved: &SavedLogins,
    ) -> Result<Self> {
        let sourced = |flag: Option<&String>, name: &str| {
            let from = |source: Source, value: Option<String>| {
                let value = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
                value.map(|value| (value, source))
            };
            from(Source::Flag, flag.cloned())
                .or_else(|| from(Source::Environment, environment(name)))
                .or_else(|| from(Source::EnvFile, env_file.get(name).cloned()))
        };
        let meant = |by: By, flag: Option<&String>, name: &str| {
            sourced(flag, name).map(|(value, source)| Meant { by, value, source })
        };
        let meant_id = meant(By::Id, flags.project_id.as_ref(), "TRACE_PROJECT_ID");
        let meant_name = meant(By::Name, flags.project_name.as_ref(), "TRACE_PROJECT_NAME");
        let saved_url = saved.default_server().map(str::to_owned);
        let key = |text: Option<String>| text.as_deref().map(ApiKey::new).transpose();
        let (given_url, url_source) = sourced(flags.api_url.as_ref(), "TRACE_API_URL").unzip();
        let (given_key, key_source) = sourced(flags.api_key.as_ref(), "TRACE_API_KEY").unzip();
        let api_url = base_url(&given_url.or(saved_url).unwrap_or_else(|| DEFAULT_API_URL.to_owned()))?;
        // A `.env` in some cloned repository may name a server for its own key, but not for the key
        // that this person's shell holds for another one.
        let is_lured = url_source == Some(Source::EnvFile) && key_source == Some(Source::Environment);
        if is_lured && !is_loopback(&api_url) {
            return Err(Error::new(format!(
                ".env names the server {api_url}, but the API key comes from elsewhere; \
                 set TRACE_API_URL in your shell too, or keep both in .env"
            )));
        }
        // For the same reason a saved key is for the server that it was saved with.
        let saved_here = saved.key_for(&api_url).map(str::to_owned);
        let saved_for = if saved_here.is_some() { Vec::new() } else { saved.servers() };
        Ok(Self {
            api_url,
            meant: meant_id.into_iter().chain(meant_name).collect(),
            given_key: key(given_key)?,
            saved_key: key(saved_here)?,
            saved_for: saved_for.into_iter().map(str::to_owned).collect(),
        })
    }

    /// The key in force, or an error that says where to get one.
    pub fn api_key(&self) -> Result<&ApiKey> {
        self.given_key.as_ref().or(self.saved_key.as_ref()).ok_or_else(|| {
            let url = &self.api_url;
            let elsewhere = match self.saved_for.as_slice() {
                [] => String::new(),
                [saved] => format!(" (the saved login is for {saved}, and is sent nowhere else)"),
                several => {
                    let several = several.join(", ");
                    format!(" (there are saved logins for {several}, and none is sent elsewhere)")
                }
            };
            Error::new(format!("no API key for {url}{elsewhere}"))
                .with_hint(format!("Run `otrace login`, or make a key at {url}/projects and set TRACE_API_KEY."))
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

    /// The id of the project that the workspace is meant for, if that is said.
    pub fn project_id(&self) -> Option<&str> {
        self.meant.iter().find(|meant| meant.by == By::Id).map(|meant| meant.value.as_str())
    }

    /// Whether a flag says which project is meant: then the server is asked for the key's before anything else.
    pub fn has_project_flag(&self) -> bool {
        self.meant.iter().any(Meant::is_flag)
    }

    /// Refuses a key of another project than a flag says.
    pub fn check_flags(&self, project: &WhoamiProject) -> Result<()> {
        self.first_contradiction(project, Meant::is_flag).map_or(Ok(()), |told| Err(Error::new(told)))
    }

    /// Whether nothing may be changed before the server was asked for the key's project.
    pub fn guards_changes(&self) -> bool {
        self.meant.iter().any(Meant::is_certain)
    }

    /// Refuses a key of another project than the settings are for, as whatever changes something has to.
    pub fn check_project(&self, project: &WhoamiProject) -> Result<()> {
        self.other_project(project).map_or(Ok(()), |told| Err(Error::new(told)))
    }

    /// What to tell a person whose settings are for another project than their key.
    pub fn other_project(&self, project: &WhoamiProject) -> Option<String> {
        self.first_contradiction(project, Meant::is_certain)
    }

    /// The same, where a name counts too that the project may merely have lost.
    pub fn disagreement(&self, project: &WhoamiProject) -> Option<String> {
        self.first_contradiction(project, |_| true)
    }

    fn first_contradiction(&self, project: &WhoamiProject, counts: fn(&Meant) -> bool) -> Option<String> {
        self.meant.iter().filter(|meant| counts(meant)).find_map(|meant| meant.contradiction(project))
    }
}

/// A variable of the environment, where it is set to text.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the logins of this person on this machine are kept.
pub fn saved_login_path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    saved_login::path(folder("XDG_CONFIG_HOME"), folder("HOME"))
}

/// Whether a server's address is on this machine, whatever a name server says.
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn base_url(text: &str) -> Result<String> {
    let text = text.trim().trim_end_matches('/');
    let is_base = |url: &Url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    };
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(Error::new("TRACE_API_URL holds a name or a password, which no Trace server asks for")
                .with_hint("Leave out what stands before the @."))
        }
        Ok(url) if is_base(&url) => Ok(text.to_owned()),
        _ => Err(Error::new(format!("TRACE_API_URL is not the address of a server: {text}"))
            .with_hint(format!("It looks like {DEFAULT_API_URL}."))),
    }
}

#[cfg(test)]
mod tests;
