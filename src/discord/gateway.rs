//! The gateway receives people's interactions: registers the commands, keeps every shard connected, and forwards events.
//!
//! Knows no command: the caller passes a framework and the commands to register. Registering comes before connecting, so that
//! nobody ever meets a command with options that this version doesn't know, and so that its failure ends the start in one place.
//! serenity reads the events and answers interactions; its own shard management is not used (`docs/decisions/0001-own-gateway-driver.md`).
//!
//! ```text
//! register ─▶ GET /gateway/bot ─▶ connecting ⇄ up ─ draining ─▶ shards closed
//!    └────────────┴─ refused token, guild or session: Err; not reachable: again, later
//!                        (pace: when; shard: one after the other; connection: the protocol)
//! ```

mod connection;
mod context;
mod pace;
mod shard;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use serenity::all::{ClientBuilder, Context, Event, Framework, FullEvent, GatewayIntents};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use self::connection::{ConnectionObserver, Identity, websocket_config};
use self::pace::{Allowance, AllowanceSource, Starts, StartsExhausted};
use self::shard::{Dial, ShardEnd, ShardObserver, keep};
use super::attempt::Attempt;
use super::registration::Registration;
use super::rest::{AskError, Rest};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ops::{Readiness, ReadyPart};
use crate::shutdown::Tasks;
use crate::status::HostStatus;
use crate::tls;

/// A warning about unknown events at most this often; each is counted.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Longest pause between attempts to reach Discord.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(60);
/// More shards than this aren't supported: it is the number for some 40,000 guilds.
const MAX_SHARDS: u32 = 16;

/// Discord closes with 4014.
pub(crate) const NO_INTENT: &str = "DISCORD_MESSAGE_CONTENT is on, but Discord does not let this bot read messages: switch on Message Content Intent at https://discord.com/developers/applications (your application, page Bot, Privileged Gateway Intents), or set DISCORD_MESSAGE_CONTENT=off";

/// The inputs of the gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Discord.
    pub rest: Rest,
    /// Our application's id: responses to interactions are sent in its name.
    pub application: u64,
    /// The time, for what `/cad status` lists.
    pub clock: Clock,
    pub metrics: Metrics,
    pub status: HostStatus,
    /// `/readyz`.
    pub readiness: Readiness,
    /// Start and stop.
    pub tasks: Tasks,
    /// Ask for people's messages, with what they say: a privileged intent.
    pub message_content: bool,
}

impl Gateway {
    /// Registers the commands, connects, and keeps connected until draining begins.
    ///
    /// # Errors
    /// Unrecoverable errors, fit for people: a rejected token, a guild that the bot isn't in, commands that Discord
    /// rejects, a session that it refuses.
    pub async fn run(self, registration: Registration, mut framework: impl Framework + 'static) -> anyhow::Result<()> {
        let registered = self.until("register commands", || registration.at_start()).await?;
        if registered.is_none() {
            return Ok(());
        }
        let Some(first) = self.until("open a gateway session", || allowance(&self.rest)).await? else { return Ok(()) };
        let messages = GatewayIntents::GUILD_MESSAGES | GatewayIntents::MESSAGE_CONTENT;
        let intents = if self.message_content { GatewayIntents::GUILDS | messages } else { GatewayIntents::GUILDS };
        let made = async {
            let client = ClientBuilder::new_with_http(self.rest.serenity(), intents).await?;
            // serenity's own shards would have set it.
            client.http.set_application_id(self.application.max(1).into());
            framework.init(&client).await;
            context::context(&client, intents).await
        };
        let context = tokio::select! {
            () = self.tasks.draining() => return Ok(()),
            made = made => made?,
        };
        let shards = first.shards.clamp(1, MAX_SHARDS);
        let starts = Starts::new(first);
        let dialer = Dialer { tls: tls::config().context("the TLS roots cannot be loaded")? };
        let crew = Crew {
            gateway: &self,
            framework: Arc::new(framework),
            context,
            links: Mutex::default(),
            guilds_known: Mutex::default(),
            warned: Mutex::default(),
        };
        crew.links(|links| links.extend((0..shards).map(|shard| (shard, false))));
        self.status.gateway(false);
        self.readiness.not_ready(ReadyPart::Discord, "the gateway session is connecting");
        let token = self.rest.token();
        let mut running: FuturesUnordered<_> = (0..shards)
            .map(|shard| {
                let identity = Identity { token, intents: intents.bits(), shard: (shard, shards) };
                keep(&dialer, &crew, identity, &starts, &self.tasks)
            })
            .collect();
        let mut over = ShardEnd::Stopped;
        while let Some(ended) = running.next().await {
            if !matches!(ended, ShardEnd::Stopped) {
                over = ended;
                break;
            }
        }
        drop(running);
        self.status.gateway(false);
        self.readiness.not_ready(ReadyPart::Discord, "stopped");
        match over {
            ShardEnd::Stopped => Ok(()),
            _ if self.tasks.is_draining() => Ok(()),
            ShardEnd::Failed(error) => Err(error),
            ShardEnd::Refused(4004) => bail!(AskError::Token),
            ShardEnd::Refused(4014) if self.message_content => bail!(NO_INTENT),
            ShardEnd::Refused(code) => bail!("Discord refused the gateway session with close code {code}"),
        }
    }

    /// Repeats attempts until one succeeds or is hopeless; `None` when draining began.
    async fn until<T, F: Future<Output = Attempt<T>>>(&self, what: &str, attempt: impl Fn() -> F) -> anyhow::Result<Option<T>> {
        let mut pause = Duration::from_secs(1);
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
                    self.readiness.not_ready(ReadyPart::Discord, reason);
                    asked
                }
            };
            tokio::select! {
                () = self.tasks.draining() => return Ok(None),
                () = tokio::time::sleep(asked.unwrap_or(pause).max(Duration::from_secs(1))) => {}
            }
            pause = MAX_RETRY_PAUSE.min(pause * 2);
        }
    }
}

/// Requests the gateway's URL, and how many sessions may still be started. Also proves the token.
async fn allowance(rest: &Rest) -> Attempt<Allowance> {
    let answer = match rest.ask("/gateway/bot").await {
        Ok(answer) => answer,
        Err(error @ AskError::Token) => return Attempt::Never(error.into()),
        Err(AskError::Wait(wait)) => return Attempt::Later("Discord asks to wait".into(), Some(wait)),
        Err(error) => return Attempt::Later(error.to_string(), None),
    };
    let Some(url) = answer.get("url").and_then(Value::as_str) else {
        return Attempt::Later("Discord did not tell its gateway's address. Check DISCORD_API_URL".into(), None);
    };
    let starts = |name: &str| answer.pointer(&format!("/session_start_limit/{name}")).and_then(Value::as_u64);
    Attempt::Done(Allowance {
        url: url.to_owned(),
        shards: answer.get("shards").and_then(Value::as_u64).and_then(|shards| u32::try_from(shards).ok()).unwrap_or(1),
        total: starts("total"),
        remaining: starts("remaining"),
        reset_after: starts("reset_after").map(Duration::from_millis),
    })
}

/// Opens a real connection.
struct Dialer {
    tls: Arc<rustls::ClientConfig>,
}

impl Dial for Dialer {
    type Stream = MaybeTlsStream<TcpStream>;

    async fn dial(&self, url: &str) -> Result<WebSocketStream<Self::Stream>, String> {
        let mut url = url::Url::parse(url).map_err(|_| "its address is no URL".to_owned())?;
        url.query_pairs_mut().append_pair("v", "10").append_pair("encoding", "json");
        let connector = Connector::Rustls(Arc::clone(&self.tls));
        match connect_async_tls_with_config(url.as_str(), Some(websocket_config()), true, Some(connector)).await {
            Ok((socket, _)) => Ok(socket),
            // The response body may be anything.
            Err(WsError::Http(answer)) => Err(format!("HTTP {}", answer.status().as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Shared by all shards: the event handlers, and who is notified of their state.
struct Crew<'a, F> {
    gateway: &'a Gateway,
    framework: Arc<F>,
    context: Context,
    /// Which shards are connected.
    links: Mutex<BTreeMap<u32, bool>>,
    /// Ends when the latest event about guilds was processed: those keep their order.
    guilds_known: Mutex<Option<oneshot::Receiver<()>>>,
    /// When an unreadable event was last warned of.
    warned: Mutex<Option<Instant>>,
}

/// Whether a change of one shard connected all of them, or ended that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkChange {
    Up,
    Down,
    None,
}

impl<F> Crew<'_, F> {
    /// Changes which are connected, and says what that means for all of them together.
    fn links(&self, change: impl FnOnce(&mut BTreeMap<u32, bool>)) -> LinkChange {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let all = |links: &BTreeMap<u32, bool>| !links.is_empty() && links.values().all(|up| *up);
        let before = all(&links);
        change(&mut links);
        match (before, all(&links)) {
            (false, true) => LinkChange::Up,
            (true, false) => LinkChange::Down,
            _ => LinkChange::None,
        }
    }
}

impl<F: Framework + 'static> ConnectionObserver for Crew<'_, F> {
    fn up(&self, shard: u32) {
        if self.links(|links| {
            links.insert(shard, true);
        }) == LinkChange::Up
        {
            tracing::info!("the gateway session is up");
            self.gateway.status.gateway(true);
            self.gateway.readiness.ready(ReadyPart::Discord);
        }
    }

    fn event(&self, event: Event) {
        let Some(event) = to_full_event(event) else { return };
        // Work begun for a person ends before the bot stops.
        let in_hand = self.gateway.tasks.in_hand();
        let (framework, context) = (Arc::clone(&self.framework), self.context.clone());
        let is_about_guilds = matches!(event, FullEvent::Ready { .. } | FullEvent::GuildCreate { .. } | FullEvent::GuildDelete { .. });
        let turn = is_about_guilds.then(|| {
            let (done, next) = oneshot::channel::<()>();
            (self.guilds_known.lock().unwrap_or_else(PoisonError::into_inner).replace(next), done)
        });
        drop(self.gateway.tasks.spawn(async move {
            let _in_hand = in_hand;
            // Dropped at the end, which the next one waits for.
            let (before, _done) = turn.unzip();
            if let Some(before) = before.flatten() {
                before.await.ok();
            }
            framework.dispatch(context, event).await;
        }));
    }

    /// The person then sees "did not respond", and nobody knows why. So they are counted.
    fn unreadable(&self, kind: &str) {
        self.gateway.metrics.gateway_unknown();
        tracing::debug!(kind, "a gateway event that the Discord library cannot read");
        let now = Instant::now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| now.duration_since(at) >= WARN_EVERY) {
            *warned = Some(now);
            tracing::warn!(kind, "Discord sends gateway events that cannot be read; see tenfour_gateway_unknown_events_total");
        }
    }
}

impl<F: Framework + 'static> AllowanceSource for Crew<'_, F> {
    async fn allowance(&self) -> Attempt<Allowance> {
        allowance(&self.gateway.rest).await
    }

    fn unanswered(&self, reason: &str) {
        tracing::warn!(%reason, "cannot open a gateway session yet");
        self.gateway.readiness.not_ready(ReadyPart::Discord, reason);
    }

    fn held(&self, held: StartsExhausted) {
        let sentence = held_sentence(held);
        tracing::error!("{sentence}");
        self.gateway.readiness.not_ready(ReadyPart::Discord, format!("no new gateway session: {} of {} used today", held.used, held.total));
        self.gateway.status.problem(self.gateway.clock.now(), sentence);
    }
}

impl<F: Framework + 'static> ShardObserver for Crew<'_, F> {
    fn down(&self, shard: u32, reason: &str) {
        if self.links(|links| {
            links.insert(shard, false);
        }) == LinkChange::Down
        {
            tracing::warn!(%reason, "the gateway session is down; connecting again");
            self.gateway.status.gateway(false);
        } else {
            tracing::debug!(%reason, "the gateway session did not come up; trying again");
        }
        self.gateway.readiness.not_ready(ReadyPart::Discord, format!("the gateway session is connecting: {reason}"));
    }
}

fn held_sentence(held: StartsExhausted) -> String {
    let minutes = held.resets_in.as_secs().div_ceil(60);
    format!(
        "Commands and buttons are off: {} of the {} gateway sessions that Discord allows a day are used, and at the limit Discord resets the bot's token. New tries begin when Discord's count resets, in {} h {} min. Alerts are still posted. Check that no other program uses DISCORD_TOKEN.",
        held.used,
        held.total,
        minutes / 60,
        minutes % 60
    )
}

/// Events with a handler here, as serenity's frameworks know them.
fn to_full_event(event: Event) -> Option<FullEvent> {
    match event {
        Event::Ready(event) => {
            tracing::debug!(guilds = event.ready.guilds.len(), "READY");
            Some(FullEvent::Ready { data_about_bot: event.ready })
        }
        Event::Resumed(event) => Some(FullEvent::Resume { event }),
        Event::GuildCreate(event) => Some(FullEvent::GuildCreate { guild: event.guild, is_new: None }),
        Event::GuildDelete(event) => Some(FullEvent::GuildDelete { incomplete: event.guild, full: None }),
        Event::InteractionCreate(event) => Some(FullEvent::InteractionCreate { interaction: event.interaction }),
        Event::MessageCreate(event) => Some(FullEvent::Message { new_message: event.message }),
        _ => None,
    }
}
