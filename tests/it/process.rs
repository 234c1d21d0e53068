//! The real binary as a process: what it prints, how it ends, and what a kill leaves behind. The simulators run in the test; the
//! child gets nothing from our environment except what is listed here.

mod backup;
mod commands;
#[cfg(target_os = "linux")]
mod disk;
mod files;
#[cfg(target_os = "linux")]
mod floods;
#[cfg(target_os = "linux")]
mod gateway;
mod log_secrets;
#[cfg(unix)]
mod pipes;
mod secrets;
mod starting;
#[cfg(unix)]
mod stopping;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tenfour::clock::Clock;
use tenfour::guild_access::How;
use tenfour::ids::{ChannelId, CommunityId, GuildId, RoleId, ServerId, UserId};
use tenfour::render::Style;
use tenfour::route::{Listens, RouteSpec, Rule, Threads};
use tenfour::store::{AddRoute, Store};
use tenfour_sim::cad::{CadOptions, CadSim, ServerOptions};
use tenfour_sim::discord::{DiscordOptions, DiscordSim, RateLimits};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::test_bot::PATIENCE;

/// How long people and service managers wait between asking and killing.
const GRACE: Duration = Duration::from_secs(10);

/// Both simulators, a guild, a folder and the settings of the children. Token and key are this stage's own, so that the test can
/// look for them in everything its children print, and so that no other test's bot accepts its events.
pub(crate) struct Stage {
    pub(crate) cad: CadSim,
    pub(crate) discord: DiscordSim,
    pub(crate) guild: String,
    pub(crate) folder: PathBuf,
    pub(crate) key: String,
    vars: BTreeMap<&'static str, String>,
    secrets: Vec<String>,
}

impl Stage {
    async fn new() -> Self {
        Self::with_servers(1).await
    }

    async fn with_servers(count: i64) -> Self {
        Self::within(&std::env::temp_dir(), count).await
    }

    /// With its folder below this one.
    pub(crate) async fn within(place: &Path, count: i64) -> Self {
        let id = format!("{:016x}", fastrand::u64(..));
        let (token, key) = (format!("MTk4.{id}.tOkEn-{id}"), format!("KeY-{id}"));
        let servers = (1..=count).map(|server| ServerOptions::new(server, &format!("Server {server}"))).collect();
        let cad = CadSim::start(CadOptions { api_key: key.clone(), servers, ..CadOptions::default() }).await.unwrap();
        let discord = DiscordOptions { token: token.clone(), rate_limits: RateLimits::Off, ..DiscordOptions::default() };
        let discord = DiscordSim::start(discord).await.unwrap();
        let guild = discord.add_guild("Test Guild");
        let folder = place.join(format!("tenfour-process-{id}"));
        std::fs::create_dir_all(&folder).unwrap();
        let ids: Vec<String> = (1..=count).map(|server| server.to_string()).collect();
        let vars = BTreeMap::from([
            ("DISCORD_TOKEN", token.clone()),
            ("DISCORD_API_URL", discord.url().to_owned()),
            ("DISCORD_GUILD_ID", guild.clone()),
            ("SONORAN_COMMUNITY_ID", cad.community().to_owned()),
            ("SONORAN_API_KEY", key.clone()),
            ("SONORAN_SERVER_IDS", ids.join(",")),
            ("SONORAN_API_URL", cad.api_url()),
            // The simulated CAD knows nothing about the events that are posted to the bot.
            ("SONORAN_RECONCILE_SECONDS", "off".to_owned()),
            ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("OPS_ADDR", "127.0.0.1:0".to_owned()),
        ]);
        Self { cad, discord, guild, folder, secrets: vec![token, key.clone()], key, vars }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if matches!(name, "DISCORD_TOKEN" | "SONORAN_API_KEY") {
            self.secrets.push(value.clone());
        }
        self.vars.insert(name, value);
    }

    /// Where the database is by default: `DATABASE_URL` is not set, so the child creates it in its working directory.
    fn database(&self) -> PathBuf {
        self.folder.join("data/tenfour.db")
    }

    /// A channel that gets `event`, of one server or all. Only while no child runs: it holds the database.
    async fn channel(&self, event: &str, server: Option<u32>) -> String {
        let channel = self.discord.add_channel(&self.guild, &format!("{event}-{}", server.unwrap_or(0)), 0);
        self.route(Wanted { event, channel: &channel, server, ..Wanted::default() }).await;
        channel
    }

    /// A route into a channel. Only while no child runs.
    pub(crate) async fn route(&self, wanted: Wanted<'_>) {
        let store = Store::open(&self.database()).await.unwrap();
        let guild = GuildId(self.guild.parse().unwrap());
        let community = CommunityId::new(self.cad.community());
        store.link(guild, &community, None, How::Key, Clock::system().now(), Vec::new()).await.unwrap();
        store.ensure_guild(guild, &community).await.unwrap();
        let route = RouteSpec {
            event: Listens::parse(wanted.event).unwrap(),
            channel: ChannelId(wanted.channel.parse().unwrap()),
            server: wanted.server.map(ServerId),
            role: wanted.role.map(|role| RoleId(role.parse().unwrap())),
            style: Style::Card,
            forum: wanted.forum,
            rule: Rule::default(),
        };
        let AddRoute::Added(id) = store.add_route(guild, route, UserId(1), Clock::system().now()).await.unwrap() else {
            panic!("no route")
        };
        store.change_rule(guild, id, move |rule| rule.threads = wanted.threads).await.unwrap();
        drop(store);
        // Another test's child may hold a copy of the lock's handle between its fork and its exec.
        let lock = self.folder.join("data/tenfour.db.lock");
        eventually("the database was never free", async || std::fs::File::open(&lock).unwrap().try_lock().is_ok()).await;
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments);
        self.furnish(&mut command);
        command
    }

    fn furnish(&self, command: &mut Command) {
        command.env_clear().envs(&self.vars).current_dir(&self.folder);
        if let Some(root) = std::env::var_os("SystemRoot") {
            // Without it Windows opens no socket.
            command.env("SystemRoot", root);
        }
    }

    fn spawn(&self, mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Running { child, stdout, stderr, secrets: self.secrets.clone() }
    }

    /// Starts the bot; returns at once.
    pub(crate) fn start(&self) -> Running {
        self.spawn(self.command(&[]))
    }

    /// Starts the bot and waits until it accepts events.
    async fn up(&self) -> (Running, SocketAddr) {
        let bot = self.start();
        let addr = bot.listener().await;
        (bot, addr)
    }

    /// Runs a command to its end.
    async fn run(&self, arguments: &[&str]) -> Finished {
        self.spawn(self.command(arguments)).ended(PATIENCE).await
    }

    /// A 911 as the CAD posts it.
    fn emergency(&self, call: i64) -> Value {
        json!({ "key": self.key, "type": "EVENT_911", "data": emergency(call) })
    }

    /// Posts until it is accepted once; anything but 200 fails.
    async fn post(&self, addr: SocketAddr, call: i64) {
        let answer = client().post(format!("http://{addr}/sonorancad/event")).json(&self.emergency(call)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.text().await);
    }

    /// The numbers of the calls shown in a channel, oldest message first.
    fn calls(&self, channel: &str) -> Vec<i64> {
        self.discord.messages(channel).iter().map(call_number).collect()
    }

    /// Waits until a channel shows exactly these calls, in any order.
    async fn holds(&self, channel: &str, mut wanted: Vec<i64>) {
        wanted.sort_unstable();
        let enough = async || self.discord.messages(channel).len() >= wanted.len();
        tokio::time::timeout(PATIENCE, until(enough)).await.ok();
        let mut calls = self.calls(channel);
        calls.sort_unstable();
        assert_eq!(calls, wanted);
    }

    /// Queries the database while the child owns it.
    pub(crate) fn look(&self, query: &str) -> Vec<String> {
        let database = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        database.busy_timeout(Duration::from_secs(5)).unwrap();
        let mut select = database.prepare(query).unwrap();
        let rows = select.query_map((), |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        rows.map(|value| match value.unwrap() {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        })
        .collect()
    }

    /// Waits until nothing is left to send, then checks that nothing was given up.
    async fn settled(&self) {
        self.settled_within(PATIENCE).await;
    }

    pub(crate) async fn settled_within(&self, limit: Duration) {
        let open = "SELECT count(*) FROM post WHERE delivered < version AND failed IS NULL";
        let done = tokio::time::timeout(limit, until(async || self.look(open) == ["0"])).await;
        assert!(done.is_ok(), "posts were left: {:?}", self.look(open));
        assert_eq!(self.look("SELECT subject || ': ' || failed FROM post WHERE failed IS NOT NULL"), Vec::<String>::new());
    }
}

/// What [`Stage::route`] makes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) event: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) server: Option<u32>,
    pub(crate) role: Option<&'a str>,
    pub(crate) forum: bool,
    pub(crate) threads: Threads,
}

/// The bot's binary: the one that cargo built with the tests, or the one that `TENFOUR_BIN` names.
fn binary() -> PathBuf {
    std::env::var_os("TENFOUR_BIN").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_tenfour")),
        |path| std::fs::canonicalize(&path).unwrap_or_else(|error| panic!("TENFOUR_BIN={}: {error}", path.display())),
    )
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("what was there is kept in {}", self.folder.display());
            return;
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The output of one of the child's streams so far.
#[derive(Default)]
struct Said {
    text: String,
    ended: bool,
}

fn collect(stream: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Said> {
    let (said, seen) = watch::channel(Said::default());
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = stream.read_until(b'\n', &mut line).await {
            said.send_modify(|said| said.text.push_str(&String::from_utf8_lossy(&line)));
            line.clear();
        }
        said.send_modify(|said| said.ended = true);
        // Whoever asks later still finds it.
        said.closed().await;
    });
    seen
}

/// A child. Dropping it kills it; its output must contain no secret and no panic.
pub(crate) struct Running {
    child: Child,
    stdout: watch::Receiver<Said>,
    stderr: watch::Receiver<Said>,
    secrets: Vec<String>,
}

pub(crate) struct Finished {
    /// `None` = ended by a signal.
    code: Option<i32>,
    stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Exit code, and words that must have been printed to stderr.
    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self}");
        }
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Running {
    /// Waits for the first line of the log that contains `words`.
    async fn line(&self, words: &str) -> String {
        let mut stderr = self.stderr.clone();
        let find = |said: &Said| said.text.lines().find(|line| line.contains(words)).map(str::to_owned);
        let waited = tokio::time::timeout(PATIENCE, stderr.wait_for(|said| said.ended || find(said).is_some())).await.is_ok();
        let said = self.stderr.borrow();
        find(&said).unwrap_or_else(|| panic!("{words:?} was not said ({}):\n{}", if waited { "ended" } else { "waited" }, said.text))
    }

    async fn addr(&self, words: &str) -> SocketAddr {
        let line = self.line(words).await;
        // As text `addr=127.0.0.1:1`, as JSON `"addr":"127.0.0.1:1"`.
        let (_, addr) = line.split_once("addr").unwrap();
        let addr = addr.trim_start_matches(['=', '"', ':']);
        let addr: String = addr.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
        addr.parse().unwrap_or_else(|_| panic!("no address in {line}"))
    }

    /// Where it accepts events.
    pub(crate) async fn listener(&self) -> SocketAddr {
        self.addr("accepting push events").await
    }

    /// Its address for health and metrics.
    async fn ops(&self) -> SocketAddr {
        self.addr("serving health").await
    }

    /// `/readyz`: status and text.
    async fn readyz(&self) -> (u16, String) {
        let answer = client().get(format!("http://{}/readyz", self.ops().await)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[cfg(target_os = "linux")]
    fn pid(&self) -> u32 {
        self.child.id().expect("it has ended")
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it has ended");
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
        assert!(sent.success());
    }

    /// Kills it, as a crash or a power cut would.
    pub(crate) async fn kill(mut self) -> Finished {
        self.child.start_kill().unwrap();
        self.ended(PATIENCE).await
    }

    /// Its end, which must come within `limit`.
    async fn ended(mut self, limit: Duration) -> Finished {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        let Ok(code) = ended else { panic!("it did not end within {limit:?}:\n{}", self.stderr.borrow().text) };
        let mut texts = Vec::new();
        for stream in [&mut self.stdout, &mut self.stderr] {
            texts.push(tokio::time::timeout(PATIENCE, stream.wait_for(|said| said.ended)).await.unwrap().unwrap().text.clone());
        }
        let stderr = texts.pop().unwrap();
        Finished { code: code.unwrap().code(), stdout: texts.pop().unwrap(), stderr }
    }

    /// Asks it to stop and expects a clean end.
    pub(crate) async fn stop(self) -> Finished {
        #[cfg(unix)]
        {
            self.signal("TERM");
            let end = self.ended(GRACE).await;
            end.says(0, &[]);
            end
        }
        // A process without a console can't be asked there.
        #[cfg(not(unix))]
        self.kill().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for stream in [&self.stdout, &self.stderr] {
            let said = stream.borrow();
            let folded = said.text.to_ascii_lowercase();
            for secret in &self.secrets {
                assert!(!folded.contains(&secret.to_ascii_lowercase()), "a secret was printed:\n{}", said.text);
            }
            assert!(!folded.contains("panicked at"), "{}", said.text);
        }
    }
}

/// Polls for a condition.
pub(crate) async fn eventually(failure: &str, fact: impl AsyncFnMut() -> bool) {
    assert!(tokio::time::timeout(PATIENCE, until(fact)).await.is_ok(), "{failure}");
}

async fn until(mut fact: impl AsyncFnMut() -> bool) {
    while !fact().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

fn emergency(call: i64) -> Value {
    json!({ "call": { "callId": call, "isEmergency": true, "caller": "", "location": "Alta St", "description": format!("Call {call}") } })
}

/// The number of the 911 in a message, from its footer.
fn call_number(message: &Value) -> i64 {
    let footer = message["embeds"][0]["footer"]["text"].as_str().unwrap_or_default();
    let (_, number) = footer.split_once("911 #").unwrap_or_else(|| panic!("no call number in {message:#}"));
    number.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// A path in the form that `DATABASE_URL` expects.
fn sqlite(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}
