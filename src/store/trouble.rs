//! What is in the way of posts, and whether people were told: each obstacle once, until nothing waits for it any more.
//!
//! The word of an obstacle stands on every post that met it, and `told` on the one with which people were told. A post that got through
//! hands that on to another one that still waits for the same, so that nobody is told again; the last one takes it away.

use rusqlite::{Connection, OptionalExtension};

use super::posts::PENDING;
use super::rows;
use crate::clock::UnixMs;
use crate::outbox::{Claim, Obstacle, Place, Settlement};

/// Writes down what a settled claim met. True if people must be told of it now.
pub(super) fn note(connection: &Connection, claim: &Claim, settlement: &Settlement) -> rusqlite::Result<bool> {
    let (obstacle, due, failures) = match settlement {
        Settlement::Again { obstacle: Some(obstacle), due, .. } => (*obstacle, *due, claim.attempts + 1),
        Settlement::Park { until, .. } => (Obstacle::Refused, *until, u32::MAX),
        // Nothing is known of what was in the way before.
        Settlement::Again { obstacle: None, .. } | Settlement::Alone => return Ok(false),
        Settlement::Delivered(_) | Settlement::Repost | Settlement::Over | Settlement::Fail { .. } => {
            if claim.trouble.is_some() {
                let ids: Vec<i64> = claim.parts().collect();
                for id in ids {
                    passed(connection, id)?;
                }
            }
            return Ok(false);
        }
    };
    let word = obstacle.word(claim.channel());
    // What is in its way besides is not gone because Discord does not answer: people know of it, and its channel stays open for others.
    if obstacle.is_everywhere() && claim.trouble.as_deref().is_some_and(|known| !["down", "edge"].contains(&known)) {
        return Ok(false);
    }
    if claim.trouble.as_ref() != Some(&word) {
        passed(connection, claim.id)?;
        connection.prepare_cached("UPDATE post SET trouble = ?2 WHERE id = ?1")?.execute((claim.id, &word))?;
    }
    // A thread that is open needs no new one.
    let opens = claim.place != Place::Thread || claim.thread.is_none();
    if obstacle.holds(claim.place) && opens {
        // The others of this place would be told the same: they wait for what becomes of this one.
        connection
            .prepare_cached(&format!(
                "UPDATE post SET due_ms = max(due_ms, ?3), trouble = coalesce(trouble, ?4)
                 WHERE channel = ?1 AND place = ?2 AND message IS NULL AND id <> ?5 AND lease_ms = 0 AND {PENDING}
                     AND NOT (place = 'thread' AND EXISTS (SELECT 1 FROM post AS card
                        WHERE card.channel = post.channel AND card.community = post.community AND card.server = post.server
                          AND card.subject = post.parent AND (card.thread IS NOT NULL OR card.place = 'forum' AND card.message IS NOT NULL)))"
            ))?
            .execute((rows::flake(claim.key.channel.0), claim.place.as_str(), due.0, &word, claim.id))?;
    }
    if failures < obstacle.is_told_after() {
        return Ok(false);
    }
    let known = connection
        .prepare_cached(&format!(
            "SELECT 1 FROM post WHERE trouble = ?1 AND told AND guild = ?2 AND (?3 OR channel = ?4) AND {PENDING} LIMIT 1"
        ))?
        .query_row((&word, rows::flake(claim.guild.0), obstacle.is_everywhere(), rows::flake(claim.key.channel.0)), |_| Ok(()))
        .optional()?;
    if known.is_none() {
        connection.prepare_cached("UPDATE post SET told = 1 WHERE id = ?1")?.execute([claim.id])?;
    }
    Ok(known.is_none())
}

/// A channel took a message again. What it refused before and still waits needs more than that one: it stands apart from now on.
pub(super) fn channel_opened(connection: &Connection, claim: &Claim, now: UnixMs) -> rusqlite::Result<()> {
    connection.execute(
        &format!(
            "UPDATE post SET apart = iif(trouble = 'refused', 1, apart), wished_ms = max(wished_ms, ?2),
                due_ms = iif(trouble = 'refused', min(due_ms, ?2), due_ms) WHERE channel = ?1 AND {PENDING}"
        ),
        (rows::flake(claim.key.channel.0), now.0),
    )?;
    Ok(())
}

/// Nothing is in the way of a post any more.
fn passed(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let before: Option<(Option<String>, bool, i64, i64)> = connection
        .prepare_cached("SELECT trouble, told, guild, channel FROM post WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((Some(word), told, guild, channel)) = before else { return Ok(()) };
    connection.prepare_cached("UPDATE post SET trouble = NULL, told = 0, apart = 0 WHERE id = ?1")?.execute([id])?;
    if told {
        connection
            .prepare_cached(&format!(
                "UPDATE post SET told = 1 WHERE id = (SELECT id FROM post WHERE trouble = ?1 AND guild = ?2
                    AND (?1 IN ('down', 'edge') OR channel = ?3) AND {PENDING} ORDER BY id LIMIT 1)"
            ))?
            .execute((word, guild, channel))?;
    }
    Ok(())
}
