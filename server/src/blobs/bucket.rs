//! A bucket, opened by URL: what its variables say, and how long it is waited for.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use otrace_wire::contents::PART_BYTES;
use url::{Host, Url};

use super::direct::Direct;
use crate::config::StorageConfig;

/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long writing one object may take: at 128 KiB/s, and half a minute besides.
const WRITE_TIME: Duration = Duration::from_secs(PART_BYTES / (128 * 1024) + 30);

/// How long a bucket may be silent while it is read.
const READ_TIME: Duration = Duration::from_secs(30);

/// How often a request is repeated, and for how long at most.
const RETRIES: usize = 5;
const RETRY_TIME: Duration = Duration::from_mins(1);

/// A kind of bucket's variables: those that name its endpoint, the one that wins first, and the one that allows plain
/// HTTP to it.
struct Endpoint {
    names: &'static [&'static str],
    allow_http: &'static str,
}

const S3: Endpoint =
    Endpoint { names: &["aws_endpoint_url_s3", "aws_endpoint_url", "aws_endpoint"], allow_http: "aws_allow_http" };
const GOOGLE: Endpoint = Endpoint { names: &["google_base_url"], allow_http: "google_allow_http" };
const AZURE: Endpoint =
    Endpoint { names: &["azure_storage_endpoint", "azure_endpoint"], allow_http: "azure_allow_http" };

/// Opens a bucket to write to: each request ends after the time that an object may take.
///
/// No limit on silence here: the client counts the time in which an object still goes out as silence of the bucket's.
pub(super) fn for_writing(url: &Url, config: &StorageConfig) -> anyhow::Result<Arc<dyn ObjectStore>> {
    open(url, config, ClientOptions::new().with_timeout(WRITE_TIME))
}

/// Opens a bucket to read from: a content may take as long as whoever reads it, only silence has an end.
pub(super) fn for_reading(url: &Url, config: &StorageConfig) -> anyhow::Result<Arc<dyn ObjectStore>> {
    open(url, config, ClientOptions::new().with_timeout_disabled().with_read_timeout(READ_TIME))
}

/// Opens a bucket for addresses at which clients put contents themselves.
pub(super) fn for_clients(url: &Url, config: &StorageConfig) -> anyhow::Result<Direct> {
    let (signer, prefix) = open_signer(url, config)?;
    Ok(Direct::new(signer, prefix))
}

/// A builder that knows where and how patiently, and of the variables those that are its own.
macro_rules! build {
    ($builder:expr, $url:expr, $options:expr, $config:expr) => {{
        let builder = $builder.with_url($url.as_str()).with_retry(retries()).with_client_options($options);
        let builder = $config.variables.all().fold(builder, |builder, (name, value)| match name.parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        });
        Arc::new(builder.build()?)
    }};
}

fn open(url: &Url, config: &StorageConfig, options: ClientOptions) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let options = options.with_connect_timeout(CONNECT_TIME);
    let (scheme, prefix) = ObjectStoreScheme::parse(url)?;
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            build!(s3(), url, options.with_allow_http(S3.is_at_this_machine(config)?), config)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let options = options.with_allow_http(GOOGLE.is_at_this_machine(config)?);
            build!(GoogleCloudStorageBuilder::new(), url, options, config)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let options = options.with_allow_http(AZURE.is_at_this_machine(config)?);
            build!(MicrosoftAzureBuilder::new(), url, options, config)
        }
        _ => bail!("contents can't be kept there; write file:///folder, s3://bucket, gs://bucket or az://container"),
    };
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

fn open_signer(url: &Url, config: &StorageConfig) -> anyhow::Result<(Arc<dyn Signer>, Path)> {
    let options = ClientOptions::new().with_connect_timeout(CONNECT_TIME);
    let (scheme, prefix) = ObjectStoreScheme::parse(url)?;
    let signer: Arc<dyn Signer> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            build!(s3(), url, options.with_allow_http(S3.is_at_this_machine(config)?), config)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let options = options.with_allow_http(GOOGLE.is_at_this_machine(config)?);
            build!(GoogleCloudStorageBuilder::new(), url, options, config)
        }
        _ => {
            bail!("clients can put contents only into S3 and Google's buckets themselves; unset OTRACE_DIRECT_UPLOADS")
        }
    };
    Ok((signer, prefix))
}

fn s3() -> AmazonS3Builder {
    AmazonS3Builder::new().with_checksum_algorithm(Checksum::SHA256)
}

fn retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_TIME }
}

impl Endpoint {
    /// Whether it is at this machine and spoken to over plain HTTP, which nobody overhears there.
    fn is_at_this_machine(&self, config: &StorageConfig) -> anyhow::Result<bool> {
        let named = self.names.iter().find_map(|name| Some((name, config.variables.get(name)?)));
        let Some((name, endpoint)) = named else { return Ok(false) };
        let name = name.to_ascii_uppercase();
        let endpoint = Url::parse(endpoint).with_context(|| format!("{name} is no URL; write https://host"))?;
        if endpoint.scheme() != "http" {
            return Ok(false);
        }
        let local = match endpoint.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        ensure!(
            local || config.variables.get(self.allow_http).is_some(),
            "{name} is plain HTTP, and others could read what is stored: write https://…, or set {}=true where \
             everybody on the network may read it",
            self.allow_http.to_ascii_uppercase()
        );
        Ok(local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(url: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = StorageConfig { variables, ..StorageConfig::default() };
        let url = url.parse().unwrap();
        let opened = for_reading(&url, &config).and_then(|_| for_writing(&url, &config));
        opened.map(|store| store.to_string()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn every_kind_of_bucket_opens_with_its_own_variables() {
        let s3 = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        assert!(opened("s3://bucket/some/prefix", &s3).unwrap().contains("some/prefix"));
        let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")];
        opened("az://container", &azure).unwrap();
        opened("gs://bucket", &[("GOOGLE_SKIP_SIGNATURE", "true")]).unwrap();
    }

    #[test]
    fn half_of_the_credentials_are_refused_at_once() {
        let refused = opened("s3://bucket", &[("AWS_ACCESS_KEY_ID", "key")]).unwrap_err();
        assert!(refused.to_ascii_lowercase().contains("secret"), "{refused}");
    }

    #[test]
    fn plain_http_is_for_this_machine_unless_it_is_allowed() {
        let s3 = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let at = |more: &[(&str, &str)]| opened("s3://bucket", &[&s3[..], more].concat());
        for endpoint in
            ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000", "https://s3.example.org"]
        {
            at(&[("AWS_ENDPOINT", endpoint)]).unwrap();
        }
        let refused = at(&[("AWS_ENDPOINT_URL", "http://s3.example.org")]).unwrap_err();
        assert!(refused.contains("AWS_ALLOW_HTTP=true"), "{refused}");
        at(&[("AWS_ENDPOINT_URL", "http://s3.example.org"), ("AWS_ALLOW_HTTP", "true")]).unwrap();
        let refused = at(&[("AWS_ENDPOINT", "minio")]).unwrap_err();
        assert!(refused.contains("AWS_ENDPOINT is no URL"), "{refused}");
    }

    #[test]
    fn plain_http_to_the_other_kinds_is_for_this_machine_too() {
        let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "account"), ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")];
        let google = [("GOOGLE_SKIP_SIGNATURE", "true")];
        for (url, variables, endpoint, allow) in [
            ("az://container", &azure[..], "AZURE_STORAGE_ENDPOINT", "AZURE_ALLOW_HTTP"),
            ("az://container", &azure[..], "AZURE_ENDPOINT", "AZURE_ALLOW_HTTP"),
            ("gs://bucket", &google[..], "GOOGLE_BASE_URL", "GOOGLE_ALLOW_HTTP"),
        ] {
            let at = |more: &[(&str, &str)]| opened(url, &[variables, more].concat());
            at(&[(endpoint, "http://127.0.0.1:10000/account")]).unwrap();
            at(&[(endpoint, "https://store.example.org")]).unwrap();
            let refused = at(&[(endpoint, "http://store.example.org")]).unwrap_err();
            assert!(refused.contains(&format!("{allow}=true")) && refused.contains(endpoint), "{refused}");
            at(&[(endpoint, "http://store.example.org"), (allow, "true")]).unwrap();
        }
    }

    #[test]
    fn what_is_no_store_or_forgets_everything_is_refused() {
        for url in ["memory:///", "http://example.org/contents", "ftp://example.org"] {
            opened(url, &[]).unwrap_err();
        }
    }
}
