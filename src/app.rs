//! The only place that knows every room: builds them, starts them in order, stops them in order.
//!
//! ```text
//! start: store ─ ports bound ─ ingest ─ delivery ─ Discord asked who we are ─ listener, hub sessions, reader of the CAD ─ gateway with its commands
//! stop:  drain: sources close, ingest commits what is queued, sends in hand end ─ abort after 8 s ─ store closes: one file is left
//! ```
//!
//! What cannot work is said at the start and ends it; what may come right by itself (Discord or the CAD not reachable) does not.

mod notices;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tenfour_signalr::Negotiation;
use tokio::sync::mpsc;

use crate::actions::{self, Acting};
use crate::cad::listener::{Credentials, Listener};
use crate::cad::reconcile::{Pace, Reconciler};
use crate::cad::rest::{CadReader, CadRest};
use crate::cad::session::{LinkChange, Session};
use crate::clock::Clock;
use crate::commands;
use crate::config::{Config, Negotiate, Reconcile};
use crate::delivery::Delivery;
use crate::discord::record;
use crate::discord::rest::{self, AskError, Me, Rest};
use crate::discord::roles::Roles;
use crate::event::Topic;
use crate::http_server::{self, Bound, Limits};
use crate::ids::{CommunityId, ServerId};
use crate::ingest::{self, Deps, Ingest, Inputs, Request};
use crate::intake::{self, Intake};
use crate::metrics::Metrics;
use crate::ops::{self, Part, Readiness};
use crate::refresh::{MAX_READS, Read, Reason, RefreshRequests, Trigger};
use crate::send_scheduler::SendScheduler;
use crate::shutdown::Tasks;
use crate::status::Status;
use crate::store::{self, Store};
use crate::tls;

/// Sources, ingest, sends in hand and the gateway have this long to end: 10 s is what people and service managers grant.
const DRAIN: Duration = Duration::from_secs(8);
/// From the wish to stop until the store is closed, if its write-ahead log is not too long for that …
const STOP: Duration = Duration::from_millis(9_700);
/// … and the least that closing it is waited for.
pub const CLOSE: Duration = Duration::from_secs(1);
/// Discord's first answer is waited for this long before events are taken in without it.
const FIRST_WORD: Duration = Duration::from_secs(5);
/// Journal rows are kept this long (ms).
const KEEP_JOURNAL: i64 = 7 * 86_400_000;
/// Posts of what is over are kept this long (ms).
const KEEP_POSTS: i64 = 90 * 86_400_000;
/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// Between rounds of one pruning: events go first.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);
/// When the database is nearly as large as it may be, old rows go early: events after this long (ms) …
const KEEP_JOURNAL_CROWDED: i64 = 3_600_000;
/// … and posts of what is over after this long (ms).
const KEEP_POSTS_CROWDED: i64 = 86_400_000;
/// From so many percent of what events may take.
const CROWDED: i64 = 90;
/// How often it is looked at how large the database is.
const MEASURE_EVERY: Duration = Duration::from_secs(2);
/// How often the store is asked whether writing works.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// News of the CAD's operations that may wait to be told.
const OPERATIONS: usize = 32;

/// A running bot.
#[derive(Debug)]
pub struct App {
    /// Where push events are accepted, in the order of `LISTEN_ADDR`.
    pub listen: Vec<SocketAddr>,
    /// Where health and metrics are.
    pub ops: Option<SocketAddr>,
    /// What is ready.
    pub readiness: Readiness,
    pub status: Status,
    pub store: Store,
    tasks: Tasks,
    /// Stopped last: sends in hand go through it.
    recorder: Tasks,
}

/// What the rooms have in common.
#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    community: CommunityId,
    store: Store,
    clock: Clock,
    metrics: Metrics,
    status: Status,
    readiness: Readiness,
    rest: Rest,
    /// Shares its budgets with `acting`.
    cad: Option<CadReader>,
    scheduler: SendScheduler,
    tasks: Tasks,
    requests: mpsc::Sender<Request>,
    acting: Option<Acting>,
}

impl App {
    /// Starts everything. Returns as soon as events are accepted; Discord and the CAD may still be connecting.
    ///
    /// # Errors
    /// What cannot come right by itself: settings, database, ports, a token that Discord does not accept. Fit for people.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Self> {
        Self::start_unless(config, clock, std::future::pending()).await?.context("stopped while starting")
    }

    /// As [`App::start`]; `None` if `asked` resolves first: then everything that was started has been stopped again.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_unless(config: Config, clock: Clock, asked: impl Future<Output = ()>) -> anyhow::Result<Option<Self>> {
        let tasks = Tasks::default();
        let recorder = Tasks::default();
        // Whoever asks while the database is being opened waits until it is open: it must be closed again.
        let database = config.database.clone();
        let edit_window_ms = config.discord.edit_window_ms.into();
        let opening = Store::open_with(&database, store::Options { max_mb: config.database_max_mb, edit_window_ms });
        tokio::pin!(opening, asked);
        let (store, asked_already) = tokio::select! {
            biased;
            () = &mut asked => (opening.await?, true),
            store = &mut opening => (store?, false),
        };
        let built = if asked_already {
            Ok(None)
        } else {
            tokio::select! {
                built = Self::build(config, clock, store.clone(), &tasks, &recorder) => built.map(Some),
                () = asked => Ok(None),
            }
        };
        if !matches!(built, Ok(Some(_))) {
            // Half a bot must not go on running behind an error.
            stop(&tasks, &recorder, &store).await;
        }
        built
    }

    async fn build(config: Config, clock: Clock, store: Store, tasks: &Tasks, recorder: &Tasks) -> anyhow::Result<Self> {
        let credentials = config.credentials()?.clone();
        let token = config.token()?.clone();
        let config = Arc::new(config);
        // Before anything is drawn or sent: whose guilds are served.
        store.serve(&credentials.community, config.discord.guild, clock.now()).await?;
        let (ports, ops_port) = bind(&config).await?;
        let listen: Vec<SocketAddr> = ports.iter().map(|(bound, _)| bound.local_addr()).collect();
        let ops = ops_port.as_ref().map(Bound::local_addr);

        let servers = config.sonoran.servers.clone();
        let topics = Topic::ALL.map(Topic::as_str);
        let metrics = Metrics::new(&servers, &topics);
        metrics.started(clock.now());
        if !config.sonoran.hub {
            metrics.without_hub();
        }
        let hubs = servers.iter().copied().filter(|_| config.sonoran.hub).map(Part::Hub);
        let readiness = Readiness::new([Part::Store, Part::Discord].into_iter().chain(hubs));
        let status = Status::default();
        let base = match &config.record {
            None => config.discord.api_url.clone(),
            Some(file) => {
                let (base, serve) = record::start(&config.discord.api_url, file, recorder.drain_token()).await?;
                drop(recorder.spawn(serve));
                base
            }
        };
        let scheduler = SendScheduler::new(clock.clone(), config.discord.requests_per_second);
        let rest = Rest::new(&base, token, metrics.clone())?.with_files_at(&config.discord.api_url).telling(scheduler.clone());
        let (requests, asked) = mpsc::channel(ingest::REQUESTS);
        let (intake, queue) = intake::queue();
        let (refresh, requested) = RefreshRequests::new();
        // One client for all: its budgets are those of the key.
        let (operations, suspended) = mpsc::channel(OPERATIONS);
        let cad = cad(&config).map(|cad| cad.telling(clock.clone(), operations));
        let acting = cad.as_ref().map(|cad| {
            Acting::new(actions::Deps {
                community: credentials.community.clone(),
                servers: config.sonoran.servers.clone(),
                reader: cad.reader(),
                actor: cad.actor(credentials.community.clone()),
                store: store.clone(),
                clock: clock.clone(),
                intake: intake.clone(),
                requests: requests.clone(),
                roles: Roles::new(rest.clone(), clock.clone()),
                refresh: refresh.clone(),
                reads: !matches!(config.sonoran.reconcile, Reconcile::Off),
                scheduler: scheduler.clone(),
                metrics: metrics.clone(),
                tasks: tasks.clone(),
            })
        });
        let shared = Shared {
            config: Arc::clone(&config),
            community: credentials.community.clone(),
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            status: status.clone(),
            readiness: readiness.clone(),
            rest,
            scheduler: scheduler.clone(),
            tasks: tasks.clone(),
            requests,
            cad: cad.as_ref().map(CadRest::reader),
            acting,
        };

        // The queue first, so that whatever comes in has somewhere to go.
        let released = store.release_all(clock.now()).await?;
        if released > 0 {
            tracing::info!(released, "posts that were being sent when the bot ended are looked at again");
        }
        let (readings, read) = mpsc::channel(MAX_READS);
        let deps = Deps {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            status: status.clone(),
            scheduler: scheduler.clone(),
            refresh: refresh.clone(),
        };
        let ingest = Ingest::restore(deps).await?;
        tasks.spawn_vital("ingest", ingest.run(Inputs { queue, readings: read, requests: asked }, tasks.clone()));
        readiness.ready(Part::Store);

        // Answers while Discord is still being asked, however long that takes.
        if let Some(bound) = ops_port {
            tracing::info!(addr = %bound.local_addr(), "serving health and metrics");
            let router = ops::router(readiness.clone(), metrics.clone());
            tasks.spawn_vital(
                "ops",
                http_server::serve(bound, router, http_server::ConnectionLimiter::new(Limits::default()), tasks.drain_token()),
            );
        }

        // Before any source: a bot whose token is wrong must not swallow events that nobody will see.
        let asked = tokio::time::timeout(FIRST_WORD, shared.rest.me()).await;
        let me = match asked.unwrap_or_else(|_| Err(AskError::Trouble(format!("no answer within {} s", FIRST_WORD.as_secs())))) {
            Ok(me) => Some(me),
            Err(error @ AskError::Token) => {
                // Now, not when what this function holds is dropped: the parts that run already would seem to have ended unasked.
                tasks.drain();
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(%error, "Discord does not answer yet; events are taken in and kept meanwhile");
                shared.readiness.not_ready(Part::Discord, error.to_string());
                None
            }
        };
        let (trouble, troubles) = mpsc::channel(64);
        let delivery = Delivery {
            store: store.clone(),
            clock: clock.clone(),
            rest: shared.rest.clone(),
            metrics: metrics.clone(),
            status: status.clone(),
            scheduler,
            trouble,
        };
        tasks.spawn_vital("delivery", delivery.run(tasks.clone()));
        let (changes, changed) = mpsc::channel(64);
        tasks.spawn_vital("notices", shared.clone().tell_people(troubles, changed, suspended, refresh.clone()));
        tasks.spawn_vital("upkeep", shared.clone().keep_up());
        if let Some(acting) = shared.acting.clone() {
            tasks.spawn_vital("actions", acting.run());
        }
        shared.sources(credentials, ports, intake, changes).inspect_err(|_| tasks.drain())?;
        shared.reconcile(&refresh, requested, readings);
        let discord = shared.clone().discord(me, listen.clone());
        tasks.spawn_vital_or("discord", async move { discord.await.map_err(|error| format!("{error:#}")) });
        Ok(Self { listen, ops, readiness, status, store, tasks: tasks.clone(), recorder: recorder.clone() })
    }

    /// Resolves when the bot begins to stop by itself: a vital part ended.
    pub async fn stopping(&self) {
        self.tasks.draining().await;
    }

    /// Reason it does, in a sentence for people.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.tasks.failure()
    }

    /// Stops everything. False if a part had failed, or did not end in time and was cut off.
    pub async fn stop(self) -> bool {
        let ended = stop(&self.tasks, &self.recorder, &self.store).await;
        if !ended {
            tracing::warn!("some parts did not end in time and were cut off; what they had in hand is taken up at the next start");
        }
        ended && !self.tasks.failed()
    }
}

/// Stops what runs, then what it ran on. False if something did not end in time and was cut off.
async fn stop(tasks: &Tasks, recorder: &Tasks, store: &Store) -> bool {
    let asked = tokio::time::Instant::now();
    let ended = tasks.stop(DRAIN).await;
    recorder.stop(Duration::from_secs(1)).await;
    // Last: whoever still holds the store gets an error from now on.
    if !store.close(STOP.saturating_sub(asked.elapsed()).max(CLOSE)).await {
        tracing::warn!("the database was not closed in time: its write-ahead log stays beside it and belongs to it");
    }
    ended
}

type Ports = (Vec<(Bound, Option<ServerId>)>, Option<Bound>);

async fn bind(config: &Config) -> anyhow::Result<Ports> {
    let mut ports = Vec::new();
    for listen in &config.listen {
        ports.push((http_server::bind(listen.addr, "LISTEN_ADDR").await?, listen.server));
    }
    let ops = match config.ops {
        Some(addr) => Some(http_server::bind(addr, "OPS_ADDR").await?),
        None => None,
    };
    Ok((ports, ops))
}

fn cad(config: &Config) -> Option<CadRest> {
    let key = config.credentials().ok()?.key.clone();
    // A connection that the CAD closes while a change goes out on it leaves that change in doubt: none is kept for long.
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_idle_timeout(Duration::from_secs(15)).build().ok()?;
    Some(CadRest::new(&config.sonoran.api_url, key, http).with_share(config.sonoran.action_share))
}

impl Shared {
    fn sources(
        &self,
        credentials: crate::config::Credentials,
        ports: Vec<(Bound, Option<ServerId>)>,
        intake: Intake,
        changes: mpsc::Sender<LinkChange>,
    ) -> anyhow::Result<()> {
        let servers = self.config.sonoran.servers.clone();
        let known = Credentials { community: credentials.community.clone(), key: credentials.key.clone(), servers: servers.clone() };
        let proxies = http_server::Networks::new(self.config.trusted_proxies.iter().copied());
        let listener = Listener::behind(proxies.clone(), vec![known], intake.clone(), self.metrics.clone(), self.clock.clone());
        let limiter = http_server::ConnectionLimiter::new(Limits::default()).behind(proxies);
        for (bound, server) in ports {
            tracing::info!(addr = %bound.local_addr(), "accepting push events over HTTP");
            let serve = http_server::serve(bound, listener.port(server), limiter.clone(), self.tasks.drain_token());
            self.tasks.spawn_vital("listener", serve);
        }
        if !self.config.sonoran.hub {
            return Ok(());
        }
        let tls = tls::config().context("the TLS roots cannot be loaded")?;
        let mut redirects = self.config.sonoran.hub_redirects.clone();
        redirects.extend(url::Url::parse(&self.config.sonoran.api_url).ok().and_then(|url| url.host_str().map(str::to_owned)));
        for server in servers {
            let session = Session {
                community: credentials.community.clone(),
                key: credentials.key.clone(),
                server,
                url: self.config.sonoran.hub_url.clone(),
                negotiation: match self.config.sonoran.negotiate {
                    Negotiate::Auto => Negotiation::Auto,
                    Negotiate::Always => Negotiation::Always,
                    Negotiate::Never => Negotiation::Never,
                },
                redirects: redirects.clone(),
                tls: Arc::clone(&tls),
                intake: intake.clone(),
                clock: self.clock.clone(),
                metrics: self.metrics.clone(),
                status: self.status.clone(),
                readiness: self.readiness.clone(),
                changes: changes.clone(),
            };
            let tasks = self.tasks.clone();
            self.tasks.spawn_vital_or("hub session", async move {
                session.run(tasks).await.map_err(|error| format!("SONORAN_HUB_URL: the hub session cannot be started: {error}"))
            });
        }
        Ok(())
    }

    /// The reader of the CAD's REST API, unless it is switched off.
    fn reconcile(&self, refresh: &RefreshRequests, requested: mpsc::Receiver<Trigger>, readings: mpsc::Sender<Read>) {
        let sonoran = &self.config.sonoran;
        let period = match sonoran.reconcile {
            Reconcile::Off => return,
            Reconcile::WhenAsked => None,
            Reconcile::Every(seconds) => Some(Duration::from_secs(seconds.into())),
        };
        let Some(rest) = self.cad.clone() else { return };
        let reconciler = Reconciler {
            community: self.community.clone(),
            servers: sonoran.servers.clone(),
            pace: Pace { period, calls_per_minute: sonoran.calls_per_minute, units_per_minute: sonoran.units_per_minute },
            rest,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            status: self.status.clone(),
            readings,
            requests: requested,
        };
        self.tasks.spawn_vital("reconcile", reconciler.run(self.tasks.clone()));
        if !sonoran.hub {
            // With a hub, each session asks as soon as it is signed in. Without, nobody would before the first period is over.
            for server in &sonoran.servers {
                refresh.request(&self.community, *server, Reason::Connected);
            }
        }
    }

    /// The gateway with its commands. Asks Discord who we are until it answers.
    ///
    /// # Errors
    /// What cannot come right by itself.
    async fn discord(self, me: Option<Me>, listen: Vec<SocketAddr>) -> anyhow::Result<()> {
        let mut attempt = 0;
        let me = match me {
            Some(me) => me,
            None => loop {
                let pause = Duration::from_secs(u64::min(60, 1 << attempt));
                attempt = u32::min(attempt + 1, 6);
                tokio::select! {
                    () = self.tasks.draining() => return Ok(()),
                    () = tokio::time::sleep(pause) => {}
                }
                let asked = tokio::select! {
                    () = self.tasks.draining() => return Ok(()),
                    asked = self.rest.me() => asked,
                };
                match asked {
                    Ok(me) => break me,
                    Err(error @ AskError::Token) => return Err(error.into()),
                    Err(error) => self.readiness.not_ready(Part::Discord, error.to_string()),
                }
            },
        };
        tracing::info!(name = %me.name, id = me.user, "Discord knows the bot");
        if me.public {
            tracing::warn!("{}", rest::PUBLIC);
        }
        let facts = commands::Facts {
            community: self.community.clone(),
            servers: self.config.sonoran.servers.clone(),
            hub: self.config.sonoran.hub,
            listen,
            bot: me,
            message_content: self.config.discord.message_content,
        };
        let data = commands::Data {
            store: self.store.clone(),
            clock: self.clock.clone(),
            status: self.status.clone(),
            metrics: self.metrics.clone(),
            rest: self.rest.clone(),
            scheduler: self.scheduler.clone(),
            acting: self.acting.clone(),
            cad: self.cad.clone(),
            requests: self.requests.clone(),
            facts,
        };
        let guild = self.config.discord.guild;
        commands::framework::run(data, guild, self.tasks.clone(), self.readiness.clone()).await.context("Discord's gateway")
    }

    /// Prunes old rows and watches whether the store still takes writes.
    async fn keep_up(self) {
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let mut probe = tokio::time::interval(PROBE_EVERY);
        let mut measure = tokio::time::interval(MEASURE_EVERY);
        let (mut more, mut used) = (false, 0);
        loop {
            tokio::select! {
                biased;
                () = self.tasks.draining() => return,
                _ = prune.tick() => more = self.prune(used).await,
                _ = probe.tick() => self.probe().await,
                _ = measure.tick() => {
                    let before = used;
                    used = self.store.used().await.ok().flatten().unwrap_or(0);
                    if used >= CROWDED && before < CROWDED {
                        more = true;
                        self.status.problem(
                            self.clock.now(),
                            "The database is nearly as large as DATABASE_MAX_MB allows: old events are forgotten early. Raise it if there is room on the disk.".to_owned(),
                        );
                        tracing::warn!(used, "the database is nearly as large as DATABASE_MAX_MB allows; old events are forgotten early");
                    }
                    // Told at once, not with the next probe.
                    if (used >= 100) != (before >= 100) {
                        self.probe().await;
                    }
                }
                // However much there is to forget, it gets done: a round at a time, and what comes in goes between.
                () = tokio::time::sleep(PRUNE_PAUSE), if more => more = self.prune(used).await,
            }
        }
    }

    /// One round. Whether there may be more to forget.
    async fn prune(&self, used: i64) -> bool {
        let now = self.clock.now();
        let (journal, posts) = if used >= CROWDED { (KEEP_JOURNAL_CROWDED, KEEP_POSTS_CROWDED) } else { (KEEP_JOURNAL, KEEP_POSTS) };
        match self.store.prune(now.plus(-journal), now.plus(-posts), now).await {
            Ok(rows) => {
                if rows > 0 {
                    tracing::debug!(rows, "old rows were forgotten");
                }
                rows > 0
            }
            Err(error) => {
                tracing::warn!(%error, "old rows cannot be forgotten");
                false
            }
        }
    }

    async fn probe(&self) {
        match self.store.probe().await {
            Ok(()) => self.readiness.ready(Part::Store),
            Err(error) => self.readiness.not_ready(Part::Store, error.to_string()),
        }
    }
}
