//! Finding something in all of one's projects: a project by its name, a run by its number, id, commit or words.

use std::ops::RangeInclusive;

use crate::app::AppState;
use crate::domain::text::without_nul;
use crate::domain::{Account, RunRef};
use crate::error::Result;
use crate::store;
use crate::store::search::Wanted;

pub use crate::store::search::Hit;

/// So much is found at most.
pub const HITS_MAX: i64 = 20;
/// So much of what is typed is looked for, in characters.
const TEXT_MAX_CHARS: usize = 200;
/// From so many characters on, the last word may go on: of fewer, half the words there are begin so.
const BEGINNING_MIN_CHARS: usize = 3;
/// So many hex digits may be a commit's beginning.
const COMMIT_CHARS: RangeInclusive<usize> = 6..=64;

/// What the account finds in its projects, at most [`HITS_MAX`]; nothing where nothing is asked.
pub async fn find(app: &AppState, account: &Account, text: &str) -> Result<Vec<Hit>> {
    let text: String = without_nul(text.trim()).chars().take(TEXT_MAX_CHARS).collect();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let words = plain(&text);
    let is_commit = COMMIT_CHARS.contains(&text.len()) && text.bytes().all(|c| c.is_ascii_hexdigit());
    let commit = is_commit.then(|| text.to_ascii_lowercase());
    let named: Option<RunRef> = text.to_ascii_lowercase().parse().ok();
    let wanted = Wanted {
        text: &text,
        words: &words,
        ending: if may_go_on(&words) { ":*" } else { "" },
        number: match named {
            Some(RunRef::Experiment(experiment)) => Some(experiment.number()),
            _ => text.parse().ok(),
        },
        run_id: match named {
            Some(RunRef::Id(id)) => Some(id),
            _ => None,
        },
        commit: commit.as_deref(),
    };
    let mut transaction = app.pool.begin_with(store::run_query::BEGIN).await?;
    let found = store::search::find(&mut transaction, account.id, &wanted, HITS_MAX).await?;
    Ok(found)
}

/// The words with spaces between them, as `words_of` of the database sees a text.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_punctuation() { ' ' } else { c }).collect()
}

/// Whether the last of these words is one that is being written, and long enough.
fn may_go_on(words: &str) -> bool {
    words.split_whitespace().last().is_some_and(|word| word.chars().count() >= BEGINNING_MIN_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_goes_on_from_three_letters_on() {
        assert!(may_go_on(&plain("train.py dist")));
        assert!(!may_go_on(&plain("dist a")));
        assert!(!may_go_on(&plain("... !")));
    }
}
