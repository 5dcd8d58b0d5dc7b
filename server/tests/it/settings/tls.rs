//! The binary with a certificate of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client};
use tokio::time::timeout;

use super::binary::{Machine, Running, text_of};

/// A guard: nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a certificate for `localhost` and its key, and gives what trusts it.
fn renew(machine: &Machine) -> ([PathBuf; 2], Certificate) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let trusted = Certificate::from_pem(certificate.as_bytes()).unwrap();
    let files = [machine.file("certificate.pem", &certificate, 0o644), machine.file("key.pem", &key, 0o600)];
    (files, trusted)
}

/// What a client that trusts this certificate and no other is answered, on a new connection.
async fn status(server: &Running, trusted: &Certificate) -> reqwest::Result<u16> {
    let client = Client::builder().no_proxy().resolve("localhost", server.address).tls_certs_only([trusted.clone()]);
    let url = format!("https://localhost:{}/health/ready", server.address.port());
    client.build().unwrap().get(url).send().await.map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn a_server_with_a_certificate_speaks_tls_and_takes_a_renewed_one_when_told() {
    let machine = Machine::new().await;
    let (files, first) = renew(&machine);
    let [certificate, key] = files.each_ref().map(|file| file.to_str().unwrap());
    machine.script(&["secrets", "create"], "");
    let server = machine.serve(&[
        ("OTRACE_PRODUCTION", "true"),
        ("OTRACE_PUBLIC_URL", "https://localhost"),
        ("OTRACE_TLS_CERTIFICATE", certificate),
        ("OTRACE_TLS_KEY", key),
    ]);
    assert_eq!(status(&server, &first).await.unwrap(), 200);
    let mut health = machine.command(&["health", "--listen", &server.address.to_string()]);
    health.env("OTRACE_TLS_CERTIFICATE", certificate);
    let told = machine.run(health, "");
    assert!(told.status.success(), "{}", text_of(&told));

    let (_, second) = renew(&machine);
    server.hang_up();
    let is_taken = async { while status(&server, &second).await.is_err() {} };
    timeout(PATIENCE, is_taken).await.expect("the new certificate is used");
    status(&server, &first).await.unwrap_err();
    server.stop();
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused_in_production() {
    let machine = Machine::new().await;
    let ([certificate, key], _) = renew(&machine);
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let listen = ["serve", "--listen", "127.0.0.1:0", "--public-url", "https://localhost", "--production"];
    let mut command = machine.command(&listen);
    command.env("OTRACE_TLS_CERTIFICATE", certificate).env("OTRACE_TLS_KEY", key);
    let refused = machine.run(command, "");
    assert_eq!(refused.status.code(), Some(1));
    let told = text_of(&refused);
    assert!(told.contains("everybody on this machine can read the key of the certificate; close it: chmod"), "{told}");
}
