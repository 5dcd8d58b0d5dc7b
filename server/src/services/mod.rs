//! Verbs: what people and machines do. Each begins and commits its own transactions.
//!
//! A service knows no HTTP and no page. It takes the app, who asks, and domain types; it answers
//! with domain types or an [`AppError`](crate::error::AppError). No transaction is open while
//! contents move. What open pages should know is published after the commit.

pub mod accounts;
pub mod admin;
pub mod api_keys;
pub mod archive;
pub mod artifacts;
pub mod audit;
pub mod backup;
pub mod comparison;
pub mod contact;
pub mod contents;
pub mod details;
pub mod device_logins;
pub mod doctor;
pub mod health;
pub mod history;
pub mod imports;
pub mod invitations;
pub mod lineage;
pub mod links;
pub mod live_logs;
pub mod logs;
pub mod members;
pub mod notes;
pub mod page_passes;
pub mod parameters;
pub mod projects;
pub mod provider_sign_in;
pub mod retention;
pub mod runs;
pub mod saved_views;
pub mod search;
pub mod series;
pub mod sign_in;
pub mod snapshots;
pub mod standing;
pub mod storage_use;
pub mod sweep;
pub mod tables;
pub mod tags;
pub mod webhooks;
pub mod workspaces;
