//! The gateway session: how people's interactions reach us. serenity keeps it (heartbeats, resume); here it is started, watched and
//! stopped.
//!
//! Knows no command: the caller hands over a framework and the commands to register. Registering comes before connecting, so that
//! nobody ever meets a command whose options this version does not know, and so that its failure ends the start in one place.
//!
//! ```text
//! register ─▶ GET /gateway/bot ─▶ connecting ⇄ up ─ draining ─▶ shards closed
//!    └────────────┴─ refused token, guild or session: Err; not reachable: again, later
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use serenity::all::{
    Client, ClientBuilder, ConnectionStage, Context, Event, EventHandler, Framework, FullEvent, GatewayError, GatewayIntents,
    RawEventHandler, Ready, ResumedEvent, ShardManager,
};
use serenity::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::registration::Registration;
use super::rest::{AskError, Rest};
use crate::metrics::Metrics;
use crate::ops::{Part, Readiness};
use crate::shutdown::Tasks;
use crate::status::Status;

/// How often the shards are looked at: serenity does not tell when one is gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A warning about unknown events at most this often; each is counted.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// How long the shards may take to log off.
const LOGGING_OFF: Duration = Duration::from_secs(3);
/// Longest pause between attempts to reach Discord (s).
const MOST_PAUSE: u64 = 60;

/// Dispatches to a framework, and sees to it that what it has begun with somebody ends before the bot stops: serenity's own tasks are dropped
/// with the runtime, in the midst of an answer.
struct Attended<F> {
    framework: F,
    tasks: Tasks,
}

#[async_trait]
impl<F: Framework> Framework for Attended<F> {
    async fn init(&mut self, client: &Client) {
        self.framework.init(client).await;
    }

    async fn dispatch(&self, ctx: Context, event: FullEvent) {
        let _in_hand = self.tasks.in_hand();
        self.framework.dispatch(ctx, event).await;
    }
}

/// Discord closes with 4014.
pub(crate) const NO_INTENT: &str = "DISCORD_MESSAGE_CONTENT is on, but Discord does not let this bot read messages: switch on Message Content Intent at https://discord.com/developers/applications (your application, page Bot, Privileged Gateway Intents), or set DISCORD_MESSAGE_CONTENT=off";

/// Everything the session needs from outside.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Discord.
    pub rest: Rest,
    /// Numbers.
    pub metrics: Metrics,
    /// Live facts.
    pub status: Status,
    /// `/readyz`.
    pub readiness: Readiness,
    /// Start and stop.
    pub tasks: Tasks,
    /// Ask for people's messages, with what they say: a privileged intent.
    pub message_content: bool,
}

/// What came of an attempt that may be made again.
pub(super) enum Attempt<T> {
    Done(T),
    /// Not now: in a few words, and how long Discord asks to wait (s).
    Later(String, Option<u64>),
    Never(anyhow::Error),
}

impl Gateway {
    /// Registers the commands, connects, and keeps connected until draining begins.
    ///
    /// # Errors
    /// What cannot come right by itself, fit for people: a refused token, a guild that the bot is not in, commands that Discord does
    /// not take, a session that it does not want.
    pub async fn run(self, registration: Registration, framework: impl Framework + 'static) -> anyhow::Result<()> {
        let registered = self.until("register commands", || registration.at_start()).await?;
        if registered.is_none() {
            return Ok(());
        }
        let Some(url) = self.until("open a gateway session", || self.probe()).await? else { return Ok(()) };

        let messages = GatewayIntents::GUILD_MESSAGES | GatewayIntents::MESSAGE_CONTENT;
        let intents = if self.message_content { GatewayIntents::GUILDS | messages } else { GatewayIntents::GUILDS };
        let changed = Arc::new(Notify::new());
        let told = Told { changed: Arc::clone(&changed) };
        let counted = Counted { metrics: self.metrics.clone(), warned: Mutex::default() };
        let mut client = ClientBuilder::new_with_http(self.rest.serenity(), intents)
            .framework(Attended { framework, tasks: self.tasks.clone() })
            .event_handler(told)
            .raw_event_handler(counted)
            .await?;
        // If its own question for the address failed, serenity would have gone to the public gateway whatever DISCORD_API_URL says.
        *client.ws_url.lock().await = url;
        let shards = Arc::clone(&client.shard_manager);
        let running = client.start_autosharded();
        tokio::pin!(running);
        let ended = tokio::select! {
            ended = &mut running => Some(ended),
            () = self.watch(&shards, &changed) => None,
            () = self.tasks.draining() => None,
        };
        self.status.gateway(false);
        self.readiness.not_ready(Part::Discord, "stopped");
        shards.shutdown_all().await;
        if ended.is_none() {
            tokio::time::timeout(LOGGING_OFF, running).await.ok();
        }
        match ended {
            None => Ok(()),
            Some(_) if self.tasks.is_draining() => Ok(()),
            Some(Ok(())) => bail!("the gateway session ended unasked"),
            Some(Err(serenity::Error::Gateway(GatewayError::InvalidAuthentication | GatewayError::NoAuthentication))) => {
                bail!(AskError::Token)
            }
            Some(Err(serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents))) if self.message_content => bail!(NO_INTENT),
            Some(Err(error)) => bail!("the gateway session ended: {error}"),
        }
    }

    /// Makes attempts until one is done or is of no use; `None` when draining began.
    async fn until<T, F: Future<Output = Attempt<T>>>(&self, what: &str, attempt: impl Fn() -> F) -> anyhow::Result<Option<T>> {
        let mut pause = 1;
        loop {
            let tried = tokio::select! {
                () = self.tasks.draining() => return Ok(None),
                tried = attempt() => tried,
            };
            let asked = match tried {
                Attempt::Done(value) => return Ok(Some(value)),
                Attempt::Never(error) => return Err(error),
                Attempt::Later(reason, asked) => {
                    tracing::warn!(%reason, "cannot {what} yet");
                    self.readiness.not_ready(Part::Discord, reason);
                    asked
                }
            };
            tokio::select! {
                () = self.tasks.draining() => return Ok(None),
                () = tokio::time::sleep(Duration::from_secs(asked.unwrap_or(pause).max(1))) => {}
            }
            pause = u64::min(pause * 2, MOST_PAUSE);
        }
    }

    /// Asks for the gateway's address. Also proves the token, and that sessions may still be started today: Discord resets the token
    /// of a bot that identifies more often than it may.
    async fn probe(&self) -> Attempt<String> {
        let answer = match self.rest.ask("/gateway/bot").await {
            Ok(answer) => answer,
            Err(error @ AskError::Token) => return Attempt::Never(error.into()),
            Err(AskError::Wait(seconds)) => return Attempt::Later("Discord asks to wait".into(), u64::try_from(seconds).ok()),
            Err(error) => return Attempt::Later(error.to_string(), None),
        };
        let starts = |name: &str| answer.pointer(&format!("/session_start_limit/{name}")).and_then(Value::as_u64);
        if starts("remaining") == Some(0) {
            let seconds = starts("reset_after").unwrap_or(0).div_ceil(1000).max(1);
            return Attempt::Later("all session starts of today are used up".into(), Some(seconds));
        }
        match answer.get("url").and_then(Value::as_str) {
            Some(url) => Attempt::Done(url.to_owned()),
            None => Attempt::Later("Discord did not tell its gateway's address. Check DISCORD_API_URL".into(), None),
        }
    }

    /// Reports whether every shard is connected, for as long as it is polled.
    async fn watch(&self, shards: &Arc<ShardManager>, changed: &Notify) {
        let mut was = None;
        loop {
            let up = {
                let runners = shards.runners.lock().await;
                !runners.is_empty() && runners.values().all(|runner| runner.stage == ConnectionStage::Connected)
            };
            if was != Some(up) {
                self.status.gateway(up);
                if up {
                    tracing::info!("the gateway session is up");
                    self.readiness.ready(Part::Discord);
                } else {
                    if was.is_some() {
                        tracing::warn!("the gateway session is down; connecting again");
                    }
                    self.readiness.not_ready(Part::Discord, "the gateway session is connecting");
                }
                was = Some(up);
            }
            tokio::select! {
                () = changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// Rings when a session is up: nobody should wait for the next look.
struct Told {
    changed: Arc<Notify>,
}

#[async_trait]
impl EventHandler for Told {
    async fn ready(&self, _: Context, ready: Ready) {
        tracing::debug!(guilds = ready.guilds.len(), "READY");
        self.changed.notify_one();
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        self.changed.notify_one();
    }
}

/// serenity drops events that it cannot read: a person then sees "did not respond" and nobody knows why. So they are counted.
struct Counted {
    metrics: Metrics,
    warned: Mutex<Option<Instant>>,
}

#[async_trait]
impl RawEventHandler for Counted {
    async fn raw_event(&self, _: Context, event: Event) {
        let Event::Unknown(unknown) = event else { return };
        self.metrics.gateway_unknown();
        tracing::debug!(kind = %unknown.kind, "a gateway event that the Discord library cannot read");
        let now = Instant::now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| now.duration_since(at) >= WARN_EVERY) {
            *warned = Some(now);
            tracing::warn!(kind = %unknown.kind, "Discord sends gateway events that cannot be read; see tenfour_gateway_unknown_events_total");
        }
    }
}
