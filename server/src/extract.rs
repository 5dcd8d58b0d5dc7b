//! axum's extractors, with refusals that our routers can render.
//!
//! axum answers what it can't read in plain text; these say it as [`AppError`], so that the API
//! answers in JSON and a page with a page.

use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app::AppState;
use crate::error::AppError;

/// What a URL names. A name that can be nothing here is not found.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// What stands behind the `?` of a URL.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// What a form sends.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let found = extract::Path::from_request_parts(parts, app).await;
        found.map(|extract::Path(names)| Self(names)).map_err(|_| AppError::NotFound("Page"))
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let found = extract::Query::from_request_parts(parts, app).await;
        let found = found.map(|extract::Query(fields)| Self(fields));
        found.map_err(|_| {
            AppError::invalid("What stands behind the ? of the address can't be read. Open the page anew.")
        })
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Form<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, AppError> {
        match extract::Form::from_request(request, app).await {
            Ok(extract::Form(fields)) => Ok(Self(fields)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let limit_bytes = crate::routes::FORM_MAX_BYTES as u64;
                Err(AppError::TooLarge { limit_bytes, hint: "Shorten the text and send it again" })
            }
            Err(_) => Err(AppError::invalid("The form can't be read. Open the page anew and send it again.")),
        }
    }
}
