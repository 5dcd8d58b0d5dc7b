//! All that a database or a project holds, for those who take it elsewhere.
//!
//! [`tables`] are whole tables, for backups and restores; [`contents`] what objects of the store are to hold, and
//! [`project`] what an archive of one project needs besides what its pages ask for.

pub mod contents;
pub mod project;
pub mod tables;
