//! Settings: read once at start, from the environment and from a `.env` file in the working directory; the environment wins.
//!
//! Turns variables into typed values and reports **all** problems together, by name, with what would be valid. Never repeats a
//! value, which may be a secret in the wrong line, never changes the process environment, never touches disk beyond reading `.env`.
//! `.env.example` is the manual of every name here; `tests/it/config.rs` compares the two.
//!
//! ```text
//! environment ─┐
//!              ├─ names ─▶ from_vars(vars, Need) ─▶ Config + warnings | Problems
//! .env ────────┘
//! ```

mod dotenv;
mod problem;
mod reader;
mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::ids::{CommunityId, GuildId, ServerId};
use crate::telemetry;
use reader::SettingReader;

pub use problem::{SettingProblem, SettingProblems};
pub use reader::{Listen, Reconcile};
pub use variables::{MAX_LISTEN, MAX_PROXIES, MAX_SERVERS, VARIABLES, Variable};

/// The command to run: decides which settings are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredSettings {
    /// The bot: token, CAD credentials, and at least one way for events to arrive.
    Run,
    /// Only the Discord token.
    Invite,
    /// Nothing.
    Demo,
}

/// All settings. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// Discord's side.
    pub discord: Discord,
    /// The CAD's side.
    pub sonoran: Sonoran,
    /// `LISTEN_ADDR`: where push events are accepted; empty = off.
    pub listen: Vec<Listen>,
    /// `TRUSTED_PROXIES`: addresses whose `X-Forwarded-For` is trusted, each with how many of its bits count.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// `OPS_ADDR`: health, readiness, metrics; `None` = off.
    pub ops: Option<SocketAddr>,
    /// `DATABASE_URL`: path of the SQLite file, relative to the working directory if it does not start with `/`.
    pub database: PathBuf,
    /// `DATABASE_MAX_MB`: how large that file may grow, in MiB; 0 = no limit.
    pub database_max_mb: u32,
    /// `TENFOUR_LOG`: filter, already validated.
    pub log: String,
    /// `TENFOUR_LOG_FORMAT`.
    pub log_format: telemetry::Format,
    /// `TENFOUR_RECORD`: file to which every request to Discord is appended.
    pub record: Option<PathBuf>,
    warnings: Vec<String>,
}

/// Discord's side of the settings.
#[derive(Clone, Debug)]
pub struct Discord {
    /// `DISCORD_TOKEN`, without a `Bot ` prefix.
    pub token: Option<SecretString>,
    /// `DISCORD_API_URL`: scheme, host and port only; no trailing slash. Paths stay `/api/v10/…`.
    pub api_url: String,
    /// `DISCORD_GUILD_ID`: serve this guild only, and register commands nowhere else.
    pub guild: Option<GuildId>,
    /// `DISCORD_EDIT_WINDOW_MS`: how long the first change of a message waits for others.
    pub edit_window: Duration,
    /// `DISCORD_REQUESTS_PER_SECOND`: Discord's global limit for this bot; 0 = no limit.
    pub requests_per_second: u32,
    /// `DISCORD_MESSAGE_CONTENT`: whether people's messages are read.
    pub message_content: bool,
}

/// The CAD's side of the settings.
#[derive(Clone, Debug)]
pub struct Sonoran {
    /// `SONORAN_COMMUNITY_ID` and `SONORAN_API_KEY`.
    pub credentials: Option<CommunityCredentials>,
    /// `SONORAN_SERVER_IDS`: at least one, without duplicates, in the given order.
    pub servers: Vec<ServerId>,
    /// `SONORAN_API_URL`: no trailing slash.
    pub api_url: String,
    /// `SONORAN_HUB_URL`: `http(s)`, no trailing slash.
    pub hub_url: String,
    /// `SONORAN_HUB`: whether to open hub sessions.
    pub hub: bool,
    /// `SONORAN_HUB_NEGOTIATE`.
    pub negotiate: Negotiate,
    /// `SONORAN_HUB_REDIRECTS`: hosts, or `*.domain`.
    pub hub_redirects: Vec<String>,
    /// `SONORAN_RECONCILE_SECONDS`.
    pub reconcile: Reconcile,
    /// `SONORAN_CALLS_PER_MINUTE`: 1 to 5.
    pub calls_per_minute: u32,
    /// `SONORAN_UNITS_PER_MINUTE`: 1 to 3.
    pub units_per_minute: u32,
    /// `SONORAN_ACTION_SHARE`: 10 to 100 percent of what the CAD allows of every other operation a minute; at least one.
    pub action_share: u32,
    /// `SONORAN_SILENCE_MINUTES`: `None` = silence is normal.
    pub silence: Option<Duration>,
}

/// Credentials of one community.
#[derive(Clone, Debug)]
pub struct CommunityCredentials {
    pub community: CommunityId,
    /// Its API key: visible ASCII, compared without regard to letter case (docs/cad-contract.md#h11).
    pub key: SecretString,
}

/// Whether a hub connection begins with SignalR's negotiation (docs/cad-contract.md#h3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiate {
    /// With, falling back to without.
    Auto,
    /// Only with.
    Always,
    /// Only without.
    Never,
}

impl Config {
    /// The file of settings, in the working directory.
    pub const FILE: &str = ".env";

    /// Reads `.env` of the working directory, if there is one, and the environment.
    ///
    /// # Errors
    /// Every problem found.
    pub fn read(need: RequiredSettings) -> Result<Self, SettingProblems> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let mut vars = dotenv::read(Path::new(Self::FILE), &mut problems, &mut warnings);
        overlay(&mut vars, std::env::vars_os(), &mut problems);
        // Before anything can be printed, even if other settings are wrong.
        for name in ["DISCORD_TOKEN", "SONORAN_API_KEY"] {
            if let Some(value) = vars.get(name) {
                telemetry::hide(value);
            }
        }
        let built = Self::build(vars, need, problems, warnings);
        // As they are used: without `Bot ` or quotes.
        if let Ok(config) = &built {
            config.token().ok().into_iter().for_each(|token| telemetry::hide(token.expose_secret()));
            config.credentials().ok().into_iter().for_each(|credentials| telemetry::hide(credentials.key.expose_secret()));
        }
        built
    }

    /// The settings of `vars` alone: pure. Of duplicate names the last one counts.
    ///
    /// # Errors
    /// Every problem found.
    pub fn from_vars<N: Into<String>, V: Into<String>>(
        vars: impl IntoIterator<Item = (N, V)>,
        need: RequiredSettings,
    ) -> Result<Self, SettingProblems> {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::build(vars, need, Vec::new(), Vec::new())
    }

    /// Warnings that don't prevent the start: one sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The Discord token.
    ///
    /// # Errors
    /// The same problem that [`RequiredSettings::Run`] reports if it is not set.
    pub fn token(&self) -> Result<&SecretString, SettingProblems> {
        self.discord.token.as_ref().ok_or_else(|| SettingProblems::from(vec![missing("DISCORD_TOKEN")]))
    }

    /// The CAD credentials.
    ///
    /// # Errors
    /// The same problems that [`RequiredSettings::Run`] reports if they are not set.
    pub fn credentials(&self) -> Result<&CommunityCredentials, SettingProblems> {
        let names = ["SONORAN_COMMUNITY_ID", "SONORAN_API_KEY"];
        self.sonoran.credentials.as_ref().ok_or_else(|| SettingProblems::from(names.map(missing).to_vec()))
    }

    /// The server of events without a server in request or port.
    #[must_use]
    pub fn first_server(&self) -> ServerId {
        self.sonoran.servers.first().copied().unwrap_or(ServerId(1))
    }

    fn build(
        vars: BTreeMap<String, String>,
        need: RequiredSettings,
        problems: Vec<SettingProblem>,
        warnings: Vec<String>,
    ) -> Result<Self, SettingProblems> {
        let mut reader = SettingReader::new(vars, problems, warnings);

        let token = reader.secret("DISCORD_TOKEN", "Bot ");
        let community = reader.community("SONORAN_COMMUNITY_ID");
        let key = reader.secret("SONORAN_API_KEY", "Bearer ");
        let mut required: Vec<(&str, bool)> = Vec::new();
        if need != RequiredSettings::Demo {
            required.push(("DISCORD_TOKEN", token.is_some()));
        }
        if need == RequiredSettings::Run {
            required.extend([("SONORAN_COMMUNITY_ID", community.is_some()), ("SONORAN_API_KEY", key.is_some())]);
        }
        for (name, is_set) in required {
            if !is_set && !reader.has_problem(name) {
                reader.report(missing(name));
            }
        }
        let credentials = community.zip(key).map(|(community, key)| CommunityCredentials { community, key });

        let discord_url = reader.url("DISCORD_API_URL", false).unwrap_or_default();
        let guild = reader.snowflake("DISCORD_GUILD_ID").map(GuildId);
        let message_content = reader.choice("DISCORD_MESSAGE_CONTENT", &[("on", true), ("off", false)]).unwrap_or(false);
        let edit_window = reader.number("DISCORD_EDIT_WINDOW_MS", 0..=10_000).unwrap_or(500);
        let edit_window = Duration::from_millis(edit_window.into());
        let requests_per_second = reader.number("DISCORD_REQUESTS_PER_SECOND", 0..=10_000).unwrap_or(50);
        let servers = reader.servers("SONORAN_SERVER_IDS");
        let api_url = reader.url("SONORAN_API_URL", true).unwrap_or_default();
        let hub_url = reader.url("SONORAN_HUB_URL", true).unwrap_or_else(|| format!("{api_url}/apiWsHub"));
        let hub = reader.choice("SONORAN_HUB", &[("on", true), ("off", false)]).unwrap_or(true);
        let negotiate = reader
            .choice("SONORAN_HUB_NEGOTIATE", &[("auto", Negotiate::Auto), ("always", Negotiate::Always), ("never", Negotiate::Never)])
            .unwrap_or(Negotiate::Auto);
        let hub_redirects = reader.hosts("SONORAN_HUB_REDIRECTS");
        let reconcile = reader.reconcile("SONORAN_RECONCILE_SECONDS");
        // The CAD allows 5 and 3 a minute per key, and the game server makes one of each (docs/cad-contract.md#r10).
        let calls_per_minute = reader.number("SONORAN_CALLS_PER_MINUTE", 1..=5).unwrap_or(2);
        let units_per_minute = reader.number("SONORAN_UNITS_PER_MINUTE", 1..=3).unwrap_or(1);
        let action_share = reader.number("SONORAN_ACTION_SHARE", 10..=100).unwrap_or(70);
        let silence = reader.number("SONORAN_SILENCE_MINUTES", 0..=1_440).unwrap_or(10);
        let silence = (silence > 0).then(|| Duration::from_secs(u64::from(silence) * 60));
        let listen = reader.listen("LISTEN_ADDR");
        let trusted_proxies = reader.networks("TRUSTED_PROXIES");
        let ops = reader.address_or_off("OPS_ADDR");
        let database = reader.database("DATABASE_URL").unwrap_or_default();
        let database_max_mb = reader.number("DATABASE_MAX_MB", 0..=1_000_000).unwrap_or(0);
        let log = reader.log_filter("TENFOUR_LOG");
        let log_format = reader
            .choice("TENFOUR_LOG_FORMAT", &[("text", telemetry::Format::Text), ("json", telemetry::Format::Json)])
            .unwrap_or(telemetry::Format::Text);
        let record = reader.text("TENFOUR_RECORD").map(PathBuf::from);

        if record.as_deref().is_some_and(|record| record == database) {
            reader.report(SettingProblem::new("TENFOUR_RECORD", "is the file of DATABASE_URL", "another file, or none"));
        }
        if need == RequiredSettings::Run && !hub && listen.is_empty() && !reader.has_problem("LISTEN_ADDR") {
            reader.report(SettingProblem::new(
                "LISTEN_ADDR",
                "leaves no way for events to arrive, because SONORAN_HUB is off too",
                "SONORAN_HUB=on, or an address such as 0.0.0.0:3232",
            ));
        }
        if !reader.has_problem("SONORAN_SERVER_IDS") {
            for (at, _) in (1..).zip(&listen).filter(|(_, entry)| entry.server.is_some_and(|server| !servers.contains(&server))) {
                reader.report(SettingProblem::new(
                    "LISTEN_ADDR",
                    &format!("names a server at place {at} that is not in SONORAN_SERVER_IDS"),
                    "one of SONORAN_SERVER_IDS after each =",
                ));
            }
        }
        let named: Vec<(&'static str, SocketAddr)> =
            listen.iter().map(|entry| ("LISTEN_ADDR", entry.addr)).chain(ops.map(|addr| ("OPS_ADDR", addr))).collect();
        for (index, (name, addr)) in named.iter().enumerate() {
            if let Some((other, _)) = named.iter().take(index).find(|(_, earlier)| clash(*earlier, *addr)) {
                let wrong = format!("uses a port that {other} already uses");
                reader.report(SettingProblem::new(name, &wrong, "a port of its own for each address"));
            }
        }
        reader.warn_of_unknown();
        let (problems, warnings) = reader.finish();
        if !problems.is_empty() {
            return Err(SettingProblems::from(problems));
        }
        Ok(Self {
            discord: Discord { token, api_url: discord_url, guild, edit_window, requests_per_second, message_content },
            sonoran: Sonoran {
                credentials,
                servers,
                api_url,
                hub_url,
                hub,
                negotiate,
                hub_redirects,
                reconcile,
                calls_per_minute,
                units_per_minute,
                action_share,
                silence,
            },
            listen,
            trusted_proxies,
            ops,
            database,
            database_max_mb,
            log,
            log_format,
            record,
            warnings,
        })
    }
}

/// Overrides `.env` with the environment.
fn overlay(vars: &mut BTreeMap<String, String>, env: impl Iterator<Item = (OsString, OsString)>, problems: &mut Vec<SettingProblem>) {
    for (name, value) in env {
        // None of our names is non-text.
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            // Blank = unset, so a blank variable doesn't hide the file's (compose files pass unset variables as blank).
            Ok(value) if value.trim().is_empty() => {}
            Ok(value) => {
                vars.insert(name, value);
            }
            Err(_) if VARIABLES.iter().any(|known| known.name == name) => {
                problems.push(SettingProblem::new(&name, "is not text in UTF-8", "plain text"));
                vars.remove(&name);
            }
            Err(_) => {}
        }
    }
}

/// Whether two sockets can't both be bound. Port 0 is a free one every time; a wildcard address covers all others.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn missing(name: &str) -> SettingProblem {
    let valid = match name {
        "DISCORD_TOKEN" => "the bot's token, from discord.com/developers/applications, page Bot, button Reset Token",
        "SONORAN_COMMUNITY_ID" => "the community id, from the CAD's Admin > In-Game Integration > API",
        _ => "the API key, from the CAD's Admin > In-Game Integration > API",
    };
    SettingProblem::new(name, "is not set", valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_environment_wins_unless_it_is_blank() {
        use std::os::unix::ffi::OsStringExt;
        let mut vars: BTreeMap<String, String> = ["A", "B", "C"].map(|name| (name.into(), "file".into())).into();
        let mut problems = Vec::new();
        let text = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let broken = |name: &str| (OsString::from(name), OsString::from_vec(vec![0xff]));
        let env = [text("A", "env"), text("B", " "), broken("OTHER"), broken("SONORAN_API_KEY")];
        overlay(&mut vars, env.into_iter(), &mut problems);
        let values: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(values, [("A", "env"), ("B", "file"), ("C", "file")]);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].variable, "SONORAN_API_KEY");
    }

    #[test]
    fn wildcards_clash_with_every_address_of_the_port() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(clash(at("0.0.0.0:1"), at("127.0.0.1:1")));
        assert!(clash(at("127.0.0.1:1"), at("[::]:1")));
        assert!(!clash(at("127.0.0.1:1"), at("127.0.0.2:1")));
        assert!(!clash(at("0.0.0.0:0"), at("0.0.0.0:0")));
    }
}
