//! `/metrics` for Prometheus, on a listener of its own: numbers are for whoever runs the server, and never leave by its
//! public port.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval, sleep, timeout};

use super::metrics::install;
use super::process;
use crate::app::AppState;
use crate::config::TelemetryConfig;
use crate::store;

/// A request's head must be there within this time; an idle connection is closed after it as well.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// So many ask at once.
const CONNECTIONS_MAX: usize = 16;
/// The samples of histograms are put into their buckets so often, also while nobody asks.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// The database is waited for so long: who asks for numbers should get them, above all when it is away.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gathers numbers, and shows them to who asks for `/metrics`.
#[derive(Debug)]
pub struct Exporter {
    listener: TcpListener,
    exported: PrometheusHandle,
}

impl Exporter {
    /// Opens the listener that the settings name, if they do, and begins to gather numbers.
    pub async fn open(config: &TelemetryConfig, now: OffsetDateTime) -> anyhow::Result<Option<Self>> {
        let Some(address) = config.metrics_listen else { return Ok(None) };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("listening on {address} for metrics: is it taken? Choose another with --metrics-listen")
        })?;
        let exported = install()?;
        gauge!("otrace_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!("process_start_time_seconds").set(number(now.unix_timestamp().unsigned_abs()));
        tracing::info!(address = %listener.local_addr()?, "metrics are served at /metrics");
        Ok(Some(Self { listener, exported }))
    }

    /// Answers for as long as the server runs.
    pub async fn serve(self, app: AppState) {
        let Self { listener, exported } = self;
        tokio::spawn(tidy(exported.clone()));
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection for metrics");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let connection = answer_on(stream, exported.clone(), app.clone());
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection for metrics ended early");
                }
                drop(place);
            });
        }
    }
}

async fn tidy(exported: PrometheusHandle) {
    let mut ticks = interval(TIDY_EVERY);
    loop {
        ticks.tick().await;
        exported.run_upkeep();
    }
}

async fn answer_on(stream: TcpStream, exported: PrometheusHandle, app: AppState) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let (exported, app) = (exported.clone(), app.clone());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        async move { Ok::<_, Infallible>(answer(&method, &path, &exported, &app).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer(method: &Method, path: &str, exported: &PrometheusHandle, app: &AppState) -> Response<String> {
    let (status, format, text) = if path != "/metrics" {
        (StatusCode::NOT_FOUND, "text/plain", "Only /metrics is here.\n".to_owned())
    } else if method != Method::GET {
        (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "Ask for /metrics with GET.\n".to_owned())
    } else {
        look(app).await;
        (StatusCode::OK, FORMAT, exported.render())
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format));
    response
}

/// Looks at what is not counted while it happens.
async fn look(app: &AppState) {
    process::look();
    let began = Instant::now();
    let connection = timeout(ANSWER_WITHIN, app.pool.acquire()).await;
    gauge!("otrace_database_acquire_seconds").set(began.elapsed().as_secs_f64());
    gauge!("otrace_database_up").set(f64::from(u8::from(matches!(connection, Ok(Ok(_))))));
    if let Ok(Ok(mut connection)) = connection
        && let Ok(Ok(waiting)) = timeout(ANSWER_WITHIN, store::webhooks::deliveries::waiting(&mut connection)).await
    {
        gauge!("otrace_webhook_deliveries_waiting").set(number(waiting.unsigned_abs()));
    }
    gauge!("otrace_database_connections").set(app.pool.size());
    gauge!("otrace_database_connections_idle").set(number(app.pool.num_idle() as u64));
    gauge!("otrace_database_connections_max").set(app.pool.options().get_max_connections());
    gauge!("otrace_mail_letters_waiting").set(number(app.mailer.waiting() as u64));
}

/// A whole number as Prometheus takes it.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers, and nothing here reaches 2⁵³")]
pub(super) fn number(value: u64) -> f64 {
    value as f64
}
