//! How people are shown: initials in a circle whose colour stays with the name.

/// Initials in a circle, beside a name or with a hidden one.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name in full.
    pub name: String,
    /// At most two letters of it.
    pub initials: String,
    /// The class of its colour, the same for the same name.
    pub colour: &'static str,
}

impl Person {
    /// How `name` is shown.
    pub fn new(name: &str) -> Self {
        const COLOURS: [&str; 5] = ["c1", "c2", "c3", "c4", "c5"];
        let colour = usize::try_from(crc32fast::hash(name.as_bytes())).unwrap_or_default() % COLOURS.len();
        Self { name: super::terminal::clean(name), initials: initials(name), colour: COLOURS[colour] }
    }
}

fn initials(name: &str) -> String {
    let words: Vec<char> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .flat_map(char::to_uppercase)
        .collect();
    match words.as_slice() {
        [] => "?".to_owned(),
        [only] => only.to_string(),
        [first, .., last] => [*first, *last].iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_the_first_and_the_last() {
        assert_eq!(initials("Mira Solberg"), "MS");
        assert_eq!(initials("inês maria duarte"), "ID");
        assert_eq!(initials("ada"), "A");
        assert_eq!(initials("  "), "?");
        assert_eq!(Person::new("Mira").colour, Person::new("Mira").colour);
    }
}
