//! What a run ran on: interpreter, platform, hardware, and the packages that were installed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::details::Hardware;
use serde::Deserialize;

use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::Snapshot;
use crate::domain::snapshot::SnapshotFileKind;
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// How much of a list of packages is read.
const PACKAGES_BYTES: u64 = 256 * 1024;

#[derive(Template)]
#[template(path = "runs/environment.html")]
struct EnvironmentPage {
    shell: Shell,
    head: RunHeader,
    machine: Vec<Detail>,
    hardware: Vec<Detail>,
    packages: Vec<Package>,
    /// `12 of 118 packages`.
    packages_shown: String,
    /// What the shown packages are called like.
    filter: String,
    /// Where the whole list is.
    packages_url: Option<String>,
    is_cut: bool,
    has_snapshot: bool,
    is_over: bool,
}

/// Something with a name, and what there is to say about it.
struct Detail {
    name: &'static str,
    text: String,
}

/// An installed package.
struct Package {
    name: String,
    version: String,
}

/// `?q=torch`
#[derive(Deserialize)]
pub struct Filter {
    #[serde(default)]
    q: String,
}

/// `GET /projects/{slug}/runs/{run}/environment`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(Filter { q }): Query<Filter>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Environment).await?;
    let snapshot = view.full.snapshot.as_ref();
    let list = snapshot.and_then(|state| state.files.iter().find(|file| file.kind == SnapshotFileKind::Packages));
    let mut packages = match list {
        Some(file) => packages(&services::snapshots::read(&app, member.project.id, file, PACKAGES_BYTES).await?),
        None => Vec::new(),
    };
    let all = packages.len();
    let wanted = q.trim().to_lowercase();
    packages.retain(|package| package.name.to_lowercase().contains(&wanted));
    let count = |packages: usize| i64::try_from(packages).unwrap_or_default();
    let of_all = format::counted(count(all), "package", "packages");
    Ok(page(&EnvironmentPage {
        machine: snapshot.map(machine).unwrap_or_default(),
        hardware: snapshot.and_then(|state| state.hardware.as_ref()).map(hardware).unwrap_or_default(),
        packages_shown: if packages.len() == all {
            of_all
        } else {
            format!("{} of {of_all}", format::count(count(packages.len())))
        },
        packages,
        filter: q,
        packages_url: list.map(|file| format!("{}/code/{}/raw", head.base, file.position)),
        is_cut: list.is_some_and(|file| file.size_bytes.unsigned_abs() > PACKAGES_BYTES),
        has_snapshot: snapshot.is_some(),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

fn machine(snapshot: &Snapshot) -> Vec<Detail> {
    let interpreter = snapshot.rebuild.as_ref().and_then(|rebuild| rebuild.interpreter.as_ref());
    let known = [
        ("Python", snapshot.python_version.as_ref()),
        ("Interpreter", interpreter),
        ("Platform", snapshot.platform.as_ref()),
        ("Host", snapshot.hostname.as_ref()),
    ];
    let details = known.into_iter().filter_map(|(name, text)| Some(Detail { name, text: terminal::clean(text?) }));
    details.filter(|detail| !detail.text.is_empty()).collect()
}

/// What the machine had to compute with.
fn hardware(hardware: &Hardware) -> Vec<Detail> {
    let cpu = match (&hardware.cpu, hardware.cpu_count) {
        (Some(cpu), Some(count)) => Some(format!("{} × {}", format::count(count), terminal::clean(cpu))),
        (Some(cpu), None) => Some(terminal::clean(cpu)),
        (None, count) => count.map(format::count),
    };
    let gpus = hardware.gpus.iter().map(|gpu| {
        let driver = gpu.driver.as_deref().map(|driver| format!("driver {}", terminal::clean(driver)));
        let parts = [Some(terminal::clean(&gpu.name)), gpu.memory_bytes.map(format::size), driver];
        ("GPU", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    });
    let known = [("CPU", cpu), ("Memory", hardware.memory_bytes.map(format::size))];
    let known = known.into_iter().filter_map(|(name, text)| Some((name, text?)));
    known.chain(gpus).map(|(name, text)| Detail { name, text }).collect()
}

/// The packages of a list with one a line: `torch==2.7.1`, and others as they stand there.
fn packages(list: &str) -> Vec<Package> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let package = |line: &str| {
        let (name, version) = line.split_once("==").or_else(|| line.split_once(" @ ")).unwrap_or((line, ""));
        Package { name: terminal::clean(name.trim()), version: terminal::clean(version.trim()) }
    };
    lines.map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_packages_is_read_line_by_line() {
        let list = packages("# by pip\ntorch==2.7.1\n\nkws @ file:///home/mira/kws\n-e .\n");
        let read: Vec<_> = list.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
        assert_eq!(read, [("torch", "2.7.1"), ("kws", "file:///home/mira/kws"), ("-e .", "")]);
    }
}
