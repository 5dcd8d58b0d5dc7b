//! Clients write `null` where they have nothing to say.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the default, such as an empty list.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
