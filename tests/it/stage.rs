//! Runs the bot's own parts between both simulators, one step at a time and with a clock that moves only on request: the same seed always plays the
//! same scenario, and an hour of it takes a moment. Ingest, store, reconciling and delivery are the real ones; left out are the path of an
//! event to the intake queue, which other tests cover, and the tasks' own waiting.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tenfour::cad::reconcile::{self, PollLimits, Reconciler};
use tenfour::cad::rest::{CadReader, CadRest};
use tenfour::clock::{Clock, UnixMs};
use tenfour::delivery::{Delivery, ManualDelivery, Trouble};
use tenfour::discord::rest::Rest;
use tenfour::event::{RawEvent, Source, Topic, envelope};
use tenfour::guild_access::How;
use tenfour::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId, UserId};
use tenfour::ingest::{Deps, Ingest};
use tenfour::intake_queue::Arrival;
use tenfour::metrics::Metrics;
use tenfour::outbox::ClaimRequest;
use tenfour::refresh::{Read, Reason, RefreshRequests};
use tenfour::render::{BoardKind, Style};
use tenfour::route::{Listens, RouteSpec, Rule};
use tenfour::send_scheduler::SendScheduler;
use tenfour::shutdown::Tasks;
use tenfour::status::HostStatus;
use tenfour::store::{AddRoute, Store, StoreOptions};
use tenfour::world::Listing;
use tenfour_sim::cad::{CadOptions, CadSim};
use tenfour_sim::discord::{Bucket, DiscordOptions, DiscordSim, RateLimits};
use tokio::sync::{mpsc, oneshot};

/// Every scenario begins at this time: 2026-11-21 20:00 UTC.
pub(crate) const BEGIN: UnixMs = UnixMs(1_795_291_200_000);
/// Each server is read again after this long.
pub(crate) const PERIOD_MS: i64 = 60_000;
/// Changes of a message are collected for this long.
const EDIT_WINDOW: Duration = Duration::from_millis(500);

/// A bot on a stage.
pub(crate) struct Stage {
    pub(crate) cad: CadSim,
    pub(crate) discord: DiscordSim,
    pub(crate) guild: String,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    /// The CAD's events.
    pub(crate) events: mpsc::UnboundedReceiver<(i64, Value)>,
    /// Whether each turn reads the CAD's REST API; otherwise only [`Stage::list`] provides its content.
    pub(crate) reads: bool,
    hands_over: bool,
    bot: Option<Bot>,
    http: (CadReader, Rest),
    metrics: Metrics,
    tasks: Tasks,
    folder: PathBuf,
}

/// The part that ends with the process.
struct Bot {
    ingest: Ingest,
    delivery: ManualDelivery,
    reader: reconcile::ManualReconciler,
    refresh: RefreshRequests,
    troubles: mpsc::Receiver<Trouble>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(CadOptions { rate_limits: false, ..CadOptions::default() }).await
    }

    pub(crate) async fn with(options: CadOptions) -> Self {
        Self::before(options, None, false).await
    }

    /// `bucket`: how many messages a channel accepts, if that is limited. `hands_over`: whether ingest claims what it stores, as in
    /// production; otherwise each turn sends what is there at its end.
    pub(crate) async fn before(options: CadOptions, bucket: Option<Bucket>, hands_over: bool) -> Self {
        let clock = Clock::manual(BEGIN);
        let cad = CadSim::start(options).await.unwrap();
        let events = cad.tap();
        let now = clock.clone();
        let discord = DiscordOptions {
            rate_limits: if bucket.is_some() { RateLimits::Real } else { RateLimits::Off },
            message_bucket: bucket.unwrap_or(DiscordOptions::default().message_bucket),
            now: Arc::new(move || now.now().0),
            ..DiscordOptions::default()
        };
        let discord = DiscordSim::start(discord).await.unwrap();
        let guild = discord.add_guild("Test Guild");
        let folder = folder();
        let options = StoreOptions { edit_window: EDIT_WINDOW, ..StoreOptions::default() };
        let store = Store::open_with(&folder.join("tenfour.db"), options).await.unwrap();
        store.link(GuildId(guild.parse().unwrap()), &community(), None, How::Key, clock.now(), Vec::new()).await.unwrap();
        store.ensure_guild(GuildId(guild.parse().unwrap()), &community()).await.unwrap();
        let metrics = Metrics::new(&[ServerId(1)], &Topic::ALL.map(Topic::as_str));
        let api = CadRest::new(&cad.api_url(), SecretString::from(CadOptions::default().api_key), reqwest::Client::new()).reader();
        let rest = Rest::new(discord.url(), SecretString::from(DiscordOptions::default().token), metrics.clone()).unwrap();
        let http = (api, rest);
        let mut stage = Self {
            cad,
            discord,
            guild,
            clock,
            store,
            events,
            reads: true,
            hands_over,
            bot: None,
            http,
            metrics,
            tasks: Tasks::default(),
            folder,
        };
        stage.restart().await;
        stage
    }

    /// A channel with a route of its own.
    pub(crate) async fn channel(&self, event: &str, role: Option<&str>, style: Style, forum: bool, rule: Rule) -> String {
        let channel = self.discord.add_channel(&self.guild, event, if forum { 15 } else { 0 });
        let guild = GuildId(self.guild.parse().unwrap());
        let new = RouteSpec {
            event: Listens::parse(event).unwrap(),
            channel: ChannelId(channel.parse().unwrap()),
            server: None,
            role: role.map(|role| RoleId(role.parse().unwrap())),
            style,
            forum,
            rule: Rule::default(),
        };
        let AddRoute::Added(id) = self.store.add_route(guild, new, UserId(1), self.clock.now()).await.unwrap() else {
            panic!("no route");
        };
        self.store.change_rule(guild, id, move |known| *known = rule).await.unwrap();
        channel
    }

    /// A channel with a board of everything.
    pub(crate) async fn board(&self) -> String {
        let channel = self.discord.add_channel(&self.guild, "board", 0);
        let (guild, place) = (GuildId(self.guild.parse().unwrap()), ChannelId(channel.parse().unwrap()));
        self.store.add_board(guild, place, BoardKind::Both, None, UserId(1), self.clock.now()).await.unwrap();
        channel
    }

    /// The process is killed, and restarts from what is on disk.
    pub(crate) async fn restart(&mut self) {
        self.bot = None;
        self.store.release_all(self.clock.now()).await.unwrap();
        let (refresh, requested) = RefreshRequests::new();
        let host = HostStatus::default();
        let status = host.of(&community());
        let scheduler = SendScheduler::new(self.clock.clone(), 0);
        let own = SendScheduler::new(self.clock.clone(), 0);
        let scheduler_for_ingest = if self.hands_over { scheduler.clone() } else { own };
        drop(if self.hands_over { Vec::new() } else { scheduler_for_ingest.close() });
        let deps = Deps {
            store: self.store.of(&community()),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            status: status.clone(),
            scheduler: scheduler_for_ingest,
            refresh: refresh.clone(),
        };
        let (api, rest) = self.http.clone();
        let reader = Reconciler {
            servers: vec![ServerId(1)],
            pace: PollLimits { period: Some(Duration::from_millis(PERIOD_MS.unsigned_abs())), calls_per_minute: 2, units_per_minute: 1 },
            rest: api,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            status: status.clone(),
            readings: mpsc::channel(1).0,
            requests: requested,
        };
        let (trouble, troubles) = mpsc::channel(64);
        let delivery = Delivery {
            store: self.store.clone(),
            clock: self.clock.clone(),
            rest,
            metrics: self.metrics.clone(),
            status: host,
            scheduler,
            trouble,
        };
        let ingest = Ingest::restore(deps).await.unwrap();
        self.bot = Some(Bot { ingest, delivery: delivery.manual(), reader: reader.manual(), refresh, troubles });
    }

    /// An event arrives in the intake queue.
    pub(crate) async fn arrive(&mut self, source: Source, body: &Value) {
        let (envelope, _) = envelope::open(body.to_string().as_bytes()).unwrap();
        let event = RawEvent { server: ServerId(1), source, received_at: self.clock.now(), envelope: envelope.into() };
        let bot = self.bot.as_mut().unwrap();
        bot.ingest.take(vec![Arrival { event, done: None, weight: None }], &self.tasks).await;
    }

    /// Sets the content of the CAD's REST API.
    pub(crate) async fn list(&mut self, listing: Listing) {
        let read = Read { server: ServerId(1), listing, done: oneshot::channel().0 };
        self.bot.as_mut().unwrap().ingest.reconcile(read, &self.tasks).await;
    }

    /// Somebody has changed routes, labels or boards.
    pub(crate) async fn rerouted(&mut self) {
        if let Some(bot) = &mut self.bot {
            bot.ingest.reroute(&self.tasks).await;
        }
    }

    /// The process is killed. Time may pass until [`Stage::restart`].
    pub(crate) fn stop(&mut self) {
        self.bot = None;
    }

    /// The hub session has connected.
    pub(crate) fn connected(&self) {
        self.bot.as_ref().unwrap().refresh.request(ServerId(1), Reason::Connected);
    }

    /// The notices since the last time.
    pub(crate) fn troubles(&mut self) -> Vec<Trouble> {
        let troubles = &mut self.bot.as_mut().unwrap().troubles;
        std::iter::from_fn(|| troubles.try_recv().ok()).collect()
    }

    /// Escalates what has waited for too long.
    pub(crate) async fn look_after(&mut self) {
        self.bot.as_mut().unwrap().ingest.look_after(&self.tasks).await;
    }

    /// Turn after turn for this long.
    pub(crate) async fn play(&mut self, ms: i64, step_ms: i64) {
        for _ in 0..ms / step_ms {
            self.clock.advance(step_ms);
            self.turn().await;
        }
    }

    /// Reads, renders and sends everything that is due.
    pub(crate) async fn turn(&mut self) {
        let Bot { ingest, delivery, reader, .. } = self.bot.as_mut().unwrap();
        if self.reads {
            reader.read(async |read| ingest.reconcile(read, &self.tasks).await).await;
        }
        ingest.draw_due(&self.tasks).await;
        delivery.serve().await.unwrap();
    }

    /// A post is claimed and the process dies before anything is sent.
    pub(crate) async fn die_with_a_claim(&mut self, channel: &str) {
        let any = ClaimRequest::any(ChannelId(channel.parse().unwrap()), self.clock.now());
        self.store.take(ClaimRequest { creates_left: Some(2), ..any }).await.unwrap();
        self.restart().await;
    }

    pub(crate) async fn end(self) {
        self.discord.stop().await;
        self.cad.stop().await;
        drop((self.bot, self.store));
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

pub(crate) fn community() -> CommunityId {
    CommunityId::new(&CadOptions::default().community)
}

/// A file system in memory, where there is one: thousands of scenarios are played, and none of them is about the disk.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let base =
        if std::fs::metadata(&memory).is_ok_and(|m| m.is_dir() && !m.permissions().readonly()) { memory } else { std::env::temp_dir() };
    // Not random: a seeded scenario must draw the same numbers again.
    static STAGES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    base.join(format!("tenfour-stage-{}-{}", std::process::id(), STAGES.fetch_add(1, std::sync::atomic::Ordering::SeqCst)))
}
