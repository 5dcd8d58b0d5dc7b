//! Trace's server: accounts, projects, run records, artifacts, and the pages that show them.
//!
//! The rooms, from the outside in (`docs/architecture.md` says who may touch what):
//!
//! - [`routes`] is the whole URL table; [`serve`] accepts connections; [`middleware`] wraps each request.
//! - [`api`] speaks JSON, [`web`] speaks HTML. Both are thin: extract, one service call, answer. Contents they both
//!   answer with [`content_response`]. [`mcp`] offers tools to agents, as thin as they are.
//! - [`auth`] tells who asks: extractors that a handler's signature names.
//! - [`openapi`] tells machines what the API takes and answers.
//! - [`services`] are the verbs; they begin and commit. [`store`] is SQL, [`blobs`] are contents.
//! - [`providers`] let other sites vouch for a person, [`mail`] sends letters, [`tokens`] is what is signed
//!   and checked without a look-up, [`limits`] keep how often anything may be done. [`outbound`] calls addresses
//!   that people chose.
//! - [`domain`] are the nouns and rules, pure.
//! - [`live`] tells open pages what happens; [`database`] is the connection, and the private PostgreSQL.

pub mod api;
pub mod app;
pub mod auth;
pub mod blobs;
pub mod clock;
pub mod commands;
pub mod config;
mod content_response;
pub mod database;
pub mod domain;
pub mod error;
pub mod extract;
pub mod limits;
pub mod live;
pub mod mail;
pub mod mcp;
pub mod middleware;
pub mod openapi;
pub mod outbound;
pub mod providers;
pub mod routes;
pub mod serve;
pub mod services;
pub mod store;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tokens;
pub mod web;
