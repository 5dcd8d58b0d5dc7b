//! Import: runs that happened elsewhere, described in a manifest, become runs of a project.
//!
//! [`manifest`] reads and checks the whole of it, files included, before anything is sent; [`files`] knows the files
//! by their content; [`sending`] stages the runs on the server, where nobody sees them until all of them are there.

pub mod fields;
pub mod files;
pub mod left_behind;
pub mod manifest;
pub mod sending;
