//! Logging in through the browser: a machine asks for a code, a person approves it on the server's
//! page, and the machine is handed a key.
//!
//! Our own CLI's addition. What holds a secret has no `Debug`, so that it comes into no log.

use serde::{Deserialize, Serialize};

use crate::identity::{WhoamiAccount, WhoamiProject};

/// `POST /v1/device/code`: somebody at this machine wants to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceCodeRequest {
    /// What asks, such as `otrace 0.2.0`. Shown to whoever approves.
    #[serde(default)]
    pub client: String,
    /// The machine's name. Shown to whoever approves.
    #[serde(default)]
    pub machine: String,
}

/// The answer: a code for the machine to ask with, and one for the person to compare.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceCode {
    /// What the machine asks with. A secret.
    pub device_code: String,
    /// What the person sees on both screens, such as `BCDF-GHJK`.
    pub user_code: String,
    /// The page to approve on.
    pub verification_url: String,
    /// The same page with the code filled in.
    pub verification_url_complete: String,
    /// How long both codes are good.
    pub expires_in_seconds: u64,
    /// How long the machine waits before it asks again.
    pub interval_seconds: u64,
}

/// `POST /v1/device/token`: has it been approved?
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceTokenRequest {
    /// The machine's code.
    pub device_code: String,
}

/// The answer, told apart by its `status`. A code that is unknown, expired or used up is not found.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum DeviceToken {
    /// Nobody has decided yet.
    Pending,
    /// Somebody has said no.
    Denied,
    /// Somebody has said yes. Told once.
    Approved(DeviceKey),
}

/// The key that was approved, and what it is for.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceKey {
    /// The project's API key.
    pub api_key: String,
    /// The project that was chosen.
    pub project: WhoamiProject,
    /// Who approved.
    pub account: WhoamiAccount,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(answer: serde_json::Value) -> DeviceToken {
        serde_json::from_value(answer).expect("a device token")
    }

    #[test]
    fn the_answer_is_told_by_its_status() {
        assert!(matches!(read(json!({"ok": true, "status": "pending"})), DeviceToken::Pending));
        assert!(matches!(read(json!({"ok": true, "status": "denied"})), DeviceToken::Denied));
        let project = json!({"id": "01990000-0000-7000-8000-000000000000", "name": "Wake word", "slug": "wake-word"});
        let approved = json!({
            "ok": true, "status": "approved", "api_key": "trc_x", "project": project,
            "account": {"email": "ada@example.org"},
        });
        let DeviceToken::Approved(key) = read(approved) else { panic!("not approved") };
        assert_eq!((key.api_key.as_str(), key.account.email.as_str()), ("trc_x", "ada@example.org"));
        assert_eq!(serde_json::to_value(DeviceToken::Pending).expect("JSON"), json!({"status": "pending"}));
    }
}
