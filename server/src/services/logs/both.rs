//! The two streams of a run, read as one: of a run that has ended by the times that its client told, of one that goes on
//! by the order in which its pieces arrived.

use std::ops::Range;

use otrace_wire::LogStream;

use super::{Part, RunLog, read};
use crate::app::AppState;
use crate::domain::log_times::{Stretch, in_order};
use crate::domain::{ProjectId, RunId};
use crate::error::Result;
use crate::store;

/// Both streams of a run.
#[derive(Clone, Debug)]
pub struct Both {
    /// Standard output, then standard error.
    streams: Box<[RunLog; 2]>,
    /// All of both in order; `None` while they grow: then the pieces say it.
    order: Option<Vec<Stretch>>,
}

/// What was read of one of them.
struct Piece {
    start: i64,
    bytes: Vec<u8>,
}

impl Both {
    /// Whether these logs have two streams of which the order is known.
    pub async fn is_there(app: &AppState, project_id: ProjectId, run_id: RunId, logs: &[RunLog]) -> Result<bool> {
        let Some([stdout, stderr]) = streams(logs) else { return Ok(false) };
        let mut connection = app.pool.acquire().await?;
        Ok(if stdout.is_whole {
            let positions = [stdout.log.position, stderr.log.position];
            store::logs::have_times(&mut connection, project_id, run_id, &positions).await?
        } else {
            store::log_chunks::are_joint(&mut connection, project_id, run_id).await?
        })
    }

    /// The two streams among these logs. `None`: there are no two, or their order is not known.
    pub async fn load(app: &AppState, project_id: ProjectId, run_id: RunId, logs: &[RunLog]) -> Result<Option<Self>> {
        let Some([stdout, stderr]) = streams(logs) else { return Ok(None) };
        let streams = Box::new([stdout.clone(), stderr.clone()]);
        let mut connection = app.pool.acquire().await?;
        if !stdout.is_whole {
            let is_known = store::log_chunks::are_joint(&mut connection, project_id, run_id).await?;
            return Ok(is_known.then_some(Self { streams, order: None }));
        }
        let told = store::logs::times(&mut connection, project_id, &[run_id]).await?;
        let of = |log: &RunLog| {
            let found = told.iter().find(|(_, position, _)| *position == log.log.position);
            found.map(|(_, _, times)| times)
        };
        let order = of(stdout)
            .zip(of(stderr))
            .map(|(out, err)| in_order((out, stdout.log.size_bytes), (err, stderr.log.size_bytes)));
        Ok(order.map(|order| Self { streams, order: Some(order) }))
    }

    /// How long both are together, in bytes.
    pub fn size_bytes(&self) -> i64 {
        self.streams.iter().map(|stream| stream.log.size_bytes).sum()
    }

    /// Whether both have arrived; else they grow.
    pub const fn is_whole(&self) -> bool {
        self.order.is_some()
    }

    /// The bytes in `range`, which the caller keeps small.
    pub(super) async fn read(
        &self,
        app: &AppState,
        project_id: ProjectId,
        run_id: RunId,
        range: Range<i64>,
    ) -> Result<Part> {
        let range = range.start.max(0)..range.end.min(self.size_bytes());
        let mut order: Vec<Stretch> = match &self.order {
            Some(order) => order.iter().filter_map(|stretch| stretch.within(&range)).collect(),
            None => self.arrived(app, project_id, run_id, &range).await?,
        };
        order.sort_by_key(|stretch| stretch.at);
        let [stdout, stderr] = &*self.streams;
        let stdout = Piece::read(app, project_id, run_id, stdout, &order).await?;
        let stderr = Piece::read(app, project_id, run_id, stderr, &order).await?;
        let mut part = Part { start: range.start, bytes: Vec::new(), stretches: Vec::new() };
        for stretch in order {
            let piece = if stretch.stream == LogStream::Stderr { &stderr } else { &stdout };
            // The whole logs may just have taken the place of the pieces.
            let Some(bytes) = piece.part(&stretch) else { break };
            part.bytes.extend_from_slice(bytes);
            part.stretches.push(stretch);
        }
        Ok(part)
    }

    /// What has arrived of both that is in `range`.
    async fn arrived(
        &self,
        app: &AppState,
        project_id: ProjectId,
        run_id: RunId,
        range: &Range<i64>,
    ) -> Result<Vec<Stretch>> {
        let mut connection = app.pool.acquire().await?;
        let mut found = Vec::new();
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let turns =
                store::log_chunks::turns(&mut connection, project_id, run_id, stream, (range.start, range.end)).await?;
            found.extend(turns.iter().filter_map(|stretch| stretch.within(range)));
        }
        Ok(found)
    }
}

/// Standard output and standard error, where both have something and both have arrived, or neither. Of one whose
/// content is not here nothing can be read, and how long it is only its client says.
fn streams(logs: &[RunLog]) -> Option<[&RunLog; 2]> {
    let is_here = |log: &&RunLog| log.log.size_bytes > 0 && (!log.is_whole || log.log.sha256.is_some());
    let of = |stream| logs.iter().find(|log| log.log.stream == stream).filter(is_here);
    let (stdout, stderr) = (of(LogStream::Stdout)?, of(LogStream::Stderr)?);
    (stdout.is_whole == stderr.is_whole).then_some([stdout, stderr])
}

impl Piece {
    /// Reads of a stream what its stretches need, at once: they follow each other there.
    async fn read(
        app: &AppState,
        project_id: ProjectId,
        run_id: RunId,
        log: &RunLog,
        order: &[Stretch],
    ) -> Result<Self> {
        let mut own = order.iter().filter(|stretch| stretch.stream == log.log.stream);
        let Some(first) = own.next() else { return Ok(Self { start: 0, bytes: Vec::new() }) };
        let last = own.next_back().unwrap_or(first);
        let bytes = read(app, project_id, run_id, log, first.start..last.start + last.length).await?;
        Ok(Self { start: first.start, bytes })
    }

    fn part(&self, stretch: &Stretch) -> Option<&[u8]> {
        let start = usize::try_from(stretch.start - self.start).ok()?;
        let length = usize::try_from(stretch.length).ok()?;
        self.bytes.get(start..start.checked_add(length)?)
    }
}

#[cfg(test)]
mod tests {
    use otrace_wire::Sha256Digest;

    use super::*;
    use crate::domain::Log;

    #[test]
    fn a_stream_whose_length_is_only_claimed_is_not_read_with_the_other() {
        let log = |stream, sha256, is_whole| RunLog {
            log: Log { position: 0, stream, path: None, size_bytes: i64::MAX, sha256, captured_at: None, times: None },
            is_whole,
        };
        let are_read = |stderr: Option<Sha256Digest>, is_whole: bool| {
            let stdout = is_whole.then_some(Sha256Digest::new([0; 32]));
            let logs = [log(LogStream::Stdout, stdout, is_whole), log(LogStream::Stderr, stderr, is_whole)];
            streams(&logs).is_some()
        };
        assert!(are_read(Some(Sha256Digest::new([1; 32])), true) && are_read(None, false));
        assert!(!are_read(None, true));
    }
}
