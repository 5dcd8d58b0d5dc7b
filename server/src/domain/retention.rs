//! Rules by which a project's artifacts lose their contents after a time.
//!
//! A rule names artifacts by their kind and their path, in both of which `*` stands for any characters and `?` for
//! one. The age of an artifact is the time since its run last changed, so that a tag that was taken off by mistake can
//! be put on again. Runs with a tag are spared: any, or one of those that the owners choose, or `keep`.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::text::Invalid;

/// So many rules a project may have.
pub const RULES_MAX: usize = 20;
/// So many tags may spare a run.
pub const TAGS_MAX: usize = 50;

/// The longest kind or path of a rule, in characters.
const GLOB_MAX_CHARS: usize = 200;
/// The longest time that a rule waits, in days.
const DAYS_MAX: i32 = 36_500;
/// So long a rule deletes nothing, as the view `expiring_artifacts` has it: one made by mistake does no harm.
const HARMLESS_FOR: Duration = Duration::DAY;
/// What a rule names that names everything.
const ANYTHING: &str = "*";

/// A rule, as an owner settles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    /// Which kinds of artifacts it is about, such as `checkpoint`.
    pub kind: String,
    /// Which paths it is about, such as `*.ckpt`.
    pub path: String,
    /// For how many days their contents are kept after the run last changed.
    pub after_days: i32,
}

/// A rule that was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The rule's id.
    pub id: Uuid,
    /// What it says.
    pub rule: NewRule,
    /// When it was settled. It deletes nothing for a day.
    pub created_at: OffsetDateTime,
}

/// That an artifact's content was deleted by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedContent {
    /// When.
    pub at: OffsetDateTime,
    /// The rule, in words: [`NewRule::summary`].
    pub rule: String,
}

impl Rule {
    /// From when on it deletes.
    pub fn begins_at(&self) -> OffsetDateTime {
        self.created_at + HARMLESS_FOR
    }
}

impl NewRule {
    /// A rule as it was typed. What is left empty is everything.
    pub fn typed(kind: &str, path: &str, after_days: &str) -> Result<Self, Invalid> {
        let after_days = after_days.trim().parse::<i32>().ok().filter(|days| (1..=DAYS_MAX).contains(days));
        Ok(Self {
            kind: glob(kind)?,
            path: glob(path)?,
            after_days: after_days.ok_or(Invalid("Say after how many days, from 1 to 36500."))?,
        })
    }

    /// The rule in words: `checkpoint *.ckpt after 30 days`.
    pub fn summary(&self) -> String {
        let named: Vec<&str> =
            [&self.kind, &self.path].into_iter().map(String::as_str).filter(|glob| *glob != ANYTHING).collect();
        let named = if named.is_empty() { "all artifacts".to_owned() } else { named.join(" ") };
        let days = if self.after_days == 1 { "day" } else { "days" };
        format!("{named} after {} {days}", self.after_days)
    }
}

fn glob(typed: &str) -> Result<String, Invalid> {
    let glob = typed.trim();
    if glob.chars().count() > GLOB_MAX_CHARS || glob.chars().any(char::is_control) {
        return Err(Invalid("A kind or path has at most 200 characters, on one line."));
    }
    Ok(if glob.is_empty() { ANYTHING.to_owned() } else { glob.to_owned() })
}

/// A glob as the pattern of SQL's `LIKE`.
pub fn like_pattern(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len());
    for character in glob.chars() {
        match character {
            '*' => pattern.push('%'),
            '?' => pattern.push('_'),
            '%' | '_' | '\\' => pattern.extend(['\\', character]),
            other => pattern.push(other),
        }
    }
    pattern
}

/// Tags as they were typed, with commas between them; each once, in their order.
pub fn typed_tags(typed: &str) -> Result<Vec<String>, Invalid> {
    let mut tags: Vec<String> = Vec::new();
    for tag in typed.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|there| there == tag) {
            tags.push(tag.to_owned());
        }
    }
    let is_wrong = |tag: &String| tag.chars().count() > GLOB_MAX_CHARS || tag.chars().any(char::is_control);
    if tags.len() > TAGS_MAX || tags.iter().any(is_wrong) {
        return Err(Invalid("Name at most 50 tags, each of at most 200 characters."));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stars_and_question_marks_stand_for_something() {
        assert_eq!(like_pattern("*.ckpt"), "%.ckpt");
        assert_eq!(like_pattern("step_?/100%\\*"), "step\\__/100\\%\\\\%");
    }

    #[test]
    fn a_rule_says_what_it_deletes() {
        for (kind, path, days, says) in [
            ("checkpoint", "*.ckpt", "30", "checkpoint *.ckpt after 30 days"),
            (" ", "", " 1 ", "all artifacts after 1 day"),
            ("*", "tmp/*", "7", "tmp/* after 7 days"),
        ] {
            assert_eq!(NewRule::typed(kind, path, days).unwrap().summary(), says);
        }
    }

    #[test]
    fn a_rule_without_a_time_is_refused() {
        for days in ["", "0", "-3", "1.5", "soon", "36501", "99999999999"] {
            assert!(NewRule::typed("*", "*", days).is_err(), "{days}");
        }
        assert!(NewRule::typed("a\nb", "*", "3").is_err());
        assert!(NewRule::typed("*", &"x".repeat(201), "3").is_err());
    }

    #[test]
    fn tags_are_read_between_commas() {
        assert_eq!(typed_tags(" best, paper 2026 ,,best").unwrap(), ["best", "paper 2026"]);
        assert!(typed_tags("").unwrap().is_empty());
        assert!(typed_tags(&"x".repeat(201)).is_err());
    }
}
