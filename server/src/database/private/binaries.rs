//! Finds PostgreSQL's programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

/// The oldest major version that the server is made for.
const OLDEST_MAJOR: u32 = 14;

/// A folder that holds `initdb`, `postgres` and `pg_ctl` of one version.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The version, such as 17.
    #[cfg(test)]
    pub const fn major(&self) -> u32 {
        self.major
    }
}

/// The PostgreSQL that `OTRACE_PG_BIN` names; else the newest one on the machine, or the one whose
/// major version existing data needs.
pub fn find(needed_major: Option<u32>) -> anyhow::Result<Binaries> {
    if let Some(folder) = env::var_os("OTRACE_PG_BIN") {
        let folder = PathBuf::from(folder);
        let Some(named) = inspect(&folder) else {
            bail!("OTRACE_PG_BIN is {}, which holds no initdb and postgres", folder.display());
        };
        return choose(vec![named], needed_major);
    }
    let found: Vec<Binaries> = candidate_folders().into_iter().filter_map(|folder| inspect(&folder)).collect();
    choose(found, needed_major)
}

fn choose(found: Vec<Binaries>, needed_major: Option<u32>) -> anyhow::Result<Binaries> {
    let mut majors: Vec<String> = found.iter().map(|binaries| binaries.major.to_string()).collect();
    majors.dedup();
    let newest = found
        .into_iter()
        .filter(|binaries| needed_major.map_or(binaries.major >= OLDEST_MAJOR, |major| binaries.major == major))
        .max_by_key(|binaries| binaries.major);
    match (newest, needed_major) {
        (Some(binaries), _) => Ok(binaries),
        (None, Some(major)) => bail!(
            "the data directory was made by PostgreSQL {major}, which is not installed (found: {}); \
             install it (apt-get install postgresql-{major}), or bring the data to a newer version as \
             docs/operations.md describes under \"A newer PostgreSQL\"",
            if majors.is_empty() { "none".to_owned() } else { majors.join(", ") }
        ),
        (None, None) => bail!(
            "no PostgreSQL {OLDEST_MAJOR} or newer found (initdb and postgres); install one \
             (Debian: apt-get install postgresql, macOS: brew install postgresql@17), \
             or set DATABASE_URL to one that runs elsewhere"
        ),
    }
}

/// `PATH`, and where distributions, Homebrew and Postgres.app put it.
fn candidate_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr/libexec", "postgresql"),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
        ("/Applications/Postgres.app/Contents/Versions", ""),
    ] {
        let versions = fs::read_dir(parent).into_iter().flatten().flatten();
        let versions = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        folders.extend(versions.map(|entry| entry.path().join("bin")));
    }
    folders
}

fn inspect(folder: &Path) -> Option<Binaries> {
    if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    // Through links, so that Homebrew's `bin` leads to the folder that has `pg_ctl` as well.
    let folder = fs::canonicalize(folder.join("postgres")).ok()?.parent()?.to_owned();
    Some(Binaries { folder, major })
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[u32]) -> Vec<Binaries> {
        majors.iter().map(|&major| Binaries { folder: PathBuf::new(), major }).collect()
    }

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("something else"), None);
    }

    #[test]
    fn the_newest_version_is_taken_for_new_data() {
        assert_eq!(choose(installed(&[14, 17, 15]), None).unwrap().major(), 17);
    }

    #[test]
    fn existing_data_keeps_its_version() {
        assert_eq!(choose(installed(&[14, 17, 15]), Some(15)).unwrap().major(), 15);
    }

    #[test]
    fn a_missing_version_is_told_with_the_way_out() {
        let error = choose(installed(&[15]), Some(13)).unwrap_err().to_string();
        assert!(
            error.contains("made by PostgreSQL 13")
                && error.contains("found: 15")
                && error.contains("docs/operations.md"),
            "{error}"
        );
    }

    #[test]
    fn no_postgres_at_all_is_told_with_what_to_install() {
        let error = choose(installed(&[9]), None).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql") && error.contains("DATABASE_URL"), "{error}");
    }
}
