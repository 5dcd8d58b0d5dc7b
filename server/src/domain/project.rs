//! Where runs live.

use time::OffsetDateTime;

use super::ProjectId;
use super::query::RESULT_PREFIX;
use super::text::NAME_MAX_BYTES;

/// The longest description of a project, in characters.
pub const DESCRIPTION_MAX_CHARS: usize = 10_000;
/// So many columns its list of runs may have.
pub const LIST_COLUMNS_MAX: usize = 20;
/// The longest name of such a column, in bytes: that of the result with the longest name.
pub const LIST_COLUMN_MAX_BYTES: usize = RESULT_PREFIX.len() + NAME_MAX_BYTES;

/// Where runs live: what members share, and what a key opens.
#[derive(Clone, Debug)]
pub struct Project {
    /// The project's id.
    pub id: ProjectId,
    /// Its name in URLs.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What is researched in it.
    pub description: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

/// A name for URLs: lower-case letters, digits and single hyphens, at most 48 characters.
///
/// A name without any of these becomes `project`. `current` is taken: it stands for the last
/// project of who asks, `new` for the page that makes one.
pub fn slug_from_name(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(48);
    let slug = slug.trim_end_matches('-');
    match slug {
        "" => "project".to_owned(),
        "current" | "new" => format!("{slug}-project"),
        _ => slug.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_what_a_url_reads_well() {
        assert_eq!(slug_from_name("Wake word, 12 KB"), "wake-word-12-kb");
        assert_eq!(slug_from_name("  --Ünïcode!! "), "n-code");
        assert_eq!(slug_from_name("研究"), "project");
        assert_eq!(slug_from_name("Current"), "current-project");
        assert_eq!(slug_from_name(&"ab-".repeat(40)).len(), 47);
    }
}
