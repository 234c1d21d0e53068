//! From arrivals to posts: takes what waits at the door, works it through the pure rooms and commits the outcome as one transaction.
//!
//! Job: decode ▸ world ▸ routes ▸ render ▸ one [`Batch`]; tell the waiting sources once it is on disk; wake the delivery. Never talks
//! to Discord or the CAD, never tells a source "taken" before the commit. It alone changes the worlds; if a commit fails they are
//! read back from disk, so that memory never says what the disk does not.
//!
//! ```text
//! door ─▶ up to 128 arrivals ─▶ copies? ─▶ decode ─▶ apply ─▶ draw ─▶ Batch ─▶ store ─▶ answers, wake
//! ```

pub mod boards;
mod draw;
mod log_pages;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::clock::{Clock, UnixMs};
use crate::event::copies::Copies;
use crate::event::{Envelope, Event, RawEvent, Source, Topic, decode};
use crate::ids::{ChannelId, CommunityId, GuildId, ServerId};
use crate::intake::{Arrival, Refused};
use crate::metrics::{Metrics, Outcome};
use crate::outbox::Draft;
use crate::render::{Labels, Message};
use crate::shutdown::Tasks;
use crate::status::Status;
use crate::store::{Batch, JournalRow, Store, StoreError, WorldRow};
use crate::world::{Change, Entity, Server, ServerKey};

use boards::{Boards, Redraw};
use draw::{Drawing, Memos};
use log_pages::LogPages;

/// Arrivals taken into one transaction.
const TOGETHER: usize = 128;
/// What is over stays in memory this long (ms), so that late events still find it.
const KEEP_OVER: i64 = 3_600_000;
/// How often what is over is looked for (ms).
const FORGET_EVERY: i64 = 60_000;
/// A hub event whose commit failed is tried again this often, a second apart: the hub cannot be asked to send it again.
const HUB_TRIES: u32 = 30;

/// What commands ask of ingest.
#[derive(Debug)]
pub enum Request {
    /// A test alert through the real path.
    Test(TestAlert),
    /// A message of the bot's own into a channel (notices, confirmations).
    Tell(Tell),
    /// Boards are to be drawn now.
    Redraw(Redraw),
}

/// `/alerts test`.
#[derive(Debug)]
pub struct TestAlert {
    /// Only this guild's routes.
    pub guild: GuildId,
    /// Whose CAD it pretends to come from.
    pub community: CommunityId,
    /// Which server.
    pub server: ServerId,
    /// What kind.
    pub topic: Topic,
    /// Only this route.
    pub route: Option<i64>,
    /// Pings as a real one would.
    pub full: bool,
    /// The channels it goes to.
    pub done: oneshot::Sender<Result<Vec<ChannelId>, Refused>>,
}

/// A message of the bot's own, delivered like any other post.
#[derive(Debug)]
pub struct Tell {
    /// Whose.
    pub guild: GuildId,
    /// Where.
    pub channel: ChannelId,
    /// Whose CAD it is about.
    pub community: CommunityId,
    /// Which server.
    pub server: ServerId,
    /// Makes the same message once only.
    pub subject: String,
    /// What.
    pub message: Message,
}

/// Requests that may wait.
pub const REQUESTS: usize = 64;

/// Everything ingest needs from outside.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where it lasts.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Numbers.
    pub metrics: Metrics,
    /// Facts.
    pub status: Status,
    /// Rung after each commit that has posts.
    pub wake: Arc<Notify>,
    /// The communities' words.
    pub labels: Labels,
}

/// The one that takes events in.
#[derive(Debug)]
pub struct Ingest {
    outside: Surroundings,
    worlds: HashMap<ServerKey, Server>,
    memos: Memos,
    pages: LogPages,
    boards: Boards,
    copies: Copies,
    next_seq: i64,
    forgotten_at: UnixMs,
}

/// One arrival worked through.
struct Digested {
    arrival: Arrival,
    outcome: Result<Digest, Refused>,
}

/// What there is to commit of an arrival.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    /// A row of the journal, and what followed from it.
    Journaled,
    /// Nothing: it came another way before.
    Copy,
}

impl Ingest {
    /// Reads back where the process before left off.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn restore(outside: Surroundings) -> Result<Self, StoreError> {
        let worlds = outside.store.world().await?;
        let memos = Memos::new(outside.store.memos().await?);
        let next_seq = outside.store.last_seq().await?.saturating_add(1);
        let forgotten_at = outside.clock.now();
        let boards = Boards::restore(&outside.store.routing_now().boards, &outside.store.boards_made().await?, forgotten_at);
        Ok(Self { outside, worlds, memos, pages: LogPages::default(), boards, copies: Copies::default(), next_seq, forgotten_at })
    }

    /// Runs until the door is closed, or until draining began and nothing waits at it any more.
    pub async fn run(mut self, mut door: mpsc::Receiver<Arrival>, mut requests: mpsc::Receiver<Request>, tasks: Tasks) {
        let mut arrivals = Vec::with_capacity(TOGETHER);
        loop {
            let board = self.boards.next(self.outside.clock.now());
            tokio::select! {
                biased;
                taken = door.recv_many(&mut arrivals, TOGETHER) => {
                    if taken == 0 {
                        return;
                    }
                    self.take(std::mem::take(&mut arrivals), &tasks).await;
                }
                Some(request) = requests.recv() => self.answer(request).await,
                () = pause(board), if board.is_some() => self.take(Vec::new(), &tasks).await,
                // Closing lets what waits be taken and nothing more come in.
                () = tasks.draining(), if !door.is_closed() => door.close(),
            }
        }
    }

    async fn take(&mut self, arrivals: Vec<Arrival>, tasks: &Tasks) {
        let now = self.outside.clock.now();
        let mut batch = Batch { now, ..Batch::default() };
        let mut digested = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            let outcome = self.digest(&arrival.event, &mut batch);
            digested.push(Digested { arrival, outcome });
        }
        self.forget(now, &mut batch);
        let drawn = self.draw_boards(now, &mut batch);
        let wakes = !batch.posts.is_empty();
        let nothing = batch.journal.is_empty() && batch.world.is_empty() && batch.posts.is_empty();
        let stored = if nothing { Ok(()) } else { self.store(batch, &digested, tasks).await };
        if stored.is_err() {
            self.boards.again(&drawn, now);
        }
        for Digested { arrival: Arrival { event, done }, outcome } in digested {
            let outcome = outcome.and_then(|digest| stored.map(|()| digest));
            self.count(&event, outcome);
            if let Some(done) = done {
                // The listener gave up waiting: its sender was told to try again.
                done.send(outcome.map(|_| ())).ok();
            }
        }
        if wakes && stored.is_ok() {
            self.outside.wake.notify_one();
        }
    }

    /// Counts an arrival whose fate is known: nothing counts as committed before it is.
    fn count(&self, event: &RawEvent, outcome: Result<Digest, Refused>) {
        let Surroundings { metrics, status, .. } = &self.outside;
        match outcome {
            Ok(Digest::Journaled) => {
                metrics.event(event.source, Outcome::Committed);
                status.event(&event.community, event.server, event.source, event.received_at);
            }
            Ok(Digest::Copy) => {
                metrics.event(event.source, Outcome::Copy);
                status.copy(&event.community, event.server);
            }
            Err(Refused::Unusable) => metrics.event(event.source, Outcome::Unusable),
            // The listener counts its own.
            Err(Refused::Unavailable) if event.source == Source::Hub => metrics.event(event.source, Outcome::Unavailable),
            Err(Refused::Unavailable) => {}
        }
    }

    /// Commits. A failure takes the worlds back to what is on disk. Hub events cannot be sent again by their sender, so a batch that
    /// holds one is tried for a while; the sources wait at the door meanwhile.
    async fn store(&mut self, batch: Batch, digested: &[Digested], tasks: &Tasks) -> Result<(), Refused> {
        let from_hub = digested.iter().any(|d| d.arrival.event.source == Source::Hub && d.outcome.is_ok());
        let mut tries = if from_hub { HUB_TRIES } else { 1 };
        let batch = Arc::new(batch);
        loop {
            let error = match self.outside.store.ingest(Arc::clone(&batch)).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            tries -= 1;
            self.outside.status.problem(self.outside.clock.now(), format!("Events could not be stored: {error}. Check the disk."));
            tracing::error!(%error, events = batch.journal.len(), tries_left = tries, "events could not be stored");
            if tries == 0 || tasks.is_draining() {
                self.recover().await;
                return Err(Refused::Unavailable);
            }
            tokio::select! {
                () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                () = tasks.draining() => {}
            }
        }
    }

    async fn recover(&mut self) {
        match self.outside.store.world().await {
            Ok(worlds) => self.worlds = worlds,
            Err(error) => tracing::error!(%error, "the CAD's state could not be read back; it stays as it is"),
        }
        match self.outside.store.memos().await {
            Ok(memos) => self.memos = Memos::new(memos),
            Err(error) => tracing::error!(%error, "the posts could not be read back"),
        }
        self.pages = LogPages::default();
        self.copies = Copies::default();
    }

    /// Works one event through the pure rooms.
    fn digest(&mut self, raw: &RawEvent, batch: &mut Batch) -> Result<Digest, Refused> {
        let server = raw.server;
        let metrics = self.outside.metrics.clone();
        if self.copies.is_copy(raw) {
            return Ok(Digest::Copy);
        }
        let events = match decode(&raw.envelope) {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(kind = %raw.envelope.kind, source = raw.source.as_str(), %server, %error, "an event's data cannot be used");
                self.outside.status.problem(
                    raw.received_at,
                    format!("Server {server} sent a {} that cannot be used: {error}. Please report it.", raw.envelope.kind),
                );
                return Err(Refused::Unusable);
            }
        };
        let seq = self.journal(raw, batch);
        for (nth, event) in (0_u32..).zip(&events) {
            match event {
                Event::Unknown => {
                    metrics.unknown_event();
                    self.outside.status.unknown(&raw.envelope.kind);
                }
                event => {
                    if let Some(topic) = event.topic() {
                        metrics.topic(topic.as_str());
                    }
                    self.happen(raw, event, (seq, nth), batch);
                }
            }
        }
        Ok(Digest::Journaled)
    }

    fn journal(&mut self, raw: &RawEvent, batch: &mut Batch) -> i64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        batch.journal.push(JournalRow {
            seq,
            community: raw.community.clone(),
            server: raw.server,
            source: raw.source,
            kind: raw.envelope.kind.clone(),
            received_at: raw.received_at,
            body: raw.envelope.to_json(),
        });
        seq
    }

    fn happen(&mut self, raw: &RawEvent, event: &Event, number: (i64, u32), batch: &mut Batch) {
        let key = (raw.community.clone(), raw.server);
        let world = self.worlds.entry(key).or_default();
        let applied = world.apply(event, raw.received_at);
        batch.world.extend(rows(&raw.community, raw.server, world, &applied.touched));
        if !applied.touched.is_empty() {
            self.boards.touch(&raw.community, raw.server, batch.now);
        }
        let routing = self.outside.store.routing_now();
        let mut drawing = Drawing {
            routes: &routing.routes,
            labels: &self.outside.labels,
            community: &raw.community,
            server: raw.server,
            world,
            memos: &mut self.memos,
            pages: &mut self.pages,
            at: raw.received_at,
            number,
            drafts: &mut batch.posts,
        };
        for change in &applied.changes {
            drawing.change(change);
        }
        drawing.event(event);
    }

    fn forget(&mut self, now: UnixMs, batch: &mut Batch) {
        if now.since(self.forgotten_at) < FORGET_EVERY {
            return;
        }
        self.forgotten_at = now;
        for ((community, server), world) in &mut self.worlds {
            let gone: BTreeSet<Entity> = world.forget(now, KEEP_OVER).into_iter().collect();
            batch.world.extend(rows(community, *server, world, &gone));
        }
        let worlds = &self.worlds;
        self.memos.retain(|key, subject| worlds.get(key).is_some_and(|world| world.knows(subject)));
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Test(test) => self.test(test).await,
            Request::Tell(tell) => self.tell(tell).await,
            Request::Redraw(redraw) => self.redraw(redraw).await,
        }
    }

    /// Draws the boards that are due. Returns their numbers.
    fn draw_boards(&mut self, now: UnixMs, batch: &mut Batch) -> Vec<i64> {
        let routing = self.outside.store.routing_now();
        self.boards.sync(&routing.boards, now);
        let due = self.boards.due(now);
        for id in &due {
            let labels = self.boards.guild(*id).and_then(|guild| routing.guilds.get(&guild)).map(|guild| Arc::clone(&guild.labels));
            batch.posts.extend(self.boards.draw(*id, &self.worlds, &labels.unwrap_or_default(), now));
        }
        due
    }

    async fn redraw(&mut self, redraw: Redraw) {
        let now = self.outside.clock.now();
        self.boards.sync(&self.outside.store.routing_now().boards, now);
        self.boards.want(redraw.guild, redraw.board, now);
        let mut batch = Batch { now, ..Batch::default() };
        let drawn = self.draw_boards(now, &mut batch);
        let asked = drawn.iter().filter(|id| self.boards.guild(**id) == Some(redraw.guild) && redraw.board.is_none_or(|only| only == **id));
        let asked = asked.count();
        let outcome = match self.outside.store.ingest(batch).await {
            Ok(()) => Ok(asked),
            Err(error) => {
                tracing::error!(%error, "boards could not be stored");
                self.boards.again(&drawn, now);
                Err(Refused::Unavailable)
            }
        };
        self.outside.wake.notify_one();
        redraw.done.send(outcome).ok();
    }

    async fn tell(&mut self, tell: Tell) {
        let now = self.outside.clock.now();
        let draft = Draft::own(tell.guild, tell.channel, tell.community, tell.server, tell.subject, tell.message, now);
        let batch = Batch { posts: vec![draft], now, ..Batch::default() };
        match self.outside.store.ingest(batch).await {
            Ok(()) => self.outside.wake.notify_one(),
            Err(error) => tracing::error!(%error, "a notice could not be stored"),
        }
    }

    /// A test alert: decoded from JSON like a real one, applied to a world of its own, matched against the guild's real routes,
    /// journaled and delivered like any other. It touches no real call.
    async fn test(&mut self, test: TestAlert) {
        let now = self.outside.clock.now();
        let routing = self.outside.store.routing_now();
        let routes: Vec<_> = routing
            .routes
            .iter()
            .filter(|route| route.guild == test.guild && test.route.is_none_or(|only| route.id == only))
            .cloned()
            .collect();
        let mut batch = Batch { now, ..Batch::default() };
        let mut world = Server::default();
        for envelope in samples::before(test.topic) {
            for event in decode(&envelope).unwrap_or_default() {
                world.apply(&event, now.plus(-samples::LEAD_MS));
            }
        }
        let raw = RawEvent {
            community: test.community,
            server: test.server,
            source: Source::Test,
            received_at: now,
            envelope: Arc::new(samples::event(test.topic)),
        };
        let seq = self.journal(&raw, &mut batch);
        let (mut memos, mut pages) = (Memos::default(), LogPages::default());
        for (nth, event) in (0_u32..).zip(decode(&raw.envelope).unwrap_or_default()) {
            let applied = world.apply(&event, now);
            let mut drawing = Drawing {
                routes: &routes,
                labels: &self.outside.labels,
                community: &raw.community,
                server: raw.server,
                world: &world,
                memos: &mut memos,
                pages: &mut pages,
                at: now,
                number: (seq, nth),
                drafts: &mut batch.posts,
            };
            let changes: Vec<&Change> = applied.changes.iter().collect();
            drawing.test(&event, &changes, test.full);
        }
        let channels: Vec<ChannelId> = batch.posts.iter().map(|draft| draft.key.channel).collect();
        let outcome = match self.outside.store.ingest(batch).await {
            Ok(()) => Ok(channels),
            Err(error) => {
                tracing::error!(%error, "a test alert could not be stored");
                Err(Refused::Unavailable)
            }
        };
        if outcome.is_ok() {
            self.outside.metrics.event(Source::Test, Outcome::Committed);
            self.outside.wake.notify_one();
        }
        test.done.send(outcome).ok();
    }
}

/// Until a board is due; at least a moment, in case the clock stands still.
async fn pause(ms: Option<i64>) {
    let ms = ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0).max(1);
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

fn rows<'a>(
    community: &'a CommunityId,
    server: ServerId,
    world: &'a Server,
    touched: &'a BTreeSet<Entity>,
) -> impl Iterator<Item = WorldRow> + 'a {
    touched.iter().map(move |entity| WorldRow { community: community.clone(), server, key: entity.key(), state: world.row(*entity) })
}

/// An envelope made by ourselves.
fn envelope(kind: &str, data: serde_json::Value) -> Envelope {
    Envelope { kind: kind.to_owned(), data, extras: serde_json::Map::default() }
}
