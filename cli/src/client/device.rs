//! The requests of a login through the browser, and of its end. Nobody needs a key for them.

use otrace_wire::device::{DeviceCode, DeviceCodeRequest, DeviceToken, DeviceTokenRequest};
use otrace_wire::paths;
use reqwest::{Method, StatusCode};
use serde::de::IgnoredAny;
use serde_json::json;

use super::Client;
use crate::error::Result;
use crate::settings::ApiKey;

/// How servers answer that know of no such path, and those that ask everybody for a key first.
const UNKNOWN: [StatusCode; 3] = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::UNAUTHORIZED];

impl Client {
    /// Asks for a code to be approved. Nothing, if the server does not know of such codes.
    pub async fn device_code(&self, machine: &DeviceCodeRequest) -> Result<Option<DeviceCode>> {
        let request = self.built(self.request(Method::POST, paths::DEVICE_CODE).json(machine))?;
        let response = self.answer(&request, None, None).await?;
        if UNKNOWN.contains(&response.status()) {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }

    /// Asks whether it has been approved. Nothing, if the code is no longer good.
    pub async fn device_token(&self, device_code: &str) -> Result<Option<DeviceToken>> {
        let code = DeviceTokenRequest { device_code: device_code.to_owned() };
        let request = self.built(self.request(Method::POST, paths::DEVICE_TOKEN).json(&code))?;
        let response = self.answer(&request, None, None).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }

    /// Has a key end, which whoever holds it may ask for. Says whether the server takes that at all.
    pub async fn revoke_key(&self, key: &ApiKey) -> Result<bool> {
        let body = json!({ "token": key.expose(), "is_logout": true });
        let request = self.built(self.request(Method::POST, paths::KEYS_REVOKE).json(&body))?;
        let response = self.answer(&request, None, None).await?;
        if UNKNOWN.contains(&response.status()) {
            return Ok(false);
        }
        let _: IgnoredAny = self.read(response).await?;
        Ok(true)
    }
}
