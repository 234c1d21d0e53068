//! What commands ask of ingest, which alone knows the worlds: test alerts, messages of the bot's own, filters held against what happened.

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
use crate::intake::IntakeError;
use crate::metrics::Outcome;
use crate::outbox::DesiredPost;
use crate::render::Message;
use crate::route::{Filter, Listens};
use crate::store::Batch;
use crate::world::Server;

/// Requests that may wait.
pub const REQUESTS: usize = 64;
/// Events of a route's kinds that a filter is held against.
const TRIED: usize = 50;
/// Events of all kinds that are looked at for them.
const LOOKED_AT: u32 = 2_000;

/// What commands ask of ingest.
#[derive(Debug)]
pub enum Request {
    /// A test alert through the real path.
    Test(TestAlert),
    /// A message of the bot's own into a channel (notices, confirmations).
    Tell(Tell),
    /// What a filter would have let through.
    Try(TryFilter),
    /// Boards are to be drawn now.
    Redraw(Redraw),
    /// A look at what a server's world is.
    Look(Look),
}

type Looking = Box<dyn FnOnce(&Server) + Send>;

/// A look at a world, which only ingest holds. What is seen goes out by what the look itself holds.
pub struct Look {
    server: ServerId,
    look: Looking,
}

impl Look {
    /// Looks, and hands what was seen to the receiver. Of a server that nothing is known of an empty world is seen.
    pub fn new<T: Send + 'static>(server: ServerId, look: impl FnOnce(&Server) -> T + Send + 'static) -> (Self, oneshot::Receiver<T>) {
        let (seen, answer) = oneshot::channel();
        // Who asked may have left.
        let look = move |world: &Server| drop(seen.send(look(world)));
        (Self { server, look: Box::new(look) }, answer)
    }
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("server", &self.server).finish_non_exhaustive()
    }
}

/// `/alerts filter`: a route's latest events, held against a filter. Changes nothing.
#[derive(Debug)]
pub struct TryFilter {
    /// Only this guild's route.
    pub guild: GuildId,
    /// Whose events: what this route listens to, of its servers.
    pub route: RouteId,
    /// What they are held against, in place of the route's own.
    pub filter: Filter,
    /// How many.
    pub done: oneshot::Sender<Tried>,
}

/// What came of a [`TryFilter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// So many would have been let through.
    pub through: usize,
    /// Of so many latest events that the route listens to: at most 50, 0 if there were none yet.
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

/// A message of the bot's own, delivered like any other post.
#[derive(Debug)]
pub struct Tell {
    pub guild: GuildId,
    pub channel: ChannelId,
    /// Which of the community's servers it is about.
    pub server: ServerId,
    /// Makes the same message once only.
    pub subject: String,
    pub message: Message,
}

impl Ingest {
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Test(test) => self.test(test).await,
            Request::Tell(tell) => self.tell(tell).await,
            Request::Try(wish) => self.try_filter(wish).await,
            Request::Redraw(redraw) => self.redraw(redraw).await,
            Request::Look(Look { server, look }) => match self.worlds.get(&server) {
                Some(world) => look(world),
                None => look(&Server::default()),
            },
        }
    }

    async fn tell(&mut self, tell: Tell) {
        let now = self.deps.clock.now();
        let draft = DesiredPost::own(tell.guild, tell.channel, self.community().clone(), tell.server, tell.subject, tell.message, now);
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
                world.apply(&event, now.plus(-samples::LEAD_MS));
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

    /// Draws boards now, and sends them even if they say what they said: people asked for it.
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

    /// Holds a filter against the last events of its route's kinds, as the journal has them.
    async fn try_filter(&self, wish: TryFilter) {
        let TryFilter { guild, route, filter, done } = wish;
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
