//! Where contents are kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::secret_files;

/// What a bucket's own variables begin with.
const PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// The bucket variables that begin otherwise: a service account of Google's, and where an Azure machine signs in.
const OTHER_NAMES: [&str; 3] = ["SERVICE_ACCOUNT", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"];

/// Where contents are kept: a folder, or a bucket by URL.
#[derive(Args, Clone, Debug, Default)]
pub struct StorageConfig {
    /// Where contents are kept: `file:///folder`, `s3://bucket/prefix`, `gs://bucket`, `az://container`
    /// [default: `blobs` in the data directory]. Credentials come from the store's usual environment variables.
    #[arg(long, env = "OTRACE_STORAGE_URL", value_name = "URL")]
    pub storage_url: Option<Url>,
    /// Let clients put large contents into the bucket themselves, at addresses that the server signs: they have to
    /// reach it. S3 and Google's only.
    #[arg(long, env = "OTRACE_DIRECT_UPLOADS", value_name = "BOOL", num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub direct_uploads: bool,
    /// What the bucket's usual environment variables say.
    #[arg(skip = StoreVariables::from_environment())]
    pub variables: StoreVariables,
}

impl StorageConfig {
    /// The folder of contents; `None`: they are kept in a bucket.
    pub fn folder(&self, data_dir: &Path) -> anyhow::Result<Option<PathBuf>> {
        match &self.storage_url {
            None => Ok(Some(data_dir.join("blobs"))),
            Some(url) if url.scheme() == "file" => {
                url.to_file_path().map(Some).ok().with_context(|| format!("{url} is no folder; write file:///folder"))
            }
            Some(_) => Ok(None),
        }
    }

    /// The same with the secrets that variables such as `AWS_SECRET_ACCESS_KEY_FILE` leave to files.
    pub fn with_secrets_of_files(&self) -> anyhow::Result<Self> {
        let mut config = self.clone();
        for variable in secret_files::OF_BUCKETS {
            let name = variable.to_ascii_lowercase();
            let Some(path) = self.variables.get(&format!("{name}_file")) else { continue };
            ensure!(
                self.variables.get(&name).is_none(),
                "{variable} and {variable}_FILE are both set; leave one of them out"
            );
            let secret = secret_files::read(variable, Path::new(path))?;
            config.variables.0.push((name, secret.into()));
        }
        Ok(config)
    }
}

/// A bucket's usual variables, such as `AWS_ENDPOINT` and `AWS_SECRET_ACCESS_KEY`; their values are never shown.
///
/// Only those: the libraries of the buckets also take `TOKEN`, `TIMEOUT` or `ENDPOINT` for theirs, which in an
/// environment mean anything.
#[derive(Clone, Debug, Default)]
pub struct StoreVariables(Vec<(String, SecretString)>);

impl StoreVariables {
    /// Those of this process.
    pub fn from_environment() -> Self {
        let variables = std::env::vars_os();
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
    }

    /// Their names in small letters, and their values.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }

    /// The value of one, by its name in small letters.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all().find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

impl FromIterator<(String, String)> for StoreVariables {
    /// Takes a bucket's variables and leaves the others. An empty one says nothing.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        let of_a_bucket =
            |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || OTHER_NAMES.contains(&name);
        let chosen = variables.into_iter().filter(|(name, value)| of_a_bucket(name) && !value.is_empty());
        Self(chosen.map(|(name, value)| (name.to_ascii_lowercase(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> StoreVariables {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_is_a_buckets_is_taken() {
        let taken = variables(&[
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT", ""),
            ("TOKEN", "of something else"),
            ("TIMEOUT", "1"),
            ("ENDPOINT", "http://elsewhere"),
            ("SERVICE_ACCOUNT", "/etc/account.json"),
        ]);
        let taken: Vec<_> = taken.all().collect();
        assert_eq!(taken, [("aws_region", "eu-central-1"), ("service_account", "/etc/account.json")]);
    }

    #[test]
    fn a_buckets_secret_may_come_from_a_file_and_from_one_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hush\n").unwrap();
        let of = |all: &[(&str, &str)]| {
            StorageConfig { variables: variables(all), ..StorageConfig::default() }.with_secrets_of_files()
        };
        let file = ("AWS_SECRET_ACCESS_KEY_FILE", path.to_str().unwrap());
        assert_eq!(of(&[file]).unwrap().variables.get("aws_secret_access_key"), Some("hush"));
        let twice = of(&[file, ("AWS_SECRET_ACCESS_KEY", "hush")]).unwrap_err();
        assert!(twice.to_string().contains("AWS_SECRET_ACCESS_KEY_FILE are both set"), "{twice}");
    }

    #[test]
    fn the_settings_show_no_secret() {
        let variables = variables(&[("AWS_SECRET_ACCESS_KEY", "hush")]);
        assert_eq!(variables.get("aws_secret_access_key"), Some("hush"));
        let shown = format!("{:?}", StorageConfig { variables, ..StorageConfig::default() });
        assert!(shown.contains("aws_secret_access_key") && !shown.contains("hush"), "{shown}");
    }
}
