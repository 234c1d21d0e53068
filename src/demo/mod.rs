//! `tenfour demo`: the unmodified bot against a simulated CAD and a simulated Discord, on loopback, in this process.
//!
//! Starts both simulators and the bot, sets the bot up with the slash commands that people use, plays a scenario, and serves a page
//! that shows the channels live (or, with `--once`, prints each alert as text and ends). The bot gets its settings as text, as
//! always: nothing in it knows that this is a demo.

mod member;
mod print;
mod set_up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::body::Bytes;
use clap::Args;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenfour_sim::cad::{CadOptions, CadSim};
use tenfour_sim::discord::{DiscordOptions, DiscordSim};
use tenfour_sim::page::{Backend, Fire, PageServer};
use tenfour_sim::scenario::{self, Scenario};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, RequiredSettings};
use crate::output;
use crate::shutdown::{Tasks, stop_asked};
use crate::telemetry;

/// Long enough for a slow machine; on time-out the demo says what it waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// `--once` waits this long for the last alert: bursts are subject to Discord's real rate limits.
const ONCE_PATIENCE: Duration = Duration::from_secs(90);

/// How often the demo's bot reads the CAD, in seconds: the CAD lets units be read three times a minute, evenly then.
const READ_EVERY: &str = "20";
/// How long the page's button stops the hub's session: the bot reports it after a minute.
const OUTAGE: Duration = Duration::from_secs(75);

/// Options of the demo.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Play one short scenario, print each alert as text, and exit.
    #[arg(long)]
    once: bool,
    /// The address to serve the page at; port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8110")]
    page: std::net::SocketAddr,
    /// How fast the simulated shift runs, from 0.1 to 100; 2 is twice as fast.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Don't run a shift: only what you trigger on the page happens.
    #[arg(long)]
    quiet: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|speed| (0.1..=100.0).contains(speed)).ok_or_else(|| "a number from 0.1 to 100".into())
}

/// Runs the demo until Ctrl-C, or until its short scenario is over.
pub(crate) async fn main(options: Options) -> ExitCode {
    let filter =
        std::env::var("TENFOUR_LOG").ok().filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "warn,serenity=error".to_owned());
    if let Err(error) = telemetry::init(&filter, telemetry::Format::Text) {
        return fail(&error.to_string());
    }
    let asked = stop_asked();
    tokio::pin!(asked);
    let stage = tokio::select! {
        stage = Stage::start() => stage,
        () = &mut asked => return ExitCode::SUCCESS,
    };
    let stage = match stage {
        Ok(stage) => stage,
        Err(error) => return fail(&format!("{error:#}")),
    };
    let outcome = tokio::select! {
        outcome = stage.play(&options) => outcome,
        () = &mut asked => Ok(()),
    };
    stage.stop().await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}")),
    }
}

fn fail(text: &str) -> ExitCode {
    output::err(&format!("tenfour demo: {text}"));
    ExitCode::FAILURE
}

fn say(text: &str) {
    // If the reader stops, the page still works.
    output::out(text).ok();
}

/// Both simulators and the bot.
struct Stage {
    cad: CadSim,
    discord: DiscordSim,
    app: App,
    tasks: Tasks,
    folder: PathBuf,
    /// The account of the person at the page.
    account: String,
}

impl Stage {
    async fn start() -> anyhow::Result<Self> {
        let cad = CadSim::start(CadOptions::default()).await.context("the pretend CAD cannot start")?;
        let discord = DiscordSim::start(DiscordOptions { bot_public: false, ..DiscordOptions::default() })
            .await
            .context("the pretend Discord cannot start")?;
        let guild = set_up::guild(&discord);
        let account = member::account(&cad, &discord, &guild);

        let folder = std::env::temp_dir().join(format!("tenfour-demo-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        let mut settings = vec![
            ("DISCORD_TOKEN", DiscordOptions::default().token),
            ("DISCORD_API_URL", discord.url().to_owned()),
            ("DISCORD_GUILD_ID", guild),
            ("SONORAN_COMMUNITY_ID", CadOptions::default().community),
            ("SONORAN_API_KEY", CadOptions::default().api_key),
            ("SONORAN_API_URL", cad.api_url()),
            ("SONORAN_RECONCILE_SECONDS", READ_EVERY.to_owned()),
            ("SONORAN_CALLS_PER_MINUTE", "5".to_owned()),
            ("SONORAN_UNITS_PER_MINUTE", "3".to_owned()),
            ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("OPS_ADDR", "127.0.0.1:0".to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", folder.join("demo.db").display())),
        ];
        settings.extend(std::env::var("TENFOUR_RECORD").ok().map(|file| ("TENFOUR_RECORD", file)));
        let config = Config::from_vars(settings, RequiredSettings::Run).map_err(|problems| anyhow!("{problems}"))?;
        let app = App::start(config, Clock::system()).await?;
        let stage = Self { cad, discord, app, tasks: Tasks::default(), folder, account };
        match stage.set_up().await {
            Ok(()) => Ok(stage),
            Err(error) => {
                stage.stop().await;
                Err(error)
            }
        }
    }

    /// Waits for the bot and creates its routes.
    async fn set_up(&self) -> anyhow::Result<()> {
        let ready = tokio::time::timeout(PATIENCE, self.app.readiness.until_ready());
        if ready.await.is_err() {
            bail!("the bot did not get ready in {} s:\n{}", PATIENCE.as_secs(), self.app.readiness.report());
        }
        set_up::routes(&self.discord).await
    }

    async fn play(&self, options: &Options) -> anyhow::Result<()> {
        if options.once { self.once(options).await } else { self.show(options).await }
    }

    /// Plays the short scenario and prints what readers would see.
    async fn once(&self, options: &Options) -> anyhow::Result<()> {
        let stream = self.discord.subscribe();
        self.addresses();
        let printer = self.tasks.spawn(print::each_alert(stream, self.names(), self.tasks.drain_token(), say));
        let playing = Scenario::short(options.speed, fastrand::Rng::new());
        playing.play(&self.cad, CancellationToken::new()).await;
        let settled = tokio::time::timeout(ONCE_PATIENCE, self.settled()).await;
        self.tasks.drain();
        printer.await.ok();
        if settled.is_err() {
            bail!("some alerts did not arrive within {} s", ONCE_PATIENCE.as_secs());
        }
        say("\n/cad status");
        let names = self.names();
        for line in print::embeds(&set_up::status(&self.discord).await?) {
            say(&names.plain(&line));
        }
        let (messages, threads, posts) = self.shown();
        say(&format!(
            "\n{messages} messages stand in {} channels, {threads} threads and {posts} forum posts. That is all: `tenfour demo` shows it live in the browser.",
            set_up::channels()
        ));
        Ok(())
    }

    /// Resolves when everything the CAD sent is on Discord.
    async fn settled(&self) {
        let mut quiet = 0;
        while quiet < 3 {
            let pending = self.app.store.counts().await.map_or(1, |counts| counts.waiting);
            quiet = if pending == 0 && self.cad.wait_pushed(Duration::from_millis(100)).await { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn names(&self) -> print::Names {
        print::Names::new(&self.discord.snapshot(), jiff::tz::TimeZone::system())
    }

    /// Messages, threads on messages, and forum posts.
    fn shown(&self) -> (usize, usize, usize) {
        let snapshot = self.discord.snapshot();
        let all = |name: &str| snapshot.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let channels = all("channels");
        let text = |channel: &Value, name: &str| channel.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = |channel: &Value| channel.get("type").and_then(Value::as_i64);
        let forums: Vec<_> = channels.iter().filter(|channel| kind(channel) == Some(15)).map(|forum| text(forum, "id")).collect();
        let threads: Vec<_> = channels.iter().filter(|channel| kind(channel).is_some_and(|kind| (10..=12).contains(&kind))).collect();
        let posts = threads.iter().filter(|thread| forums.contains(&text(thread, "parent_id"))).count();
        let messages = snapshot.get("messages").and_then(Value::as_object);
        let messages = messages.map_or(0, |all| all.values().filter_map(Value::as_array).map(Vec::len).sum());
        (messages, threads.len() - posts, posts)
    }

    /// Serves the page and runs simulated shifts until somebody stops it.
    async fn show(&self, options: &Options) -> anyhow::Result<()> {
        let backend = Arc::new(Show { cad: self.cad.clone(), discord: self.discord.clone(), tasks: self.tasks.clone() });
        let page = PageServer::start(options.page, backend)
            .await
            .with_context(|| format!("the page cannot be served on {}: choose another address with --page", options.page))?;
        say(&format!("page: {}", page.url()));
        member::on_duty(&self.cad, &self.account);
        self.addresses();
        say(&format!(
            "\nYou are {} there, on duty: press Respond, Note or More… under a card, or try /unit me, /lookup plate ({}), /duty leaderboard.",
            member::CALLSIGN,
            member::PLATE
        ));
        say("Open the page in a browser. Ctrl-C ends the demo; nothing stays behind.");
        if options.quiet {
            self.app.stopping().await;
        } else {
            let cancel = CancellationToken::new();
            let _cancelled = cancel.clone().drop_guard();
            tokio::select! {
                () = Scenario::shift(options.speed, fastrand::Rng::new()).play(&self.cad, cancel) => {}
                () = self.app.stopping() => {}
            }
        }
        page.stop().await;
        bail!("a part of the bot failed; the log above says which")
    }

    fn addresses(&self) {
        say(&format!("hub: {}", self.cad.hub_url()));
        say(&format!("cad: {}", self.cad.api_url()));
        say(&format!("discord: {}", self.discord.url()));
        for addr in &self.app.listen {
            say(&format!("events: http://{addr}/sonorancad/event"));
        }
        if let Some(addr) = self.app.ops {
            say(&format!("metrics: http://{addr}/metrics"));
        }
    }

    async fn stop(self) {
        self.app.stop().await;
        self.tasks.stop(Duration::from_secs(1)).await;
        self.discord.stop().await;
        self.cad.stop().await;
        // Best effort: a temporary folder.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The page's backend.
struct Show {
    cad: CadSim,
    discord: DiscordSim,
    tasks: Tasks,
}

impl Show {
    /// Drops the hub's sessions, and refuses them for a while.
    fn outage(&self) -> Value {
        let (cad, stop) = (self.cad.clone(), self.tasks.drain_token());
        cad.upgrade_status(503);
        cad.drop_all();
        drop(self.tasks.spawn(async move {
            tokio::time::timeout(OUTAGE, stop.cancelled()).await.ok();
            cad.heal();
        }));
        let seconds = OUTAGE.as_secs();
        json!({ "said": format!("The CAD's live session is down for {seconds} s. After a minute the bot reports it in #bot-notices; then it catches up.") })
    }
}

impl Backend for Show {
    fn snapshot(&self) -> Value {
        self.discord.snapshot()
    }

    fn subscribe(&self) -> broadcast::Receiver<Value> {
        self.discord.subscribe()
    }

    fn act(&self, action: Value) -> BoxFuture<'static, Result<Value, String>> {
        if action.get("do").and_then(Value::as_str) == Some("fire") {
            let name = action.get("name").and_then(Value::as_str).unwrap_or_default();
            let said =
                if name == "outage" { Ok(self.outage()) } else { scenario::fire(&self.cad, name).map(|said| json!({ "said": said })) };
            return Box::pin(std::future::ready(said));
        }
        let discord = self.discord.clone();
        Box::pin(async move { discord.interact(action).await })
    }

    fn file(&self, path: &str) -> Option<(String, Bytes)> {
        self.discord.file(path)
    }

    fn fire_list(&self) -> Vec<Fire> {
        let group = |name: &'static str, list: &'static [(&'static str, &'static str)]| {
            list.iter().map(move |(fire, label)| Fire { name: fire, label, group: name })
        };
        let events = group("In the CAD", &scenario::FIRE);
        let in_game = group("Through the CAD's API: no events, the bot polls it within 20 s", &scenario::IN_GAME);
        events.chain(in_game).chain(group("Trouble", &[("outage", "Cut the live session")])).collect()
    }
}
