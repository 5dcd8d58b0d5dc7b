//! The tags of runs: words to find them by.

use crate::app::AppState;
use crate::domain::text::NAME_MAX_BYTES;
use crate::domain::{ProjectId, Run, RunRef};
use crate::error::{AppError, Result};
use crate::services::runs;
use crate::store;

/// So many tags a run may have.
const TAGS_MAX: usize = 1_000;

/// Takes some tags off a run and puts others on it. What is there already, or is not, stays so.
pub async fn change(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    add: &[String],
    remove: &[String],
) -> Result<Run> {
    if add.len() > TAGS_MAX || remove.len() > TAGS_MAX {
        return Err(AppError::invalid("A run takes at most 1000 tags."));
    }
    if add.iter().any(|tag| tag.trim().is_empty() || tag.trim().len() > NAME_MAX_BYTES) {
        return Err(AppError::invalid("A tag is a text of 1 to 4096 bytes."));
    }
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let id = runs::resolve_in(&mut transaction, project_id, run).await?;
    let before =
        store::run_edits::lock_tags(&mut transaction, project_id, id).await?.ok_or(AppError::NotFound("Run"))?;
    let after = changed(&before, add, remove);
    if after.len() > TAGS_MAX {
        return Err(AppError::invalid("A run takes at most 1000 tags. Remove some first."));
    }
    if after != before {
        store::run_edits::set_tags(&mut transaction, project_id, id, &after, now).await?;
    }
    let run = runs::load_one(&mut transaction, project_id, id).await?;
    transaction.commit().await?;
    if after != before {
        runs::publish(app, &run, false);
    }
    Ok(run)
}

/// The tags that stay, in their order, and then the new ones. A tag that is both taken off and put on is on it.
fn changed(before: &[String], add: &[String], remove: &[String]) -> Vec<String> {
    let is_removed = |tag: &String| remove.iter().any(|removed| removed.trim() == tag.trim());
    let mut after: Vec<String> = before.iter().filter(|tag| !is_removed(tag)).cloned().collect();
    for tag in add.iter().map(|tag| tag.trim()) {
        if !after.iter().any(|there| there == tag) {
            after.push(tag.to_owned());
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_taken_off_and_put_on_once_each() {
        let tags = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (before, add, remove, after) in [
            ("a b c", "d", "b", "a c d"),
            ("a b", "b a", "", "a b"),
            ("a b", "a", "a", "b a"),
            ("", "x x", "y", "x"),
            ("a", "", "a", ""),
        ] {
            assert_eq!(changed(&tags(before), &tags(add), &tags(remove)), tags(after), "{before} +{add} -{remove}");
        }
    }
}
