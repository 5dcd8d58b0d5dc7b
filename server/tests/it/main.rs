//! The server's tests, in one binary: real PostgreSQL, real router, real sockets where they matter.
//!
//! Each test says what it tests in a sentence. The kit is `otrace_server::testing`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod access_matrix;
mod accounts;
mod bad_input;
mod browser;
mod command_line;
mod contents;
mod details;
mod house_rules;
mod keys;
mod live;
mod migrations;
mod pages;
mod published_client;
mod runs;
