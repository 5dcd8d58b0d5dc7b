//! Which `otrace` this is.

/// The version, and the commit that it was built from where that is known: `0.2.0 (b81abba8d0f1)`. What the two
/// sides tell each other is the version alone.
pub const FULL: &str = env!("OTRACE_VERSION");
