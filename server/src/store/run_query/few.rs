//! What few runs have is looked up before the list is gone through for it.

use sqlx::{PgConnection, QueryBuilder};

use super::{RunQuery, Statement};
use crate::domain::RunId;
use crate::domain::query::{Clause, Expr};

/// So many runs are few: they are read by their ids and sorted in less time than a long list is gone through.
const FEW: i64 = 1000;

/// The runs that have words which the query asks for, where few have them; each may be named more than once.
///
/// PostgreSQL can't tell how rare a word is, and takes the list in its order instead, looking for the word in each run.
pub async fn few(connection: &mut PgConnection, asked: RunQuery<'_>) -> sqlx::Result<Option<Vec<RunId>>> {
    let all = match &asked.query.expr {
        Some(Expr::All(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for expr in all {
        let Expr::Is(clause @ Clause::Words(..)) = expr else { continue };
        let mut sql = Statement { builder: QueryBuilder::new("SELECT f.run_id FROM ("), asked, id: "", is_set: true };
        sql.clause(clause).push(") AS f LIMIT ").bind(FEW + 1);
        let found: Vec<RunId> = sql.builder.build_query_scalar().persistent(false).fetch_all(&mut *connection).await?;
        if i64::try_from(found.len()).is_ok_and(|count| count <= FEW) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
