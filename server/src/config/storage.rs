//! Where contents are kept.

use clap::Args;
use url::Url;

/// Where contents are kept: a folder, or a bucket by URL.
#[derive(Args, Clone, Debug, Default)]
pub struct StorageConfig {
    /// Where contents are kept: `file:///folder`, `s3://bucket/prefix`, `gs://bucket`, `az://container`
    /// [default: `blobs` in the data directory]. Credentials come from the store's usual environment variables.
    #[arg(long, env = "OTRACE_STORAGE_URL", value_name = "URL")]
    pub storage_url: Option<Url>,
}
