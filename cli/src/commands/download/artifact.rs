//! One artifact by its id, into a file: as published clients download them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::slice;

use serde_json::json;
use uuid::Uuid;

use super::plan::{self, Wanted};
use super::{DownloadArgs, folder};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::printer;

/// Brings it, into the file or the folder that is named, or else beside what is here.
pub(super) async fn run(client: &Client, args: &DownloadArgs, id: Uuid) -> Result<ExitCode> {
    let artifact = client.artifact(id).await?;
    let plan = plan::plan(slice::from_ref(&artifact), &[], "")?;
    let Some(wanted) = plan.wanted.first() else {
        let (name, reason) = plan.left_out.first().cloned().unwrap_or_default();
        return Err(Error::new(format!("{name} can't be downloaded: {reason}")));
    };
    if wanted.is_doubtful && !client.has_content(&wanted.digest).await? {
        return Err(Error::new(format!("{} can't be downloaded: its content is not stored", wanted.name)));
    }
    let target = target(args.output.as_deref(), wanted, id);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(|error| Error::file("make", folder, &error))?;
    }
    if !folder::is_there(&target, &wanted.digest, wanted.size) {
        client.download(&wanted.digest, wanted.size, &target, args.force).await?;
    }
    if args.json {
        printer::json(&json!({
            "artifact_id": id,
            "path": target.to_string_lossy(),
            "size_bytes": wanted.size,
            "content_type": artifact.content_type,
        }))?;
    } else {
        printer::line(target.display());
    }
    printer::done()
}

/// Where it goes. Of its own path, which others have chosen, only the last part counts.
fn target(output: Option<&Path>, wanted: &Wanted, id: Uuid) -> PathBuf {
    let name = wanted.place.file_name().map_or_else(|| id.to_string().into(), OsStr::to_os_string);
    match output {
        Some(path) if path.is_dir() => path.join(name),
        Some(path) => path.to_path_buf(),
        None => PathBuf::from(name),
    }
}
