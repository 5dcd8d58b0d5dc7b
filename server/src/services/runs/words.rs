//! What a query is completed with: the fields of the language, and the names that a project's runs have.

use otrace_wire::RunStatus;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::query::{CONFIG_PREFIX, RESULT_PREFIX};
use crate::error::Result;
use crate::store::run_list::words;
use crate::store::run_parameters;

/// So many words are offered.
const WORDS_MAX: usize = 12;
/// The fields, with what they ask for, as an example that can be read.
const FIELDS: [(&str, &str, &str); 20] = [
    ("status:", "where it stands", "status:failed"),
    ("tag:", "has this tag", "tag:baseline"),
    ("metrics.", "a result", "metrics.accuracy > 0.9"),
    ("config.", "a value of a config", "config.lr:[1e-4 TO 1e-2]"),
    ("author:", "who recorded it", "author:me"),
    ("started:", "when it started", "started:>7d"),
    ("created:", "when it was recorded", "created:2026-06-01"),
    ("finished:", "when it ended", "finished:<1d"),
    ("updated:", "when it last changed", "updated:>1h"),
    ("duration:", "how long it ran", "duration:>1h30m"),
    ("branch:", "on this branch", "branch:main"),
    ("commit:", "at a commit that begins so", "commit:9f3c2e1"),
    ("parent:", "goes on from a run", "parent:exp001"),
    ("number:", "its number", "number:>42"),
    ("exit:", "its exit code", "exit:1"),
    ("title:", "words of its title", "title:distil"),
    ("intent:", "words of why it was run", "intent:noise"),
    ("command:", "words of its command", "command:train"),
    ("note:", "words of its notes", "note:insight"),
    ("has:", "is not missing", "has:metrics.loss"),
];
/// What a run may lack.
const PRESENCES: [&str; 11] =
    ["title", "tag", "note", "parent", "author", "branch", "commit", "started", "finished", "duration", "exit"];
/// How long ago, for fields of times.
const AGES: [&str; 5] = [">1h", ">1d", ">7d", ">30d", "<30d"];

/// A word to go on with, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What stands in the query then, in place of what was written of it.
    pub word: String,
    /// What it means; empty where the word says it.
    pub about: &'static str,
}

/// What may be meant by the beginning of a word of a query.
pub async fn complete(app: &AppState, member: &ProjectMember, begun: &str) -> Result<Vec<Completion>> {
    let begun = begun.trim_start();
    let text = begun.trim_start_matches(['-', '(']);
    let (lead, _) = begun.split_at(begun.len() - text.len());
    let found = match text.split_once(':') {
        Some((field, value)) => values(app, member, field, value.trim_start_matches('"')).await?,
        None => match (text.strip_prefix(RESULT_PREFIX), text.strip_prefix(CONFIG_PREFIX)) {
            (Some(part), _) => names(app, member, RESULT_PREFIX, part).await?,
            (_, Some(part)) => names(app, member, CONFIG_PREFIX, part).await?,
            (None, None) => fields(text),
        },
    };
    let whole = |completion: Completion| Completion { word: format!("{lead}{}", completion.word), ..completion };
    Ok(found.into_iter().take(WORDS_MAX).map(whole).collect())
}

fn fields(begin: &str) -> Vec<Completion> {
    let begin = begin.to_lowercase();
    let fitting = FIELDS.into_iter().filter(|(field, _, _)| field.starts_with(&begin));
    fitting.map(|(field, about, _)| Completion { word: field.to_owned(), about }).collect()
}

async fn values(app: &AppState, member: &ProjectMember, field: &str, begin: &str) -> Result<Vec<Completion>> {
    let fixed = |words: &[&str]| {
        let fitting = words.iter().filter(|word| word.starts_with(begin));
        fitting.map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let limit = i64::try_from(WORDS_MAX).unwrap_or_default();
    let project_id = member.project.id;
    // No text of the database has a NUL, and it could not be asked for one.
    if begin.contains('\0') || field.contains('\0') {
        return Ok(Vec::new());
    }
    let found = match field {
        "status" => fixed(&RunStatus::ALL.map(RunStatus::as_str)),
        "created" | "started" | "finished" | "updated" => fixed(&AGES),
        "has" => match (begin.strip_prefix(RESULT_PREFIX), begin.strip_prefix(CONFIG_PREFIX)) {
            (Some(part), _) => return names(app, member, "has:metrics.", part).await,
            (_, Some(part)) => return names(app, member, "has:config.", part).await,
            (None, None) => fixed(&PRESENCES),
        },
        "tag" => words::tags(&mut *app.pool.acquire().await?, project_id, begin, limit).await?,
        "branch" => words::branches(&mut *app.pool.acquire().await?, project_id, begin, limit).await?,
        "author" => {
            let mut names = fixed(&["me"]);
            names.extend(words::authors(&mut *app.pool.acquire().await?, project_id, begin, limit).await?);
            names
        }
        _ => match field.strip_prefix(CONFIG_PREFIX) {
            Some(name) => {
                let name = name.trim_matches('"');
                let mut connection = app.pool.acquire().await?;
                run_parameters::values_beginning(&mut connection, project_id, name, begin, limit).await?
            }
            None => Vec::new(),
        },
    };
    let word = |value: String| Completion { word: format!("{field}:{}", quoted(&value)), about: "" };
    Ok(found.into_iter().map(word).collect())
}

/// Names of results or, where the lead ends so, of values of configs.
async fn names(app: &AppState, member: &ProjectMember, lead: &str, part: &str) -> Result<Vec<Completion>> {
    let part = part.trim_start_matches('"');
    if part.contains('\0') {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(WORDS_MAX).unwrap_or_default();
    let mut connection = app.pool.acquire().await?;
    let names = if lead.ends_with(CONFIG_PREFIX) {
        run_parameters::names_with(&mut connection, member.project.id, part, limit).await?
    } else {
        words::results(&mut connection, member.project.id, part, limit).await?
    };
    let word = |name: String| Completion { word: format!("{lead}{}", quoted(&name)), about: "" };
    Ok(names.into_iter().map(word).collect())
}

/// A value, in quotes where something in it has a meaning.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+' | '<' | '>');
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::query::parse;

    #[test]
    fn every_field_is_one_of_the_language() {
        for (field, _, example) in FIELDS {
            assert!(example.starts_with(field) && parse(example).is_ok(), "{example}");
        }
        for presence in PRESENCES {
            assert!(parse(&format!("has:{presence}")).is_ok(), "{presence}");
        }
        for age in AGES {
            assert!(parse(&format!("started:{age}")).is_ok(), "{age}");
        }
    }

    #[test]
    fn a_beginning_is_completed_with_the_fields_that_begin_so() {
        let words = |begin: &str| fields(begin).into_iter().map(|found| found.word).collect::<Vec<_>>();
        assert_eq!(words("st"), ["status:", "started:"]);
        assert_eq!(words("").len(), FIELDS.len());
        assert_eq!(words("zz"), [""; 0]);
    }

    #[test]
    fn a_value_is_quoted_where_it_would_mean_something_else() {
        for (value, expected) in [("two words", "\"two words\""), ("a\"b", "\"a\\\"b\""), ("v1.2-rc", "v1.2-rc")] {
            assert_eq!(quoted(value), expected);
        }
    }
}
