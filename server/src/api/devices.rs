//! `otrace login` in the browser: a machine asks, waits for a person to approve, and gets a key.

use axum::extract::State;
use otrace_wire::device::{DeviceCode, DeviceCodeRequest, DeviceKey, DeviceToken, DeviceTokenRequest};
use otrace_wire::identity::{WhoamiAccount, WhoamiProject};

use super::answer::Answer;
use super::json::CleanJson;
use crate::app::AppState;
use crate::auth::Client;
use crate::domain::device_login::{self, LIFETIME};
use crate::error::Result;
use crate::services;
use crate::services::device_logins::Answered;

/// `POST /v1/device/code`: a machine asks for a key.
pub async fn ask(
    State(app): State<AppState>,
    client: Client,
    CleanJson(input): CleanJson<DeviceCodeRequest>,
) -> Result<Answer<DeviceCode>> {
    let asked = services::device_logins::ask(&app, &input.client, &input.machine, &client).await?;
    let user_code = device_login::shown(&asked.user_code);
    let verification_url = services::links::url(&app, "/device");
    Ok(Answer(DeviceCode {
        device_code: asked.device_code,
        verification_url_complete: format!("{verification_url}?code={user_code}"),
        verification_url,
        user_code,
        expires_in_seconds: LIFETIME.whole_seconds().unsigned_abs(),
        interval_seconds: device_login::INTERVAL_SECONDS,
    }))
}

/// `POST /v1/device/token`: a machine asks what became of its request. A decision is told once.
pub async fn poll(
    State(app): State<AppState>,
    client: Client,
    CleanJson(input): CleanJson<DeviceTokenRequest>,
) -> Result<Answer<DeviceToken>> {
    Ok(Answer(match services::device_logins::poll(&app, &input.device_code, &client).await? {
        Answered::Pending => DeviceToken::Pending,
        Answered::Denied => DeviceToken::Denied,
        Answered::Approved { key, project, account } => DeviceToken::Approved(DeviceKey {
            api_key: key,
            project: WhoamiProject { id: project.id.0, name: project.name, slug: project.slug },
            account: WhoamiAccount { email: account.email },
        }),
    }))
}
