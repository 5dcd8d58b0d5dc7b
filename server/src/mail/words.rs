//! Words in letters that somebody else chose: one line, not too long, and nothing that becomes a link.

/// So much of a name a letter shows, in characters.
const NAME_MAX: usize = 80;
/// The longest e-mail address, in characters.
const ADDRESS_MAX: usize = 254;
/// Takes no room and keeps the words on its two sides together, but is part of no address.
const JOINER: char = '\u{2060}';

/// A name that the server's own people chose.
pub fn name(text: &str) -> String {
    shortened(&one_line(text), NAME_MAX)
}

/// An e-mail address, or the address of a machine.
pub fn address(text: &str) -> String {
    shortened(&one_line(text), ADDRESS_MAX)
}

/// A name that anybody may have chosen: mail programs find no link in it, and no encoded word.
pub fn strangers_name(text: &str) -> String {
    let name = name(text);
    let mut shown = String::with_capacity(name.len());
    let mut before = ' ';
    for c in name.chars() {
        // Between numbers a dot is a version's, as in `v1.2`.
        let makes_link = matches!(before, '.' | '@') && c.is_alphabetic() || before == ':' && c == '/';
        // `=?utf-8?q?...?=` in a header would be decoded into anything.
        let makes_encoded_word = before == '=' && c == '?';
        if makes_link || makes_encoded_word {
            shown.push(JOINER);
        }
        shown.push(c);
        before = c;
    }
    shown
}

/// Text on one line, without characters that move, hide or reverse others.
fn one_line(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_invisible(*c));
    let spaced: String = visible.map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Zero-width and bidirectional controls. The two joiners stay: some languages and emoji are written with them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for text in ["Ada Lovelace", "wake-word v1.2", "Señal · 信号", "a, b & c", "می\u{200c}خواهم", "👩\u{200d}🔬"]
        {
            assert_eq!(strangers_name(text), text);
        }
    }

    #[test]
    fn a_name_becomes_one_line() {
        assert_eq!(name("  a\r\nBcc:\tb\u{2028}c\u{0}d  "), "a Bcc: b c d");
        assert_eq!(name("\u{1b}[31mred\u{1b}[0m"), "[31mred [0m");
        assert_eq!(name("abc\u{202e}gpj.exe\u{200b}"), "abcgpj.exe");
    }

    #[test]
    fn a_long_name_is_cut_and_shows_it() {
        let cut = name(&"é".repeat(10_000));
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (80, true));
        assert_eq!(name(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(address(&format!("{}@example.org", "a".repeat(90))).len(), 102);
    }

    #[test]
    fn a_strangers_name_holds_no_link_and_no_encoded_word() {
        for text in ["https://evil.example/", "www.evil.example", "ada@evil.example", "=?utf-8?q?=0d=0aBcc?="] {
            let shown = strangers_name(text);
            assert_ne!(shown, text);
            assert_eq!(shown.replace(JOINER, ""), text);
            assert_eq!(strangers_name(&shown), shown);
            for broken in ["://", "w.e", "l.e", "@e", "=?"] {
                assert!(!shown.contains(broken), "{shown:?} has {broken}");
            }
        }
    }
}
