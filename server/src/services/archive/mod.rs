//! A project in one file: written on one server, read on another.
//!
//! [`export`] looks at the project in one snapshot, puts its runs and series aside in temporary files, and then writes the
//! archive, contents first. [`import`] reads it once from its beginning to its end: contents go to the store as they
//! come, runs take the way of an import (`store::imports`), and all rows are written in one transaction, which commits
//! when the archive's last file was right. Until then nobody sees anything, and what broke off leaves nothing behind.
//!
//! These are for the command line, where nobody waits behind a read or a write of the archive's file.

mod arriving;
mod exporting;
mod importing;
mod packing;
mod placing;
mod points;
mod unpacking;

pub use exporting::{Exported, export};
pub use importing::{Imported, import};
