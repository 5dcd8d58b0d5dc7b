//! From the text of a query to what it means.

use std::ops::Bound;

use super::ast::{Clause, Expr, Words};
use super::fields::{self, Given};
use super::reader::{Fault, Operator, Reader, Result, Word};
use super::{CLAUSES_MAX, DEPTH_MAX, MAX_BYTES};

/// Reads a whole query; `None`: it is empty.
pub(super) fn parse(text: &str) -> Result<Option<Expr>> {
    if text.len() > MAX_BYTES {
        let message = format!("a query may be {MAX_BYTES} bytes long at most");
        return Err(Fault { at: text.floor_char_boundary(MAX_BYTES), message });
    }
    if let Some(at) = text.find('\0') {
        return Err(Fault { at, message: "a query has no NUL in it".to_owned() });
    }
    let mut parser = Parser { reader: Reader::new(text), clauses: 0 };
    parser.reader.skip_space();
    if parser.reader.peek().is_none() {
        return Ok(None);
    }
    let expr = parser.any(0)?;
    match parser.reader.peek() {
        None => Ok(Some(expr)),
        // `any` ends at nothing else.
        Some(_) => Err(parser.fault("this ) closes nothing")),
    }
}

struct Parser<'a> {
    reader: Reader<'a>,
    clauses: usize,
}

impl Parser<'_> {
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { at: self.reader.at(), message: message.into() }
    }

    fn any(&mut self, depth: usize) -> Result<Expr> {
        let mut alternatives = vec![self.all(depth)?];
        while self.reader.take_keyword("OR") {
            alternatives.push(self.all(depth)?);
        }
        Ok(one_or(alternatives, Expr::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expr> {
        let mut all = vec![self.one(depth)?];
        loop {
            self.reader.skip_space();
            let is_over = self.reader.peek().is_none_or(|c| c == ')') || self.reader.is_at_keyword("OR");
            if is_over {
                return Ok(one_or(all, Expr::All));
            }
            self.reader.take_keyword("AND");
            all.push(self.one(depth)?);
        }
    }

    fn one(&mut self, depth: usize) -> Result<Expr> {
        self.reader.skip_space();
        let at = self.reader.at();
        if depth > DEPTH_MAX {
            return Err(self.fault(format!("a query goes at most {DEPTH_MAX} parentheses and negations deep")));
        }
        if self.reader.is_at_keyword("AND") || self.reader.is_at_keyword("OR") {
            return Err(self.fault("AND and OR need a condition before and after them"));
        }
        if self.reader.take_keyword("NOT") || self.reader.take("-") {
            return Ok(Expr::Not(Box::new(self.one(depth + 1)?)));
        }
        match self.reader.peek() {
            None => Err(self.fault("a condition is missing here, such as status:failed")),
            Some(')') => Err(self.fault("a condition is missing before this )")),
            Some('(') => {
                self.reader.take("(");
                let inside = self.any(depth + 1)?;
                if self.reader.take(")") {
                    return Ok(inside);
                }
                Err(Fault { at, message: "this ( is not closed; write ) at its end".to_owned() })
            }
            Some(_) => self.condition(),
        }
    }

    /// A field with what is asked of it, or words to look for.
    fn condition(&mut self) -> Result<Expr> {
        let name = self.reader.term()?;
        if name.text.is_empty() && !name.is_quoted {
            return Err(name.fault("a field is missing here, such as status in status:failed"));
        }
        let mut after = self.reader.clone();
        after.skip_space();
        let operator = if name.is_quoted { None } else { after.take_operator() };
        let Some(operator) = operator else {
            self.count(1)?;
            return Ok(Expr::Is(Clause::Words(None, words(name)?)));
        };
        let field = fields::find(&name)?;
        self.reader = after;
        let given = self.given(&name, operator)?;
        if let Given::Words(words) = &given {
            self.count(words.len())?;
        } else {
            self.count(1)?;
        }
        let expr = fields::condition(&name, &field, given)?;
        Ok(if operator == Operator::Unequal { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn count(&mut self, clauses: usize) -> Result<()> {
        self.clauses += clauses;
        if self.clauses > CLAUSES_MAX {
            return Err(self.fault(format!("a query has at most {CLAUSES_MAX} conditions")));
        }
        Ok(())
    }

    /// What stands behind a field and its operator.
    fn given(&mut self, field: &Word, operator: Operator) -> Result<Given> {
        self.reader.skip_space();
        let operator = match operator {
            Operator::Colon => match self.reader.take_comparison() {
                Some(comparison) => comparison,
                None if matches!(self.reader.peek(), Some('[' | '{')) => return self.range(),
                None => Operator::Colon,
            },
            other => other,
        };
        self.reader.skip_space();
        let first = self.value(field)?;
        match operator {
            Operator::More => return Ok(Given::Between(Bound::Excluded(first), Bound::Unbounded)),
            Operator::AtLeast => return Ok(Given::Between(Bound::Included(first), Bound::Unbounded)),
            Operator::Less => return Ok(Given::Between(Bound::Unbounded, Bound::Excluded(first))),
            Operator::AtMost => return Ok(Given::Between(Bound::Unbounded, Bound::Included(first))),
            Operator::Colon | Operator::Equal | Operator::Unequal => {}
        }
        if first.text == "*" && !first.is_quoted {
            return Ok(Given::Anything);
        }
        let mut all = vec![first];
        while self.reader.take(",") {
            self.reader.skip_space();
            all.push(self.value(field)?);
        }
        Ok(Given::Words(all))
    }

    fn value(&mut self, field: &Word) -> Result<Word> {
        let value = self.reader.value()?;
        if value.text.is_empty() {
            return Err(value.fault(format!("a value is missing behind {}", field.shown())));
        }
        Ok(value)
    }

    /// `[a TO b]`, and `{` or `}` where an end itself is left out.
    fn range(&mut self) -> Result<Given> {
        let begins_with = self.reader.take("[");
        if !begins_with {
            self.reader.take("{");
        }
        let from = self.end_of_range()?;
        if !self.reader.take_keyword("TO") {
            return Err(self.fault("a range needs TO between its ends: [1 TO 5]"));
        }
        let to = self.end_of_range()?;
        let ends_with = self.reader.take("]");
        if !ends_with && !self.reader.take("}") {
            return Err(self.fault("a range is closed by ] or, to leave its end out, by }"));
        }
        let bound = |word: Option<Word>, is_within: bool| match word {
            None => Bound::Unbounded,
            Some(word) if is_within => Bound::Included(word),
            Some(word) => Bound::Excluded(word),
        };
        Ok(match (from, to) {
            (None, None) => Given::Anything,
            (from, to) => Given::Between(bound(from, begins_with), bound(to, ends_with)),
        })
    }

    /// `None`: `*`, the range is open here.
    fn end_of_range(&mut self) -> Result<Option<Word>> {
        self.reader.skip_space();
        let word = self.reader.range_value()?;
        if word.text.is_empty() {
            return Err(word.fault("a range has two ends: [1 TO 5], or [1 TO *] where one is open"));
        }
        self.reader.skip_space();
        Ok((word.is_quoted || word.text != "*").then_some(word))
    }
}

/// What is looked for; a bare word may have a `*` at its end, which says what holds anyway.
pub(super) fn words(word: Word) -> Result<Words> {
    if !word.text.chars().any(char::is_alphanumeric) {
        return Err(word.fault("there is no word in it to look for"));
    }
    let text = if word.is_quoted { word.text } else { word.text.trim_end_matches('*').to_owned() };
    Ok(Words { text, is_prefix: word.is_prefix })
}

fn one_or(mut all: Vec<Expr>, of: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            of(all)
        }
        None => of(all),
    }
}
