//! Which files are never taken, by their names alone: keys, credentials, settings with passwords.
//!
//! It is better to leave out a harmless file, and to say so, than to send a key.

/// Whole names.
const NAMES: [&str; 25] = [
    ".boto",
    ".dockercfg",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".s3cfg",
    ".terraformrc",
    ".token",
    ".vault-token",
    ".yarnrc.yml",
    "_netrc",
    "auth.json",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "kaggle.json",
    "kubeconfig",
    "token",
    "token.json",
    "tokens.json",
];
/// Their ends.
const SUFFIXES: [&str; 16] = [
    ".asc", ".env", ".gpg", ".jks", ".kdbx", ".key", ".keystore", ".ovpn", ".p12", ".p8", ".pem", ".pfx", ".pgp",
    ".ppk", ".tfstate", ".tfvars",
];
/// Words anywhere in the name.
const WORDS: [&str; 10] = [
    "access_key",
    "accesskey",
    "api_key",
    "apikey",
    "credential",
    "passwd",
    "password",
    "private_key",
    "secret",
    "service-account",
];
/// Folders in which everything is one.
const FOLDERS: [&str; 10] =
    [".aws", ".azure", ".docker", ".gcloud", ".gnupg", ".kube", ".password-store", ".secrets", ".ssh", "secrets"];

/// Whether a file's path says that it may hold secrets.
pub fn is_likely(path: &str) -> bool {
    let path = path.trim_end_matches('/').to_lowercase();
    let mut parts: Vec<_> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    // `-` and `_` are the same to people.
    let spelled = name.replace('-', "_");
    name.starts_with(".env")
        || NAMES.contains(&name)
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        || WORDS.iter().any(|word| spelled.contains(&word.replace('-', "_")))
        || parts.iter().chain([&name]).any(|part| FOLDERS.contains(part) || part.starts_with(".env"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_credentials_are_known_by_their_names() {
        for path in [
            ".env",
            ".env.local",
            "deploy/.ENV",
            "prod.env",
            ".envrc",
            "id_rsa",
            "keys/server.pem",
            "a.KEY",
            ".netrc",
            "gcp-service-account.json",
            "client_secret_12.json",
            "AWS_Credentials.csv",
            ".ssh/config",
            "my-api-key.txt",
            "secrets/db.yaml",
            "secrets/",
            ".aws/x/y",
            "terraform.tfstate",
            "config/db-password.yml",
            "kaggle.json",
        ] {
            assert!(is_likely(path), "{path}");
        }
    }

    #[test]
    fn code_and_data_are_not() {
        for path in ["train.py", "tokenizer.json", "keyboard.py", "environment.yml", "src/env.py", "notes.md", "a/b/c"]
        {
            assert!(!is_likely(path), "{path}");
        }
    }
}
