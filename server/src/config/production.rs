//! What is unsafe to serve with: always, and for a server that others rely on.
//!
//! Each is told in one sentence that says what to do. `--production` refuses all of it, and `otrace-server doctor`
//! tells it beforehand.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::bail;

use super::Config;
use super::secret_files::SecretFile;

/// What the server itself closes to others, in the data directory.
const CLOSED: [&str; 3] = ["blobs", "postgres", "secrets"];

/// Refuses to serve with what is unsafe, and with `--production` also with what is unsafe there. The address that the
/// server listens on must be settled.
///
/// `files`: those that secrets come from; `flags`: those of secrets on the command line.
pub fn refuse_unsafe(config: &Config, files: &[SecretFile], flags: &[String]) -> anyhow::Result<()> {
    let mut sentences = unsafe_anywhere(config)?;
    if config.production {
        sentences.extend(unsafe_in_production(config, files, flags));
    }
    match sentences.as_slice() {
        [] => Ok(()),
        [sentence] => bail!("{sentence}"),
        all => bail!("this is not safe to serve with:\n- {}", all.join("\n- ")),
    }
}

/// What no server starts with. Settings that can't be are refused.
pub fn unsafe_anywhere(config: &Config) -> anyhow::Result<Vec<String>> {
    let providers = config.sign_in.providers()?;
    let is_open = !config.is_https() && !config.is_local_only();
    let label = providers.first().map(|provider| provider.label.as_str()).filter(|_| is_open);
    let mut sentences = Vec::new();
    if is_open && !config.http.insecure_http {
        sentences.push(
            "others would send passwords and keys over plain HTTP; put TLS in front and set OTRACE_PUBLIC_URL to the \
             https:// address, give the server a certificate with --tls-certificate, or say --insecure-http where \
             everybody on the network may read them"
                .to_owned(),
        );
    }
    if let Some(key) = &config.http.tls_key
        && mode(key).is_some_and(|mode| mode & 0o022 != 0)
    {
        let shown = key.display();
        sentences.push(format!("others can change the key of the certificate; close it: chmod go-w {shown}"));
    }
    if let Some(label) = label {
        sentences.push(format!(
            "people who sign in through {label} would come back over plain HTTP, where others could take their place; \
             put TLS in front and set OTRACE_PUBLIC_URL to the https:// address"
        ));
    }
    Ok(sentences)
}

/// What is unsafe besides where others rely on the server.
pub fn unsafe_in_production(config: &Config, files: &[SecretFile], flags: &[String]) -> Vec<String> {
    let mut sentences = Vec::new();
    if !config.is_https() {
        let url = config.public_url_str();
        sentences.push(format!(
            "the public URL is {url}; put TLS in front, or give the server a certificate, and set OTRACE_PUBLIC_URL to \
             the https:// address that people open"
        ));
    }
    if config.http.insecure_http {
        sentences.push("plain HTTP is allowed; leave --insecure-http (OTRACE_INSECURE_HTTP) out".to_owned());
    }
    for flag in flags {
        sentences.push(format!(
            "{flag} is on the command line, which everybody on this machine can see; set its variable, or name a file \
             with it"
        ));
    }
    for SecretFile { variable, path } in files {
        if mode(path).is_some_and(|mode| mode & 0o007 != 0) {
            let shown = path.display();
            sentences
                .push(format!("everybody on this machine can read {variable}_FILE; close it: chmod o-rwx {shown}"));
        }
    }
    if let Some(key) = &config.http.tls_key
        && mode(key).is_some_and(|mode| mode & 0o007 != 0)
    {
        let shown = key.display();
        sentences.push(format!(
            "everybody on this machine can read the key of the certificate; close it: chmod o-rwx {shown}"
        ));
    }
    let data_dir = config.database.data_dir();
    let keys = config.secrets.signing_keys_file(&data_dir);
    // Where it can't be looked at, opening it says why.
    if matches!(keys.try_exists(), Ok(false)) {
        let shown = keys.display();
        sentences.push(format!(
            "there are no signing keys in {shown}; bring those of this server's other machines or of its backup, or make \
             them as the user that runs it: otrace-server secrets create --signing-keys-file {shown}"
        ));
    }
    if mode(&data_dir).is_some_and(|mode| mode & 0o022 != 0) {
        let shown = data_dir.display();
        sentences.push(format!("others can change the data directory; close it: chmod go-w {shown}"));
    }
    for folder in CLOSED.map(|name| data_dir.join(name)) {
        if mode(&folder).is_some_and(|mode| mode & 0o077 != 0) {
            let shown = folder.display();
            sentences.push(format!("others can look into {shown}; close it: chmod go-rwx {shown}"));
        }
    }
    sentences
}

/// Who may do what with a file or folder; `None` where there is none.
fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.mode())
}

#[cfg(test)]
mod tests {
    use std::fs::{DirBuilder, Permissions};
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    fn config(data_dir: &Path, more: &[&str]) -> Config {
        let data_dir = data_dir.to_str().unwrap();
        let arguments = ["serve", "--listen", "0.0.0.0:8000", "--data-dir", data_dir];
        let mut config = Command::try_parse_from(arguments.iter().chain(more)).unwrap().config;
        config.http.settle(config.http.listen);
        config
    }

    /// The settings of a server for others, and a folder that is closed as the server closes it.
    fn safe(more: &[&str]) -> (Config, TempDir) {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        DirBuilder::new().mode(0o700).create(folder.path().join("secrets")).unwrap();
        fs::write(folder.path().join("secrets/signing-keys"), "keys").unwrap();
        let config = config(folder.path(), &[&["--public-url", "https://trace.example.org"][..], more].concat());
        (config, folder)
    }

    #[test]
    fn a_server_behind_tls_with_closed_files_is_safe() {
        let (config, folder) = safe(&["--production"]);
        let file = folder.path().join("url");
        fs::write(&file, "postgres:///x").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o440)).unwrap();
        let files = [SecretFile { variable: "DATABASE_URL".to_owned(), path: file }];
        refuse_unsafe(&config, &files, &[]).unwrap();
    }

    #[test]
    fn each_unsafe_thing_is_told_with_what_to_do() {
        let folder = TempDir::new().unwrap();
        let http = config(folder.path(), &["--insecure-http", "--production"]);
        let told = refuse_unsafe(&http, &[], &["--smtp-url".to_owned()]).unwrap_err().to_string();
        for sentence in [
            "set OTRACE_PUBLIC_URL",
            "leave --insecure-http",
            "--smtp-url is on the command line",
            "there are no signing keys",
        ] {
            assert!(told.contains(sentence), "{sentence}: {told}");
        }

        let (config, folder) = safe(&["--production"]);
        let secret = folder.path().join("url");
        fs::write(&secret, "postgres:///x").unwrap();
        let blobs = folder.path().join("blobs");
        fs::create_dir(&blobs).unwrap();
        for (path, mode) in [(folder.path(), 0o777), (secret.as_path(), 0o604), (blobs.as_path(), 0o750)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let files = [SecretFile { variable: "DATABASE_URL".to_owned(), path: secret }];
        let told = refuse_unsafe(&config, &files, &[]).unwrap_err().to_string();
        for sentence in ["chmod go-w", "chmod o-rwx", "chmod go-rwx"] {
            assert!(told.contains(sentence), "{sentence}: {told}");
        }
    }

    #[test]
    fn sign_in_through_others_never_comes_back_over_plain_http() {
        let folder = TempDir::new().unwrap();
        let github = ["--insecure-http", "--github-client-id", "id", "--github-client-secret", "s", "--public-url"];
        let with = |url: &'static str, listen: &'static str| {
            let mut config = config(folder.path(), &[&github[..], &[url]].concat());
            config.http.settle(listen.parse().unwrap());
            refuse_unsafe(&config, &[], &[]).map_err(|error| error.to_string())
        };
        let refused = with("http://trace.example.org", "0.0.0.0:8000").unwrap_err();
        assert!(refused.starts_with("people who sign in through GitHub"), "{refused}");
        with("https://trace.example.org", "0.0.0.0:8000").unwrap();
        with("http://localhost:8000", "127.0.0.1:8000").unwrap();
    }
}
