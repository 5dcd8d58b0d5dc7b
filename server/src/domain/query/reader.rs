//! Goes through the text of a query, character by character.

/// What is wrong, and at which byte of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    pub message: String,
}

/// The result of reading anything.
pub(super) type Result<T> = std::result::Result<T, Fault>;

/// A word as it stands in a query.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// What it says, without quotes.
    pub text: String,
    /// It stands in quotes, so that nothing in it has a meaning.
    pub is_quoted: bool,
    /// Bare, or with a `*` after the quotes.
    pub is_prefix: bool,
    /// Where it begins, in bytes.
    pub at: usize,
}

impl Word {
    /// What is wrong with it.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { at: self.at, message: message.into() }
    }

    /// What it says, short enough and harmless to be repeated in a message.
    pub fn shown(&self) -> String {
        self.text.chars().filter(|c| !c.is_control()).take(40).collect()
    }
}

/// What stands between a field and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Colon,
    Equal,
    Unequal,
    More,
    AtLeast,
    Less,
    AtMost,
}

/// Those that compare; the longer ones first.
const COMPARISONS: [(&str, Operator); 4] =
    [(">=", Operator::AtLeast), ("<=", Operator::AtMost), (">", Operator::More), ("<", Operator::Less)];
const OTHERS: [(&str, Operator); 4] =
    [("!=", Operator::Unequal), ("==", Operator::Equal), ("=", Operator::Equal), (":", Operator::Colon)];

/// A place in the text of a query.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning of a text.
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The place, in bytes.
    pub const fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What comes next.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes past spaces, if there are any.
    pub fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Goes past `token` if it stands here.
    pub fn take(&mut self, token: &str) -> bool {
        let is_here = self.rest().starts_with(token);
        if is_here {
            self.at += token.len();
        }
        is_here
    }

    /// Whether this keyword stands here, as a word of its own.
    pub fn is_at_keyword(&self, keyword: &str) -> bool {
        let after = self.rest().strip_prefix(keyword).map(|rest| rest.chars().next());
        after.is_some_and(|next| next.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"')))
    }

    /// Goes past this keyword if it stands here.
    pub fn take_keyword(&mut self, keyword: &str) -> bool {
        self.is_at_keyword(keyword) && self.take(keyword)
    }

    /// Goes past an operator that compares, if one stands here.
    pub fn take_comparison(&mut self) -> Option<Operator> {
        COMPARISONS.iter().find(|(token, _)| self.take(token)).map(|(_, operator)| *operator)
    }

    /// Goes past any operator, if one stands here.
    pub fn take_operator(&mut self) -> Option<Operator> {
        self.take_comparison()
            .or_else(|| OTHERS.iter().find(|(token, _)| self.take(token)).map(|(_, operator)| *operator))
    }

    /// What stands before an operator, or is looked for as it is: bare or in quotes.
    pub fn term(&mut self) -> Result<Word> {
        self.word(|c, next| {
            c.is_whitespace() || matches!(c, '(' | ')' | '"' | ':' | '=' | '<' | '>') || (c == '!' && next == Some('='))
        })
    }

    /// What stands behind an operator.
    pub fn value(&mut self) -> Result<Word> {
        self.word(|c, _| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ','))
    }

    /// What stands at an end of a range.
    pub fn range_value(&mut self) -> Result<Word> {
        self.word(|c, _| c.is_whitespace() || matches!(c, '[' | ']' | '{' | '}' | '"'))
    }

    /// A word up to the character for which `is_end` holds, which is told the next one too. Empty: none is here.
    fn word(&mut self, is_end: impl Fn(char, Option<char>) -> bool) -> Result<Word> {
        let at = self.at;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            let is_prefix = self.take("*");
            return Ok(Word { text, is_quoted: true, is_prefix, at });
        }
        let mut characters = self.rest().chars().peekable();
        while let Some(c) = characters.next() {
            if is_end(c, characters.peek().copied()) {
                break;
            }
            self.at += c.len_utf8();
        }
        let mut text = self.text.get(at..self.at).unwrap_or_default().to_owned();
        // `metrics."val loss"`
        if text.ends_with('.') && self.peek() == Some('"') {
            text.push_str(&self.quoted()?);
        }
        Ok(Word { text, is_quoted: false, is_prefix: true, at })
    }

    fn quoted(&mut self) -> Result<String> {
        let at = self.at;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((place, c)) = characters.next() {
            match c {
                '"' => {
                    self.at = at + place + 1;
                    return Ok(text);
                }
                '\\' => match characters.next_if(|(_, next)| matches!(*next, '"' | '\\')) {
                    Some((_, escaped)) => text.push(escaped),
                    None => text.push('\\'),
                },
                c => text.push(c),
            }
        }
        Err(Fault { at, message: "this quote is not closed; write \" at its end".to_owned() })
    }
}
