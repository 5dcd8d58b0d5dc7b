//! The table `result_directions`: which way results get better, where owners have said so.

use sqlx::PgConnection;

use crate::domain::ProjectId;
use crate::domain::result::Direction;

/// What was said in these projects, by project and name.
pub async fn list(
    connection: &mut PgConnection,
    projects: &[ProjectId],
) -> sqlx::Result<Vec<(ProjectId, String, Direction)>> {
    let rows = sqlx::query!(
        r#"
        SELECT project_id AS "project_id: ProjectId", name, is_lower_better
        FROM result_directions
        WHERE project_id = ANY($1)
        ORDER BY project_id, name
        "#,
        projects as &[ProjectId],
    )
    .fetch_all(connection)
    .await?;
    let direction = |is_lower_better| if is_lower_better { Direction::Lower } else { Direction::Higher };
    Ok(rows.into_iter().map(|row| (row.project_id, row.name, direction(row.is_lower_better))).collect())
}

/// Says which way each of these results gets better, each name once; `None`: its name shall tell.
pub async fn say(
    connection: &mut PgConnection,
    project_id: ProjectId,
    said: &[(String, Option<Direction>)],
) -> sqlx::Result<()> {
    let names: Vec<String> = said.iter().map(|(name, _)| name.clone()).collect();
    sqlx::query!(
        "DELETE FROM result_directions WHERE project_id = $1 AND name = ANY($2)",
        project_id as ProjectId,
        &names,
    )
    .execute(&mut *connection)
    .await?;
    let said = said.iter().filter_map(|(name, direction)| Some((name.clone(), (*direction)? == Direction::Lower)));
    let (names, are_lower_better): (Vec<String>, Vec<bool>) = said.unzip();
    sqlx::query!(
        "
        INSERT INTO result_directions (project_id, name, is_lower_better)
        SELECT $1, said.name, said.is_lower_better FROM unnest($2::text[], $3::bool[]) AS said (name, is_lower_better)
        ",
        project_id as ProjectId,
        &names,
        &are_lower_better,
    )
    .execute(connection)
    .await?;
    Ok(())
}
