//! The real `otrace` against the real server.
//!
//! One file for each subject; [`workspace`] is the harness: a directory of its own, with a home of
//! its own and nothing of this machine's settings.

mod errors;
mod init;
mod login;
mod login_browser;
mod login_servers;
mod run;
mod run_capture;
mod run_git;
mod run_spec;
mod run_token;
mod whoami;
mod workspace;
