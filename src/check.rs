//! `tenfour check`: one line per finding, with its fix. Creates nothing and changes nothing.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::cad::rest::CadRest;
use crate::config::{Config, RequiredSettings};
use crate::discord::gateway::NO_INTENT;
use crate::discord::rest::{PUBLIC, Rest};
use crate::http_server;
use crate::ids::CommunityId;
use crate::metrics::Metrics;
use crate::store::{Inspected, Store};
use crate::{files, output};

/// The findings.
#[derive(Debug, Default)]
struct Findings {
    failed: usize,
    odd: usize,
}

impl Findings {
    fn say(mark: &str, what: &str, sentence: &str) {
        // If the reader stops, the exit code still counts.
        output::out(&format!("{mark} {what:<9} {sentence}")).ok();
    }

    fn good(&self, what: &str, sentence: impl AsRef<str>) {
        Self::say("ok  ", what, sentence.as_ref());
    }

    fn odd(&mut self, what: &str, sentence: impl AsRef<str>) {
        self.odd += 1;
        Self::say("note", what, sentence.as_ref());
    }

    fn bad(&mut self, what: &str, sentence: impl AsRef<str>) {
        self.failed += 1;
        Self::say("FAIL", what, sentence.as_ref());
    }
}

/// Runs every check; exit code 0 only if none failed.
pub(crate) async fn main() -> ExitCode {
    let mut found = Findings::default();
    match Config::read(RequiredSettings::Run) {
        Ok(config) => {
            found.good("settings", "complete");
            for warning in config.warnings() {
                found.odd("settings", warning);
            }
            database(&config, &mut found).await;
            for sentence in files::exposed(Path::new(Config::FILE), &config.database, config.record.as_deref()) {
                found.odd("files", sentence);
            }
            ports(&config, &mut found).await;
            discord(&config, &mut found).await;
            cad(&config, &mut found).await;
        }
        Err(problems) => {
            for problem in problems.list() {
                found.bad("settings", problem.to_string());
            }
        }
    }
    let sum = match (found.failed, found.odd) {
        (0, 0) => "all is well: start it with `tenfour`".to_owned(),
        (0, odd) => format!("it will run; {odd} note{} above", if odd == 1 { "" } else { "s" }),
        (1, _) => "Fix the problem above".to_owned(),
        (failed, _) => format!("Fix the {failed} problems above"),
    };
    Findings::say("    ", "", &sum);
    if found.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn database(config: &Config, found: &mut Findings) {
    let path = config.database.display();
    match Store::inspect(&config.database).await {
        Ok(Inspected::Nothing) => found.good("database", format!("{path} does not exist yet; the first start makes it")),
        Ok(Inspected::Database { older: true, .. }) => {
            found.good("database", format!("{path}: can be written; it is from an older version, and the next start brings it up to date"));
        }
        Ok(Inspected::Database { pending, .. }) => {
            found.good("database", format!("{path}: can be written; {} posts waiting", pending.unwrap_or(0)));
        }
        Err(error) => found.bad("database", error.to_string()),
    }
}

async fn ports(config: &Config, found: &mut Findings) {
    for listen in &config.listen {
        match http_server::bind(listen.addr, "LISTEN_ADDR").await {
            Ok(_) => found.good("listener", format!("{} is free", listen.addr)),
            Err(error) => found.bad("listener", error.to_string()),
        }
    }
    if let Some(addr) = config.ops {
        match http_server::bind(addr, "OPS_ADDR").await {
            Ok(_) => found.good("ops", format!("{addr} is free")),
            Err(error) => found.bad("ops", error.to_string()),
        }
    }
}

async fn discord(config: &Config, found: &mut Findings) {
    let Ok(token) = config.token() else { return };
    let rest = match Rest::new(&config.discord.api_url, token.clone(), Metrics::new(&[], &[])) {
        Ok(rest) => rest,
        Err(error) => return found.bad("discord", format!("{error:#}")),
    };
    let me = match rest.me().await {
        Ok(me) => me,
        Err(error) => return found.bad("discord", error.to_string()),
    };
    found.good("discord", format!("the token is that of {} ({})", me.name, me.user));
    if me.public {
        found.odd("discord", PUBLIC);
    }
    match (config.discord.message_content, me.may_read) {
        (true, true) => found.good("discord", "the bot may read messages (Message Content Intent)"),
        (true, false) => found.bad("discord", NO_INTENT),
        (false, _) => {}
    }
    if let Some(guild) = config.discord.guild {
        match rest.ask(&format!("/guilds/{guild}")).await {
            Ok(answer) => {
                let name = answer.get("name").and_then(serde_json::Value::as_str).unwrap_or("your server");
                found.good("discord", format!("the bot is in {name}"));
            }
            Err(error) => found.bad(
                "discord",
                format!("DISCORD_GUILD_ID: the bot is not in guild {guild} ({error}). Add it with the link of `tenfour invite`"),
            ),
        }
    }
}

async fn cad(config: &Config, found: &mut Findings) {
    let Ok(credentials) = config.credentials() else { return };
    let http = match reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(Duration::from_secs(10)).build()
    {
        Ok(http) => http,
        Err(error) => return found.bad("cad", error.to_string()),
    };
    let cad = CadRest::new(&config.sonoran.api_url, credentials.key.clone(), http).reader();
    match cad.version().await {
        Ok(version) => found.good("cad", format!("the key is accepted; plan {}", version.name.as_deref().unwrap_or("unknown"))),
        Err(error) => return found.bad("cad", error.to_string()),
    }
    // The REST API knows only the key; the hub needs the community's id too. Optional: not every plan may ask.
    if let Ok(Some(id)) = cad.info().await.map(|info| info.community)
        && CommunityId::new(&id) != credentials.community
    {
        found.odd(
            "cad",
            // The value isn't repeated: a key is easily pasted into the wrong line.
            format!("SONORAN_COMMUNITY_ID: the key belongs to community {id}, not to the one that is set: the hub may refuse it"),
        );
    }
    match cad.servers().await {
        Ok(servers) => {
            for wanted in &config.sonoran.servers {
                match servers.iter().find(|server| server.id == *wanted) {
                    Some(server) => found.good("cad", format!("server {wanted} is {}", server.name.as_deref().unwrap_or("without a name"))),
                    None => {
                        let known: Vec<String> = servers.iter().map(|server| server.id.to_string()).collect();
                        found.bad("cad", format!("SONORAN_SERVER_IDS: the CAD has no server {wanted}; it has {}", known.join(", ")));
                    }
                }
            }
        }
        Err(error) => found.odd("cad", format!("the list of servers cannot be had: {error}")),
    }
    if config.sonoran.hub {
        found.odd("cad", "SONORAN_HUB is on: right for ER:LC and web-only communities. If a FiveM server uses this server id, set it to off and use forwarding (README)");
    }
}
