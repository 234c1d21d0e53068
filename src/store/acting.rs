//! CAD accounts of members, as the CAD said they are.

use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, CommunityId, GuildId, UserId};
use crate::outbox::PostKey;
use crate::permit::Member;

/// Accounts kept per community; beyond it those asked about longest ago go.
const MOST_MEMBERS: i64 = 5_000;

impl Store {
    /// Members whose accounts were asked about since then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn members_since(&self, community: &CommunityId, since: UnixMs) -> Result<Vec<(UserId, Member, UnixMs)>, StoreError> {
        let community = community.clone();
        self.reader
            .run(move |connection| {
                let mut select =
                    connection.prepare_cached("SELECT user, member, asked_ms FROM account WHERE community = ?1 AND asked_ms >= ?2")?;
                let found = select.query_map((community.as_str(), since.0), |row| {
                    Ok((UserId(rows::unflake(row, "user")?), rows::json(row, "member")?, UnixMs(row.get("asked_ms")?)))
                })?;
                found.collect()
            })
            .await
    }

    /// Keeps a member's account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_member(&self, community: &CommunityId, user: UserId, member: &Member, asked_at: UnixMs) -> Result<(), StoreError> {
        let (community, member) = (community.clone(), member.clone());
        self.writer
            .run(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO account (community, user, member, asked_ms) VALUES (?1,?2,?3,?4)
                         ON CONFLICT (community, user) DO UPDATE SET member = excluded.member, asked_ms = excluded.asked_ms",
                    )?
                    .execute((community.as_str(), rows::flake(user.0), rows::to_json(&member)?, asked_at.0))?;
                connection
                    .prepare_cached(
                        "DELETE FROM account WHERE community = ?1 AND user IN
                            (SELECT user FROM account WHERE community = ?1 ORDER BY asked_ms DESC LIMIT -1 OFFSET ?2)",
                    )?
                    .execute((community.as_str(), MOST_MEMBERS))
                    .map(|_| ())
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

    /// The card whose thread (or forum post) this is, in a guild.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn card_of_thread(&self, guild: GuildId, thread: ChannelId) -> Result<Option<PostKey>, StoreError> {
        self.reader
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT channel, community, server, subject FROM post WHERE guild = ?1 AND (thread = ?2 OR (place = 'forum' AND message = ?2))
                     ORDER BY id DESC LIMIT 1",
                )?;
                let mut found = select.query_map((rows::flake(guild.0), rows::flake(thread.0)), super::posts::key)?;
                found.next().transpose()
            })
            .await
    }

    /// Has the cards of a subject sent again as they should be, in a guild: somebody pressed a button that should not be there any more.
    /// The channels in which there are some.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn show_again(&self, guild: GuildId, key: PostKey, now: UnixMs) -> Result<Vec<ChannelId>, StoreError> {
        self.writer
            .run(move |connection| {
                // One that waits goes anyway. A post that was given up was given up for a reason.
                let mut update = connection.prepare_cached(
                    "UPDATE post SET version = version + (delivered = version), due_ms = min(due_ms, ?5), wished_ms = ?5
                     WHERE guild = ?1 AND community = ?2 AND server = ?3 AND subject = ?4 AND message IS NOT NULL AND failed IS NULL
                     RETURNING channel",
                )?;
                let found = update.query_map((rows::flake(guild.0), key.community.as_str(), key.server.0, &key.subject, now.0), |row| {
                    rows::channel(row, "channel")
                })?;
                found.collect()
            })
            .await
    }
}
