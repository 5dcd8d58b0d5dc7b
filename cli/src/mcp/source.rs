//! The project as this workspace's settings reach it. Files are downloaded below `.trace/downloads/`, or to a new file
//! that the agent names in the workspace.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use otrace_mcp::{Download, FileOf, LogOf, Refusal, RunsPage, RunsQuery, SavedFile, Source};
use otrace_wire::{Run, Sha256Digest};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::args::CredentialArgs;
use crate::client::{Client, reading};
use crate::commands::connect;
use crate::commands::download::fetch;
use crate::commands::download::folder::{self, Folder};
use crate::commands::download::plan::{self, Wanted};
use crate::error::{Error, Result};
use crate::printer::progress::Meter;
use crate::private_files;
use crate::settings::Settings;
use crate::workspace::Workspace;

/// Where files are downloaded to, in `.trace/`.
const DOWNLOADS: &str = "downloads";
/// How long a server that fails is waited for, where the request may be repeated.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest text that is compared, in bytes.
const TEXT_MAX: usize = 1024 * 1024;

/// This workspace, and the server that its settings name.
pub(super) struct Here {
    credentials: CredentialArgs,
    workspace: Workspace,
    may_write: bool,
    /// Made at the first call that finds a server and a key of the project that is meant.
    found: OnceCell<Found>,
}

/// What the settings lead to.
struct Found {
    client: Client,
    settings: Settings,
}

impl Here {
    pub(super) fn new(credentials: CredentialArgs, workspace: Workspace, may_write: bool) -> Self {
        Self { credentials, workspace, may_write, found: OnceCell::new() }
    }

    /// The settings are read at each call until they are complete: somebody may log in meanwhile.
    async fn found(&self) -> Result<&Found> {
        let find = || async {
            let settings = Settings::load(&self.credentials, &self.workspace)?;
            Ok::<_, Error>(Found { client: connect(&settings).await?, settings })
        };
        self.found.get_or_try_init(find).await
    }

    async fn client(&self) -> Result<&Client> {
        Ok(&self.found().await?.client)
    }

    async fn page(&self, asked: &RunsQuery) -> Result<RunsPage> {
        let query = reading::RunsQuery {
            query: asked.query.clone(),
            status: asked.status.clone(),
            tags: asked.tags.clone(),
            sort: asked.sort.clone(),
            limit: Some(asked.limit),
            cursor: asked.cursor.clone(),
        };
        let page = self.client().await?.runs(&query).await?;
        Ok(RunsPage { runs: page.runs, next_cursor: page.next_cursor })
    }

    async fn short_text(&self, sha256: &Sha256Digest) -> Result<Option<String>> {
        match self.client().await?.content(sha256).await {
            Ok(bytes) if bytes.len() <= TEXT_MAX => Ok(String::from_utf8(bytes).ok()),
            Ok(_) => Ok(None),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The run that an artifact is kept with.
    async fn run_with(&self, artifact: &str) -> Result<Run> {
        let unknown = || Error::new(format!("Unknown artifact: {artifact}"));
        let id: Uuid = artifact.trim().parse().map_err(|_| unknown())?;
        let run = self.client().await?.artifact(id).await?.run_id.ok_or_else(unknown)?;
        self.client().await?.run(&run.to_string()).await
    }

    /// Brings a file, or those that a folder or a glob names. One that is there already is not brought again.
    async fn save(&self, run: &Run, file: FileOf<'_>) -> Result<Vec<SavedFile>> {
        let experiment = run.experiment_id.to_string();
        let plan = plan::plan(&run.artifacts, &[file.path.to_owned()], &experiment)?;
        if let (true, Some((name, reason))) = (plan.wanted.is_empty(), plan.left_out.first()) {
            return Err(Error::new(format!("{name} can't be downloaded: {reason}")));
        }
        if let Some(output) = file.output {
            return self.save_as(&plan.wanted, output).await;
        }
        let folder = self.folder(run)?;
        let mut saved = Vec::with_capacity(plan.wanted.len());
        for wanted in &plan.wanted {
            let target = fetch(self.client().await?, &folder, wanted, true, &Meter::default()).await?;
            saved.push(self.saved(wanted, &target));
        }
        Ok(saved)
    }

    /// Brings one file to where the agent says. What is there already stays.
    async fn save_as(&self, wanted: &[Wanted], output: &str) -> Result<Vec<SavedFile>> {
        let [wanted] = wanted else {
            return Err(Error::new("output takes one file").with_hint("Name one by its path, or leave output out."));
        };
        let target = self.output(output)?;
        if !folder::is_there(&target, &wanted.digest, wanted.size) {
            if target.symlink_metadata().is_ok() {
                let told = format!("{output} is there already, and is something else");
                return Err(Error::new(told).with_hint("Name another output."));
            }
            let meter = Meter::default();
            self.client().await?.download_in_sight(&wanted.digest, wanted.size, &target, false, &meter).await?;
        }
        Ok(vec![self.saved(wanted, &target)])
    }

    /// Where an agent may have a file written: below this workspace, through no link, and under no hidden name, as
    /// editors, shells and git run what they find there.
    fn output(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(name);
        let below = path.strip_prefix(self.workspace.root()).unwrap_or(path);
        let is_plain = |part: Component<'_>| match part {
            Component::Normal(part) => {
                part.to_str().is_some_and(|part| !part.starts_with('.') && !part.contains(char::is_control))
            }
            Component::CurDir => true,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
        };
        if below.file_name().is_none() || !below.components().all(is_plain) {
            return Err(Error::new(format!("nothing may be written to {name}"))
                .with_hint("Name a file in the workspace, with no hidden name on the way to it."));
        }
        Folder::given(self.workspace.root())?.place(below)
    }

    fn saved(&self, wanted: &Wanted, target: &Path) -> SavedFile {
        SavedFile { artifact: wanted.name.clone(), path: self.workspace.relative(target), size_bytes: wanted.size }
    }

    /// A run's folder has some of its id in its name: `exp001` of one project is not `exp001` of another.
    fn folder(&self, run: &Run) -> Result<Folder> {
        self.workspace.prepare()?;
        let downloads = self.workspace.trace_dir().join(DOWNLOADS);
        // Its end is drawn by lot, its beginning is a time.
        let folder = downloads.join(format!("{}-{}", run.experiment_id, &run.id.simple().to_string()[24..]));
        private_files::folder(&downloads)?;
        private_files::folder(&folder)?;
        Folder::given(&folder)
    }

    /// Where the key belongs to another project than the workspace, nothing is written: exp042 is a different run there.
    async fn write_note(&self, run: &str, text: &str) -> Result<()> {
        let Found { client, settings } = self.found().await?;
        let client = client.patient(PATIENCE);
        if settings.guards_changes() {
            settings.check_project(&client.whoami().await?.project)?;
        }
        client.add_note(run, Uuid::now_v7(), text).await
    }
}

impl Source for Here {
    const SAVES_FILES: bool = true;

    fn why_read_only(&self) -> Option<&'static str> {
        let reason = "Nothing may be written: have `otrace mcp` started with --allow-write.";
        (!self.may_write).then_some(reason)
    }

    async fn project(&self) -> otrace_mcp::Result<String> {
        Ok(self.client().await?.whoami().await?.project.name)
    }

    async fn runs(&self, query: &RunsQuery) -> otrace_mcp::Result<RunsPage> {
        Ok(self.page(query).await?)
    }

    async fn run(&self, name: &str) -> otrace_mcp::Result<Run> {
        Ok(self.client().await?.run(name).await?)
    }

    async fn run_of(&self, artifact: &str) -> otrace_mcp::Result<Run> {
        Ok(self.run_with(artifact).await?)
    }

    async fn text(&self, sha256: &Sha256Digest) -> otrace_mcp::Result<Option<String>> {
        Ok(self.short_text(sha256).await?)
    }

    async fn log(&self, run: &Run, log: &LogOf, from: u64) -> otrace_mcp::Result<Vec<u8>> {
        Ok(self.client().await?.log(&run.id.to_string(), log.stream, log.path.as_deref(), from).await?)
    }

    async fn download(&self, run: &Run, file: FileOf<'_>) -> otrace_mcp::Result<Download> {
        Ok(Download::Saved(self.save(run, file).await?))
    }

    async fn add_note(&self, run: &str, text: &str) -> otrace_mcp::Result<()> {
        Ok(self.write_note(run, text).await?)
    }
}

/// As people are told of it: what is wrong, and what to do.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}
