//! Who owns the cluster: PostgreSQL refuses to run as root, so root hands it to another user.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, bail};
use nix::unistd::{Uid, User, chown};
use tokio::process::Command;

use super::set_private;

/// The user that PostgreSQL runs as, where that is not who runs the server.
#[derive(Clone, Debug)]
pub struct Owner {
    hand_over_to: Option<User>,
}

impl Owner {
    /// Who a PostgreSQL started now runs as: `postgres`, else `nobody`, for root; else who runs the server.
    pub fn of_new_postgres() -> anyhow::Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self { hand_over_to: None });
        }
        for name in ["postgres", "_postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(Self { hand_over_to: Some(user) });
            }
        }
        bail!(
            "PostgreSQL refuses to run as root, and there is no user postgres or nobody to hand it to; run otrace-server as another user"
        )
    }

    /// Creates a directory that only the owner may enter. An existing one must belong to the owner.
    pub fn private_dir(&self, path: &Path) -> anyhow::Result<()> {
        if let Err(error) = fs::create_dir(path)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(error).with_context(|| format!("creating {}", path.display()));
        }
        // Somebody else's directory, or a link to one, could show them our socket.
        let found = fs::symlink_metadata(path)?;
        let us = [Uid::effective().as_raw(), self.uid().as_raw()];
        if !found.is_dir() || !us.contains(&found.uid()) {
            bail!(
                "{} belongs to another user; run otrace-server as that user, or choose another folder with --data-dir",
                path.display()
            );
        }
        set_private(path).with_context(|| format!("closing {} to others", path.display()))?;
        if let Some(user) = &self.hand_over_to {
            chown(path, Some(user.uid), Some(user.gid))
                .with_context(|| format!("giving {} to {}", path.display(), user.name))?;
        }
        Ok(())
    }

    /// Says clearly when a folder on the way to the data directory is closed to the owner.
    pub fn check_can_enter(&self, data_dir: &Path) -> anyhow::Result<()> {
        let Some(user) = &self.hand_over_to else { return Ok(()) };
        for folder in data_dir.ancestors() {
            let found = fs::metadata(folder)?;
            let open_to_all = found.mode() & 0o001 != 0;
            let open_to_owner = found.uid() == user.uid.as_raw() && found.mode() & 0o100 != 0;
            if !open_to_all && !open_to_owner {
                bail!(
                    "PostgreSQL runs as the user {} here, who may not enter {}; choose another folder with --data-dir, such as /var/lib/otrace",
                    user.name,
                    folder.display()
                );
            }
        }
        Ok(())
    }

    /// A command that runs as the owner, away from our terminal and our Ctrl-C.
    pub fn command(&self, program: &Path, working_directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_remove("PGDATA").env("LC_ALL", "C").current_dir(working_directory);
        command.stdin(std::process::Stdio::null()).process_group(0);
        if let Some(user) = &self.hand_over_to {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    fn uid(&self) -> Uid {
        self.hand_over_to.as_ref().map_or_else(Uid::effective, |user| user.uid)
    }
}
