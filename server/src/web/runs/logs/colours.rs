//! The colours of a line that a command printed (SGR of ECMA-48), as classes of the style.
//!
//! Programs choose from sixteen colours, 256 or sixteen million; a page has eight, made to be read by day and by
//! night. Nothing printed can hide or take the colour of what lies below it. Each line begins plain, as a log is read
//! from any place. Pure.

use crate::web::terminal::{self, Screen};

/// So many numbers of one sequence are read.
const CODES_MAX: usize = 32;
/// The hues in the order of their codes.
const HUES: [&str; 8] = ["grey", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
/// What else there is: the code that turns it on, the one that turns it off, and its class.
const MARKS: [(u16, u16, &str); 6] = [
    (1, 22, "t-bold"),
    (2, 22, "t-dim"),
    (3, 23, "t-italic"),
    (4, 24, "t-under"),
    (7, 27, "t-turned"),
    (9, 29, "t-struck"),
];

/// A part of a line that looks the same from its first character to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its text, without anything that a terminal would act on.
    pub text: String,
    look: Look,
}

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    ink: Option<&'static str>,
    ground: Option<&'static str>,
    /// A bit for each of [`MARKS`].
    marks: u8,
}

/// The pieces of one line in its last state.
pub fn pieces(line: &str) -> Vec<Piece> {
    let mut coloured = Coloured::default();
    terminal::play(line, &mut coloured);
    coloured.pieces
}

impl Piece {
    /// Its classes, parted by spaces; nothing where it is plain.
    pub fn class(&self) -> String {
        let Look { ink, ground, marks } = self.look;
        // Ink is white or black as the page is.
        let ink = ink.filter(|hue| *hue != "white").map(|hue| format!("t-{hue}"));
        let ground = ground.map(|hue| format!("on-{hue}"));
        let marks = MARKS.iter().enumerate().filter(|(bit, _)| marks & (1_u8 << *bit) != 0);
        let marks = marks.map(|(_, (_, _, class))| (*class).to_owned());
        ink.into_iter().chain(ground).chain(marks).collect::<Vec<_>>().join(" ")
    }
}

/// A line as it is written.
#[derive(Default)]
struct Coloured {
    pieces: Vec<Piece>,
    look: Look,
}

impl Screen for Coloured {
    fn write(&mut self, c: char) {
        match self.pieces.last_mut() {
            Some(piece) if piece.look == self.look => piece.text.push(c),
            _ => self.pieces.push(Piece { text: c.to_string(), look: self.look }),
        }
    }

    fn take_back(&mut self) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.text.pop();
            if piece.text.is_empty() {
                self.pieces.pop();
            }
        }
    }

    fn clear(&mut self) {
        self.pieces.clear();
    }

    fn set_look(&mut self, parameters: &str) {
        // What is no list of numbers is some terminal's own.
        if !parameters.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')) {
            return;
        }
        let mut codes = Vec::new();
        for parameter in parameters.split(';').take(CODES_MAX) {
            codes.extend(numbers(parameter));
        }
        self.look.apply(&mut codes.into_iter());
    }
}

/// The numbers of one parameter, which may have parts: `38:2::255:0:0` is `38;2;255;0;0`, and `4:3` is `4`.
fn numbers(parameter: &str) -> Vec<u16> {
    let parts: Vec<u16> = parameter.split(':').take(CODES_MAX).map(|code| code.parse().unwrap_or_default()).collect();
    match parts.as_slice() {
        [kind @ (38 | 48), 2, _, red, green, blue, ..] => vec![*kind, 2, *red, *green, *blue],
        [kind @ (38 | 48), rest @ ..] => [&[*kind][..], rest].concat(),
        [4, 0, ..] => vec![24],
        [first, ..] => vec![*first],
        [] => Vec::new(),
    }
}

impl Look {
    fn apply(&mut self, codes: &mut impl Iterator<Item = u16>) {
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                30..=37 => self.ink = hue(code - 30),
                38 => self.ink = chosen(codes),
                39 => self.ink = None,
                40..=47 => self.ground = hue(code - 40),
                48 => self.ground = chosen(codes),
                49 => self.ground = None,
                90..=97 => self.ink = hue(code - 90),
                100..=107 => self.ground = hue(code - 100),
                _ => self.mark(code),
            }
        }
    }

    fn mark(&mut self, code: u16) {
        for (bit, (on, off, _)) in MARKS.iter().enumerate() {
            if code == *on {
                self.marks |= 1_u8 << bit;
            } else if code == *off {
                self.marks &= !(1_u8 << bit);
            }
        }
    }
}

fn hue(place: u16) -> Option<&'static str> {
    HUES.get(usize::from(place)).copied()
}

/// A colour of the palette, `5;n`, or one by its red, green and blue, `2;r;g;b`.
fn chosen(codes: &mut impl Iterator<Item = u16>) -> Option<&'static str> {
    match codes.next()? {
        5 => match codes.next()? {
            place @ 0..=15 => hue(place % 8),
            place @ 16..=231 => {
                let level = |step: u16| if step == 0 { 0 } else { 55 + 40 * step };
                let place = place - 16;
                Some(nearest(level(place / 36), level(place / 6 % 6), level(place % 6)))
            }
            place @ 232..=255 => {
                let level = 8 + 10 * (place - 232);
                Some(nearest(level, level, level))
            }
            _ => None,
        },
        2 => Some(nearest(codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}

/// The hue that a colour looks most like.
fn nearest(red: u16, green: u16, blue: u16) -> &'static str {
    let [red, green, blue] = [red, green, blue].map(|level| i32::from(level.min(255)));
    let (high, low) = (red.max(green).max(blue), red.min(green).min(blue));
    let spread = high - low;
    if spread < 40 {
        return if high < 176 { "grey" } else { "white" };
    }
    // The angle on the circle of colours, in degrees.
    let angle = if high == red {
        60 * (green - blue) / spread
    } else if high == green {
        120 + 60 * (blue - red) / spread
    } else {
        240 + 60 * (red - green) / spread
    };
    match angle.rem_euclid(360) {
        25..75 => "yellow",
        75..165 => "green",
        165..200 => "cyan",
        200..265 => "blue",
        265..335 => "magenta",
        _ => "red",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Vec<(String, String)> {
        pieces(line).into_iter().map(|piece| (piece.class(), piece.text)).collect()
    }

    fn class(codes: &str) -> String {
        told(&format!("\u{1b}[{codes}mx"))[0].0.clone()
    }

    #[test]
    fn a_line_is_cut_where_its_look_changes() {
        let line = "a \u{1b}[1;31mred\u{1b}[22m on\u{1b}[0m plain";
        let expected = [("", "a "), ("t-red t-bold", "red"), ("t-red", " on"), ("", " plain")];
        assert_eq!(told(line), expected.map(|(class, text)| (class.to_owned(), text.to_owned())));
        assert_eq!(told("no colour").len(), 1);
        assert!(told("").is_empty());
    }

    #[test]
    fn all_ways_to_name_a_colour_lead_to_one_of_eight() {
        for (codes, expected) in [
            ("32", "t-green"),
            ("92", "t-green"),
            ("38;5;10", "t-green"),
            ("38;5;196", "t-red"),
            ("38;5;244", "t-grey"),
            ("38;2;255;165;0", "t-yellow"),
            ("38:2::30:144:255", "t-blue"),
            ("38:5:201", "t-magenta"),
            ("97", ""),
            ("44;37", "on-blue"),
            ("4:3", "t-under"),
            ("1;4;9", "t-bold t-under t-struck"),
        ] {
            assert_eq!(class(codes), expected, "{codes}");
        }
    }

    #[test]
    fn hostile_sequences_do_nothing() {
        // Hidden text is seen, and what is cut off, private or beyond all numbers is passed over.
        for codes in ["8", "38", "38;5", "38;2;1", "48;9", ">4;1", "?1", "99999999999", "38;5;999", ";;;;"] {
            assert_eq!(class(codes), "", "{codes}");
        }
        let line = "\u{1b}]0;\u{1b}[31mtitle\u{7}\u{1b}]8;;javascript:hit()\u{1b}\\x\u{202e}";
        let text: String = pieces(line).iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(text, terminal::clean(line));
        assert_eq!(told(&format!("\u{1b}[{}mx", "1;".repeat(10_000)))[0].1, "x");
    }

    #[test]
    fn a_progress_bar_shows_its_last_state_in_its_last_colour() {
        assert_eq!(told("\u{1b}[31m10%\r\u{1b}[32m100%"), [("t-green".to_owned(), "100%".to_owned())]);
        assert_eq!(told("ab\u{8}\u{1b}[1mc")[0], (String::new(), "a".to_owned()));
    }
}
