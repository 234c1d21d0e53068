//! The way of a post through delivery: claimed, sent, settled. Settling one and claiming the next is one transaction, and so are storing
//! an event and claiming the post that it made: a message costs one wait for the disk before it is sent, and one after.

use rusqlite::{Connection, OptionalExtension, Row};

use super::links::SERVED;
use super::posts::{PENDING, READY, key};
use super::{Store, StoreError, rows, trouble};
use crate::clock::UnixMs;
use crate::gate::{Open, Pass};
use crate::ids::{ChannelId, GuildId};
use crate::outbox::{
    Claim, LEASE_MS, Lane, MOST_CARDS, Member, OLD_EDIT_EVERY_MS, OLD_MESSAGE_MS, Place, PostKey, Settlement, nonce, packs, share,
};
use crate::render::{self, Message};

/// What may be claimed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub channel: ChannelId,
    pub now: UnixMs,
    /// Nothing but a panic.
    pub panic_only: bool,
    /// New messages may be made.
    pub creates: bool,
    /// Messages may be edited.
    pub edits: bool,
    /// How many messages may be made before the window ends; `None` = that does not matter, each card has one to itself.
    pub places: Option<u32>,
}

impl Ask {
    /// What a pass allows.
    #[must_use]
    pub fn of(pass: &Pass, now: UnixMs) -> Self {
        let Open { creates, edits, places, .. } = pass.open();
        Self { channel: pass.channel(), now, panic_only: pass.panic_only(), creates, edits, places }
    }

    /// Whatever is due.
    #[must_use]
    pub fn any(channel: ChannelId, now: UnixMs) -> Self {
        Self { channel, now, panic_only: false, creates: true, edits: true, places: None }
    }
}

/// What there was to claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// This. The claim holds for [`LEASE_MS`].
    Post(Box<Claim>),
    /// Nothing now. Not before this time; if that is past, something waits that was not asked for.
    Later(UnixMs),
    /// Nothing waits.
    Nothing,
}

/// What settling did beyond the post itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The channel was parked just now, not before: people must be told once.
    pub newly_parked: bool,
    /// The channel was parked and is open again.
    pub reopened: bool,
    /// What is in the way has not been told of yet: people must be told now.
    pub news: bool,
}

/// A request whose answer never came may still be done so much later (ms).
const LATE_EDIT_MS: i64 = 5_000;

/// What made Discord refuse a channel lets others of it go first, when it is tried again (ms).
const BEHIND_MS: i64 = 1_000;

/// What may share a message: see [`crate::outbox::packs`]. A thread hangs on a message, and an answer answers one.
const PACKABLE: &str = "message IS NULL AND creating_ms IS NULL AND pack IS NULL AND solo = 0 AND place = 'channel' AND threads = 'off'
    AND parent IS NULL AND lane IN (1, 2, 5)";

/// The first post that may go: by lane, then by age.
pub(super) fn take(connection: &Connection, instance: &str, ask: &Ask) -> rusqlite::Result<Found> {
    let channel = rows::flake(ask.channel.0);
    // What stands in a thread, or in a forum's post, has buckets of its own.
    let first: Option<(i64, Option<i64>, i64)> = connection
        .prepare_cached(&format!(
            "SELECT id, pack, lane FROM post WHERE channel = ?1 AND {PENDING} AND due_ms <= ?2 AND lease_ms <= ?2 AND lane <= ?3
                AND (place = 'archive' OR iif(message IS NULL, ?4 OR place = 'thread', ?5 OR place <> 'channel')) AND {READY} AND {SERVED}
                AND NOT EXISTS (SELECT 1 FROM parked WHERE channel = ?1 AND retry_ms > ?2)
             ORDER BY lane, id LIMIT 1"
        ))?
        .query_row((channel, ask.now.0, most_lane(ask), ask.creates, ask.edits), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((id, pack, lane)) = first else { return later(connection, ask) };
    let lead = match pack {
        None => id,
        // Whose create carries them all is first in the message, as long as it is in it.
        Some(pack) => {
            connection.prepare_cached("SELECT id FROM post WHERE pack = ?1 ORDER BY slot LIMIT 1")?.query_row([pack], |row| row.get(0))?
        }
    };
    let mut claim = load(connection, instance, lead)?;
    claim.others = match (pack, ask.places) {
        (Some(pack), _) => members(connection, "pack = ?1 AND id <> ?2 ORDER BY slot LIMIT 20", (pack, lead))?,
        (None, Some(_)) if claim.standing.is_none() => company(connection, &claim, ask)?,
        (None, _) => Vec::new(),
    };
    // Of a shared message, the lane of what is to be sent, not that of the card that is first in it.
    claim.lane = Lane::ALL.into_iter().find(|known| known.number() == lane).unwrap_or(Lane::Log);
    claim.urls = urls(connection, &claim.key, claim.guild, &claim.message)?;
    let (key, guild) = (claim.key.clone(), claim.guild);
    for member in &mut claim.others {
        member.urls = urls(connection, &PostKey { subject: member.key.subject.clone(), ..key.clone() }, guild, &member.message)?;
    }
    let mut hold = connection.prepare_cached(
        "UPDATE post SET lease_ms = ?2, creating_ms = CASE WHEN message IS NULL THEN coalesce(creating_ms, ?3) END, pack = ?4, slot = ?5 WHERE id = ?1",
    )?;
    let shared = pack.or((!claim.others.is_empty()).then_some(lead));
    for (slot, part) in (0_i64..).zip(claim.parts()) {
        hold.execute((part, ask.now.plus(LEASE_MS).0, ask.now.0, shared, slot))?;
    }
    Ok(Found::Post(Box::new(claim)))
}

fn most_lane(ask: &Ask) -> i64 {
    if ask.panic_only { Lane::Panic.number() } else { Lane::Log.number() }
}

fn later(connection: &Connection, ask: &Ask) -> rusqlite::Result<Found> {
    let at: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT max(min(max(due_ms, lease_ms)), coalesce((SELECT retry_ms FROM parked WHERE channel = ?1), 0))
             FROM post WHERE channel = ?1 AND {PENDING} AND lane <= ?2 AND {READY} AND {SERVED}"
        ))?
        .query_row((rows::flake(ask.channel.0), most_lane(ask)), |row| row.get(0))?;
    Ok(at.map_or(Found::Nothing, |at| Found::Later(UnixMs(at))))
}

fn load(connection: &Connection, instance: &str, id: i64) -> rusqlite::Result<Claim> {
    connection
        .prepare_cached(
            "SELECT post.*, card.message AS reply_to, coalesce(card.thread, iif(card.place = 'forum', card.message, NULL)) AS card_thread,
                card.desired AS card_desired,
                post.event <> 0 AND EXISTS (SELECT 1 FROM post AS other WHERE other.event = post.event AND other.channel = post.channel
                    AND other.roles = post.roles AND other.id <> post.id AND NOT other.unpinged
                    AND (other.shown_ms IS NOT NULL OR other.creating_ms IS NOT NULL)) AS hushed
             FROM post LEFT JOIN post AS card ON card.channel = post.channel AND card.community = post.community
                AND card.server = post.server AND card.subject = post.parent
             WHERE post.id = ?1",
        )?
        .query_row([id], |row| {
            let generation: i64 = row.get("generation")?;
            let shown_at = row.get::<_, Option<i64>>("shown_ms")?.map(UnixMs);
            let card: Option<String> = row.get("card_desired")?;
            Ok(Claim {
                id,
                guild: rows::guild(row, "guild")?,
                key: key(row)?,
                message: message(row)?,
                version: row.get("version")?,
                standing: rows::message_option(row, "message")?,
                place: rows::place(row, "place")?,
                reply_to: rows::message_option(row, "reply_to")?,
                thread: rows::channel_option(row, "card_thread")?,
                thread_name: card.and_then(|card| serde_json::from_str::<Message>(&card).ok()?.title()).unwrap_or_default(),
                urls: Vec::new(),
                nonce: nonce(instance, id, generation),
                creating_since: row.get::<_, Option<i64>>("creating_ms")?.map(UnixMs),
                anew: stood(row)?,
                attempts: row.get("attempts")?,
                trouble: row.get("trouble")?,
                apart: row.get("apart")?,
                hushed: row.get("hushed")?,
                over: row.get("over")?,
                lines: row.get::<_, i64>("lane")? == Lane::Log.number() && row.get::<_, String>("place")? == "channel",
                happened_at: UnixMs(row.get("happened_ms")?),
                shown_at,
                unpinged: row.get("unpinged")?,
                lane: Lane::Log,
                wished_at: UnixMs(row.get("wished_ms")?),
                due_since: due_since(row)?,
                others: Vec::new(),
            })
        })
}

/// Since when it might have been sent: a new message from the moment of its event, unless its channel was closed meanwhile.
fn due_since(row: &Row<'_>) -> rusqlite::Result<UnixMs> {
    let (wished, created): (i64, i64) = (row.get("wished_ms")?, row.get("created_ms")?);
    let stands = row.get::<_, Option<i64>>("message")?.is_some();
    if stands || wished > created { Ok(UnixMs(wished)) } else { Ok(UnixMs(row.get("happened_ms")?)) }
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message { silent: row.get("silent")?, ..rows::json::<Message>(row, "desired")? })
}

/// Whether it stood once. A generation may also come of a pack that Discord did not take: that one nobody has seen.
fn stood(row: &Row<'_>) -> rusqlite::Result<bool> {
    let (generation, solo, shown): (i64, bool, Option<i64>) = (row.get("generation")?, row.get("solo")?, row.get("shown_ms")?);
    Ok(shown.is_some() || (generation > 0 && !solo))
}

fn members(connection: &Connection, which: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Vec<Member>> {
    let mut select = connection.prepare_cached(&format!("SELECT * FROM post WHERE {which}"))?;
    let found = select.query_map(parameters, |row| {
        let (version, delivered): (i64, i64) = (row.get("version")?, row.get("delivered")?);
        Ok(Member {
            id: row.get("id")?,
            key: key(row)?,
            message: message(row)?,
            version,
            urls: Vec::new(),
            anew: stood(row)?,
            over: row.get("over")?,
            lines: row.get::<_, i64>("lane")? == Lane::Log.number(),
            happened_at: UnixMs(row.get("happened_ms")?),
            shown_at: row.get::<_, Option<i64>>("shown_ms")?.map(UnixMs),
            unpinged: row.get("unpinged")?,
            pending: delivered < version,
        })
    })?;
    found.collect()
}

/// Who goes with a new card, if more wait than messages may be made. Lines share with lines, cards with cards; what makes a sound does not
/// share with what does not.
fn company(connection: &Connection, claim: &Claim, ask: &Ask) -> rusqlite::Result<Vec<Member>> {
    let lead: Option<(i64, bool)> = connection
        .prepare_cached(&format!("SELECT lane, silent FROM post WHERE id = ?1 AND {PACKABLE}"))?
        .query_row([claim.id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((lane, silent)) = lead else { return Ok(Vec::new()) };
    let (lanes, places) = (if lane == Lane::Log.number() { "lane = 5" } else { "lane IN (1, 2)" }, ask.places);
    let alike =
        format!("channel = ?1 AND {PENDING} AND due_ms <= ?2 AND lease_ms <= ?2 AND {PACKABLE} AND {lanes} AND silent = ?3 AND id <> ?4");
    let enough = places.unwrap_or(1) as usize * MOST_CARDS;
    let waiting: u32 = connection
        .prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 FROM post WHERE {alike} LIMIT ?5)"))?
        .query_row((rows::flake(ask.channel.0), ask.now.0, silent, claim.id, i64::try_from(enough).unwrap_or(i64::MAX)), |row| {
            row.get(0)
        })?;
    let together = share(waiting as usize + 1, places);
    if together < 2 {
        return Ok(Vec::new());
    }
    let mut others = members(
        connection,
        &format!("{alike} ORDER BY lane, id LIMIT ?5"),
        (rows::flake(ask.channel.0), ask.now.0, silent, claim.id, i64::try_from(together - 1).unwrap_or(0)),
    )?;
    let fit = packs(std::iter::once(&claim.message).chain(others.iter().map(|member| &member.message)));
    others.truncate(fit - 1);
    Ok(others)
}

/// Addresses of the posts that a text links to: in its own channel if there is one, else the oldest of the guild.
fn urls(connection: &Connection, key: &PostKey, guild: GuildId, message: &Message) -> rusqlite::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for subject in message.links() {
        let address = connection
            .prepare_cached(
                "SELECT channel, message, place FROM post WHERE community = ?1 AND server = ?2 AND subject = ?3 AND guild = ?4
                    AND message IS NOT NULL ORDER BY channel <> ?5, id LIMIT 1",
            )?
            .query_row((key.community.as_str(), key.server.0, subject, rows::flake(guild.0), rows::flake(key.channel.0)), |row| {
                Ok((rows::channel(row, "channel")?, rows::message_option(row, "message")?, rows::place(row, "place")?))
            })
            .optional()?;
        if let Some((channel, Some(message), place)) = address {
            let channel = if place == Place::Forum { ChannelId(message.0) } else { channel };
            found.push((subject.to_owned(), render::notice::message_url(guild, channel, message)));
        }
    }
    Ok(found)
}

/// One part of a settled claim: the post itself, or another card of its message.
struct Part<'a> {
    id: i64,
    key: &'a PostKey,
    version: i64,
    unpinged: bool,
}

impl Store {
    /// Claims what is due first. A post that is claimed is nobody else's until it is settled or its lease runs out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take(&self, ask: Ask) -> Result<Found, StoreError> {
        let instance = self.instance.clone();
        self.writer.run(move |connection| take(connection, &instance, &ask)).await
    }

    /// Claims the first post of `channel` that is due, whatever it is, by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, channel: ChannelId, now: UnixMs) -> Result<Option<Claim>, StoreError> {
        Ok(match self.take(Ask::any(channel, now)).await? {
            Found::Post(claim) => Some(*claim),
            Found::Later(_) | Found::Nothing => None,
        })
    }

    /// Writes down what came of a claim.
    ///
    /// # Errors
    /// [`StoreError`]; the claim's lease then runs out and the post is looked at again.
    pub async fn settle(&self, claim: &Claim, settlement: Settlement, now: UnixMs) -> Result<Settled, StoreError> {
        self.settle_and_take(claim, settlement, now, None).await.map(|(settled, _)| settled)
    }

    /// Writes down what came of a claim, and claims the next post.
    ///
    /// # Errors
    /// [`StoreError`]; the claim's lease then runs out and the post is looked at again.
    pub async fn settle_and_take(
        &self,
        claim: &Claim,
        settlement: Settlement,
        now: UnixMs,
        next: Option<Ask>,
    ) -> Result<(Settled, Found), StoreError> {
        let (instance, edit_window) = (self.instance.clone(), self.edit_window);
        // The text has been sent: what is written down is its end.
        let claim = Claim { message: Message::default(), ..claim.clone() };
        self.writer
            .run(move |connection| {
                let settled = settle(connection, &claim, settlement, now, edit_window)?;
                let found = next.map_or(Ok(Found::Nothing), |ask| take(connection, &instance, &ask))?;
                Ok((settled, found))
            })
            .await
    }

    /// Gives a claim back untouched: nothing was sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, claim: &Claim, due: UnixMs) -> Result<(), StoreError> {
        let (parts, keep) = (claim.parts().collect::<Vec<_>>(), claim.creating_since.map(|at| at.0));
        self.writer
            .run(move |connection| {
                for id in parts {
                    connection.prepare_cached(&again(0))?.execute((id, due.0, false, keep))?;
                }
                Ok(())
            })
            .await
    }

    /// After a start: whatever was claimed by the process before is free again. Its requests may still be on their way: creates stay in
    /// doubt, edits are sent once more later. A forum's post has no nonce, so a create of one is looked for a while later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_all(&self, now: UnixMs) -> Result<usize, StoreError> {
        self.writer
            .run(move |connection| {
                connection.execute(
                    "UPDATE post SET lease_ms = 0, doubt_ms = iif(message IS NULL, doubt_ms, ?1),
                        due_ms = iif(place = 'forum' AND message IS NULL, max(due_ms, ?2), due_ms) WHERE lease_ms > 0",
                    (now.0, now.plus(LATE_EDIT_MS).0),
                )
            })
            .await
    }
}

/// Due again. A create that surely made nothing lets go of its company: next time there may be none, or another.
fn again(attempts: u32) -> String {
    format!(
        "UPDATE post SET due_ms = ?2, attempts = attempts + {attempts}, lease_ms = 0,
            pack = CASE WHEN message IS NULL AND NOT ?3 AND ?4 IS NULL THEN NULL ELSE pack END,
            creating_ms = CASE WHEN ?3 THEN creating_ms ELSE ?4 END WHERE id = ?1"
    )
}

fn settle(connection: &Connection, claim: &Claim, settlement: Settlement, now: UnixMs, edit_window: i64) -> rusqlite::Result<Settled> {
    let channel = rows::flake(claim.key.channel.0);
    let mut settled = Settled::default();
    if let Settlement::Park { until, reason } = &settlement {
        settled.newly_parked = connection.execute(
            "INSERT OR IGNORE INTO parked (channel, reason, since_ms, retry_ms, tries) VALUES (?1,?2,?3,?4,1)",
            (channel, reason, now.0, until.0),
        )? > 0;
        if !settled.newly_parked {
            connection.execute(
                "UPDATE parked SET reason = ?2, retry_ms = ?3, tries = tries + 1 WHERE channel = ?1",
                (channel, reason, until.0),
            )?;
        }
    }
    if matches!(settlement, Settlement::Delivered(_)) {
        settled.reopened = connection.prepare_cached("DELETE FROM parked WHERE channel = ?1")?.execute([channel])? > 0;
    }
    if let Settlement::Park { until, .. } = &settlement {
        // What waits for a channel that is closed is not late.
        connection
            .execute(&format!("UPDATE post SET wished_ms = max(wished_ms, ?2) WHERE channel = ?1 AND {PENDING}"), (channel, until.0))?;
    }
    if settled.reopened {
        trouble::channel_opened(connection, claim, now)?;
    }
    let lead = Part { id: claim.id, key: &claim.key, version: claim.version, unpinged: claim.unpinged };
    settle_part(connection, claim, &lead, &settlement, now, edit_window)?;
    for member in &claim.others {
        let part = Part { id: member.id, key: &member.key, version: member.version, unpinged: member.unpinged };
        settle_part(connection, claim, &part, &settlement.of_member(member), now, edit_window)?;
    }
    settled.news = trouble::note(connection, claim, &settlement)?;
    Ok(settled)
}

fn settle_part(
    connection: &Connection,
    claim: &Claim,
    part: &Part<'_>,
    settlement: &Settlement,
    now: UnixMs,
    edit_window: i64,
) -> rusqlite::Result<()> {
    let id = part.id;
    // A refusal of this request says nothing about an earlier one whose answer was lost.
    let doubt = claim.creating_since.map(|at| at.0);
    match settlement {
        Settlement::Delivered(message) => {
            // The next edit: with what comes soon, and of an old message only now and then.
            let old = claim.standing.is_some_and(|made| now.since(made.made_at()) > OLD_MESSAGE_MS);
            let pause = if old { OLD_EDIT_EVERY_MS } else { edit_window };
            // An earlier edit may still be done, over this one: it is sent once more when that is surely past, unless there is something newer
            // to send before.
            connection
                .prepare_cached(
                    "UPDATE post SET delivered = max(delivered, ?2), message = ?3, creating_ms = NULL, attempts = 0, lease_ms = 0,
                        shown_ms = coalesce(shown_ms, ?5), unpinged = ?6,
                        due_ms = iif(doubt_ms IS NULL OR version > ?2, ?4, max(?4, ?7)),
                        wished_ms = CASE WHEN version > ?2 THEN ?4 WHEN doubt_ms IS NULL THEN wished_ms ELSE ?7 END,
                        version = iif(doubt_ms IS NULL OR version > ?2, version, ?2 + 1),
                        doubt_ms = iif(version > ?2, doubt_ms, NULL) WHERE id = ?1",
                )?
                .execute((id, part.version, rows::flake(message.0), now.plus(pause).0, now.0, part.unpinged, now.plus(LATE_EDIT_MS).0))?;
            if claim.standing != Some(*message) {
                draw_links_anew(connection, id, part.key, claim.guild, now.plus(edit_window))?;
            }
        }
        Settlement::Again { due, counts, in_doubt, on_purpose, .. } => {
            if *on_purpose {
                connection.prepare_cached("UPDATE post SET wished_ms = max(wished_ms, ?2) WHERE id = ?1")?.execute((id, due.0))?;
            }
            if *in_doubt && claim.standing.is_some() {
                connection.prepare_cached("UPDATE post SET doubt_ms = ?2 WHERE id = ?1")?.execute((id, now.0))?;
            }
            let in_doubt = *in_doubt && claim.standing.is_none();
            connection.prepare_cached(&again((*counts).into()))?.execute((id, due.0, in_doubt, doubt))?;
        }
        Settlement::Park { until, .. } => {
            // Others go first when the channel is tried again: perhaps it is only this message that is refused.
            connection.execute(
                &format!(
                    "UPDATE post SET lease_ms = 0, creating_ms = ?2,
                        due_ms = ?3 + iif(EXISTS (SELECT 1 FROM post AS other WHERE other.channel = ?4 AND other.id <> ?1
                            AND other.delivered < other.version AND other.failed IS NULL), {BEHIND_MS}, 0),
                        pack = CASE WHEN message IS NULL AND ?2 IS NULL THEN NULL ELSE pack END WHERE id = ?1"
                ),
                (id, doubt, until.0, rows::flake(claim.key.channel.0)),
            )?;
        }
        Settlement::Repost => {
            connection.execute(
                "UPDATE post SET message = NULL, creating_ms = NULL, generation = generation + 1, lease_ms = 0, due_ms = ?2, pack = NULL,
                    delivered = min(delivered, version - 1) WHERE id = ?1",
                (id, now.0),
            )?;
        }
        Settlement::Over => {
            connection.execute(
                "UPDATE post SET delivered = max(delivered, ?2), message = NULL, creating_ms = NULL, lease_ms = 0, pack = NULL WHERE id = ?1",
                (id, part.version),
            )?;
            leave_thread(connection, part.key)?;
        }
        Settlement::Alone => {
            // Nothing was made: a new nonce makes sure that nothing is brought back either.
            connection.execute(
                "UPDATE post SET pack = NULL, solo = 1, generation = generation + 1, creating_ms = NULL, lease_ms = 0, due_ms = ?2 WHERE id = ?1",
                (id, now.0),
            )?;
        }
        Settlement::Fail { reason } => {
            // In a shared message only what was to be shown has failed.
            connection.execute(
                &format!("UPDATE post SET failed = iif({PENDING}, ?2, failed), lease_ms = 0, creating_ms = ?3 WHERE id = ?1"),
                (id, reason, doubt),
            )?;
            leave_thread(connection, part.key)?;
        }
    }
    Ok(())
}

/// A message has appeared: texts that link to its subject, and had no nearer address for it, are sent again. So are those that are on their
/// way just now: they were claimed without it.
///
/// The plus signs keep SQLite from walking through all posts of the server: few link to a subject, most often none.
fn draw_links_anew(connection: &Connection, id: i64, key: &PostKey, guild: GuildId, due: UnixMs) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "UPDATE post SET version = version + 1, due_ms = max(due_ms, ?6), wished_ms = iif({PENDING}, wished_ms, max(due_ms, ?6))
             WHERE id IN (SELECT post FROM post_link WHERE subject = ?3) AND +guild = ?4 AND +community = ?1 AND +server = ?2
                AND (message IS NOT NULL OR lease_ms > 0) AND failed IS NULL AND (channel = ?5 OR NOT EXISTS (
                    SELECT 1 FROM post AS nearer WHERE nearer.community = ?1 AND nearer.server = ?2 AND nearer.subject = ?3 AND nearer.guild = ?4
                        AND nearer.message IS NOT NULL AND nearer.id <> ?7 AND (nearer.channel = post.channel OR nearer.id < ?7)))",
        ))?
        .execute((
            key.community.as_str(),
            key.server.0,
            &key.subject,
            rows::flake(guild.0),
            rows::flake(key.channel.0),
            due.0,
            id,
        ))
        .map(|_| ())
}

/// What was to be done in the thread of a card that is gone has nowhere to go. Somebody deleted the card: that is no trouble to be told of.
fn leave_thread(connection: &Connection, key: &PostKey) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "UPDATE post SET delivered = version, lease_ms = 0 WHERE channel = ?1 AND community = ?2 AND server = ?3 AND parent = ?4
                AND place IN ('thread', 'archive') AND {PENDING}"
        ))?
        .execute((rows::flake(key.channel.0), key.community.as_str(), key.server.0, &key.subject))
        .map(|_| ())
}
