//! The real `otrace` against the real server.
//!
//! One file for each subject; [`workspace`] is the harness: a directory of its own, with a home of
//! its own and nothing of this machine's settings. [`sync_harness`] adds networks that can be cut,
//! [`terminal`] opens real terminals.

mod changing;
mod checkout;
mod checkout_bundle;
mod checkout_hostile;
mod completions;
mod diff;
mod doctor;
mod download;
mod errors;
mod export;
mod faults;
mod help;
mod hints;
mod import;
mod init;
mod ledger;
mod live_logs;
mod login;
mod login_browser;
mod login_servers;
mod logout;
mod logs;
mod manners;
mod mcp;
mod notebook;
mod offline;
mod printed_by_time;
mod prompts;
mod reproduce;
mod run;
mod run_capture;
mod run_git;
mod run_spec;
mod run_token;
mod runs;
mod scaffold;
mod secrets;
mod seed_errors;
mod seed_examples;
mod show;
mod signals;
mod snapshot;
mod spool_bound;
mod status;
mod sync;
mod sync_harness;
mod system_metrics;
mod terminal;
mod ui;
mod uploads;
mod version;
mod whoami;
mod whole_output;
mod workspace;
