//! What is said when the store fails.

use std::io;

use metrics::counter;
use object_store::Error;

use crate::error::AppError;

/// The stores on this machine, where an error is no matter of waiting.
const LOCAL: [&str; 2] = ["LocalFileSystem", "InMemory"];

/// What the caller is told of a store's error; the log has the error itself.
///
/// What a bucket answers after all retries may pass: it is away, it is busy, or whoever runs the server sets it right.
pub fn refusal(error: Error) -> AppError {
    if refuses_credentials(&error) {
        counter!("otrace_blobs_failures_total", "kind" => "credentials").increment(1);
        tracing::error!(%error, "the store of contents refuses the server's credentials");
        return AppError::Unavailable(
            "The store of contents refuses the server's credentials. Whoever runs the server has to check them.".into(),
        );
    }
    if is_full(&error) {
        counter!("otrace_blobs_failures_total", "kind" => "full").increment(1);
        tracing::error!(%error, "the store of contents is full");
        return AppError::DiskFull;
    }
    let passes = match &error {
        Error::Generic { store, .. } => !LOCAL.contains(store),
        // To `read` this is a missing content, so here the bucket itself is missing.
        Error::NotFound { .. } => true,
        _ => false,
    };
    counter!("otrace_blobs_failures_total", "kind" => if passes { "unreachable" } else { "other" }).increment(1);
    if passes {
        tracing::warn!(%error, "the store of contents is out of reach");
        return AppError::Unavailable("The store of contents is out of reach. Try again in a moment.".into());
    }
    AppError::Internal(anyhow::Error::new(error).context("using the object store"))
}

/// Whether the disk has no room, or whoever the server runs as may use no more of it.
fn is_full(error: &Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// Some requests tell a refusal only in their text: the error type that has its status is private.
fn refuses_credentials(error: &Error) -> bool {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => true,
        Error::Generic { store, source } if !LOCAL.contains(store) => {
            let told = source.to_string();
            told.contains("status code: 403") || told.contains("status code: 401")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(store: &'static str, source: &str) -> AppError {
        refusal(Error::Generic { store, source: source.into() })
    }

    #[test]
    fn only_what_a_bucket_does_may_pass() {
        assert!(matches!(told("S3", "connection refused"), AppError::Unavailable(_)));
        assert!(matches!(told("LocalFileSystem", "input/output error"), AppError::Internal(_)));
    }

    #[test]
    fn a_full_disk_is_called_so() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let source = Box::new(io::Error::from(kind));
            let told = refusal(Error::Generic { store: "LocalFileSystem", source });
            assert!(matches!(told, AppError::DiskFull), "{told}");
        }
    }

    #[test]
    fn refused_credentials_are_called_so() {
        let listed = told("S3", "Error performing list request: Server returned non-2xx status code: 403 Forbidden: ");
        assert!(listed.message().contains("credentials"), "{listed}");
        let source = "x".into();
        let written = refusal(Error::PermissionDenied { path: "projects".to_owned(), source });
        assert!(written.message().contains("credentials"), "{written}");
    }
}
