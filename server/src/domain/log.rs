//! What a run printed.

use otrace_wire::{LogStream, Sha256Digest};
use time::OffsetDateTime;

use super::log_times::LogTimes;
use super::text::{Invalid, NAME_MAX_BYTES};

/// What a run printed, or a log file that it wrote. Its bytes are a blob.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its place among the run's logs, from 0; names it within the run.
    pub position: i32,
    /// Which stream it is.
    pub stream: LogStream,
    /// The file's path in the workspace.
    pub path: Option<String>,
    /// Its size in bytes.
    pub size_bytes: i64,
    /// The hash of its bytes in the store; `None` where they are not stored.
    pub sha256: Option<Sha256Digest>,
    /// When the client captured it.
    pub captured_at: Option<OffsetDateTime>,
    /// When its parts came, where that was told; it is stored, and not listed with the rest.
    pub times: Option<LogTimes>,
}

/// Which of a run's logs: a stream of its command, or a log file by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    stream: LogStream,
    /// Empty for the streams.
    path: String,
}

impl LogName {
    /// A stream, or the log file at `path`: only a file has one.
    pub fn new(stream: LogStream, path: Option<String>) -> Result<Self, Invalid> {
        match (stream, path) {
            (LogStream::Log, Some(path)) if path.len() > NAME_MAX_BYTES => {
                Err(Invalid("The path of a log is at most 4,096 bytes long."))
            }
            (LogStream::Log, Some(path)) if path.contains('\0') => Err(Invalid("The path of a log holds no NUL.")),
            (LogStream::Log, Some(path)) if !path.is_empty() => Ok(Self { stream, path }),
            (LogStream::Log, _) => Err(Invalid("Say which log file it is: add &path= to the address.")),
            (LogStream::Stdout | LogStream::Stderr, None) => Ok(Self { stream, path: String::new() }),
            (LogStream::Stdout | LogStream::Stderr, Some(_)) => {
                Err(Invalid("Only log files have a path. Send it to …/logs/log, or leave the path out."))
            }
        }
    }

    /// The name that was stored.
    pub const fn stored(stream: LogStream, path: String) -> Self {
        Self { stream, path }
    }

    /// The name of a log.
    pub fn of(log: &Log) -> Self {
        let path = log.path.clone().filter(|_| log.stream == LogStream::Log);
        Self { stream: log.stream, path: path.unwrap_or_default() }
    }

    /// Which stream it is.
    pub const fn stream(&self) -> LogStream {
        self.stream
    }

    /// The log file's path in the workspace; empty for the streams.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether a log is called so.
    pub fn names(&self, log: &Log) -> bool {
        log.stream == self.stream && (self.stream != LogStream::Log || log.path.as_deref() == Some(self.path.as_str()))
    }

    /// The log of this name as it grows, which has `size_bytes` so far.
    pub fn growing(self, size_bytes: i64) -> Log {
        let path = (self.stream == LogStream::Log).then_some(self.path);
        Log { position: 0, stream: self.stream, path, size_bytes, sha256: None, captured_at: None, times: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_file_has_a_path() {
        let named = |stream: LogStream, path: Option<&str>| LogName::new(stream, path.map(str::to_owned));
        assert_eq!(named(LogStream::Log, Some("logs/train.log")).unwrap().path(), "logs/train.log");
        assert_eq!(named(LogStream::Stdout, None).unwrap().path(), "");
        for path in [None, Some(""), Some("a\0b"), Some(&*"x".repeat(4097))] {
            assert!(named(LogStream::Log, path).is_err(), "{path:?}");
        }
        assert!(named(LogStream::Stderr, Some("x")).is_err());
    }

    #[test]
    fn a_stream_is_known_whatever_file_it_was_kept_in() {
        let mut log = LogName::new(LogStream::Stdout, None).unwrap().growing(3);
        log.path = Some(".trace/logs/exp001.stdout.log".to_owned());
        assert!(LogName::of(&log).names(&log));
        assert_eq!(LogName::of(&log).path(), "");
    }
}
