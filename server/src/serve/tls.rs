//! TLS: the certificate, and how it is renewed without a restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What clients that speak HTTP/2 choose.
pub(super) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A certificate and its key, in two files. Its clones are one.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Current>,
}

/// What was read of the files last.
struct Current {
    config: Arc<ServerConfig>,
    written: Written,
}

/// When the two files were written.
type Written = [SystemTime; 2];

impl Tls {
    /// Reads the certificate with its chain and the key, both PEM. Refused unless they belong together.
    pub fn open(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let current = read(certificate, key)?;
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Self(Arc::new(Shared { certificate, key, current: RwLock::new(current) })))
    }

    /// Reads the files anew. What can't be used is refused, and what was there before stays in use.
    pub fn read_again(&self) -> anyhow::Result<()> {
        let read = read(&self.0.certificate, &self.0.key)?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Reads the files anew whenever they change and on SIGHUP, for as long as the server runs.
    pub fn keep_fresh(&self) -> anyhow::Result<()> {
        let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let tls = self.clone();
        tokio::spawn(async move {
            loop {
                let is_told = tokio::select! {
                    _ = hang_up.recv() => true,
                    _ = looks.tick() => false,
                };
                if is_told || tls.has_changed() {
                    tls.read_again_or_warn();
                }
            }
        });
        Ok(())
    }

    fn read_again_or_warn(&self) {
        match self.read_again() {
            Ok(()) => tracing::info!("the certificate was read anew"),
            // The two files are not written at once: in a minute they may belong together.
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "the certificate can't be used; the one before stays in use");
            }
        }
    }

    fn has_changed(&self) -> bool {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        written(&self.0.certificate, &self.0.key).is_ok_and(|written| written != current.written)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}

/// Two small files: reading them holds a thread up for less than handing them to another one would.
fn read(certificate: &Path, key: &Path) -> anyhow::Result<Current> {
    // First when, then what: a change in between is seen at the next look.
    let written = written(certificate, key)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("reading the certificate {}", certificate.display()))?;
    ensure!(!chain.is_empty(), "{} holds no certificate: give a PEM file with its chain", certificate.display());
    let private_key =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("reading the key {}", key.display()))?;
    // The provider by name: which one is rustls's own choice depends on the features of other crates.
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .with_context(|| format!("using {} with the key {}", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(Current { config: Arc::new(config), written })
}

fn written(certificate: &Path, key: &Path) -> anyhow::Result<Written> {
    let written = |path: &Path| {
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        modified.with_context(|| format!("looking at {}", path.display()))
    };
    Ok([written(certificate)?, written(key)?])
}
