//! HTTP/2 and TLS.

use std::fs;

use otrace_server::serve::Tls;
use reqwest::{Client, Version};
use tempfile::TempDir;

use super::{Site, client, page, read_to_close};

/// A certificate for `localhost` that trusts itself, in two files.
pub(super) struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub(super) fn new() -> Self {
        let certificate = Self { folder: tempfile::tempdir().unwrap() };
        certificate.renew();
        certificate
    }

    /// Replaces it by another one.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(self.folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    pub(super) fn tls(&self) -> Tls {
        Tls::open(&self.folder.path().join("certificate.pem"), &self.folder.path().join("key.pem")).unwrap()
    }

    /// A client that trusts the certificate as it is now, and nothing else.
    fn trusted_by(&self, site: &Site) -> reqwest::ClientBuilder {
        let pem = fs::read(self.folder.path().join("certificate.pem")).unwrap();
        let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
        Client::builder().no_proxy().resolve("localhost", site.address).tls_certs_only([trusted])
    }
}

#[tokio::test]
async fn http2_is_spoken_in_the_clear_to_who_knows_that_it_is() {
    let site = Site::start(|_| {}).await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    let url = format!("http://{}", site.address);
    let answer = http2.get(&url).send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "hello");
    let sent = http2.post(format!("{url}/upload")).body(vec![0; 300_000]).send().await.unwrap();
    assert_eq!(sent.text().await.unwrap(), "300000");
    let large = http2.get(format!("{url}/page")).send().await.unwrap();
    assert_eq!(large.content_length(), Some(100_000));
    assert!(large.text().await.unwrap() == page(), "its pieces come in order");
}

#[tokio::test]
async fn tls_clients_choose_between_http2_and_http1() {
    let certificate = Certificate::new();
    let site = Site::start(|server| server.tls = Some(certificate.tls())).await;
    let url = format!("https://localhost:{}", site.address.port());
    for (client, version) in [
        (certificate.trusted_by(&site), Version::HTTP_2),
        (certificate.trusted_by(&site).http1_only(), Version::HTTP_11),
    ] {
        let answer = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "hello");
    }
    // In the clear there is nothing to be had.
    let mut plain = site.sent("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!read_to_close(&mut plain).await.contains("hello"));
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_one_that_does_not_fit_its_key_is_not() {
    let certificate = Certificate::new();
    let tls = certificate.tls();
    let site = Site::start(|server| server.tls = Some(tls.clone())).await;
    let url = format!("https://localhost:{}", site.address.port());
    // A connection each: what is open goes on with what it began with.
    let get = async |client: reqwest::ClientBuilder| client.build().unwrap().get(&url).send().await;
    let old = fs::read(certificate.folder.path().join("certificate.pem")).unwrap();
    get(certificate.trusted_by(&site)).await.unwrap();

    certificate.renew();
    get(certificate.trusted_by(&site)).await.unwrap_err();
    tls.read_again().unwrap();
    get(certificate.trusted_by(&site)).await.unwrap();

    // Half of a renewal: the certificate before, with the new key.
    let new = fs::read(certificate.folder.path().join("certificate.pem")).unwrap();
    fs::write(certificate.folder.path().join("certificate.pem"), old).unwrap();
    let refused = format!("{:#}", tls.read_again().unwrap_err());
    assert!(refused.contains("certificate.pem") && refused.contains("key.pem"), "{refused}");
    fs::write(certificate.folder.path().join("certificate.pem"), new).unwrap();
    get(certificate.trusted_by(&site)).await.unwrap();
}

#[test]
fn a_certificate_that_is_none_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    let refused = || format!("{:#}", Tls::open(&certificate, &key).unwrap_err());
    assert!(refused().contains("looking at") && refused().contains("certificate.pem"), "{}", refused());
    fs::write(&certificate, "no certificate").unwrap();
    fs::write(&key, "no key").unwrap();
    assert!(refused().contains("holds no certificate: give a PEM file with its chain"), "{}", refused());
}

#[tokio::test]
async fn the_name_that_a_request_is_for_is_told_alike_in_http1_and_http2() {
    let site = Site::start(|_| {}).await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    let address = site.address;
    let told = http2.get(format!("http://{address}/a?b=c")).send().await.unwrap().text().await.unwrap();
    assert_eq!(told, format!("{address} /a?b=c"));
    // An address with a name counts for more than `Host`.
    let request = "GET http://one.example/a HTTP/1.1\r\nhost: two.example\r\nconnection: close\r\n\r\n";
    let told = read_to_close(&mut site.sent(request).await).await;
    assert!(told.ends_with("\r\n\r\none.example /a"), "{told}");
}
