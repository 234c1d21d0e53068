//! CAD accounts of members, as the CAD said they are.

use super::{Store, StoreError, rows};
use crate::authorization::Member;
use crate::clock::UnixMs;
use crate::ids::{CommunityId, UserId};

impl Store {
    /// The members asked about last, at most so many. Which account is whose is kept for good: it goes only when the CAD says that it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn members(&self, community: &CommunityId, most: usize) -> Result<Vec<(UserId, Member, UnixMs)>, StoreError> {
        let community = community.clone();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.reader
            .run(move |connection| {
                let mut select = connection
                    .prepare_cached("SELECT user, member, asked_ms FROM account WHERE community = ?1 ORDER BY asked_ms DESC LIMIT ?2")?;
                let found = select.query_map((community.as_str(), most), |row| {
                    Ok((UserId(rows::unflake(row, "user")?), rows::json(row, "member")?, UnixMs(row.get("asked_ms")?)))
                })?;
                found.collect()
            })
            .await
    }

    /// One member's account, and when it was asked about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member(&self, community: &CommunityId, user: UserId) -> Result<Option<(Member, UnixMs)>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached("SELECT member, asked_ms FROM account WHERE community = ?1 AND user = ?2")?;
                let mut found = select.query_map((community.as_str(), rows::flake(user.0)), |row| {
                    Ok((rows::json(row, "member")?, UnixMs(row.get("asked_ms")?)))
                })?;
                found.next().transpose()
            })
            .await
    }

    /// Keeps a member's account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_member(&self, community: &CommunityId, user: UserId, member: &Member, asked_at: UnixMs) -> Result<(), StoreError> {
        self.put_members(community, vec![(user, member.clone(), asked_at)]).await
    }

    /// Keeps members' accounts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_members(&self, community: &CommunityId, members: Vec<(UserId, Member, UnixMs)>) -> Result<(), StoreError> {
        if members.is_empty() {
            return Ok(());
        }
        let community = community.clone();
        self.writer
            .run(move |connection| {
                let mut put = connection.prepare_cached(
                    "INSERT INTO account (community, user, member, asked_ms) VALUES (?1,?2,?3,?4)
                     ON CONFLICT (community, user) DO UPDATE SET member = excluded.member, asked_ms = excluded.asked_ms",
                )?;
                for (user, member, asked_at) in &members {
                    put.execute((community.as_str(), rows::flake(user.0), rows::to_json(member)?, asked_at.0))?;
                }
                Ok(())
            })
            .await
    }

    /// A member is not linked any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_member(&self, community: &CommunityId, user: UserId) -> Result<(), StoreError> {
        let community = community.clone();
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached("DELETE FROM account WHERE community = ?1 AND user = ?2")?
                    .execute((community.as_str(), rows::flake(user.0)))
                    .map(|_| ())
            })
            .await
    }
}
