//! The real bot between both simulators, over real sockets: the base of most integration tests.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tenfour::app::App;
use tenfour::clock::Clock;
use tenfour::config::{Config, RequiredSettings};
use tenfour::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId, UserId};
use tenfour::render::Style;
use tenfour::route::{Listens, RouteSpec, Rule};
use tenfour::store::AddRoute;
use tenfour_sim::cad::{CadOptions, CadSim};
use tenfour_sim::discord::{DiscordOptions, DiscordSim, RateLimits};

/// Limit on every wait: far beyond what a loaded machine needs; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How a [`TestBot`] differs from the default.
#[derive(Default)]
pub(crate) struct Setup {
    /// Settings that replace the default ones; an empty value removes one.
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) cad: Option<CadOptions>,
    pub(crate) discord: Option<DiscordOptions>,
    /// `None` = the machine's clock.
    pub(crate) clock: Option<Clock>,
}

/// Simulators, a guild and a bot. Everything ends with [`TestBot::finish`].
pub(crate) struct TestBot {
    pub(crate) cad: CadSim,
    pub(crate) discord: DiscordSim,
    pub(crate) app: Option<App>,
    pub(crate) guild: String,
    pub(crate) folder: PathBuf,
    pub(crate) clock: Clock,
    settings: Vec<(&'static str, String)>,
}

impl TestBot {
    /// With all defaults, but no rate limits.
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let mut bot = Self::prepare(setup).await;
        bot.boot().await;
        bot
    }

    /// Simulators and settings, the bot not yet running.
    pub(crate) async fn prepare(mut setup: Setup) -> Self {
        let discord = setup.discord.take().unwrap_or(DiscordOptions { rate_limits: RateLimits::Off, ..DiscordOptions::default() });
        let discord = DiscordSim::start(discord).await.unwrap();
        Self::prepare_with(setup, discord).await
    }

    /// [`TestBot::prepare`] with a given Discord.
    pub(crate) async fn prepare_with(setup: Setup, discord: DiscordSim) -> Self {
        let cad = CadSim::start(setup.cad.unwrap_or_default()).await.unwrap();
        let guild = discord.add_guild("Test Guild");
        let folder = std::env::temp_dir().join(format!("tenfour-it-{:016x}", fastrand::u64(..)));
        let mut settings = vec![
            ("DISCORD_TOKEN", DiscordOptions::default().token),
            ("DISCORD_API_URL", discord.url().to_owned()),
            ("DISCORD_GUILD_ID", guild.clone()),
            ("SONORAN_COMMUNITY_ID", CadOptions::default().community),
            ("SONORAN_API_KEY", CadOptions::default().api_key),
            ("SONORAN_API_URL", cad.api_url()),
            ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("OPS_ADDR", "127.0.0.1:0".to_owned()),
            // Most tests send events about things that the simulated CAD doesn't have: reading it would contradict them.
            ("SONORAN_RECONCILE_SECONDS", "off".to_owned()),
            // Edits of cards are sent at once: the clock of many tests stands still.
            ("DISCORD_EDIT_WINDOW_MS", "0".to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", folder.join("tenfour.db").display())),
        ];
        for (name, value) in setup.settings {
            settings.retain(|(known, _)| *known != name);
            settings.push((name, value));
        }
        Self { cad, discord, app: None, guild, folder, clock: setup.clock.unwrap_or_default(), settings }
    }

    /// Starts the bot and waits until every part is ready.
    pub(crate) async fn boot(&mut self) {
        self.boot_unready().await;
        let ready = tokio::time::timeout(PATIENCE, self.app().readiness.until_ready()).await;
        assert!(ready.is_ok(), "not ready:\n{}", self.app().readiness.report());
    }

    /// Starts the bot without waiting for Discord or the CAD.
    pub(crate) async fn boot_unready(&mut self) {
        let config = Config::from_vars(self.settings.clone(), RequiredSettings::Run).unwrap();
        // The previous process releases the database a moment after it stopped.
        for _ in 0..400 {
            match App::start(config.clone(), self.clock.clone()).await {
                Ok(app) => return self.app = Some(app),
                Err(error) if error.to_string().contains("another Tenfour runs") => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error:#}"),
            }
        }
        panic!("the database was never free");
    }

    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }

    pub(crate) fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// Replaces a setting, from the next start on.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value));
    }

    /// Stops the bot; the simulators continue.
    pub(crate) async fn halt(&mut self) -> bool {
        self.app.take().unwrap().stop().await
    }

    /// A channel with a route of its own: `event` as people type it.
    pub(crate) async fn channel(&self, event: &str, role: Option<&str>, style: Style) -> String {
        let channel = self.discord.add_channel(&self.guild, &format!("{event}-{}", fastrand::u16(..)), 0);
        self.route(event, &channel, role, style).await;
        channel
    }

    /// One more route into a channel.
    pub(crate) async fn route(&self, event: &str, channel: &str, role: Option<&str>, style: Style) -> i64 {
        self.route_of(event, channel, None, role, style).await
    }

    /// One more route into a channel, for one server only.
    pub(crate) async fn route_of(&self, event: &str, channel: &str, server: Option<u32>, role: Option<&str>, style: Style) -> i64 {
        let guild = self.guild_id();
        let store = &self.app().store;
        store.ensure_guild(guild, &CommunityId::new(&CadOptions::default().community)).await.unwrap();
        let route = RouteSpec {
            event: Listens::parse(event).unwrap(),
            channel: ChannelId(channel.parse().unwrap()),
            server: server.map(ServerId),
            role: role.map(|role| RoleId(role.parse().unwrap())),
            style,
            forum: false,
            rule: Rule::default(),
        };
        match store.add_route(guild, route, UserId(1), self.clock.now()).await.unwrap() {
            AddRoute::Added(id) | AddRoute::Changed(id) | AddRoute::Same(id) => id.0,
            AddRoute::TooMany => panic!("too many routes"),
        }
    }

    /// Where HTTP events go.
    pub(crate) fn events_url(&self) -> String {
        format!("http://{}/sonorancad/event", self.app().listen[0])
    }

    /// Posts an event as the CAD would, with the right key. Returns status and text.
    pub(crate) async fn post(&self, kind: &str, data: Value) -> (u16, String) {
        let key = self.settings().iter().find(|(name, _)| *name == "SONORAN_API_KEY").map(|(_, key)| key);
        post(&self.events_url(), &json!({ "key": key, "type": kind, "data": data })).await
    }

    /// Posts an event that must be accepted.
    pub(crate) async fn send_event(&self, kind: &str, data: Value) {
        let answer = self.post(kind, data).await;
        assert_eq!(answer.0, 200, "{kind}: {answer:?}");
    }

    /// The guild's id as the bot has it.
    pub(crate) fn guild_id(&self) -> GuildId {
        GuildId(self.guild.parse().unwrap())
    }

    /// A channel that gets the bot's own problems.
    pub(crate) async fn notices(&self) -> String {
        let channel = self.discord.add_channel(&self.guild, "notices", 0);
        let store = &self.app().store;
        store.ensure_guild(self.guild_id(), &CommunityId::new(&CadOptions::default().community)).await.unwrap();
        store.set_notices(self.guild_id(), Some(ChannelId(channel.parse().unwrap()))).await.unwrap();
        channel
    }

    /// Waits until everything pushed so far, on either path, is processed and visible on Discord. Events are processed in order, so a
    /// mark after them proves it.
    pub(crate) async fn caught_up(&self) {
        if self.cad.sessions(1) > 0 {
            let mark = format!("EVENT_MARK_{:08X}", fastrand::u32(..));
            self.cad.push(1, &mark, json!({}));
            until("the hub's mark", async || self.app().status.snapshot().unknown.contains_key(&mark)).await;
        }
        // Its own round of ingest begins after that of the mark is committed.
        self.send_event("GET_LOGS", json!({})).await;
        self.settled().await;
    }

    /// Requests that create (`POST`) or change (`PATCH`) messages of a channel, in order.
    pub(crate) fn sent(&self, method: &str, channel: &str) -> Vec<Value> {
        let path = format!("/channels/{channel}/messages");
        let fits = |r: &Value| r["method"] == method && r["path"].as_str().is_some_and(|p| p.contains(&path));
        self.discord.requests().into_iter().filter(fits).collect()
    }

    /// The only message of a channel.
    pub(crate) fn only(&self, channel: &str) -> Value {
        let mut messages = self.discord.messages(channel);
        assert_eq!(messages.len(), 1, "{:#?}", self.titles(channel));
        messages.remove(0)
    }

    /// The first message of a channel that fits.
    pub(crate) async fn message(&self, channel: &str, what: impl Fn(&Value) -> bool + Send + Sync) -> Value {
        let found = self.discord.wait_message(channel, PATIENCE, what).await;
        found.unwrap_or_else(|error| panic!("{error}; there are: {:#?}", self.titles(channel)))
    }

    /// Titles (or contents) of a channel's messages, oldest first.
    pub(crate) fn titles(&self, channel: &str) -> Vec<String> {
        self.discord.messages(channel).iter().map(title).collect()
    }

    /// Waits until nothing is left to send.
    pub(crate) async fn settled(&self) {
        let store = self.app().store.clone();
        let waiting = tokio::time::timeout(PATIENCE, async {
            while store.counts().await.unwrap().waiting > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waiting.await.is_ok(), "posts were left: {:?}; {:?}", store.counts().await, self.app().status.snapshot().problems);
    }

    /// Everything settled, nothing given up, a clean stop; no create or edit without `allowed_mentions`.
    pub(crate) async fn finish(self) {
        self.settled().await;
        assert_eq!(self.app().store.counts().await.unwrap().failed, 0, "posts were given up");
        self.end().await;
    }

    /// A clean stop, whatever is left to send; no create or edit without `allowed_mentions`.
    pub(crate) async fn end(mut self) {
        assert!(self.halt().await, "the bot did not stop cleanly");
        for request in self.discord.requests() {
            let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
            let message = match (method, path.ends_with("/threads")) {
                ("POST", true) if path.contains("/messages/") => continue,
                ("POST", true) => &request["body"]["message"],
                ("POST" | "PATCH", false) if path.contains("/channels/") && path.contains("/messages") => &request["body"],
                _ => continue,
            };
            assert!(message["allowed_mentions"]["parse"] == json!([]), "without allowed_mentions: {request}");
        }
        self.discord.stop().await;
        self.cad.stop().await;
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Title of a message's first embed, or its content.
pub(crate) fn title(message: &Value) -> String {
    let embed = message["embeds"][0]["title"].as_str();
    embed.or(message["embeds"][0]["description"].as_str()).or(message["content"].as_str()).unwrap_or_default().to_owned()
}

/// The value of a field of a message's first embed; empty if there is none whose name ends like this (changed ones have a star).
pub(crate) fn field(message: &Value, name: &str) -> String {
    let fields = message["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
    let found = fields.iter().find(|f| f["name"].as_str().is_some_and(|n| n.ends_with(name)));
    found.and_then(|f| f["value"].as_str()).unwrap_or_default().to_owned()
}

/// Waits for a fact.
pub(crate) async fn until(what: &str, mut fact: impl AsyncFnMut() -> bool) {
    let waiting = tokio::time::timeout(PATIENCE, async {
        while !fact().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waiting.await.is_ok(), "never came: {what}");
}

/// Posts JSON. Returns status and text.
pub(crate) async fn post(url: &str, body: &Value) -> (u16, String) {
    let response = reqwest::Client::new().post(url).json(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
