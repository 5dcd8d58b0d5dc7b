//! How much more or less a number is than another one, and whether that is better. Pure.

use super::format;
use crate::domain::result::Direction;

/// A difference, ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// The class that says whether it is better: `ok`, `bad`, or `dim` where there is none.
    pub class: &'static str,
    /// `+0.0141`, `−28.5`, `same`.
    pub text: String,
}

impl Difference {
    /// From `base` to `value`. `None`: it is no number.
    pub fn new(value: f64, base: f64, direction: Direction) -> Option<Self> {
        let more = value - base;
        if !more.is_finite() {
            return None;
        }
        if more == 0.0 {
            return Some(Self { class: "dim", text: "same".to_owned() });
        }
        let class = if (more > 0.0) == (direction == Direction::Higher) { "ok" } else { "bad" };
        let sign = if more < 0.0 { '−' } else { '+' };
        Some(Self { class, text: format!("{sign}{}", format::number(more.abs())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_whether_it_is_better() {
        let told = |value, base, direction| Difference::new(value, base, direction).map(|told| (told.class, told.text));
        assert_eq!(told(0.75, 0.5, Direction::Higher), Some(("ok", "+0.25".to_owned())));
        assert_eq!(told(0.75, 0.5, Direction::Lower), Some(("bad", "+0.25".to_owned())));
        assert_eq!(told(1.0, 3.0, Direction::Lower), Some(("ok", "−2".to_owned())));
        assert_eq!(told(1.0, 1.0, Direction::Lower), Some(("dim", "same".to_owned())));
        assert_eq!(told(f64::NAN, 1.0, Direction::Lower), None);
        assert_eq!(told(f64::INFINITY, f64::INFINITY, Direction::Lower), None);
    }
}
