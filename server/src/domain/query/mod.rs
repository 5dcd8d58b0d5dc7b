//! The query language of runs: `status:failed metrics.accuracy > 0.9 config.lr:[1e-4 TO 1e-2] "free text"`.
//!
//! One grammar for pages, API, CLI and MCP. [`parse`] reads a text to an [`Expr`], which prints itself as a query
//! that means the same; [`Sort`] and [`Place`] say in which order runs come, and where a page begins. Pure: what a
//! query means in SQL is in `store/run_query`.
//!
//! ```text
//! query  = any
//! any    = all { "OR" all }
//! all    = one { [ "AND" ] one }
//! one    = ( "NOT" | "-" ) one | "(" any ")" | field | words
//! field  = NAME ":" ( value { "," value } | compare value | range | "*" )
//!        | NAME ( "=" | "!=" ) value { "," value } | NAME compare value
//! range  = ( "[" | "{" ) ( value | "*" ) "TO" ( value | "*" ) ( "]" | "}" )
//! words  = WORD [ "*" ] | QUOTED [ "*" ]
//! ```
//!
//! `!=` is `NOT`. `{` and `}` leave the end itself out. A bare word is the beginning of a word; quoted words stand
//! in this order, whole, unless a `*` follows.

mod ast;
mod fields;
mod parser;
mod print;
mod reader;
mod sort;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;

pub use ast::{
    Author, Clause, ConfigTest, Expr, MetricTest, Moment, NumberField, Presence, Span, TextPlace, TimeField, Words,
};
pub use sort::{Key, KeyKind, Place, Sort, SortField};

/// What stands before the name of a result, in queries, in orders and among the columns of a list.
pub const RESULT_PREFIX: &str = "metrics.";
/// The same before the name of a value of its configs, such as `config.optimizer.lr`.
pub const CONFIG_PREFIX: &str = "config.";

/// The longest query, in bytes.
const MAX_BYTES: usize = 4096;
/// So many conditions a query may have.
const CLAUSES_MAX: usize = 50;
/// So deep its parentheses and negations may go.
const DEPTH_MAX: usize = 20;

/// Which runs are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// What holds for each of them; `None`: all runs are asked for.
    pub expr: Option<Expr>,
}

impl Query {
    /// Only those of which this holds too.
    #[must_use]
    pub fn and(self, expr: Expr) -> Self {
        let expr = match self.expr {
            None => expr,
            Some(Expr::All(mut all)) => {
                all.push(expr);
                Expr::All(all)
            }
            Some(other) => Expr::All(vec![other, expr]),
        };
        Self { expr: Some(expr) }
    }
}

/// Why a text is no query, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// The character at which it is wrong, from 1; one more than there are at the end.
    pub character: usize,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At character {} of the query: {}.", self.character, self.message)
    }
}

impl std::error::Error for QueryError {}

/// Reads a query. An empty one asks for all runs.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let expr = parser::parse(text);
    expr.map(|expr| Query { expr }).map_err(|reader::Fault { at, message }| {
        let character = text.get(..at).unwrap_or(text).chars().count() + 1;
        QueryError { message, character }
    })
}
