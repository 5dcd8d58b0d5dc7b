//! `otrace-server sweep`: removes what nothing needs any more, beside a running server or without one.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;

use super::{DatabaseArguments, print_json};
use crate::config::StorageConfig;
use crate::services;
use crate::services::sweep::{Line, Report};

/// How to sweep.
#[expect(clippy::struct_excessive_bools, reason = "flags")]
#[derive(Args, Debug)]
pub struct SweepArguments {
    /// Only say what would be removed, and how many bytes that would free
    #[arg(long)]
    dry_run: bool,
    /// Instead of sweeping, say what the store holds of projects that this database never had, such as what an import of
    /// a project left that was killed
    #[arg(long)]
    unknown_projects: bool,
    /// With --unknown-projects: remove it for good, but for what is less than a day old
    #[arg(long, requires = "unknown_projects", conflicts_with = "dry_run")]
    remove: bool,
    /// Say it as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageConfig,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Serialize)]
struct Swept<'a> {
    dry_run: bool,
    freed_bytes: u64,
    lines: Vec<Line>,
    failed: &'a [String],
}

impl SweepArguments {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { dry_run, unknown_projects, remove, json, storage, database } = self;
        let swept = database.with_contents(storage, async |app| {
            let report = if unknown_projects {
                services::sweep::sweep_unknown_projects(app, !remove).await?
            } else if dry_run {
                Some(services::sweep::rehearse(app).await?)
            } else {
                services::sweep::sweep(app).await?
            };
            report.context("another sweep is under way, and this one did nothing: try again when it has ended")
        });
        let report = Box::pin(swept).await?;
        if json {
            let (freed_bytes, failed) = (report.freed_bytes(), report.failed());
            let dry_run = report.is_dry_run();
            print_json(&Swept { dry_run, freed_bytes, lines: report.lines().collect(), failed })?;
        } else {
            let how = if unknown_projects { "With --remove" } else { "Without --dry-run" };
            std::io::stdout().write_all(in_words(&report, how).as_bytes()).context("writing to standard output")?;
        }
        let failed = report.failed().join(", ");
        ensure!(failed.is_empty(), "could not sweep {failed}: what is said above tells why, and the rest is done");
        Ok(())
    }
}

/// A line for each project and reason, and what that is together. `how`: with which words it would be removed.
fn in_words(report: &Report, how: &str) -> String {
    let lines: Vec<Line> = report.lines().collect();
    let width = lines.iter().map(|line| line.project.chars().count()).max().unwrap_or_default();
    let mut words = String::new();
    for Line { project, reason, count, bytes, .. } in &lines {
        let (one, many) = reason.nouns();
        let noun = if *count == 1 { one } else { many };
        let _ = writeln!(words, "{project:<width$}  {:>9}  {count} {noun}", size(*bytes));
    }
    let (freed, bytes) = (size(report.freed_bytes()), report.freed_bytes());
    let _ = match (lines.is_empty(), report.is_dry_run()) {
        (true, _) => writeln!(words, "Nothing is to be removed."),
        (false, true) => writeln!(words, "A sweep would free {freed} ({bytes} bytes). {how} it does."),
        (false, false) => writeln!(words, "Freed {freed} ({bytes} bytes)."),
    };
    words
}

/// A size in bytes, in steps of 1000: `512 B`, `1.2 GB`.
fn size(bytes: u64) -> String {
    let mut units = ["KB", "MB", "GB", "TB", "PB"].into_iter();
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, "B");
    while tenths >= 10_000 {
        let Some(larger) = units.next() else { break };
        (tenths, unit) = ((tenths + 500) / 1000, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, says) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (8_388_608, "8.4 MB"), (u64::MAX, "18446.7 PB")]
        {
            assert_eq!(size(bytes), says);
        }
    }
}
