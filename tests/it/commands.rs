//! The commands as people use them: real gateway, store, ingest and delivery, against the simulated Discord and the simulated CAD.

mod alerts;
mod alerts_rules;
mod audit;
mod boards;
mod cards;
mod diagnose;
mod duty;
mod gateway;
mod kept;
mod labels;
mod lookup;
mod notes;
mod settings;
mod setup;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tenfour::actions::{self, CadActions};
use tenfour::cad::rest::CadRest;
use tenfour::clock::Clock;
use tenfour::commands::{Data, Facts, framework};
use tenfour::community::{Community, Interface, Registry};
use tenfour::delivery::{Delivery, Trouble};
use tenfour::discord::rest::Rest;
use tenfour::discord::roles::Roles;
use tenfour::event::Topic;
use tenfour::ids::{CommunityId, GuildId, ServerId};
use tenfour::ingest::{Deps, Ingest, Inputs};
use tenfour::intake_queue::{self, Intake, SharedWeight};
use tenfour::metrics::Metrics;
use tenfour::ops::{Readiness, ReadyPart};
use tenfour::refresh::{Read, RefreshRequests};
use tenfour::send_scheduler::SendScheduler;
use tenfour::shutdown::Tasks;
use tenfour::status::{HostStatus, Status};
use tenfour::store::Store;
use tenfour_sim::cad::{CadOptions, CadSim, ServerOptions};
use tenfour_sim::discord::{DiscordOptions, DiscordSim, Pending, RateLimits};
use tokio::sync::mpsc;

/// The limit on every wait: generous, for two busy cores.
const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "not.a.real.token";
const KEY: &str = "Sim-Key-31";
const COMMUNITY: &str = "brineford";

/// Discord's permission bits.
const VIEW: u64 = 1 << 10;
const SEND: u64 = 1 << 11;
const FILES: u64 = 1 << 15;
const MANAGE_GUILD: u64 = 1 << 5;

/// How a bot is set up.
struct Plan {
    key: &'static str,
    hub: bool,
    servers: Vec<u32>,
    bot_permissions: Option<u64>,
    in_guild: bool,
    token: &'static str,
    /// Ingest gets no requests.
    deaf: bool,
    message_content: bool,
    denied_intents: u64,
    /// The machine's, unless a test controls time itself.
    clock: Clock,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            key: KEY,
            hub: true,
            servers: vec![1],
            bot_permissions: None,
            in_guild: true,
            token: TOKEN,
            deaf: false,
            message_content: false,
            denied_intents: 0,
            clock: Clock::system(),
        }
    }
}

/// A running bot with all but its CAD sources, and the places around it.
struct Bot {
    sim: DiscordSim,
    cad: CadSim,
    guild: String,
    /// `#alerts`.
    channel: String,
    /// Where people type; not `#alerts`.
    lobby: String,
    store: Store,
    status: Status,
    metrics: Metrics,
    readiness: Readiness,
    intake: Intake,
    tasks: Tasks,
    folder: PathBuf,
    running: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
    data: Data,
    /// Of its one community.
    interface: Interface,
    /// What the CAD's API says goes here.
    readings: mpsc::Sender<Read>,
    /// Nobody listens to problems here.
    _troubles: mpsc::Receiver<Trouble>,
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.tasks.drain();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

async fn start() -> Bot {
    start_with(Plan::default()).await
}

async fn start_with(plan: Plan) -> Bot {
    let mut options = DiscordOptions { token: TOKEN.into(), rate_limits: RateLimits::Off, ..DiscordOptions::default() };
    options.denied_intents = plan.denied_intents;
    if let Some(bits) = plan.bot_permissions {
        options.bot_permissions = bits;
    }
    let sim = DiscordSim::start(options).await.unwrap();
    let guild = sim.add_guild("Los Santos");
    let channel = sim.add_channel(&guild, "alerts", 0);
    let lobby = sim.add_channel(&guild, "lobby", 0);
    let cad = CadSim::start(CadOptions {
        community: COMMUNITY.into(),
        api_key: KEY.into(),
        servers: vec![ServerOptions::new(1, "Main Server"), ServerOptions::new(2, "Event *night*")],
        ..CadOptions::default()
    })
    .await
    .unwrap();
    let bot = build(sim, cad, guild, channel, lobby, &plan).await;
    if plan.token == TOKEN && plan.denied_intents == 0 {
        tokio::time::timeout(SOON, bot.readiness.until_ready()).await.expect("not ready in time");
    }
    bot
}

async fn build(sim: DiscordSim, cad: CadSim, guild: String, channel: String, lobby: String, plan: &Plan) -> Bot {
    let folder = std::env::temp_dir().join(format!("tenfour-commands-{}-{:016x}", std::process::id(), fastrand::u64(..)));
    let store = Store::open(&folder.join("tenfour.db")).await.unwrap();
    let at = plan.in_guild.then(|| GuildId(guild.parse().unwrap()));
    store.serve(&CommunityId::new(COMMUNITY), at, plan.clock.now()).await.unwrap();
    let servers: Vec<ServerId> = plan.servers.iter().copied().map(ServerId).collect();
    let metrics = Metrics::new(&servers, &Topic::ALL.map(Topic::as_str));
    let community = CommunityId::new(COMMUNITY);
    let (host, clock, tasks) = (HostStatus::default(), plan.clock.clone(), Tasks::default());
    let status = host.of(&community);
    let scheduler = SendScheduler::new(clock.clone(), 0);
    let (intake, queue) = intake_queue::channel(&SharedWeight::default());
    let (requests, asked) = mpsc::channel(8);
    let requests = if plan.deaf { mpsc::channel(8).0 } else { requests };
    let deps = Deps {
        store: store.of(&community),
        clock: clock.clone(),
        metrics: metrics.clone(),
        status: status.clone(),
        scheduler: scheduler.clone(),
        refresh: RefreshRequests::new().0,
    };
    let (readings, read) = mpsc::channel(1);
    let ingest = Ingest::restore(deps).await.unwrap();
    let (mut inputs, ingesting) = (Inputs { queue, readings: read, requests: asked }, tasks.clone());
    tasks.spawn_vital("ingest", async move { ingest.run(&mut inputs, &ingesting).await });
    let rest = Rest::new(sim.url(), SecretString::from(plan.token), metrics.clone()).unwrap();
    let (trouble, troubles) = mpsc::channel(64);
    let delivery = Delivery {
        store: store.clone(),
        clock: clock.clone(),
        rest: rest.clone(),
        metrics: metrics.clone(),
        status: host.clone(),
        scheduler: scheduler.clone(),
        trouble,
    };
    tasks.spawn_vital("delivery", delivery.run(tasks.clone()));
    let bot = tenfour::discord::rest::Me {
        user: sim.bot_id().parse().unwrap(),
        name: "Tenfour".into(),
        application: sim.application_id().parse().unwrap(),
        public: true,
        may_read: true,
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = CadRest::new(&cad.api_url(), SecretString::from(plan.key), http);
    let cad_actions = CadActions::new(actions::Deps {
        community: CommunityId::new(COMMUNITY),
        servers: servers.clone(),
        reader: client.reader(),
        actor: client.actor(CommunityId::new(COMMUNITY)),
        store: store.clone(),
        clock: clock.clone(),
        intake: intake.clone(),
        requests: requests.clone(),
        roles: Roles::new(rest.clone(), clock.clone()),
        refresh: RefreshRequests::new().0,
        reads: false,
        scheduler: scheduler.clone(),
        metrics: metrics.clone(),
        tasks: tasks.clone(),
    });
    let data = Data {
        store: store.clone(),
        clock,
        status: host,
        metrics: metrics.clone(),
        rest,
        scheduler,
        communities: Registry::new(store.clone()),
        facts: Facts { listen: vec!["127.0.0.1:3232".parse().unwrap()], bot, message_content: plan.message_content },
    };
    let (id, hub, cad_reader) = (community, plan.hub, client.reader());
    let interface = Interface { id, servers, hub, status: status.clone(), cad_actions: Some(cad_actions), cad: Some(cad_reader), requests };
    data.communities.insert(Community::new(interface.clone(), tasks.clone()).0);
    let readiness = Readiness::new([ReadyPart::Discord]);
    let running = tokio::spawn(framework::run(data.clone(), at, tasks.clone(), readiness.clone()));
    Bot {
        sim,
        cad,
        guild,
        channel,
        lobby,
        store,
        status,
        metrics,
        readiness,
        intake,
        tasks,
        folder,
        running: Some(running),
        data,
        interface,
        readings,
        _troubles: troubles,
    }
}

impl Bot {
    /// Runs a command from the lobby as the owner.
    fn run(&self, name: &str, path: &str, options: Value) -> Pending {
        self.sim.slash(&self.lobby, None, name, &[path], options).unwrap()
    }

    /// Lets everybody in this guild run a command, as its staff can in Discord's Integrations.
    async fn allow_all(&self, name: &str) {
        let commands = self.sim.commands();
        let mut command = commands.iter().find(|command| command["name"] == name).unwrap().clone();
        command["default_member_permissions"] = Value::Null;
        let address = format!("{}/api/v10/applications/{}/guilds/{}/commands", self.sim.url(), self.sim.application_id(), self.guild);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let put = http.post(address).header("Authorization", format!("Bot {TOKEN}")).json(&command).send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.text().await.unwrap());
    }

    /// Runs a command from the lobby as somebody.
    fn run_as(&self, user: &str, name: &str, path: &str, options: Value) -> Pending {
        self.sim.slash(&self.lobby, Some(user), name, &[path], options).unwrap()
    }

    /// A message of the bot in the lobby, for everybody, with a button of this custom id.
    async fn forged(&self, custom_id: &str) -> String {
        let button = json!({"type": 2, "style": 2, "label": "Press me", "custom_id": custom_id});
        let message = json!({"content": "Look", "components": [{"type": 1, "components": [button]}]});
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let address = format!("{}/api/v10/channels/{}/messages", self.sim.url(), self.lobby);
        let request = http.post(address).header("Authorization", format!("Bot {TOKEN}")).json(&message);
        let made: Value = request.send().await.unwrap().json().await.unwrap();
        id(&made).to_owned()
    }

    /// The text of the reply to a command.
    async fn ask(&self, name: &str, path: &str, options: Value) -> String {
        words(&self.run(name, path, options).reply(SOON).await.unwrap())
    }

    async fn alerts(&self, path: &str, options: Value) -> String {
        self.ask("alerts", path, options).await
    }

    async fn cad(&self, path: &str, options: Value) -> String {
        self.ask("cad", path, options).await
    }

    /// The choices shown while typing, as (name, value).
    async fn typing(&self, path: &str, options: Value, focused: &str) -> Vec<(String, i64)> {
        let pending = self.sim.autocomplete(&self.lobby, None, "alerts", &[path], options, focused).unwrap();
        let reply = pending.wait_reply_where(SOON, |v| v.get("choices").is_some()).await.unwrap();
        let one = |c: &Value| (c["name"].as_str().unwrap().to_owned(), c["value"].as_i64().unwrap());
        reply["choices"].as_array().unwrap().iter().map(one).collect()
    }

    /// The first message in a channel whose embed title holds `part`.
    async fn posted(&self, channel: &str, part: &str) -> Value {
        let fits = |m: &Value| m["embeds"][0]["title"].as_str().is_some_and(|title| title.contains(part));
        self.sim.wait_message(channel, SOON, fits).await.unwrap()
    }

    fn routes(&self) -> Vec<tenfour::route::Route> {
        self.store.routing_now().routes.clone()
    }

    async fn stop(&mut self) {
        self.tasks.drain();
        let running = self.running.take().unwrap();
        tokio::time::timeout(SOON, running).await.expect("does not end").unwrap().unwrap();
    }
}

/// The reply to a press without permission.
const NOT_YOURS: &str = "Only whoever ran the command may use this, for an hour, and people with Manage Server";

/// All text of a message: content, then title and description of its embed.
fn words(message: &Value) -> String {
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let embed = &message["embeds"][0];
    [part(&message["content"]), part(&embed["title"]), part(&embed["description"])]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The custom id of the component with this verb.
fn component(message: &Value, verb: &str) -> String {
    let ids = DiscordSim::custom_ids(message);
    ids.iter().find(|id| id.split(':').nth(1) == Some(verb)).unwrap_or_else(|| panic!("no {verb} in {ids:?}")).clone()
}

fn id(message: &Value) -> &str {
    message["id"].as_str().unwrap()
}
