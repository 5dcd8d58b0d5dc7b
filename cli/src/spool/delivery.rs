//! Bringing a run that has ended to the server, in whole.

use std::time::Duration;

use otrace_wire::{RunDetails, RunOutcome};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::capture::stored::StoredFile;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::spool::series::{REQUESTS_MAX, Sender};
use crate::upload;

/// How long a server that does not answer is given to hear of the run's end.
const LAST_REQUEST: Duration = Duration::from_secs(2);
/// How often the server hears of a run whose command has ended, for as long as there is something to send.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// All that there is to send about a run.
pub struct Parcel<'a> {
    /// What it left behind.
    pub details: RunDetails,
    /// The contents that its details name.
    pub files: &'a [StoredFile],
    /// What it measured.
    pub series: Sender,
    /// How it ended.
    pub outcome: &'a RunOutcome,
    /// Whether somebody waits for it, who may see how far it is.
    pub is_shown: bool,
}

/// Contents first, then the details that name them, then the end of the run: whoever sees that it has
/// ended sees all of it. Without an error, the server has confirmed everything.
pub async fn deliver(client: &Client, run: Uuid, parcel: Parcel<'_>) -> Result<()> {
    let Parcel { mut details, files, mut series, outcome, is_shown } = parcel;
    let unsent = upload::contents(client, files, is_shown).await;
    unsent.leave_out_of(&mut details);
    let mut failures: Vec<Error> = unsent.reason.into_iter().collect();
    if !is_away(&failures) {
        failures.extend(client.put_details(run, &details).await.err());
    }
    if !is_away(&failures) {
        failures.extend(series.send(client, run, REQUESTS_MAX).await.err());
    }
    let told = client.update_run(run, outcome);
    if is_away(&failures) {
        // Perhaps it was only too slow for all the rest.
        let _ = tokio::time::timeout(LAST_REQUEST, told).await;
    } else {
        failures.extend(told.await.err());
    }
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// Says that the run is not lost, until this is let go of: a large file takes its time.
pub fn keep_in_touch(client: &Client, run: Uuid) -> AbortOnDropHandle<()> {
    let client = client.patient(Duration::ZERO);
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            // Whether the server is there is told by what counts.
            let _ = client.heartbeat(run).await;
        }
    }))
}

/// Whether each further request would only be waited for in vain.
fn is_away(failures: &[Error]) -> bool {
    failures.iter().any(Error::is_unreachable)
}
