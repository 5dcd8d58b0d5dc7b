//! The table `invitations`, and the view of those that still hold: `open_invitations`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{AccountId, Invitation, InvitationId, ProjectId, Role};

/// What is written of a new invitation.
#[derive(Debug)]
pub struct NewInvitation<'a> {
    /// The invitation's id.
    pub id: InvitationId,
    /// SHA-256 of its token.
    pub token_hash: &'a [u8; 32],
    /// What it leads into; `None`: only to an account.
    pub into: Option<(ProjectId, Role)>,
    /// The one address that may accept it.
    pub email: Option<&'a str>,
    /// Whether the link goes to that address by mail.
    pub was_mailed: bool,
    /// Who invites.
    pub created_by: AccountId,
    /// Now.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Adds an invitation.
pub async fn insert(connection: &mut PgConnection, invitation: &NewInvitation<'_>) -> sqlx::Result<()> {
    let (project_id, role) = invitation.into.unzip();
    sqlx::query!(
        "
        INSERT INTO invitations
            (id, token_hash, project_id, role, email, was_mailed, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        invitation.id as InvitationId,
        invitation.token_hash,
        project_id as Option<ProjectId>,
        role.map(Role::as_str),
        invitation.email,
        invitation.was_mailed,
        invitation.created_by as AccountId,
        invitation.created_at,
        invitation.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct Row {
    id: InvitationId,
    project_id: Option<ProjectId>,
    role: Option<String>,
    email: Option<String>,
    was_mailed: bool,
    inviter: Option<String>,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl Row {
    fn into_invitation(self) -> sqlx::Result<Invitation> {
        let role: Option<Role> = self.role.map(|role| role.parse()).transpose().map_err(unknown_word)?;
        Ok(Invitation {
            id: self.id,
            into: self.project_id.zip(role),
            email: self.email,
            was_mailed: self.was_mailed,
            inviter: self.inviter,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}

/// Which of the invitations that still hold are meant.
enum Wanted<'a> {
    WithToken(&'a [u8; 32]),
    WithId(InvitationId),
    Into(Option<ProjectId>),
}

/// The invitations that still hold, the newest first.
async fn select(
    connection: &mut PgConnection,
    wanted: Wanted<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Invitation>> {
    let (token_hash, id, into) = match wanted {
        Wanted::WithToken(hash) => (Some(hash.as_slice()), None, None),
        Wanted::WithId(id) => (None, Some(id), None),
        Wanted::Into(project_id) => (None, None, Some(project_id)),
    };
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT i.id AS "id!: InvitationId", i.project_id AS "project_id: ProjectId", i.role, i.email,
               i.was_mailed AS "was_mailed!", a.name AS "inviter?", i.created_at AS "created_at!",
               i.expires_at AS "expires_at!"
        FROM open_invitations i
        JOIN accounts a ON a.id = i.created_by
        WHERE i.expires_at > $1
          AND ($2::bytea IS NULL OR i.token_hash = $2)
          AND ($3::uuid IS NULL OR i.id = $3)
          AND (NOT $4 OR i.project_id IS NOT DISTINCT FROM $5)
        ORDER BY i.created_at DESC
        "#,
        now,
        token_hash,
        id as Option<InvitationId>,
        into.is_some(),
        into.flatten() as Option<ProjectId>,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::into_invitation).collect()
}

/// The open invitation with this token: neither accepted, nor taken back, nor ended.
pub async fn find_open(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Invitation>> {
    Ok(select(connection, Wanted::WithToken(token_hash), now).await?.pop())
}

/// The open invitation with this id. Locks it, so that nobody else accepts it until the transaction ends.
pub async fn lock_open(
    connection: &mut PgConnection,
    id: InvitationId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Invitation>> {
    sqlx::query!("SELECT id FROM invitations WHERE id = $1 FOR UPDATE", id as InvitationId)
        .fetch_optional(&mut *connection)
        .await?;
    Ok(select(connection, Wanted::WithId(id), now).await?.pop())
}

/// The project's open invitations, or with `None` those to the server alone; the newest first.
pub async fn list_open(
    connection: &mut PgConnection,
    project_id: Option<ProjectId>,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Invitation>> {
    select(connection, Wanted::Into(project_id), now).await
}

/// Accepts an open invitation, once. `false`: it was accepted, taken back or has ended meanwhile.
pub async fn accept(
    connection: &mut PgConnection,
    id: InvitationId,
    account_id: AccountId,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE invitations
        SET accepted_at = $3, accepted_by = $2
        WHERE id = $1 AND expires_at > $3 AND accepted_at IS NULL AND revoked_at IS NULL
        ",
        id as InvitationId,
        account_id as AccountId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes an open invitation back. `None`: the project has none like it; otherwise whom it was for.
pub async fn revoke(
    connection: &mut PgConnection,
    project_id: Option<ProjectId>,
    id: InvitationId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Option<String>>> {
    sqlx::query_scalar!(
        "
        UPDATE invitations
        SET revoked_at = $3
        WHERE id = $2 AND project_id IS NOT DISTINCT FROM $1 AND accepted_at IS NULL AND revoked_at IS NULL
        RETURNING email
        ",
        project_id as Option<ProjectId>,
        id as InvitationId,
        now,
    )
    .fetch_optional(connection)
    .await
}
