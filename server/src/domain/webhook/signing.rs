//! How a receiver knows that a message is from this server: HMAC-SHA256 over its id, the time and its text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use time::OffsetDateTime;

use crate::domain::DeliveryId;

/// What a secret begins with, as people see it.
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// What the server signs a webhook's messages with. It never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret").finish_non_exhaustive()
    }
}

impl SigningSecret {
    /// A new one: 256 bits from the system's random source.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The one that is stored in these bytes.
    pub fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it is shown, once: `whsec_…`.
    pub fn shown(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    fn sign(&self, message_id: &str, timestamp: &str, body: &str) -> String {
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(&self.0).map_or_else(
            |_| String::new(),
            |mac| {
                let mac = mac.chain_update(message_id).chain_update(".").chain_update(timestamp).chain_update(".");
                format!("v1,{}", STANDARD.encode(mac.chain_update(body).finalize().into_bytes()))
            },
        )
    }
}

/// What a receiver knows a message by: `msg_…`.
pub fn message_id(id: DeliveryId) -> String {
    format!("msg_{}", id.0.simple())
}

/// A signed message's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `webhook-id`: the same however often the message is sent.
    pub message_id: String,
    /// `webhook-timestamp`: when it is sent, in seconds since 1970.
    pub timestamp: String,
    /// `webhook-signature`: one for each secret that is good, with spaces between.
    pub signatures: String,
}

impl Signature {
    /// Signs a message that is sent `now`, with all of these secrets.
    pub fn new<'s>(
        id: DeliveryId,
        now: OffsetDateTime,
        body: &str,
        secrets: impl IntoIterator<Item = &'s SigningSecret>,
    ) -> Self {
        let message_id = message_id(id);
        let timestamp = now.unix_timestamp().to_string();
        let each = secrets.into_iter().map(|secret| secret.sign(&message_id, &timestamp, body));
        let signatures = each.collect::<Vec<_>>().join(" ");
        Self { message_id, timestamp, signatures }
    }

    /// The headers by their names.
    pub fn headers(self) -> [(&'static str, String); 3] {
        [("webhook-id", self.message_id), ("webhook-timestamp", self.timestamp), ("webhook-signature", self.signatures)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks' own libraries.
    #[test]
    fn a_signature_is_what_receivers_compute() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed =
            SigningSecret::stored(key).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_random_recognisable_and_not_in_the_log() {
        let secret = SigningSecret::generate().unwrap();
        let shown = secret.shown();
        assert_eq!(STANDARD.decode(shown.strip_prefix("whsec_").unwrap()).unwrap(), secret.as_bytes());
        assert_eq!(secret.as_bytes().len(), 32);
        assert_ne!(shown, SigningSecret::generate().unwrap().shown());
        assert_eq!(format!("{secret:?}"), "SigningSecret { .. }");
    }

    #[test]
    fn a_message_is_signed_with_each_secret() {
        let (old, new) = (SigningSecret::generate().unwrap(), SigningSecret::generate().unwrap());
        let signature = Signature::new(DeliveryId::new(), OffsetDateTime::UNIX_EPOCH, "{}", [&new, &old]);
        let both = [new, old].map(|secret| secret.sign(&signature.message_id, "0", "{}"));
        assert_eq!(signature.signatures, both.join(" "));
    }
}
