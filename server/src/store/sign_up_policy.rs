//! The table `sign_up_policy`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{AccountId, SignUpPolicy};

/// The policy that somebody chose; `None`: nobody has.
pub async fn find(connection: &mut PgConnection) -> sqlx::Result<Option<SignUpPolicy>> {
    let row = sqlx::query!("SELECT policy, domains FROM sign_up_policy").fetch_optional(connection).await?;
    Ok(row.and_then(|row| SignUpPolicy::named(&row.policy, row.domains)))
}

/// Sets the policy.
pub async fn set(
    connection: &mut PgConnection,
    policy: &SignUpPolicy,
    by: AccountId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let domains = match policy {
        SignUpPolicy::Domains(domains) => domains.as_slice(),
        _ => &[],
    };
    sqlx::query!(
        "
        INSERT INTO sign_up_policy (policy, domains, updated_by, updated_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (only_row) DO UPDATE
        SET policy = EXCLUDED.policy, domains = EXCLUDED.domains,
            updated_by = EXCLUDED.updated_by, updated_at = EXCLUDED.updated_at
        ",
        policy.as_str(),
        domains,
        by as AccountId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}
