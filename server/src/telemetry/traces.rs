//! What became of each request, sent to an OpenTelemetry collector (OTLP, protobuf over HTTP).
//!
//! A span is a request, and its events are the statements that the database was asked, without their values. The
//! sampler and what else the SDK reads come from the standard variables, such as `OTEL_TRACES_SAMPLER`.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::{Layer, Registry};
use url::Url;

/// Under this name spans are told, which only the collector hears.
pub const TARGET: &str = "otrace_spans";

/// What sqlx tells of each statement.
const STATEMENTS: &str = "sqlx::query";

/// How long the collector may take.
const EXPORT_WITHIN: Duration = Duration::from_secs(10);

/// Sends traces, and what is left of them when it is dropped.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

/// Asks on the server's own runtime: the thread that sends has none.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { HttpClient::send_bytes(&client, request).await }).await?
    }
}

impl Traces {
    /// To the collector at this address, below which OTLP has its path.
    pub fn to(endpoint: &Url) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(EXPORT_WITHIN)
            .build()
            .context("making the HTTP client for traces")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OnRuntime { client, runtime: Handle::try_current()? })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
            .build()
            .with_context(|| format!("sending traces to {endpoint}: check --otlp-endpoint"))?;
        let resource = Resource::builder()
            .with_service_name("otrace-server")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build()))
    }

    /// What hears of spans and statements.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer::<Registry>()
            .with_tracer(self.0.tracer("otrace-server"))
            .with_location(false)
            .with_threads(false)
            .with_filter(
                filter_fn(|told| [TARGET, STATEMENTS].contains(&told.target())).with_max_level_hint(LevelFilter::DEBUG),
            )
            .boxed()
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// The span of the caller that these headers name, for the server's own to link to.
pub fn caller(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract(&HeaderExtractor(headers))
}
