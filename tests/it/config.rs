//! Settings: all problems together, secrets never shown, and `.env.example` in step with the code.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret;
use tenfour::config::{Config, Listen, Negotiate, Reconcile, RequiredSettings, VARIABLES};
use tenfour::ids::{CommunityId, GuildId, ServerId};
use tenfour::telemetry::Format;

const TOKEN: &str = "token-that-nobody-may-see";
const KEY: &str = "5ec4e7-key-that-nobody-may-see";

/// The required settings of `run`, plus `more`.
fn read(more: &[(&str, &str)]) -> Result<Config, String> {
    let base = [("DISCORD_TOKEN", TOKEN), ("SONORAN_COMMUNITY_ID", "MyCommunity"), ("SONORAN_API_KEY", KEY)];
    Config::from_vars(base.into_iter().chain(more.iter().copied()), RequiredSettings::Run).map_err(|problems| problems.to_string())
}

#[test]
fn defaults_are_the_promised_ones() {
    let config = read(&[]).unwrap();
    assert_eq!(config.discord.token.as_ref().unwrap().expose_secret(), TOKEN);
    assert_eq!(config.discord.api_url, "https://discord.com");
    assert_eq!(config.discord.guild, None);
    let credentials = config.credentials().unwrap();
    assert_eq!(credentials.community, CommunityId::new("mycommunity"));
    assert_eq!(credentials.key.expose_secret(), KEY);
    assert_eq!(config.sonoran.servers, [ServerId(1)]);
    assert_eq!(config.sonoran.api_url, "https://api.sonorancad.com");
    assert_eq!(config.sonoran.hub_url, "https://api.sonorancad.com/apiWsHub");
    assert!(config.sonoran.hub);
    assert_eq!(config.sonoran.negotiate, Negotiate::Auto);
    assert_eq!(config.sonoran.reconcile, Reconcile::Every(Duration::from_secs(60)));
    assert_eq!(
        (config.sonoran.calls_per_minute, config.sonoran.units_per_minute, config.sonoran.silence),
        (2, 1, Some(Duration::from_secs(600)))
    );
    assert_eq!(config.sonoran.action_share, 70);
    assert_eq!(config.listen, [Listen { addr: "0.0.0.0:3232".parse().unwrap(), server: None }]);
    assert_eq!(config.ops, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.database.to_str(), Some("data/tenfour.db"));
    assert_eq!(config.log, "info");
    assert_eq!(config.log_format, Format::Text);
    assert_eq!(config.record, None);
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn every_setting_takes_a_value() {
    let config = read(&[
        ("DISCORD_TOKEN", " Bot abc.def "),
        ("DISCORD_API_URL", "http://127.0.0.1:9000/"),
        ("DISCORD_GUILD_ID", "1234567890123456789"),
        ("DISCORD_EDIT_WINDOW_MS", "0"),
        ("SONORAN_SERVER_IDS", "2, 1,2,"),
        ("SONORAN_API_URL", "http://localhost:9001/cad/"),
        ("SONORAN_HUB", "OFF"),
        ("SONORAN_HUB_NEGOTIATE", "never"),
        ("SONORAN_HUB_REDIRECTS", "Hub.example, *.service.signalr.net,"),
        ("SONORAN_RECONCILE_SECONDS", "Off"),
        ("SONORAN_CALLS_PER_MINUTE", "5"),
        ("SONORAN_UNITS_PER_MINUTE", "3"),
        ("SONORAN_ACTION_SHARE", "100"),
        ("SONORAN_SILENCE_MINUTES", "0"),
        ("LISTEN_ADDR", "0.0.0.0:3232=1, [::1]:3233=2"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,2001:db8::/32"),
        ("OPS_ADDR", "off"),
        ("DATABASE_URL", "sqlite:///var/lib/x.db"),
        ("TENFOUR_LOG", "warn,tenfour=debug"),
        ("TENFOUR_LOG_FORMAT", "\"json\""),
        ("TENFOUR_RECORD", "out.jsonl"),
    ])
    .unwrap();
    assert_eq!(config.token().unwrap().expose_secret(), "abc.def");
    assert_eq!(config.discord.api_url, "http://127.0.0.1:9000");
    assert_eq!(config.discord.guild, Some(GuildId(1_234_567_890_123_456_789)));
    assert_eq!(config.discord.edit_window, Duration::ZERO);
    let proxies = [("127.0.0.1", 32_u8), ("10.0.0.0", 8), ("2001:db8::", 32)];
    let proxies = proxies.map(|(ip, bits)| (ip.parse::<std::net::IpAddr>().unwrap(), bits));
    assert_eq!(config.trusted_proxies, proxies);
    assert_eq!(config.sonoran.servers, [ServerId(2), ServerId(1)]);
    assert_eq!(config.first_server(), ServerId(2));
    assert_eq!(config.sonoran.hub_url, "http://localhost:9001/cad/apiWsHub");
    assert!(!config.sonoran.hub);
    assert_eq!(config.sonoran.negotiate, Negotiate::Never);
    assert_eq!(config.sonoran.hub_redirects, ["hub.example", "*.service.signalr.net"]);
    assert_eq!(config.sonoran.reconcile, Reconcile::Off);
    assert_eq!((config.sonoran.calls_per_minute, config.sonoran.units_per_minute, config.sonoran.silence), (5, 3, None));
    assert_eq!(config.sonoran.action_share, 100);
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.listen[1], Listen { addr: "[::1]:3233".parse().unwrap(), server: Some(ServerId(2)) });
    assert_eq!(config.ops, None);
    assert_eq!(config.database.to_str(), Some("/var/lib/x.db"));
    assert_eq!(config.log_format, Format::Json);
    assert_eq!(config.record.as_ref().unwrap().to_str(), Some("out.jsonl"));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
}

#[test]
fn the_hub_address_may_be_a_web_socket_one() {
    let config = read(&[("SONORAN_HUB_URL", "wss://hub.example/apiWsHub")]).unwrap();
    assert_eq!(config.sonoran.hub_url, "https://hub.example/apiWsHub");
}

#[test]
fn reading_the_cad_is_off_on_request_or_by_the_clock() {
    for (value, expected) in [
        ("0", Reconcile::WhenAsked),
        ("10", Reconcile::Every(Duration::from_secs(10))),
        ("86400", Reconcile::Every(Duration::from_secs(86_400))),
    ] {
        assert_eq!(read(&[("SONORAN_RECONCILE_SECONDS", value)]).unwrap().sonoran.reconcile, expected);
    }
}

#[test]
fn each_bad_value_is_a_problem_that_names_it() {
    for (name, value) in [
        ("DISCORD_TOKEN", "two words"),
        ("DISCORD_API_URL", "discord.com"),
        ("DISCORD_API_URL", "https://discord.com/api/v10"),
        ("DISCORD_API_URL", "ftp://discord.com"),
        ("DISCORD_GUILD_ID", "my guild"),
        ("DISCORD_GUILD_ID", "12"),
        ("SONORAN_COMMUNITY_ID", "two words"),
        ("SONORAN_API_KEY", "k\u{e9}y"),
        ("DISCORD_EDIT_WINDOW_MS", "10001"),
        ("SONORAN_SERVER_IDS", "1,zwei"),
        ("SONORAN_SERVER_IDS", "0"),
        ("SONORAN_SERVER_IDS", ","),
        ("SONORAN_API_URL", "https://"),
        ("SONORAN_API_URL", "https://api.sonorancad.com/?x=1"),
        ("SONORAN_HUB_URL", "nonsense"),
        ("SONORAN_HUB", "true"),
        ("SONORAN_HUB_NEGOTIATE", "sometimes"),
        ("SONORAN_HUB_REDIRECTS", "https://hub.example"),
        ("SONORAN_HUB_REDIRECTS", "*.com"),
        ("SONORAN_HUB_REDIRECTS", "*"),
        ("SONORAN_RECONCILE_SECONDS", "9"),
        ("SONORAN_RECONCILE_SECONDS", "86401"),
        ("SONORAN_RECONCILE_SECONDS", "1 min"),
        ("SONORAN_CALLS_PER_MINUTE", "0"),
        ("SONORAN_CALLS_PER_MINUTE", "6"),
        ("SONORAN_UNITS_PER_MINUTE", "4"),
        ("SONORAN_UNITS_PER_MINUTE", "+1"),
        ("SONORAN_ACTION_SHARE", "9"),
        ("SONORAN_ACTION_SHARE", "101"),
        ("SONORAN_ACTION_SHARE", "70%"),
        ("SONORAN_SILENCE_MINUTES", "1441"),
        ("SONORAN_SILENCE_MINUTES", "off"),
        ("LISTEN_ADDR", "3232"),
        ("LISTEN_ADDR", "localhost:3232"),
        ("LISTEN_ADDR", "0.0.0.0:3232=0"),
        ("LISTEN_ADDR", "0.0.0.0:99999"),
        ("LISTEN_ADDR", "0.0.0.0:3232=2"),
        ("LISTEN_ADDR", "0.0.0.0:3232,127.0.0.1:3232"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "10.0.0.0/"),
        ("TRUSTED_PROXIES", "127.0.0.1:80"),
        ("OPS_ADDR", "9464"),
        ("OPS_ADDR", "127.0.0.1:3232"),
        ("DATABASE_URL", "data/tenfour.db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("DATABASE_URL", "sqlite://x.db?mode=rwc"),
        ("DATABASE_URL", "sqlite://file:x.db"),
        ("DATABASE_URL", "sqlite://FILE::memory:"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("DATABASE_URL", "sqlite://me:s3cret@db/x.db"),
        ("TENFOUR_RECORD", "data/tenfour.db"),
        ("TENFOUR_LOG", "inof"),
        ("TENFOUR_LOG_FORMAT", "xml"),
    ] {
        let text = read(&[(name, value)]).expect_err(&format!("{name}={value} was accepted"));
        assert!(text.starts_with("1 problem in the settings"), "{name}={value}: {text}");
        assert!(text.contains(&format!("\n  {name}")) && text.contains(". Valid: "), "{name}={value}: {text}");
    }
}

#[test]
fn all_problems_come_together() {
    let problems = Config::from_vars(
        [("SONORAN_HUB", "off"), ("LISTEN_ADDR", "off"), ("OPS_ADDR", "x"), ("TENFOUR_LOG", "loud"), ("SONORAN_API_KEY", "  ")],
        RequiredSettings::Run,
    )
    .unwrap_err();
    let names: Vec<&str> = problems.list().iter().map(|problem| problem.variable.as_str()).collect();
    assert_eq!(names, ["DISCORD_TOKEN", "SONORAN_COMMUNITY_ID", "SONORAN_API_KEY", "LISTEN_ADDR", "OPS_ADDR", "TENFOUR_LOG"]);
    let text = problems.to_string();
    assert!(text.starts_with("6 problems in the settings"), "{text}");
    assert!(text.contains("OPS_ADDR is not an address"), "{text}");
    assert!(text.contains("SONORAN_HUB=on"), "{text}");
}

#[test]
fn what_is_required_depends_on_the_command() {
    let none: [(&str, &str); 0] = [];
    let demo = Config::from_vars(none, RequiredSettings::Demo).unwrap();
    assert!(demo.token().unwrap_err().to_string().contains("DISCORD_TOKEN"));
    assert!(demo.credentials().unwrap_err().to_string().contains("SONORAN_API_KEY"));
    let invite = Config::from_vars(none, RequiredSettings::Invite).unwrap_err();
    assert_eq!(invite.list().len(), 1);
    assert!(Config::from_vars([("DISCORD_TOKEN", TOKEN)], RequiredSettings::Invite).is_ok());
    assert!(Config::from_vars([("SONORAN_HUB", "off"), ("LISTEN_ADDR", "off")], RequiredSettings::Demo).is_ok());
}

#[test]
fn no_secret_is_ever_shown() {
    let config = read(&[]).unwrap();
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains(TOKEN) && !shown.contains(KEY), "{shown}");

    // Bad secrets, secrets in the wrong line, secrets inside addresses.
    let discord_like = format!("{}.{}.{}", "M".repeat(26), "G".repeat(6), "h".repeat(38));
    for (name, value, secret) in [
        ("DISCORD_TOKEN", "bad s3cret", "s3cret"),
        ("SONORAN_API_KEY", "bad s3cret", "s3cret"),
        ("DISCORD_GUILD_ID", discord_like.as_str(), discord_like.as_str()),
        ("DISCORD_GUILD_ID", TOKEN, TOKEN),
        ("SONORAN_SERVER_IDS", KEY, KEY),
        ("TENFOUR_LOG", KEY, KEY),
        ("DATABASE_URL", "postgres://me:s3cret@db/x", "s3cret"),
        ("SONORAN_API_URL", "https://me:s3cret@cad.example", "s3cret"),
    ] {
        let base = [("DISCORD_TOKEN", TOKEN), ("SONORAN_COMMUNITY_ID", "c"), ("SONORAN_API_KEY", KEY)];
        let problems = Config::from_vars(base.into_iter().chain([(name, value)]), RequiredSettings::Run).unwrap_err();
        let shown = format!("{problems} {problems:?}");
        assert!(!shown.contains(secret), "{name}: {shown}");
    }
}

/// Whatever is pasted into any line, in any form: no problem, no warning and no `Debug` repeats it.
#[test]
fn no_value_of_any_setting_is_ever_repeated() {
    const CANARY: &str = "c4n4ry";
    let forms = [
        "c4n4ry",
        "two c4n4ry",
        "'c4n4ry' \"",
        "c4n4ry\u{e9}\n\t",
        "Bot c4n4ry",
        "https://example.com/?key=c4n4ry",
        "https://example.com/#c4n4ry",
        "https://me:c4n4ry@example.com",
        "https://c4n4ry@example.com/",
        "https://example.com:c4n4ry",
        "c4n4ry://example.com",
        "ftp://example.com/c4n4ry",
        "postgres://me:c4n4ry@db/x",
        "sqlite://me:c4n4ry@db/x",
        "sqlite://x.db?key=c4n4ry",
        "sqlite://:c4n4ry",
        "sqlite:c4n4ry",
        "1,c4n4ry",
        "c4n4ry=info,loud",
        "info,c4n4ry",
        "info=c4n4ry",
        "127.0.0.1:c4n4ry",
        "127.0.0.1:3232=c4n4ry",
        "0.0.0.0:3232,c4n4ry:1",
        "60c4n4ry",
        "off c4n4ry",
    ];
    for variable in VARIABLES {
        let mut refused = 0;
        for form in forms {
            let base = [("DISCORD_TOKEN", TOKEN), ("SONORAN_COMMUNITY_ID", "c"), ("SONORAN_API_KEY", KEY)];
            let answer = match Config::from_vars(base.into_iter().chain([(variable.name, form)]), RequiredSettings::Run) {
                Ok(config) => config.warnings().join("\n"),
                Err(problems) => {
                    refused += 1;
                    assert!(problems.to_string().contains(variable.name), "{}={form}: {problems}", variable.name);
                    format!("{problems} {problems:?} {:?}", problems.list())
                }
            };
            assert!(!answer.to_ascii_lowercase().contains(CANARY), "{}={form}: {answer}", variable.name);
        }
        // A file may have any name.
        assert!(refused > 0 || variable.name == "TENFOUR_RECORD", "{} takes everything", variable.name);
    }
    // Numbers too, and a name without the `=`.
    for (name, value) in [("SONORAN_CALLS_PER_MINUTE", "918273"), ("LISTEN_ADDR", "0.0.0.0:3232=918273"), ("DISCORD_GUILD_ID", "918273")] {
        assert!(!read(&[(name, value)]).unwrap_err().contains("918273"), "{name}");
    }
    assert!(!read(&[("SONORAN_SERVER_IDS", "1,2,x,y")]).unwrap_err().contains("x,"));
    assert!(read(&[("SONORAN_SERVER_IDS", "1,2,x,y")]).unwrap_err().contains("at place 3"));
    let config = read(&[("SONORAN_API_KEYC4N4RYC4N4RY", "="), ("DISCORD_TOKENc4n4ryc4n4ry", "=")]).unwrap();
    let answer = config.warnings().join("\n");
    assert!(config.warnings().len() == 2 && !answer.to_ascii_lowercase().contains(CANARY), "{answer}");
}

#[test]
fn oddities_are_warnings() {
    let config = read(&[
        ("SONORAN_API_URL", "http://cad.example"),
        ("DISCORD_API_URL", "http://192.168.1.2:9000"),
        ("DISCORD_TOKN", "x"),
        ("SONORAN_SERVER_ID", "2"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    let text = config.warnings().join("\n");
    assert!(text.contains("SONORAN_API_URL is plain http") && text.contains("DISCORD_API_URL is plain http"), "{text}");
    assert!(text.contains("DISCORD_TOKN is not a setting") && text.contains("nearest name is DISCORD_TOKEN"), "{text}");
    assert!(text.contains("nearest name is SONORAN_SERVER_IDS"), "{text}");
    assert!(!text.contains("PATH "), "{text}");
}

/// `NAME=value` and `#NAME=value` lines at the beginning of a line of the manual.
fn manual() -> BTreeMap<String, (String, bool)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let (line, commented) = line.strip_prefix('#').map_or((line, false), |rest| (rest, true));
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            assert!(found.insert(name.to_owned(), (value.to_owned(), commented)).is_none(), "{name} is shown twice");
        }
    }
    found
}

#[test]
fn the_manual_names_every_setting_and_its_default() {
    let manual = manual();
    let documented: Vec<&str> = manual.keys().map(String::as_str).collect();
    let mut known: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    known.sort_unstable();
    assert_eq!(documented, known);

    // The manual with every # taken off means the same as nothing set.
    let values = manual.iter().map(|(name, (value, _))| (name.as_str(), value.as_str()));
    let from_manual = Config::from_vars(values, RequiredSettings::Demo).unwrap();
    let none: [(&str, &str); 0] = [];
    let bare = Config::from_vars(none, RequiredSettings::Demo).unwrap();
    assert_eq!(format!("{from_manual:?}"), format!("{bare:?}"));
    for variable in VARIABLES {
        let (value, commented) = &manual[variable.name];
        assert!(variable.default.is_none_or(|default| default == value), "{}", variable.name);
        assert_eq!(*commented, !["DISCORD_TOKEN", "SONORAN_COMMUNITY_ID", "SONORAN_API_KEY"].contains(&variable.name), "{}", variable.name);
    }
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    assert!(text.contains("\"enablePushEventForwarding\": true") && text.contains("\"pushEventForwardUrl\""));
}
