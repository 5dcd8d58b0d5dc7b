//! The server's tests, in one binary: real PostgreSQL, real router, real sockets where they matter.
//!
//! Each test says what it tests in a sentence. The kit is `otrace_server::testing`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod access_matrix;
mod accounts;
mod backup;
mod bad_input;
mod browser;
mod cluster;
mod command_line;
mod connections;
mod contents;
mod deploy;
mod details;
mod docs;
mod doctor;
mod faults;
mod house_rules;
mod identity;
mod imports;
mod keys;
mod limits;
mod live;
mod live_logs;
mod mail;
mod mcp;
mod metrics;
mod migrations;
mod notes;
mod openapi;
mod page_pass;
mod pages;
mod provider_sign_in;
mod providers;
mod published_client;
mod query;
mod runs;
mod saved_views;
mod series;
mod settings;
mod space;
mod stores;
mod team;
mod tokens;
mod webhooks;
