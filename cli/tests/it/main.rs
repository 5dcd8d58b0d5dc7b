//! The real `otrace` against the real server.
//!
//! One file for each subject; [`workspace`] is the harness: a directory of its own, with a home of
//! its own and nothing of this machine's settings. [`sync_harness`] adds networks that can be cut.

mod errors;
mod init;
mod live_logs;
mod login;
mod login_browser;
mod login_servers;
mod offline;
mod run;
mod run_capture;
mod run_git;
mod run_spec;
mod run_token;
mod snapshot;
mod status;
mod sync;
mod sync_harness;
mod whoami;
mod workspace;
