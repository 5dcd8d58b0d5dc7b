//! Which versions of the CLI and the server understand each other.
//!
//! Each of our requests and each answer of the API says its version in a header. Published clients say none, and
//! are served as ever.

use std::fmt;
use std::str::FromStr;

/// The header, in both directions: `0.2.0`.
pub const HEADER: &str = "x-otrace-version";

/// A released version: three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// The oldest CLI that this server speaks with.
    pub const OLDEST_CLIENT: Self = Self { major: 0, minor: 2, patch: 0 };
    /// The oldest server that this CLI speaks with.
    pub const OLDEST_SERVER: Self = Self { major: 0, minor: 2, patch: 0 };
}

/// The text is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    /// Takes `0.2.0`, and what a build puts behind it: `0.2.0-rc.1`, `0.2.0+b81abba`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = numbers.split('.').map(|number| number.parse().map_err(|_| NotAVersion));
        let mut next = || numbers.next().unwrap_or(Err(NotAVersion));
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if numbers.next().is_some() { Err(NotAVersion) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("0.9.0") < version("0.10.0"));
        assert!(version("1.0.0") > version("0.99.99"));
        assert_eq!(version("0.2.0-rc.1+abc"), version("0.2.0"));
        assert_eq!(version("0.2.0").to_string(), "0.2.0");
    }

    #[test]
    fn other_text_is_no_version() {
        for text in ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.x", "-1.0.0", "1.2.99999999999"] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text}");
        }
    }
}
