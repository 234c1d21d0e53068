//! Processes one community's events: takes those that wait in the intake queue (`src/intake_queue.rs`), runs them through the pure modules, and
//! commits the results as one transaction.
//!
//! Job: decode ▸ drop copies ▸ world ▸ routes ▸ render ▸ one [`Batch`]; answer the waiting sources once it is on disk; wake delivery. Never sends
//! requests to Discord or the CAD, never acknowledges an event before the commit. It alone changes the worlds; if a commit fails they are
//! read back from disk, so that memory never says what the disk does not.
//!
//! ```text
//! queue ─▶ up to 128 arrivals ─▶ decode ─▶ copies? ─▶ apply ┐
//! readings of the CAD ─────────────────────▶ reconcile ─────┼─▶ plan ─▶ Batch (with the boards that are due) ─▶ store ─▶ answers, wake
//! routes, words, boards changed, nobody answers ─────────────┘
//! requests of commands ─▶ tests, messages of the bot's own, boards, filters tried (`requests.rs`)
//! ```

pub mod boards;
mod called;
mod duty;
mod escalation;
mod facts;
mod log_pages;
mod planner;
mod requests;
mod samples;
#[cfg(test)]
mod tests;
mod world_rows;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::clock::{Clock, UnixMs};
use crate::event::dedup::{Dedup, WITHIN};
use crate::event::own::is_own;
use crate::event::{Envelope, Event, RawEvent, Source, decode};
use crate::ids::{BoardId, ChannelId, CommunityId, GuildId, RouteId, ServerId};
use crate::intake_queue::{Arrival, IntakeError, Weight};
use crate::metrics::{Metrics, Outcome};
use crate::outbox::{ClaimOutcome, Lane, PostKey};
use crate::refresh::{Outcome as Caught, Read, Reason, RefreshRequests};
use crate::send_scheduler::SendScheduler;
use crate::shutdown::Tasks;
use crate::status::Status;
use crate::store::duty::DutyRow;
use crate::store::{Batch, CardMemo, CommunityStore, JournalRow, Routing, StoreError};
use crate::world::{Applied, Entity, Reconciled, Server, UNIT};

use boards::Boards;
use called::Called;
use log_pages::LogPages;
use planner::{Memos, PlanContext, PostPlanner, Whose};
use world_rows::world_rows;

pub use requests::{BotMessage, Look, REQUESTS, Request, TestAlert, Tried, TryFilter};

/// Arrivals taken into one transaction.
const TOGETHER: usize = 128;
/// Longest wait for more arrivals; see [`Ingest::gather`].
const GATHER: Duration = Duration::from_millis(5);
/// What is over stays in memory this long, so that late events still find it.
const KEEP_OVER: Duration = Duration::from_secs(3_600);
/// How often what is over is looked for, unless a world gets crowded before.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked at what waits for an answer.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// Events that nobody waits for, and that show nothing, wait this long for a commit that they can join.
const HOLD: Duration = Duration::from_millis(25);
/// At most so many of them wait, and so much of what the intake may hold in all.
const MAX_HELD: usize = 1_024;
const MAX_HELD_WEIGHT: usize = crate::intake_queue::MAX_WEIGHT / 8;
/// A hub event whose commit failed is tried again this often, a second apart: the hub cannot be asked to send it again.
const HUB_TRIES: u32 = 30;

/// What ingest works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Whose events they are.
    pub store: CommunityStore,
    pub clock: Clock,
    pub metrics: Metrics,
    pub status: Status,
    /// Notified after each commit that has posts; grants slots for posts that may be sent at once.
    pub scheduler: SendScheduler,
    /// Requests an extra poll of the CAD.
    pub refresh: RefreshRequests,
}

/// Takes in one community's events.
#[derive(Debug)]
pub struct Ingest {
    deps: Deps,
    worlds: HashMap<ServerId, Server>,
    memos: Memos,
    pages: LogPages,
    boards: Boards,
    dedup: Dedup,
    /// When each route's role was pinged last.
    pinged: HashMap<RouteId, UnixMs>,
    /// When each route was made or changed, as far as that was lately.
    rerouted: HashMap<RouteId, UnixMs>,
    /// As it was when it was last looked at.
    routing: Arc<Routing>,
    forgotten_at: UnixMs,
    last: Group,
    held: Held,
    /// What was called out because nobody answered.
    called: HashSet<Called>,
}

/// The last arrivals that were committed together.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Senders that were answered.
    answered: usize,
    at: Instant,
    /// What the commit took.
    took: Duration,
}

impl Group {
    /// How many are waited for, and until when.
    fn expected(self) -> (usize, Instant) {
        let patience = GATHER.min(self.took / 4);
        // Timers know milliseconds: of a fast disk nothing is to be gained.
        if patience < Duration::from_millis(1) { (0, self.at) } else { (self.answered.min(TOGETHER), self.at + patience) }
    }
}

/// Events that are worked through and not on disk yet: from the hub, which waits for no answer, and nothing is shown of them. Everything that
/// looks at worlds, or shows something, commits them before.
#[derive(Debug, Default)]
struct Held {
    batch: Batch,
    arrivals: Vec<Digested>,
    /// When they must be committed; `None`: there are none.
    until: Option<Instant>,
}

/// One arrival worked through.
#[derive(Debug)]
struct Digested {
    arrival: Arrival,
    outcome: Result<Digest, IntakeError>,
}

/// Everything that comes in.
#[derive(Debug)]
pub struct Inputs {
    /// Events.
    pub queue: mpsc::Receiver<Arrival>,
    /// What the CAD's REST API says.
    pub readings: mpsc::Receiver<Read>,
    /// What commands ask.
    pub requests: mpsc::Receiver<Request>,
}

/// What there is to commit of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub async fn restore(deps: Deps) -> Result<Self, StoreError> {
        let mut worlds = deps.store.world().await?;
        duty::resume(&deps.store, deps.clock.now(), &mut worlds).await?;
        let memos = memos_of(&worlds, deps.store.memos().await?, &deps.store.routing_now());
        for (server, world) in &worlds {
            deps.status.on_duty(*server, on_duty(world));
        }
        let pinged = deps.store.pinged().await?;
        let routing = deps.store.routing_now();
        let forgotten_at = deps.clock.now();
        let boards = Boards::restore(&routing.boards, &deps.store.boards_made().await?, forgotten_at);
        let dedup = known_events(&deps.store, forgotten_at).await?;
        let pages = LogPages::default();
        let last = Group { answered: 0, at: Instant::now(), took: Duration::ZERO };
        let (called, rerouted, held) = (HashSet::new(), HashMap::new(), Held::default());
        Ok(Self { deps, worlds, memos, pages, boards, dedup, pinged, rerouted, routing, forgotten_at, last, held, called })
    }

    fn community(&self) -> &CommunityId {
        self.deps.store.community()
    }

    /// Runs until the queue is closed, or until draining began, nothing is in hand any more and nothing waits in the queue.
    pub async fn run(mut self, inputs: &mut Inputs, tasks: &Tasks) {
        let Inputs { queue, readings, requests } = inputs;
        let mut routing = self.deps.store.routing();
        let mut arrivals = Vec::new();
        let mut look_after = tokio::time::interval(LOOK_AFTER);
        look_after.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let board = self.boards.next(self.deps.clock.now());
            tokio::select! {
                biased;
                // Rare, and never to be starved by a flood of events.
                Some(read) = readings.recv() => self.reconcile(read, tasks).await,
                Ok(()) = routing.changed() => self.reroute(tasks).await,
                Some(request) = requests.recv() => {
                    self.flush(tasks).await;
                    self.answer(request).await;
                }
                () = pause(board), if board.is_some() => self.draw_due(tasks).await,
                _ = look_after.tick() => self.look_after(tasks).await,
                taken = queue.recv_many(&mut arrivals, TOGETHER) => {
                    if taken == 0 {
                        return self.flush(tasks).await;
                    }
                    self.gather(queue, &mut arrivals).await;
                    self.digest_all(std::mem::take(&mut arrivals));
                    if self.must_commit() {
                        self.flush(tasks).await;
                    }
                }
                () = until(self.held.until), if self.held.until.is_some() => self.flush(tasks).await,
                // Closing lets what waits be taken and nothing more come in.
                () = tasks.hands_free(), if !queue.is_closed() => queue.close(),
            }
        }
    }

    /// Lets senders that were answered a moment ago come with their next event, at most a quarter of what a commit takes. On a slow disk
    /// they would otherwise fall into two halves, of which one always waits for the other's commit. Who comes alone never waits.
    async fn gather(&self, queue: &mut mpsc::Receiver<Arrival>, arrivals: &mut Vec<Arrival>) {
        // Connections that are ready to run may have something for the queue.
        tokio::task::yield_now().await;
        let (wanted, until) = self.last.expected();
        while let free @ 1.. = TOGETHER.saturating_sub(arrivals.len()) {
            if arrivals.len() >= wanted && queue.is_empty() {
                return;
            }
            let Ok(1..) = timeout_at(until, queue.recv_many(arrivals, free)).await else { return };
        }
    }

    /// Works arrivals through and commits what they come to, together.
    pub async fn take(&mut self, arrivals: Vec<Arrival>, tasks: &Tasks) {
        self.digest_all(arrivals);
        self.flush(tasks).await;
    }

    fn digest_all(&mut self, arrivals: Vec<Arrival>) {
        let now = self.deps.clock.now();
        let Held { mut batch, arrivals: mut digested, until } = std::mem::take(&mut self.held);
        batch.now = now;
        for arrival in arrivals {
            let outcome = self.digest(&arrival.event, &mut batch);
            digested.push(Digested { arrival, outcome });
        }
        self.forget(now, &mut batch);
        self.held = Held { batch, arrivals: digested, until: Some(until.unwrap_or_else(|| Instant::now() + HOLD)) };
    }

    /// Whether what is held must not wait any longer.
    fn must_commit(&self) -> bool {
        let Held { batch, arrivals, until } = &self.held;
        !batch.posts.is_empty()
            || !batch.pings.is_empty()
            || arrivals.len() >= MAX_HELD
            || arrivals.iter().filter_map(|held| held.arrival.weight.as_ref()).map(Weight::bytes).sum::<usize>() > MAX_HELD_WEIGHT
            || arrivals.iter().any(|digested| digested.arrival.done.is_some())
            || until.is_some_and(|until| until <= Instant::now())
            || self.boards.next(batch.now) == Some(Duration::ZERO)
    }

    /// Commits what is held.
    pub(super) async fn flush(&mut self, tasks: &Tasks) {
        let Held { batch, arrivals: digested, until } = std::mem::take(&mut self.held);
        if until.is_none() {
            return;
        }
        let from_hub = digested.iter().any(|d| d.arrival.event.source == Source::Hub && d.outcome.is_ok());
        let began = Instant::now();
        let stored = self.commit(batch, if from_hub { HUB_TRIES } else { 1 }, tasks).await;
        let answered = digested.iter().filter(|d| d.arrival.done.is_some()).count();
        self.last = Group { answered, at: Instant::now(), took: began.elapsed() };
        for Digested { arrival: Arrival { event, done, weight: _weight }, outcome } in digested {
            let outcome = outcome.and_then(|digest| stored.map(|()| digest));
            self.count(&event, outcome);
            if let Some(done) = done {
                // The listener gave up waiting: its sender has been answered to try again.
                done.send(outcome.map(|_| ())).ok();
            }
        }
    }

    /// Counts an arrival whose fate is known: nothing counts as committed before it is.
    fn count(&self, event: &RawEvent, outcome: Result<Digest, IntakeError>) {
        let Deps { metrics, status, .. } = &self.deps;
        match outcome {
            Ok(Digest::Journaled) => {
                metrics.event(event.source, Outcome::Committed);
                metrics.event_type(&event.envelope.kind, event.source);
                metrics.last_event(event.server, event.received_at);
                status.event(event.server, event.source, event.received_at);
            }
            Ok(Digest::Copy) => {
                metrics.event(event.source, Outcome::Copy);
                status.copy(event.server);
            }
            Err(IntakeError::Unusable) => {
                metrics.event(event.source, Outcome::Unusable);
                metrics.decode_failure(&event.envelope.kind);
            }
            // The listener counts its own.
            Err(IntakeError::Unavailable) if event.source == Source::Hub => metrics.event(event.source, Outcome::Unavailable),
            Err(IntakeError::Unavailable) => {}
        }
    }

    /// Commits, up to `tries` times a second apart, and notifies delivery. A failure takes the worlds back to what is on disk. Hub
    /// events cannot be sent again by their sender: they are tried for a while, and the sources wait for room in the queue meanwhile.
    async fn commit(&mut self, mut batch: Batch, mut tries: u32, tasks: &Tasks) -> Result<(), IntakeError> {
        let boards = self.draw_boards(&mut batch);
        if batch.is_empty() {
            return Ok(());
        }
        let batch = Arc::new(batch);
        loop {
            let begun = std::time::Instant::now();
            let error = match self.store(&batch).await {
                Ok(()) => {
                    self.deps.metrics.commit(batch.journal.len(), begun.elapsed());
                    self.deps.status.stored();
                    break;
                }
                Err(error) => error,
            };
            self.deps.metrics.commit_failed();
            tries = tries.saturating_sub(1);
            let (now, sentence) = (self.deps.clock.now(), format!("Events could not be stored: {error}. Check the disk."));
            self.deps.status.not_stored(now, &sentence);
            self.deps.status.problem(now, sentence);
            tracing::error!(%error, events = batch.journal.len(), tries_left = tries, "events could not be stored");
            if tries == 0 || tasks.is_draining() {
                self.boards.again(&boards, batch.now);
                self.recover().await;
                return Err(IntakeError::Unavailable);
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = tasks.draining() => {}
            }
        }
        let units = batch.world.iter().filter(|row| row.key.0 == UNIT);
        let changed: BTreeSet<ServerId> = units.map(|row| row.server).collect();
        for server in changed {
            self.deps.status.on_duty(server, self.worlds.get(&server).map_or(0, on_duty));
        }
        Ok(())
    }

    /// Stores a batch and has its posts sent. Channels that nobody is busy with are served with this very transaction: what is to be sent
    /// there is claimed as it is stored, so that it waits for the disk once.
    pub(super) async fn store(&self, batch: &Arc<Batch>) -> Result<(), StoreError> {
        let Deps { store, scheduler, .. } = &self.deps;
        let mut channels: BTreeMap<ChannelId, bool> = BTreeMap::new();
        for post in &batch.posts {
            *channels.entry(post.key.channel).or_default() |= post.lane == Lane::Panic;
        }
        let mut slots = Vec::new();
        let mut others = Vec::new();
        for (channel, panic) in channels {
            let express = panic.then(|| scheduler.enter(channel, self.community(), true)).flatten();
            match express.or_else(|| scheduler.enter(channel, self.community(), false)) {
                Some(slot) => slots.push(slot),
                None => others.push((channel, panic)),
            }
        }
        let requests = slots.iter().map(|slot| slot.request(batch.now)).collect();
        // If it fails, the slots are given back as they are dropped.
        let found = store.ingest(Arc::clone(batch), requests).await?;
        for (slot, found) in slots.into_iter().zip(found) {
            match found {
                ClaimOutcome::Claimed(claim) => scheduler.hand_over(slot, *claim),
                ClaimOutcome::NotBefore(at) if at > batch.now => slot.give_back(Some(at)),
                // Something waits that may not go just now: the delivery finds out when.
                ClaimOutcome::NotBefore(_) => drop(slot),
                ClaimOutcome::Nothing => slot.give_back(None),
            }
        }
        for (channel, panic) in others {
            scheduler.notify(channel, self.community(), panic);
        }
        Ok(())
    }

    async fn recover(&mut self) {
        match self.deps.store.world().await {
            Ok(worlds) => self.worlds = worlds,
            Err(error) => tracing::error!(%error, "the CAD's state could not be read back; it stays as it is"),
        }
        match self.deps.store.memos().await {
            Ok(memos) => self.memos = memos_of(&self.worlds, memos, &self.deps.store.routing_now()),
            Err(error) => tracing::error!(%error, "the posts could not be read back"),
        }
        match self.deps.store.pinged().await {
            Ok(pinged) => self.pinged = pinged,
            Err(error) => tracing::error!(%error, "when roles were pinged could not be read back"),
        }
        self.dedup = match known_events(&self.deps.store, self.deps.clock.now()).await {
            Ok(dedup) => dedup,
            Err(error) => {
                tracing::error!(%error, "the last events could not be read back: a copy of one may be taken for another");
                Dedup::default()
            }
        };
        self.pages = LogPages::default();
    }

    /// Runs one event through the pure modules.
    fn digest(&mut self, raw: &RawEvent, batch: &mut Batch) -> Result<Digest, IntakeError> {
        let server = raw.server;
        let metrics = self.deps.metrics.clone();
        // Event types that only the bot itself may create are unknown types from any other source.
        let forged = is_own(&raw.envelope.kind) && raw.source != Source::Bot;
        let events = match if forged { Ok(vec![Event::Unknown]) } else { decode(&raw.envelope) } {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(kind = %raw.envelope.kind, source = raw.source.as_str(), %server, %error, "an event's data cannot be used");
                self.deps.status.problem(
                    raw.received_at,
                    format!("Server {server} sent a {} that cannot be used: {error}. Please report it.", raw.envelope.kind),
                );
                return Err(IntakeError::Unusable);
            }
        };
        if self.dedup.is_copy(raw, &events) {
            return Ok(Digest::Copy);
        }
        let seq = self.journal(raw, batch);
        for (nth, event) in (0_u32..).zip(&events) {
            match event {
                Event::Unknown => {
                    self.deps.status.unknown(&raw.envelope.kind);
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
        let seq = self.deps.store.next_seq();
        batch.journal.push(JournalRow {
            seq,
            server: raw.server,
            source: raw.source,
            kind: raw.envelope.kind.clone(),
            received_at: raw.received_at,
            body: raw.envelope.to_json(),
        });
        seq
    }

    fn happen(&mut self, raw: &RawEvent, event: &Event, number: (i64, u32), batch: &mut Batch) {
        let world = self.worlds.entry(raw.server).or_default();
        let applied = world.apply_numbered(event, raw.received_at, number);
        // A request to the API may have turned it into a call, which sends no event: only the list of calls shows it (docs/cad-contract.md#e11).
        if matches!(event, Event::EmergencyRemoved { .. }) && !applied.changes.is_empty() {
            self.deps.refresh.request(raw.server, Reason::Removed);
        }
        self.plan(raw.server, raw.received_at, number, &applied, Some(event), batch);
    }

    /// Plans the posts for what has changed in a world, and adds the world's rows to the batch.
    fn plan(&mut self, server: ServerId, at: UnixMs, number: (i64, u32), applied: &Applied, event: Option<&Event>, batch: &mut Batch) {
        let world = self.worlds.entry(server).or_default();
        batch.world.extend(world_rows(server, world, &applied.touched));
        if !applied.touched.is_empty() {
            self.boards.touch(server, batch.now);
        }
        duty::rows(server, world, applied, batch);
        let routing = self.deps.store.routing_now();
        let whose = Whose { community: self.deps.store.community(), server };
        let context = PlanContext { number, ..PlanContext::without_event(&routing, (&self.pinged, &self.rerouted), whose, world, at) };
        let mut planner = PostPlanner::new(context, &mut self.memos, &mut self.pages, &mut batch.posts);
        for change in &applied.changes {
            planner.change(change);
        }
        if let Some(event) = event {
            planner.event(event);
        }
        let pings = planner.pings;
        self.pinged.extend(pings.iter().map(|route| (*route, at)));
        batch.pings.extend(pings.into_iter().map(|route| (route, at)));
    }

    /// Brings a server's world to what the CAD lists, as if events had said so: changes made through its API send none.
    pub async fn reconcile(&mut self, read: Read, tasks: &Tasks) {
        self.flush(tasks).await;
        let now = self.deps.clock.now();
        let Read { server, listing, done } = read;
        let world = self.worlds.entry(server).or_default();
        let Reconciled { applied, skipped, caught_up } = world.reconcile(&listing, now);
        let mut batch = Batch { now, ..Batch::default() };
        let mut number = (0, 0);
        if !applied.changes.is_empty() {
            let found = serde_json::json!({ "calls": caught_up, "changes": applied.changes.len(), "skipped": skipped });
            let envelope = Arc::new(envelope("READING", found));
            let raw = RawEvent { server, source: Source::Rest, received_at: now, envelope };
            number = (self.journal(&raw, &mut batch), 0);
        }
        self.plan(server, now, number, &applied, None, &mut batch);
        if self.commit(batch, 1, tasks).await.is_ok() {
            done.send(Caught { skipped, caught_up, changes: applied.changes.len() }).ok();
        }
    }

    /// Routes, words or boards have changed: cards that stand are drawn in the words that hold now.
    pub async fn reroute(&mut self, tasks: &Tasks) {
        self.flush(tasks).await;
        let now = self.deps.clock.now();
        let routing = self.deps.store.routing_now();
        let before = std::mem::replace(&mut self.routing, Arc::clone(&routing));
        self.rerouted.retain(|_, at| now.since(*at) < planner::YOUNG);
        self.memos.only_of(|guild| routing.access.community_of(guild).is_some());
        let changed = routing.routes.iter().filter(|route| !before.routes.contains(route));
        self.rerouted.extend(changed.map(|route| (route.id, now)));
        // What a guild has of its own on every card: its words, and whether there are buttons.
        let words = |routing: &Routing, guild| {
            let known = routing.guilds.get(&guild);
            (known.map(|guild| Arc::clone(&guild.labels)).unwrap_or_default(), known.is_none_or(|guild| guild.action_rule.buttons))
        };
        let reworded: Vec<GuildId> =
            routing.guilds.keys().copied().filter(|guild| words(&before, *guild) != words(&routing, *guild)).collect();
        let mut batch = Batch { now, ..Batch::default() };
        for guild in reworded {
            self.boards.want(guild, None, now);
            for (server, world) in &self.worlds {
                let context = PlanContext::without_event(
                    &routing,
                    (&self.pinged, &self.rerouted),
                    Whose { community: self.deps.store.community(), server: *server },
                    world,
                    now,
                );
                let mut planner = PostPlanner::new(context, &mut self.memos, &mut self.pages, &mut batch.posts);
                planner.redraw_for(guild, |subject| world.is_over(subject));
            }
        }
        // Not written: the next change of any route tries again.
        if self.commit(batch, 1, tasks).await.is_err() {
            self.routing = before;
        }
    }

    /// Draws the boards whose time has come.
    pub async fn draw_due(&mut self, tasks: &Tasks) {
        self.flush(tasks).await;
        let batch = Batch { now: self.deps.clock.now(), ..Batch::default() };
        self.commit(batch, 1, tasks).await.ok();
    }

    /// Adds the boards that are due to a batch. Returns their numbers.
    fn draw_boards(&mut self, batch: &mut Batch) -> Vec<BoardId> {
        let routing = self.deps.store.routing_now();
        self.boards.sync(&routing.boards, batch.now);
        let due = self.boards.due(batch.now);
        for id in &due {
            let labels = self.boards.guild(*id).and_then(|guild| routing.guilds.get(&guild)).map(|guild| Arc::clone(&guild.labels));
            batch.posts.extend(self.boards.draw(*id, &self.worlds, &labels.unwrap_or_default(), batch.now));
        }
        due
    }

    /// Pages that waited for long enough.
    fn expire(&mut self, now: UnixMs, batch: &mut Batch) {
        let expired: Vec<(ServerId, Applied)> = (self.worlds.iter_mut())
            .map(|(server, world)| (*server, world.expire_pages(now)))
            .filter(|(_, applied)| !applied.changes.is_empty())
            .collect();
        for (server, applied) in expired {
            self.plan(server, now, (0, 0), &applied, None, batch);
        }
    }

    fn forget(&mut self, now: UnixMs, batch: &mut Batch) {
        if now.since(self.forgotten_at) < FORGET_EVERY && !self.worlds.values().any(Server::is_crowded) {
            return;
        }
        self.forgotten_at = now;
        for (server, world) in &mut self.worlds {
            let crowded = world.is_crowded();
            let on_duty = if crowded { world.duty_open() } else { Vec::new() };
            let gone: BTreeSet<Entity> = world.forget(now, KEEP_OVER).into_iter().collect();
            let ends = world.duty_forgotten(&on_duty);
            batch.duty.extend(ends.into_iter().map(|edge| DutyRow::new(*server, edge, None)));
            batch.world.extend(world_rows(*server, world, &gone));
        }
        let worlds = &self.worlds;
        self.memos.retain(|server, subject| worlds.get(&server).is_some_and(|world| world.knows(subject)));
    }
}

/// The posts of what the worlds still know.
fn memos_of(worlds: &HashMap<ServerId, Server>, rows: Vec<(PostKey, CardMemo)>, routing: &Routing) -> Memos {
    let mut memos = Memos::new(rows);
    memos.only_of(|guild| routing.access.community_of(guild).is_some());
    memos.retain(|server, subject| worlds.get(&server).is_some_and(|world| world.knows(subject)));
    memos
}

fn on_duty(world: &Server) -> usize {
    world.units.values().filter(|state| state.on_duty).count()
}

/// What came lately, as the journal has it.
async fn known_events(store: &CommunityStore, now: UnixMs) -> Result<Dedup, StoreError> {
    let seen = |dedup: &mut Dedup, event: RawEvent| {
        dedup.is_copy(&event, &decode(&event.envelope).unwrap_or_default());
    };
    store.events_since(now.minus(WITHIN), Dedup::default(), seen).await
}

/// Until then, if there is such a time.
async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

/// Until a board is due; at least a moment, in case the clock stands still.
async fn pause(wait: Option<Duration>) {
    tokio::time::sleep(wait.unwrap_or_default().max(Duration::from_millis(1))).await;
}

/// An envelope made by ourselves.
fn envelope(kind: &str, data: serde_json::Value) -> Envelope {
    Envelope { kind: kind.to_owned(), data, extras: serde_json::Map::default() }
}
