//! The former version's own schema beside today's: what planning its queries does not show.
//!
//! Its migrations are the first of ours and never change, so the schema can be made. Its columns must be there still, as
//! the queries that a server puts together itself, such as those of the list of runs, name any of them. What a table
//! refuses or does by itself must have been so then: checks, keys, unique indexes, triggers. And rows as the former version
//! writes them are really written.

use std::collections::{BTreeMap, BTreeSet};

use otrace_server::database;
use otrace_server::domain::backup::in_order;
use otrace_server::store::archive::tables;
use otrace_server::testing::{TestApp, TestDatabase};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool, raw_sql};
use uuid::Uuid;

use super::Former;
use crate::backup::server::fill_a_little;

/// Columns of the former version that are gone, though it may still run: none of its queries names them. A table, a
/// column, and why.
const GONE: [(&str, &str, &str); 0] = [];

/// What is new on a table of the former version and does not refuse what that version writes: the table, the beginning
/// of the rule, and why.
const HARMLESS: [(&str, &str, &str); 2] = [
    ("artifacts", "CREATE TRIGGER new_configs_are_read ", "it notes in a table of its own that a config is to be read"),
    ("artifacts", "CREATE TRIGGER removed_configs_are_forgotten ", "it notes the same of one that is gone"),
];

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
      AND NOT a.attisdropped AND c.relname <> '_sqlx_migrations'
";

/// Of each rule the table, what it says, and the columns that it is about. A trigger's function counts as a part of it.
const RULES: &str = "
    SELECT c.relname::text, pg_get_constraintdef(k.oid),
           ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey))
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'x')
    UNION ALL
    SELECT c.relname::text, 'UNIQUE' || substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*$'),
           ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey))
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND i.indisunique
    UNION ALL
    SELECT c.relname::text, pg_get_triggerdef(t.oid, true) || ' ' || md5(f.prosrc), ARRAY[]::text[]
    FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    JOIN pg_proc f ON f.oid = t.tgfoid
    WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
";

/// What a table of the schema refuses or does by itself.
type Rule = (String, String, Vec<String>);

struct Schema {
    /// Of each table the columns with their types.
    columns: BTreeMap<String, BTreeMap<String, String>>,
    rules: Vec<Rule>,
}

impl Schema {
    async fn of(pool: &PgPool) -> Self {
        let rows: Vec<(String, String, String)> = sqlx::query_as(COLUMNS).fetch_all(pool).await.unwrap();
        let mut columns: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (table, column, kind) in rows {
            columns.entry(table).or_default().insert(column, kind);
        }
        let rules = sqlx::query_as(RULES).fetch_all(pool).await.unwrap();
        assert!(columns.len() > 20, "{columns:?}");
        Self { columns, rules }
    }

    /// That of the former version.
    async fn former() -> Self {
        let database = TestDatabase::new().await;
        let schema = format!("former_{}", Uuid::now_v7().simple());
        let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        raw_sql(create).execute(&database.pool).await.unwrap();
        let options = (*database.pool.connect_options()).clone().options([("search_path", schema.as_str())]);
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        database::migrate_until(&pool, Former::read().migration).await.unwrap();
        Self::of(&pool).await
    }

    fn column(&self, table: &str, column: &str) -> Option<&String> {
        self.columns.get(table)?.get(column)
    }

    /// What the version of this schema can't do on today's.
    fn complaints(&self, today: &Self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (table, columns) in &self.columns {
            for (column, kind) in columns {
                let now = today.column(table, column);
                let is_known = GONE.iter().any(|gone| gone.0 == table && gone.1 == column);
                if now != Some(kind) && !is_known {
                    complaints.push(format!("{table}.{column} is {kind} to it, and {now:?} now"));
                }
            }
        }
        let told = |(table, rule, _): &Rule| format!("{table} has a rule that it does not know: {rule}");
        complaints.extend(today.rules.iter().filter(|rule| self.is_bothered_by(rule)).map(told));
        complaints
    }

    fn is_bothered_by(&self, rule: &Rule) -> bool {
        let (table, text, columns) = rule;
        let is_old = self.rules.iter().any(|(other, old, _)| (other, old) == (table, text));
        // What it does not know it leaves as it is, and writing its rows shows whether that may be.
        let is_of_new_columns =
            !columns.is_empty() && columns.iter().all(|column| self.column(table, column).is_none());
        let is_harmless = HARMLESS.iter().any(|harmless| harmless.0 == table && text.starts_with(harmless.1));
        self.columns.contains_key(table) && !is_old && !is_of_new_columns && !is_harmless
    }
}

/// Writes all rows of a server once more, each table's without the columns that the former version does not know.
/// Returns how many tables had any, and what was refused. In the end all is as it was.
async fn write_again(pool: &PgPool, former: &Schema) -> (usize, Vec<String>) {
    let mut transaction = pool.begin().await.unwrap();
    let all = tables::list(&mut transaction).await.unwrap();
    for table in &all {
        tables::let_triggers_act(&mut transaction, &table.name, false).await.unwrap();
        let copy = format!(r#"CREATE TEMP TABLE "was_{0}" ON COMMIT DROP AS SELECT * FROM "{0}""#, table.name);
        raw_sql(AssertSqlSafe(copy)).execute(&mut *transaction).await.unwrap();
    }
    let names: Vec<String> = all.iter().map(|table| format!(r#""{}""#, table.name)).collect();
    let empty = format!("TRUNCATE {} CASCADE", names.join(", "));
    raw_sql(AssertSqlSafe(empty)).execute(&mut *transaction).await.unwrap();
    for table in &all {
        tables::let_triggers_act(&mut transaction, &table.name, true).await.unwrap();
    }
    let (mut written, mut refused) = (0, Vec::new());
    for name in in_order(all.iter().map(|table| (table.name.clone(), table.refers_to.clone())).collect()).unwrap() {
        let known = |column: &&String| former.column(&name, column).is_some();
        let of_table = all.iter().filter(|table| table.name == name).flat_map(|table| &table.columns);
        let columns: BTreeSet<String> = of_table.filter(known).map(|column| format!(r#""{column}""#)).collect();
        // What triggers wrote is not written twice.
        let look = AssertSqlSafe(format!(r#"SELECT EXISTS (SELECT FROM "{name}")"#));
        let has_rows: bool = sqlx::query_scalar(look).fetch_one(&mut *transaction).await.unwrap();
        if columns.is_empty() || has_rows {
            continue;
        }
        let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
        let insert =
            format!(r#"INSERT INTO "{name}" ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM "was_{name}""#);
        raw_sql("SAVEPOINT before").execute(&mut *transaction).await.unwrap();
        match raw_sql(AssertSqlSafe(insert)).execute(&mut *transaction).await {
            Ok(done) => written += usize::from(done.rows_affected() > 0),
            Err(error) => {
                refused.push(format!("{name}: {error}"));
                raw_sql("ROLLBACK TO before").execute(&mut *transaction).await.unwrap();
            }
        }
    }
    transaction.rollback().await.unwrap();
    (written, refused)
}

#[tokio::test]
async fn nothing_of_the_former_versions_schema_is_gone_and_nothing_new_refuses_what_it_writes() {
    let (former, app) = (Schema::former().await, TestApp::new().await);
    fill_a_little(&app).await;
    let mut complaints = former.complaints(&Schema::of(&app.app.pool).await);
    let (tables, refused) = write_again(&app.app.pool, &former).await;
    complaints.extend(refused);
    assert!(
        complaints.is_empty(),
        "the former version works on this schema too. What is harmless to it is listed in this file, with why:\n{}",
        complaints.join("\n")
    );
    assert!(tables > 15, "only {tables} tables had rows");
}

#[tokio::test]
async fn a_rule_that_the_former_version_does_not_know_is_noticed() {
    let (former, app) = (Schema::former().await, TestApp::new().await);
    fill_a_little(&app).await;
    let migration = "
        ALTER TABLE runs ADD CHECK (length(intent) < 1000) NOT VALID;
        CREATE UNIQUE INDEX ON results (run_id, name);
        CREATE TRIGGER shoes AFTER INSERT ON logs EXECUTE FUNCTION refuse_to_change_audit_events();
        ALTER TABLE logs ALTER COLUMN position TYPE bigint;
        ALTER TABLE notes ADD COLUMN shoe_size integer, ADD CHECK (shoe_size IS NOT NULL) NOT VALID;
        ALTER TABLE projects ADD COLUMN shoe_size integer, ADD CHECK (shoe_size > 0);
    ";
    raw_sql(migration).execute(&app.app.pool).await.unwrap();
    let complaints = former.complaints(&Schema::of(&app.app.pool).await).join("\n");
    for complaint in [
        "runs has a rule that it does not know: CHECK ((length(intent) < 1000)) NOT VALID",
        "results has a rule that it does not know: UNIQUE USING btree (run_id, name)",
        "logs has a rule that it does not know: CREATE TRIGGER shoes",
        r#"logs.position is integer to it, and Some("bigint") now"#,
    ] {
        assert!(complaints.contains(complaint), "{complaint} is not in:\n{complaints}");
    }
    assert!(!complaints.contains("shoe_size"), "its rows leave that alone: {complaints}");
    let (_, refused) = write_again(&app.app.pool, &former).await;
    let refused = refused.join("\n");
    assert!(refused.contains("notes: ") && refused.contains("logs: "), "{refused}");
    assert!(!refused.contains("projects: "), "{refused}");
}
