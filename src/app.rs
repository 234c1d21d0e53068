//! Builds everything, starts it in order, and stops it in order.
//!
//! ```text
//! start: store ─ ports bound ─ the community's ingest ─ delivery ─ Discord asked who we are ─ listener, hub sessions, reader of the CAD ─ gateway with its commands
//! stop:  drain: sources close, ingest commits what is queued, sends in hand end ─ abort after 8 s ─ store closes: one file is left
//! ```
//!
//! What cannot work is said at the start and ends it; what may come right by itself (Discord or the CAD not reachable) does not. The community
//! of the environment is the first; more can be added while the bot runs ([`App::add_community`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::cad::listener::Listener;
use crate::clock::Clock;
use crate::commands;
use crate::community::{self, Community, Host, Registry};
use crate::config::Config;
use crate::delivery::{Delivery, Trouble};
use crate::discord::record;
use crate::discord::rest::{self, AskError, Me, Rest};
use crate::event::Topic;
use crate::http_server::{self, Bound, ServerLimits};
use crate::ids::ServerId;
use crate::intake_queue::SharedWeight;
use crate::metrics::Metrics;
use crate::ops::{self, Readiness, ReadyPart};
use crate::send_scheduler::SendScheduler;
use crate::shutdown::Tasks;
use crate::status::{HostStatus, Status};
use crate::store::{self, Store};

/// Sources, ingest, sends in hand and the gateway have this long to end: 10 s is what people and service managers grant.
const DRAIN: Duration = Duration::from_secs(8);
/// From the request to stop until the store is closed, if its write-ahead log is not too long for that …
const STOP: Duration = Duration::from_millis(9_700);
/// … and the least that closing it is waited for.
pub const CLOSE: Duration = Duration::from_secs(1);
/// Discord's first answer is waited for this long before events are taken in without it.
const FIRST_WORD: Duration = Duration::from_secs(5);
/// Journal rows are kept this long.
const KEEP_JOURNAL: Duration = Duration::from_secs(7 * 86_400);
/// Posts of what is over are kept this long.
const KEEP_POSTS: Duration = Duration::from_secs(90 * 86_400);
/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// Between rounds of one pruning: events go first.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);
/// When the database is nearly as large as it may be, old rows go early: events after this long …
const KEEP_JOURNAL_CROWDED: Duration = Duration::from_secs(3_600);
/// … and posts of what is over after this long.
const KEEP_POSTS_CROWDED: Duration = Duration::from_secs(86_400);
/// From so many percent of what events may take.
const CROWDED: i64 = 90;
/// How often it is looked at how large the database is.
const MEASURE_EVERY: Duration = Duration::from_secs(2);
/// How often the store is asked whether writing works.
const PROBE_EVERY: Duration = Duration::from_secs(30);

/// Troubles of delivery that may wait to be handed to their community.
const TROUBLES: usize = 64;

/// A running bot.
#[derive(Debug)]
pub struct App {
    /// Where push events are accepted, in the order of `LISTEN_ADDR`.
    pub listen: Vec<SocketAddr>,
    /// Where health and metrics are.
    pub ops: Option<SocketAddr>,
    /// What is ready.
    pub readiness: Readiness,
    /// Of the environment's community.
    pub status: Status,
    pub store: Store,
    pub communities: Registry,
    host: Host,
    tasks: Tasks,
    /// Stopped last: sends in hand go through it.
    recorder: Tasks,
}

/// What the tasks of the process have in common.
#[derive(Clone)]
struct Process {
    config: Arc<Config>,
    host: Host,
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
        let edit_window = config.discord.edit_window;
        let opening = Store::open_with(&database, store::StoreOptions { max_mb: config.database_max_mb, edit_window });
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

        let servers = &config.sonoran.servers;
        let topics = Topic::ALL.map(Topic::as_str);
        let metrics = Metrics::new(servers, &topics);
        if !config.sonoran.hub {
            metrics.without_hub();
        }
        let hubs = servers.iter().copied().filter(|_| config.sonoran.hub).map(ReadyPart::Hub);
        let readiness = Readiness::new([ReadyPart::Store, ReadyPart::Discord].into_iter().chain(hubs));
        let base = match &config.record {
            None => config.discord.api_url.clone(),
            Some(file) => {
                let (base, serve) = record::start(&config.discord.api_url, file, recorder.drain_token()).await?;
                drop(recorder.spawn(serve));
                base
            }
        };
        let scheduler = SendScheduler::new(clock.clone(), config.discord.requests_per_second);
        let rest = Rest::new(&base, token, metrics.clone())?.with_files_at(&config.discord.api_url).with_scheduler(scheduler.clone());
        let proxies = http_server::Networks::new(config.trusted_proxies.iter().copied());
        let host = Host {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            status: HostStatus::default(),
            readiness: readiness.clone(),
            rest,
            scheduler: scheduler.clone(),
            listener: Listener::behind(proxies.clone(), metrics.clone(), clock.clone()),
            weight: SharedWeight::default(),
            communities: Registry::new(store.clone()),
            tasks: tasks.clone(),
        };
        let process = Process { config: Arc::clone(&config), host: host.clone() };

        // The queue first, so that whatever comes in has somewhere to go.
        let released = store.release_all(clock.now()).await?;
        if released > 0 {
            tracing::info!(released, "posts that were being sent when the bot ended are looked at again");
        }
        let sonoran = Arc::new(config.sonoran.clone());
        let started = community::start(&host, community::Settings { credentials, sonoran, required: true }).await?;
        readiness.ready(ReadyPart::Store);

        // Answers while Discord is still being asked, however long that takes.
        if let Some(bound) = ops_port {
            tracing::info!(addr = %bound.local_addr(), "serving health and metrics");
            let router = ops::router(readiness.clone(), metrics.clone());
            let limiter = http_server::ConnectionLimiter::new(ServerLimits::default());
            tasks.spawn_vital("ops", http_server::serve(bound, router, limiter, tasks.drain_token()));
        }

        // Before any source: a bot whose token is wrong must not swallow events that nobody will see.
        let asked = tokio::time::timeout(FIRST_WORD, host.rest.me()).await;
        let me = match asked.unwrap_or_else(|_| Err(AskError::Trouble(format!("no answer within {} s", FIRST_WORD.as_secs())))) {
            Ok(me) => Some(me),
            Err(error @ AskError::Token) => {
                // Now, not when what this function holds is dropped: the parts that run already would seem to have ended unasked.
                tasks.drain();
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(%error, "Discord does not answer yet; events are taken in and kept meanwhile");
                readiness.not_ready(ReadyPart::Discord, error.to_string());
                None
            }
        };
        let (trouble, troubles) = mpsc::channel(TROUBLES);
        let delivery = Delivery {
            store: store.clone(),
            clock: clock.clone(),
            rest: host.rest.clone(),
            metrics: metrics.clone(),
            status: host.status.clone(),
            scheduler,
            trouble,
        };
        tasks.spawn_vital("delivery", delivery.run(tasks.clone()));
        tasks.spawn_vital("troubles", hand_out(troubles, host.communities.clone(), tasks.clone()));
        tasks.spawn_vital("upkeep", process.clone().keep_up());
        // Before the ports answer: a sender whose key is not known yet would take its 401 for an answer.
        let community = started.open_sources().inspect_err(|_| tasks.drain())?;
        let limiter = http_server::ConnectionLimiter::new(ServerLimits::default()).behind(proxies);
        for (bound, server) in ports {
            tracing::info!(addr = %bound.local_addr(), "accepting push events over HTTP");
            tasks.spawn_vital("listener", http_server::serve(bound, host.listener.port(server), limiter.clone(), tasks.drain_token()));
        }
        let discord = process.discord(me, listen.clone());
        tasks.spawn_vital_or("discord", async move { discord.await.map_err(|error| format!("{error:#}")) });
        let (status, communities) = (community.status.clone(), host.communities.clone());
        Ok(Self { listen, ops, readiness, status, store, communities, host, tasks: tasks.clone(), recorder: recorder.clone() })
    }

    /// Runs another community beside those that run already.
    ///
    /// # Errors
    /// If it runs already, or the store cannot be read or written.
    pub async fn add_community(&self, settings: community::Settings) -> anyhow::Result<Arc<Community>> {
        let id = &settings.credentials.community;
        anyhow::ensure!(self.communities.get(id).is_none(), "community {id} runs already");
        self.store.serve_also(&settings.credentials.community).await?;
        community::start(&self.host, settings).await?.open_sources()
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

/// Hands each trouble of delivery to the community whose alerts it holds up.
async fn hand_out(mut troubles: mpsc::Receiver<Trouble>, communities: Registry, tasks: Tasks) {
    loop {
        tokio::select! {
            biased;
            () = tasks.draining() => return,
            trouble = troubles.recv() => match trouble {
                None => return tasks.draining().await,
                Some(trouble) => {
                    if let Some(community) = communities.get(trouble.community()) {
                        community.report(trouble);
                    }
                }
            },
        }
    }
}

impl Process {
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
                    () = self.host.tasks.draining() => return Ok(()),
                    () = tokio::time::sleep(pause) => {}
                }
                let asked = tokio::select! {
                    () = self.host.tasks.draining() => return Ok(()),
                    asked = self.host.rest.me() => asked,
                };
                match asked {
                    Ok(me) => break me,
                    Err(error @ AskError::Token) => return Err(error.into()),
                    Err(error) => self.host.readiness.not_ready(ReadyPart::Discord, error.to_string()),
                }
            },
        };
        tracing::info!(name = %me.name, id = me.user, "Discord knows the bot");
        if me.public {
            tracing::warn!("{}", rest::PUBLIC);
        }
        let facts = commands::Facts { listen, bot: me, message_content: self.config.discord.message_content };
        let data = commands::Data {
            store: self.host.store.clone(),
            clock: self.host.clock.clone(),
            status: self.host.status.clone(),
            metrics: self.host.metrics.clone(),
            rest: self.host.rest.clone(),
            scheduler: self.host.scheduler.clone(),
            communities: self.host.communities.clone(),
            facts,
        };
        let guild = self.config.discord.guild;
        commands::framework::run(data, guild, self.host.tasks.clone(), self.host.readiness.clone()).await.context("Discord's gateway")
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
                () = self.host.tasks.draining() => return,
                _ = prune.tick() => more = self.prune(used).await,
                _ = probe.tick() => self.probe().await,
                _ = measure.tick() => {
                    let before = used;
                    used = self.host.store.used().await.ok().flatten().unwrap_or(0);
                    if used >= CROWDED && before < CROWDED {
                        more = true;
                        self.host.status.problem(
                            self.host.clock.now(),
                            "The database is nearly as large as DATABASE_MAX_MB allows: old events are forgotten early. Raise it if there is room on the disk.".to_owned(),
                        );
                        tracing::warn!(used, "the database is nearly as large as DATABASE_MAX_MB allows; old events are forgotten early");
                    }
                    // Reported at once, not with the next probe.
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
        let now = self.host.clock.now();
        let (journal, posts) = if used >= CROWDED { (KEEP_JOURNAL_CROWDED, KEEP_POSTS_CROWDED) } else { (KEEP_JOURNAL, KEEP_POSTS) };
        match self.host.store.prune(now.minus(journal), now.minus(posts), now).await {
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
        match self.host.store.probe().await {
            Ok(()) => self.host.readiness.ready(ReadyPart::Store),
            Err(error) => self.host.readiness.not_ready(ReadyPart::Store, error.to_string()),
        }
    }
}
