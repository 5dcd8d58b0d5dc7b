//! What each condition of a query means in SQL.

use std::ops::Bound;

use sqlx::Postgres;

use super::Statement;
use crate::domain::query::{
    Author, Clause, ConfigTest, Expr, MetricTest, NumberField, Presence, Span, TextPlace, TimeField, Words,
};

const RUN_WORDS: &str = "SELECT w.run_id FROM run_words w WHERE w.project_id = ";
const NOTES: &str = "SELECT n.run_id FROM notes n WHERE n.project_id = ";
const RESULTS: &str = "SELECT s.run_id FROM results s WHERE s.project_id = ";
const PARAMETERS: &str = "SELECT q.run_id FROM run_parameters q WHERE q.project_id = ";
const SNAPSHOTS: &str = "SELECT c.run_id FROM snapshots c WHERE c.project_id = ";

impl Statement<'_> {
    /// A whole query: something that is true, false or, of what a run lacks, unknown.
    pub(super) fn expr(&mut self, expr: &Expr) -> &mut Self {
        match expr {
            Expr::All(all) => self.joined(all, " AND "),
            Expr::Any(any) => self.joined(any, " OR "),
            Expr::Not(inner) if is_never_null(inner) => self.push("NOT ").expr(inner),
            // What is not known is not so either.
            Expr::Not(inner) => self.push("(").expr(inner).push(" IS NOT TRUE)"),
            Expr::Is(clause) => self.clause(clause),
        }
    }

    fn joined(&mut self, all: &[Expr], between: &'static str) -> &mut Self {
        self.push("(");
        for (index, expr) in all.iter().enumerate() {
            if index > 0 {
                self.push(between);
            }
            self.expr(expr);
        }
        self.push(")")
    }

    /// One condition, in parentheses.
    pub(super) fn clause(&mut self, clause: &Clause) -> &mut Self {
        match clause {
            Clause::Words(place, words) => self.words(*place, words),
            Clause::Status(status) => self.push("(r.status = ").bind(status.as_str()).push(")"),
            Clause::Tag(tag) => self.push("(r.tags @> ARRAY[").bind(tag.as_str()).push("::text])"),
            Clause::Author(author) => self.author(author),
            Clause::Branch(branch) => {
                self.set(SNAPSHOTS).push(" AND left(c.git_branch, 200) = left(").bind(branch.as_str());
                self.push(", 200) AND c.git_branch = ").bind(branch.as_str()).end()
            }
            // Hex digits only: none of them has a meaning to LIKE.
            Clause::Commit(begin) => {
                self.set(SNAPSHOTS).push(" AND left(c.git_commit, 64) LIKE ").bind(format!("{begin}%")).end()
            }
            Clause::Parent(experiment) => {
                self.push("(r.parent_id = (SELECT p.id FROM runs p WHERE p.project_id = ").project();
                self.push(" AND p.number = ").bind(experiment.number()).push("))")
            }
            Clause::Time(field, span) => {
                let column = match field {
                    TimeField::Created => "r.created_at",
                    TimeField::Started => "r.started_at",
                    TimeField::Finished => "r.finished_at",
                    TimeField::Updated => "r.updated_at",
                };
                let now = self.asked.now;
                let span = Span { from: span.from.map(|at| at.when(now)), to: span.to.map(|at| at.when(now)) };
                self.push("(true").span(column, span).push(")")
            }
            Clause::Number(field, span) => {
                let column = match field {
                    NumberField::Duration => "r.duration_seconds",
                    NumberField::Exit => "r.exit_code",
                    NumberField::Number => "r.number",
                };
                self.push("(true").span(column, *span).push(")")
            }
            Clause::Metric(name, test) => self.metric(name, test),
            Clause::Config(name, test) => self.config(name, test),
            Clause::Has(presence) => self.presence(presence),
        }
    }

    /// Begins `((r.id IN (SELECT …` over the runs of the project that another table has; [`Self::end`] ends it.
    ///
    /// PostgreSQL makes a set of those runs once and asks it of each run. As `EXISTS` it would at times look into the
    /// other table for each run instead, where it takes a rare thing for a frequent one: twenty times as slow.
    fn set(&mut self, select: &'static str) -> &mut Self {
        if self.is_set {
            return self.push(select).project();
        }
        let id = self.id;
        self.push("((").push(id).push(" IN (").push(select).project()
    }

    /// Ends what [`Self::set`] began. `IS TRUE` keeps the set a set.
    pub(super) fn end(&mut self) -> &mut Self {
        if self.is_set { self } else { self.push(")) IS TRUE)") }
    }

    /// Begins the set of the runs that have results of this name.
    pub(super) fn results(&mut self, name: &str) -> &mut Self {
        self.set(RESULTS).push(" AND s.name_key = ").key_of(name)
    }

    /// Begins the set of the runs that have this in their configs.
    pub(super) fn parameters(&mut self, name: &str) -> &mut Self {
        self.set(PARAMETERS).push(" AND q.name_key = ").key_of(name)
    }

    fn span<T>(&mut self, column: &'static str, span: Span<T>) -> &mut Self
    where
        T: for<'t> sqlx::Encode<'t, Postgres> + sqlx::Type<Postgres>,
    {
        match span.from {
            Bound::Unbounded => {}
            Bound::Included(from) => _ = self.push(" AND ").push(column).push(" >= ").bind(from),
            Bound::Excluded(from) => _ = self.push(" AND ").push(column).push(" > ").bind(from),
        }
        match span.to {
            Bound::Unbounded => self,
            Bound::Included(to) => self.push(" AND ").push(column).push(" <= ").bind(to),
            Bound::Excluded(to) => self.push(" AND ").push(column).push(" < ").bind(to),
        }
    }

    fn metric(&mut self, name: &str, test: &MetricTest) -> &mut Self {
        self.results(name);
        match test {
            // To PostgreSQL, NaN is the largest number.
            MetricTest::Within(span) => self.push(" AND s.number <= 'Infinity'").span("s.number", *span).end(),
            MetricTest::NotANumber => self.push(" AND s.number = 'NaN'").end(),
            MetricTest::Text(wanted) => {
                let or = match wanted.as_str() {
                    "true" => "::text) OR s.value = 'true')",
                    "false" => "::text) OR s.value = 'false')",
                    _ => "::text))",
                };
                self.push(" AND (s.value = to_jsonb(").bind(wanted.as_str()).push(or).end()
            }
        }
    }

    fn config(&mut self, name: &str, test: &ConfigTest) -> &mut Self {
        self.parameters(name);
        match test {
            ConfigTest::Within(span) => self.span("q.number", *span).end(),
            ConfigTest::Text(wanted) => self.push(" AND lower(q.value) = lower(").bind(wanted.as_str()).push(")").end(),
        }
    }

    fn author(&mut self, author: &Author) -> &mut Self {
        self.push("((r.api_key_id IN (SELECT k.id FROM api_keys k JOIN accounts a ON a.id = k.created_by");
        self.push(" WHERE k.project_id = ").project();
        let me = self.asked.me;
        let name = match author {
            Author::Me => return self.push(" AND a.email = ").bind(me).end(),
            Author::Named(name) => name.as_str(),
        };
        self.push(" AND (a.email = lower(").bind(name).push(") OR split_part(a.email, '@', 1) = lower(").bind(name);
        self.push(") OR lower(a.name) = lower(").bind(name).push(") OR lower(").bind(name);
        self.push(") = ANY (string_to_array(lower(a.name), ' ')))").end()
    }

    fn words(&mut self, place: Option<TextPlace>, words: &Words) -> &mut Self {
        let text = words.plain();
        let text = text.as_str();
        let ends = words.is_prefix;
        // The weight is asked for twice: the index knows it of one word, and a phrase has several.
        let (all_of, last_of) = match place {
            None => return self.words_anywhere(words, text),
            Some(TextPlace::Note) => {
                self.set(NOTES).push(" AND n.words @@ ").asked_words(text, if ends { ":*" } else { "" });
                return self.end();
            }
            Some(TextPlace::Title) => ("ts_filter(w.words, '{a}')", if ends { ":*A" } else { ":A" }),
            Some(TextPlace::Intent) => ("ts_filter(w.words, '{b}')", if ends { ":*B" } else { ":B" }),
            Some(TextPlace::Setup) => ("ts_filter(w.words, '{c}')", if ends { ":*C" } else { ":C" }),
            Some(TextPlace::Command) => ("ts_filter(w.words, '{d}')", if ends { ":*D" } else { ":D" }),
        };
        self.set(RUN_WORDS).push(" AND w.words @@ ").asked_words(text, last_of);
        self.push(" AND ").push(all_of).push(" @@ ").asked_words(text, last_of).end()
    }

    /// In title, intent, setup, command, tags, notes, texts among the results, or as a result's name.
    fn words_anywhere(&mut self, words: &Words, text: &str) -> &mut Self {
        let suffix = if words.is_prefix { ":*" } else { "" };
        self.set(RUN_WORDS).push(" AND (w.words @@ ").asked_words(text, suffix);
        self.push(" OR w.tag_words @@ ").asked_words(text, suffix);
        self.push(") UNION ALL ").push(NOTES).project().push(" AND n.words @@ ").asked_words(text, suffix);
        self.push(" UNION ALL ").push(RESULTS).project();
        self.push(" AND jsonb_typeof(s.value) = 'string' AND words_of(s.value #>> '{}') @@ ").asked_words(text, suffix);
        self.push(" UNION ALL ").push(RESULTS).project();
        self.push(" AND s.name_key = ").key_of(&words.text).end()
    }

    /// The words one after another, and what holds for the last: `:*` that it is a beginning, `A` its weight.
    fn asked_words(&mut self, text: &str, suffix: &'static str) -> &mut Self {
        if suffix.is_empty() {
            return self.push("phraseto_tsquery('simple', ").bind(text).push(")");
        }
        // As text it has its words in quotes, so that nothing in them has a meaning; without any word it is NULL.
        self.push("(NULLIF(phraseto_tsquery('simple', ").bind(text).push(")::text, '') || '").push(suffix);
        self.push("')::tsquery")
    }

    fn presence(&mut self, presence: &Presence) -> &mut Self {
        match presence {
            Presence::Title => self.push("(r.title IS NOT NULL)"),
            Presence::Tag => self.push("(cardinality(r.tags) > 0)"),
            Presence::Note => self.set(NOTES).end(),
            Presence::Parent => self.push("(r.parent_id IS NOT NULL)"),
            Presence::Author => self.push("(r.api_key_id IS NOT NULL)"),
            Presence::Branch => self.set(SNAPSHOTS).push(" AND c.git_branch IS NOT NULL").end(),
            Presence::Commit => self.set(SNAPSHOTS).push(" AND c.git_commit IS NOT NULL").end(),
            Presence::Started => self.push("(r.started_at IS NOT NULL)"),
            Presence::Finished => self.push("(r.finished_at IS NOT NULL)"),
            Presence::Duration => self.push("(r.duration_seconds IS NOT NULL)"),
            Presence::Exit => self.push("(r.exit_code IS NOT NULL)"),
            Presence::Metric(name) => self.results(name).end(),
            Presence::Config(name) => self.parameters(name).end(),
        }
    }
}

/// Whether a condition is true or false of every run, and never unknown.
const fn is_never_null(expr: &Expr) -> bool {
    match expr {
        Expr::Is(clause) => !matches!(clause, Clause::Parent(_) | Clause::Time(..) | Clause::Number(..)),
        Expr::All(_) | Expr::Any(_) | Expr::Not(_) => false,
    }
}
