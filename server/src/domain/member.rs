//! What a member of a project may do.

use std::str::FromStr;

/// What a member of a project may do. Ordered: an owner may all that an editor may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Records, edits and deletes runs, and makes keys.
    Editor,
    /// Runs the project: its members and settings too.
    Owner,
}

impl Role {
    /// The role as it is written in the database and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

/// The text is none of the three roles.
#[derive(Debug, thiserror::Error)]
#[error("no such role: {0}")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "editor" => Ok(Self::Editor),
            "owner" => Ok(Self::Owner),
            _ => Err(UnknownRole(text.to_owned())),
        }
    }
}
