//! Answers the requests of commands that need the worlds, which only ingest has: test alerts, the bot's own messages, filters tried on past events.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::boards::Redraw;
use super::log_pages::LogPages;
use super::planner::{Memos, PlanContext, PostPlanner};
use super::{Ingest, facts, samples};
use crate::event::envelope::open;
use crate::event::{RawEvent, Source, Topic, decode};
use crate::ids::{BoardId, ChannelId, GuildId, RouteId, ServerId};
use crate::intake_queue::IntakeError;
use crate::metrics::Outcome;
use crate::outbox::DesiredPost;
use crate::render::Message;
use crate::route::{Filter, Listens};
use crate::store::Batch;
use crate::world::Server;

/// Requests that may wait.
pub const REQUESTS: usize = 64;
/// Events of a route's kinds that a filter is tried on.
const TRIED: usize = 50;
/// Events of all kinds that are looked at for them.
const LOOKED_AT: u32 = 2_000;

/// A request from a command.
#[derive(Debug)]
pub enum Request {
    /// A test alert through the real path.
    Test(TestAlert),
    /// Posts one of the bot's own messages (notices, confirmations).
    Send(BotMessage),
    /// What a filter would have let through.
    Try(TryFilter),
    /// Draws boards now.
    Redraw(Redraw),
    /// Reads a server's world.
    Look(Look),
}

type Looking = Box<dyn FnOnce(&Server) + Send>;

/// Reads a world, which only ingest has. The closure sends what it read.
pub struct Look {
    server: ServerId,
    look: Looking,
}

impl Look {
    /// The receiver gets what `look` returns. A server that nothing is known of has an empty world.
    pub fn new<T: Send + 'static>(server: ServerId, look: impl FnOnce(&Server) -> T + Send + 'static) -> (Self, oneshot::Receiver<T>) {
        let (seen, answer) = oneshot::channel();
        // The receiver may be gone.
        let look = move |world: &Server| drop(seen.send(look(world)));
        (Self { server, look: Box::new(look) }, answer)
    }
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("server", &self.server).finish_non_exhaustive()
    }
}

/// `/alerts filter`: tries a filter on a route's latest events. Changes nothing.
#[derive(Debug)]
pub struct TryFilter {
    /// Only this guild's route.
    pub guild: GuildId,
    /// The events that this route listens to, from its servers.
    pub route: RouteId,
    /// Used in place of the route's own.
    pub filter: Filter,
    pub done: oneshot::Sender<Tried>,
}

/// The result of a [`TryFilter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Events that the filter would have let through.
    pub through: usize,
    /// The latest events that the route listens to: at most 50, 0 if there were none yet.
    pub of: usize,
}

/// `/alerts test`.
#[derive(Debug)]
pub struct TestAlert {
    /// Only this guild's routes.
    pub guild: GuildId,
    /// Which of the community's servers it pretends to come from.
    pub server: ServerId,
    /// What kind.
    pub topic: Topic,
    /// Only this route.
    pub route: Option<RouteId>,
    /// Pings as a real one would.
    pub full: bool,
    /// The channels it goes to.
    pub done: oneshot::Sender<Result<Vec<ChannelId>, IntakeError>>,
}

/// One of the bot's own messages, delivered like any other post.
#[derive(Debug)]
pub struct BotMessage {
    pub guild: GuildId,
    pub channel: ChannelId,
    /// Which of the community's servers it is about.
    pub server: ServerId,
    /// A message with the same subject is posted only once.
    pub subject: String,
    pub message: Message,
}

impl Ingest {
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Test(test) => self.test(test).await,
            Request::Send(message) => self.send(message).await,
            Request::Try(request) => self.try_filter(request).await,
            Request::Redraw(redraw) => self.redraw(redraw).await,
            Request::Look(Look { server, look }) => match self.worlds.get(&server) {
                Some(world) => look(world),
                None => look(&Server::default()),
            },
        }
    }

    async fn send(&mut self, message: BotMessage) {
        let now = self.deps.clock.now();
        let BotMessage { guild, channel, server, subject, message } = message;
        let draft = DesiredPost::own(guild, channel, self.community().clone(), server, subject, message, now);
        let batch = Batch { posts: vec![draft], now, ..Batch::default() };
        if let Err(error) = self.store(&Arc::new(batch)).await {
            tracing::error!(%error, "a notice could not be stored");
        }
    }

    /// A test alert: decoded from JSON like a real one, applied to a world of its own, matched against the guild's real routes,
    /// journaled and delivered like any other. It touches no real call.
    async fn test(&mut self, test: TestAlert) {
        let now = self.deps.clock.now();
        let routing = self.deps.store.routing_now();
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
                world.apply(&event, now.minus(samples::LEAD));
            }
        }
        let raw = RawEvent { server: test.server, source: Source::Test, received_at: now, envelope: Arc::new(samples::event(test.topic)) };
        let seq = self.journal(&raw, &mut batch);
        let (mut memos, mut pages) = (Memos::default(), LogPages::default());
        for (nth, event) in (0_u32..).zip(decode(&raw.envelope).unwrap_or_default()) {
            let applied = world.apply(&event, now);
            let context = PlanContext {
                routes: &routes,
                guilds: &routing.guilds,
                // A test is no ping for the routes' cool-downs, nor held back by them.
                pinged: &HashMap::new(),
                rerouted: &HashMap::new(),
                community: self.deps.store.community(),
                server: raw.server,
                world: &world,
                at: now,
                number: (seq, nth),
            };
            let mut planner = PostPlanner::new(context, &mut memos, &mut pages, &mut batch.posts);
            planner.test(&event, &applied.changes, test.full);
        }
        let channels: Vec<ChannelId> = batch.posts.iter().map(|draft| draft.key.channel).collect();
        let outcome = match self.store(&Arc::new(batch)).await {
            Ok(()) => Ok(channels),
            Err(error) => {
                tracing::error!(%error, "a test alert could not be stored");
                Err(IntakeError::Unavailable)
            }
        };
        if outcome.is_ok() {
            self.deps.metrics.event(Source::Test, Outcome::Committed);
        }
        test.done.send(outcome).ok();
    }

    /// Draws boards now, and sends them even if nothing changed: people asked for it.
    async fn redraw(&mut self, redraw: Redraw) {
        let now = self.deps.clock.now();
        self.boards.sync(&self.deps.store.routing_now().boards, now);
        self.boards.want(redraw.guild, redraw.board, now);
        let mut batch = Batch { now, ..Batch::default() };
        let drawn = self.draw_boards(&mut batch);
        let asked = |id: &&BoardId| self.boards.guild(**id) == Some(redraw.guild) && redraw.board.is_none_or(|only| only == **id);
        let asked = drawn.iter().filter(asked).count();
        let outcome = match self.store(&Arc::new(batch)).await {
            Ok(()) => Ok(asked),
            Err(error) => {
                tracing::error!(%error, "boards could not be stored");
                self.boards.again(&drawn, now);
                Err(IntakeError::Unavailable)
            }
        };
        redraw.done.send(outcome).ok();
    }

    /// Tries a filter on the last events of its route's kinds from the journal.
    async fn try_filter(&self, request: TryFilter) {
        let TryFilter { guild, route, filter, done } = request;
        let routing = self.deps.store.routing_now();
        let Some(route) = routing.routes.iter().find(|known| known.id == route && known.guild == guild) else { return };
        let bodies = match self.deps.store.last_bodies(route.spec.server, LOOKED_AT).await {
            Ok(bodies) => bodies,
            Err(error) => return tracing::error!(%error, "the last events could not be read"),
        };
        let empty = Server::default();
        let mut tried = Tried::default();
        for (server, body) in bodies {
            let world = self.worlds.get(&server).unwrap_or(&empty);
            let Ok((envelope, _)) = open(body.as_bytes()) else { continue };
            for event in decode(&envelope).unwrap_or_default() {
                let Some(facts) = facts::of_event(world, &event) else { continue };
                if tried.of >= TRIED || !matches!(route.spec.event, Listens::All) && route.spec.event != Listens::To(facts.topic) {
                    continue;
                }
                tried.of += 1;
                tried.through += usize::from(filter.admits(&facts.facts()));
            }
        }
        done.send(tried).ok();
    }
}
