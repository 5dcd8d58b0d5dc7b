//! Which notes are what was learned: those with the tag `#insight`.

const TAG: &str = "#insight";

/// Whether a note has the tag `#insight`, in letters of any case. `#insights` and `a#insight` are other words.
pub fn is_insight(note: &str) -> bool {
    find(note, 0).is_some()
}

/// The note without the tag, where it is one.
pub fn without_tag(note: &str) -> String {
    let mut text = String::with_capacity(note.len());
    let mut from = 0;
    while let Some(at) = find(note, from) {
        text.push_str(note[from..at].trim_end_matches([' ', '\t']));
        from = at + TAG.len();
        if text.trim().is_empty() && note[from..].starts_with(':') {
            from += 1;
        }
    }
    text.push_str(&note[from..]);
    text.trim().to_owned()
}

/// Where the next tag begins. The index of the database says the same (`notes_insights`), with the same characters.
fn find(note: &str, from: usize) -> Option<usize> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_joined = |byte: u8| is_word(byte) || matches!(byte, b'#' | b'/' | b'&');
    let bytes = note.as_bytes();
    let is_tag = |at: &usize| {
        let (before, behind) = (at.checked_sub(1).map(|at| bytes[at]), bytes.get(at + TAG.len()).copied());
        let found = bytes.get(*at..at + TAG.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(TAG.as_bytes()))
            && !before.is_some_and(is_joined)
            && !behind.is_some_and(is_word)
    };
    (from..bytes.len()).filter(|at| bytes[*at] == b'#').find(is_tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_a_word_of_its_own() {
        for note in
            ["#insight", "Masking both axes helps. #insight", "#Insight: it overfits", "(#insight)", "ä #insight"]
        {
            assert!(is_insight(note), "{note}");
        }
        for note in
            ["", "insight", "#insights", "#insight-2", "a#insight", "##insight", "see page/#insight", "#in sight"]
        {
            assert!(!is_insight(note), "{note}");
        }
    }

    #[test]
    fn what_was_learned_is_told_without_the_tag() {
        assert_eq!(without_tag("#insight It overfits. #insight"), "It overfits.");
        assert_eq!(without_tag("Rare words #insight overfit #insights"), "Rare words overfit #insights");
        assert_eq!(without_tag("#Insight: it overfits"), "it overfits");
        assert_eq!(without_tag("No tag"), "No tag");
    }
}
