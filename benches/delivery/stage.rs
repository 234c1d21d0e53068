//! Both simulators in this process, and the program under measurement between them: Tenfour, or a peer on Node.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, json};
use tenfour_sim::cad::{CadOptions, CadSim, ServerOptions};
use tenfour_sim::discord::{Arrival, DiscordOptions, DiscordSim, RateLimits};
use tokio::process::Command;
use tokio::sync::{mpsc, watch};

use super::client::Connection;
use super::events::{COMMUNITY, KEY, marks};
use super::machine::Disk;
use super::process::Process;

const TOKEN: &str = "bench.discord.token";
/// Limit on every wait for something to become ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program under measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// This package's binary.
    Tenfour,
    /// `benches/peers/bot.mjs`.
    NodeBot,
    /// `benches/peers/listener.mjs`: needs no stage, accepts events only.
    NodeListener,
}

impl Who {
    /// The name in progress lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tenfour => "tenfour",
            Self::NodeBot => "node bot",
            Self::NodeListener => "node http",
        }
    }
}

/// How a stage is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// CAD servers, numbered from 1, each with a channel of its own.
    pub(crate) servers: u32,
    /// What is posted, as an option of `/alerts add`, and the same as event types for the peer.
    pub(crate) routes: &'static [(&'static str, &'static str)],
    /// Whether Discord's limits are applied.
    pub(crate) limits: RateLimits,
}

/// What Discord was asked so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When each card was first shown by a request that Discord accepted.
    pub(crate) shown: HashMap<u32, Instant>,
    /// Requests about messages, those refused included.
    pub(crate) requests: u64,
    /// Of them, 429.
    pub(crate) limited: u64,
    /// The first request about a message since the last reset.
    pub(crate) first: Option<Instant>,
}

/// The simulators, a guild and its channels, a folder for the database.
pub(crate) struct Stage {
    /// The pretend CAD.
    pub(crate) cad: CadSim,
    /// The pretend Discord.
    pub(crate) discord: DiscordSim,
    /// What it was asked.
    pub(crate) seen: watch::Receiver<Seen>,
    reset: watch::Sender<Seen>,
    guild: String,
    lobby: String,
    channels: Vec<String>,
    folder: PathBuf,
    disk: Vec<(&'static str, String)>,
    setting: Setting,
}

/// A program that is ready for events.
pub(crate) struct Running {
    /// The program.
    pub(crate) process: Process,
    /// Where it accepts events.
    pub(crate) events: SocketAddr,
    /// From its start until it was ready.
    pub(crate) ready_after: Duration,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Stage {
    /// Sets it up.
    ///
    /// # Errors
    /// If the simulators cannot start.
    pub(crate) async fn new(setting: Setting, disk: &Disk) -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = disk.folder.join(format!("stage-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&folder)?;
        let discord = DiscordOptions { token: TOKEN.to_owned(), rate_limits: setting.limits, ..DiscordOptions::default() };
        let discord = DiscordSim::start(discord).await?;
        let servers = (1..=setting.servers).map(|server| ServerOptions::new(server.into(), &format!("Server {server}"))).collect();
        let cad = CadOptions { api_key: KEY.to_owned(), community: COMMUNITY.to_owned(), servers, ..CadOptions::default() };
        let cad = CadSim::start(cad).await?;
        let guild = discord.add_guild("Bench");
        let lobby = discord.add_channel(&guild, "lobby", 0);
        let channels = (1..=setting.servers).map(|server| discord.add_channel(&guild, &format!("alerts-{server}"), 0)).collect();
        let (reset, seen) = watch::channel(Seen::default());
        tokio::spawn(follow(discord.arrivals(), reset.clone()));
        Ok(Self { cad, discord, seen, reset, guild, lobby, channels, folder, disk: disk.variables(), setting })
    }

    /// Starts a program, waits until it is ready and sets up its routes.
    ///
    /// # Errors
    /// If it does not become ready.
    pub(crate) async fn start(&self, who: Who) -> anyhow::Result<Running> {
        match who {
            Who::Tenfour => {
                let running = self.start_again().await?;
                self.routes().await?;
                self.forget();
                Ok(running)
            }
            Who::NodeBot => {
                let channels: Map<_, _> =
                    (1..).zip(&self.channels).map(|(at, channel): (u32, _)| (at.to_string(), json!(channel))).collect();
                let posts: Vec<&str> = self.setting.routes.iter().map(|(_, kind)| *kind).collect();
                let off = self.setting.limits == RateLimits::Off;
                let variables = BTreeMap::from([
                    ("DISCORD_API", self.discord.url().to_owned()),
                    ("TOKEN", TOKEN.to_owned()),
                    ("CHANNELS", serde_json::Value::Object(channels).to_string()),
                    ("POSTS", posts.join(",")),
                    // To the library 0 means one.
                    ("PER_SECOND", if off { "1000000" } else { "50" }.to_owned()),
                    ("KEY", KEY.to_owned()),
                    ("COMMUNITY", COMMUNITY.to_owned()),
                    ("HUB_URL", self.cad.hub_url()),
                ]);
                let running = node("bot.mjs", variables).await?;
                self.forget();
                Ok(running)
            }
            Who::NodeListener => bail!("it needs no stage"),
        }
    }

    /// Starts Tenfour on the stage's database, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready.
    pub(crate) async fn start_again(&self) -> anyhow::Result<Running> {
        let ids: Vec<String> = (1..=self.setting.servers).map(|server| server.to_string()).collect();
        let off = self.setting.limits == RateLimits::Off;
        let mut variables = BTreeMap::from([
            ("DISCORD_TOKEN", TOKEN.to_owned()),
            ("DISCORD_API_URL", self.discord.url().to_owned()),
            ("DISCORD_GUILD_ID", self.guild.clone()),
            // Discord's own limit, which is off too then.
            ("DISCORD_REQUESTS_PER_SECOND", if off { "0" } else { "50" }.to_owned()),
            ("SONORAN_COMMUNITY_ID", COMMUNITY.to_owned()),
            ("SONORAN_API_KEY", KEY.to_owned()),
            ("SONORAN_SERVER_IDS", ids.join(",")),
            ("SONORAN_API_URL", self.cad.api_url()),
            // The simulated CAD doesn't know the events sent here: reading it would contradict them.
            ("SONORAN_RECONCILE_SECONDS", "off".to_owned()),
            ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("OPS_ADDR", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", self.folder.join("tenfour.db").display())),
        ]);
        variables.extend(self.disk.iter().cloned());
        let started = Instant::now();
        let process = Process::start(Command::new(env!("CARGO_BIN_EXE_tenfour")), &variables, &self.folder)?;
        let events = address(&process.line("accepting push events").await?)?;
        let health = address(&process.line("serving health").await?)?;
        let mut asking = Connection::new(health);
        loop {
            match asking.get("/readyz").await {
                Ok((200, _)) => break,
                Ok((_, text)) if started.elapsed() > PATIENCE => bail!("Tenfour is not ready:\n{text}\n{}", process.text()),
                Err(error) if started.elapsed() > PATIENCE => return Err(error).context("Tenfour does not answer"),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        Ok(Running { process, events, ready_after: started.elapsed(), started })
    }

    /// What a person does: `/alerts add` for each kind of event and server.
    async fn routes(&self) -> anyhow::Result<()> {
        if self.setting.routes.is_empty() {
            return Ok(());
        }
        let limit = Duration::from_secs(10);
        self.discord.wait_command("alerts", limit).await.map_err(|error| anyhow!(error))?;
        for (server, channel) in (1..=self.setting.servers).zip(&self.channels) {
            for (event, _) in self.setting.routes {
                let options = json!({"event": event, "channel": channel, "server": server});
                let told = async {
                    let pending = self.discord.slash(&self.lobby, None, "alerts", &["add"], options)?;
                    pending.wait_reply_where(limit, |reply| reply.to_string().contains("Route #")).await
                };
                told.await.map_err(|error| anyhow!("/alerts add event:{event} did not work: {error}"))?;
            }
        }
        Ok(())
    }

    /// Forgets what was seen so far.
    pub(crate) fn forget(&self) {
        self.reset.send_replace(Seen::default());
    }

    /// Waits until so many cards were shown; false if they were not in time.
    pub(crate) async fn shown(&self, count: usize, limit: Duration) -> bool {
        let mut seen = self.seen.clone();
        tokio::time::timeout(limit, seen.wait_for(|seen| seen.shown.len() >= count)).await.is_ok()
    }

    /// Ends the program and the simulators.
    pub(crate) async fn end(self, running: Running) -> anyhow::Result<()> {
        running.process.kill().await?;
        self.discord.stop().await;
        self.cad.stop().await;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Records Discord's requests.
async fn follow(mut arrivals: mpsc::UnboundedReceiver<Arrival>, sender: watch::Sender<Seen>) {
    while let Some(arrival) = arrivals.recv().await {
        let messages = arrival.path.contains("/channels/") && arrival.path.contains("/messages");
        if !messages || arrival.method == "GET" {
            continue;
        }
        let cards = if (200..300).contains(&arrival.status) { marks(&arrival.body) } else { Vec::new() };
        sender.send_modify(|seen| {
            seen.requests += 1;
            seen.limited += u64::from(arrival.status == 429);
            seen.first.get_or_insert(arrival.at);
            for card in cards {
                seen.shown.entry(card).or_insert(arrival.at);
            }
        });
    }
}

/// The address in a line of the log: as text `addr=127.0.0.1:1`.
fn address(line: &str) -> anyhow::Result<SocketAddr> {
    let (_, rest) = line.split_once("addr=").with_context(|| format!("no address in {line:?}"))?;
    let addr: String = rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    addr.parse().with_context(|| format!("no address in {line:?}"))
}

/// Starts a peer of `benches/peers` and waits until it says that it is ready, and where.
///
/// # Errors
/// If it doesn't.
pub(crate) async fn node(script: &str, mut variables: BTreeMap<&str, String>) -> anyhow::Result<Running> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    variables.insert("PATH", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("node");
    command.arg(peers.join(script));
    let started = Instant::now();
    let process = Process::start(command, &variables, &peers)?;
    let line = process.line("ready ").await?;
    let port: u16 = line.trim_start_matches("ready ").trim().parse().with_context(|| format!("no port in {line:?}"))?;
    Ok(Running { process, events: SocketAddr::from(([127, 0, 0, 1], port)), ready_after: started.elapsed(), started })
}
