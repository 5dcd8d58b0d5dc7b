//! The numbers in a line for people, such as `epoch 3: loss=0.31, val acc: 0.9`.
//!
//! Only a line that names its step counts: others may say anything.

use crate::series::rows::number;

/// What names a step, and what stands behind it.
const STEPS: [&str; 5] = ["global_step", "step", "iteration", "iter", "epoch"];
/// What stands between one number and the next name.
const BREAKS: [char; 9] = [',', ';', '|', '[', ']', '(', ')', '{', '}'];
/// What may stand around a name, a colon or a number.
const QUOTES: [char; 4] = ['"', '\'', ' ', '\t'];
/// How loggers call their levels: no name of a series.
const LEVELS: [&str; 6] = ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"];
/// A name of more words is a sentence.
const WORDS_MAX: usize = 3;

/// The step that a line names, and its named numbers.
pub fn read(line: &str) -> Option<(i64, Vec<(String, f64)>)> {
    // Progress bars write line over line; the last one stays.
    let line = line.trim_end().rsplit('\r').next().unwrap_or_default();
    if !line.contains([':', '=']) {
        return None;
    }
    let line = without_colours(line);
    let step = step(&line)?;
    let values = pairs(&line);
    let values: Vec<_> = values.into_iter().filter(|(name, _)| !is_step(name)).collect();
    (!values.is_empty()).then_some((step, values))
}

fn is_step(name: &str) -> bool {
    STEPS.iter().any(|step| name.eq_ignore_ascii_case(step))
}

/// The number behind the first word that names a step.
fn step(line: &str) -> Option<i64> {
    let lower = line.to_ascii_lowercase();
    STEPS.iter().find_map(|word| lower.match_indices(word).find_map(|(at, _)| step_at(&lower, at, word.len())))
}

fn step_at(lower: &str, at: usize, length: usize) -> Option<i64> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if lower[..at].ends_with(is_inner) || lower[at + length..].starts_with(is_inner) {
        return None;
    }
    let behind = lower[at + length..].trim_start_matches([' ', ':', '=', '#', '"', '\'']);
    let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
    let (digits, rest) = behind.split_at(end);
    // `1.0` is a step, `1.5` and `3px` are none.
    let rest = rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches('0'));
    if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) { None } else { digits.parse().ok() }
}

/// `name=value` and `name: value`, in their order.
fn pairs(line: &str) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    let mut from = 0;
    for (at, separator) in line.match_indices([':', '=']) {
        if at < from {
            continue;
        }
        let (before, behind) = (&line[from..at], &line[at + 1..]);
        from = at + 1;
        let Some((value, length)) = value(behind) else { continue };
        if let Some(name) = name(before, separator == ":") {
            found.push((name, value));
        }
        from += length;
    }
    found
}

/// The number that a text begins with, and how far it goes.
fn value(text: &str) -> Option<(f64, usize)> {
    let start = text.len() - text.trim_start_matches(QUOTES).len();
    let word = &text[start..];
    let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || ".+-_%/:".contains(c))).unwrap_or(word.len());
    // A sentence may end behind it.
    let word = word[..end].trim_end_matches('.');
    number(word).map(|value| (value, start + word.len()))
}

/// The name that a text ends with. Before a colon it may be of several words, which are then joined.
fn name(text: &str, may_have_words: bool) -> Option<String> {
    let text = text.rsplit(BREAKS).next().unwrap_or_default().trim_matches(QUOTES);
    let mut words: Vec<&str> = text.split_whitespace().rev().take_while(|word| is_word(word)).collect();
    words.truncate(if may_have_words { WORDS_MAX } else { 1 });
    words.reverse();
    let is_level = |word: &&&str| LEVELS.contains(*word);
    let levels = words.iter().take_while(is_level).count();
    let name = words[levels..].join("_");
    (!name.is_empty()).then_some(name)
}

fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || "_./@-".contains(c))
}

/// A line without what colours it on a terminal.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut pieces = line.split("\u{1b}[");
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic()).map_or(piece.len(), |at| at + 1);
        plain.push_str(&piece[end..]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let Some((step, values)) = read(line) else { return "nothing".to_owned() };
        values.iter().fold(step.to_string(), |text, (name, value)| format!("{text} {name}={value}"))
    }

    #[test]
    fn lines_that_name_their_step_give_their_numbers() {
        for (line, expected) in [
            ("epoch 3 loss=0.5 acc=0.91", "3 loss=0.5 acc=0.91"),
            ("Epoch 3/10: loss: 0.5, val_loss: 4e-1", "3 loss=0.5 val_loss=0.4"),
            ("step=100 loss=nan", "100 loss=NaN"),
            ("[step 7] train loss: 0.5, val loss: 0.25", "7 train_loss=0.5 val_loss=0.25"),
            ("{'loss': 0.5, 'grad_norm': 1, 'epoch': 2.0}", "2 loss=0.5 grad_norm=1"),
            ("2026-06-01 12:30:45 INFO step: 5 loss: -0.25.", "5 loss=-0.25"),
            ("INFO loss: 1 step: 5", "5 loss=1"),
            ("iter #12: loss=1, time=3ms", "12 loss=1"),
            ("\u{1b}[32mepoch 1\u{1b}[0m loss=\u{1b}[1m2\u{1b}[0m", "1 loss=2"),
            ("epoch 1: 10 % loss=3\repoch 1: 20 % loss=2", "1 loss=2"),
            ("epoch=2 a/b.c=inf", "2 a/b.c=inf"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "loss=0.5",
            "epoch 3",
            "epoch three loss=0.5",
            "epoch 1.5 loss=0.5",
            "footstep 3 loss=0.5",
            "step 3px loss=0.5",
            "steps 3 at http://127.0.0.1:80",
            "step 3: done in 12:30",
            "step 3 = = : :",
            "µ: epoch 1 ü=ä",
        ] {
            assert_eq!(shown(line), "nothing", "{line}");
        }
    }
}
