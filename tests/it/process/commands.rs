//! Everything except `run`: help, version, check, invite, health.

use serde_json::Value;
use tenfour::discord::rest::TIME;
use tenfour_sim::discord::{DiscordOptions, DiscordSim};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::{Finished, Stage};

#[tokio::test]
async fn help_is_useful_and_mistakes_have_their_own_messages() {
    let mut stage = Stage::new().await;
    stage.vars.clear();
    let help = stage.run(&["--help"]).await;
    assert_eq!(help.code, Some(0), "{help}");
    for word in ["demo", "check", "invite", "backup", ".env.example", "/cad setup"] {
        assert!(help.stdout.contains(word), "{word} is not in {help}");
    }
    let version = stage.run(&["--version"]).await;
    assert_eq!((version.code, version.stdout.trim()), (Some(0), concat!("tenfour ", env!("CARGO_PKG_VERSION"))), "{version}");
    stage.run(&["chekc"]).await.says(2, &["chekc", "check"]);
    stage.run(&["run", "--loud"]).await.says(2, &["--loud"]);
    stage.run(&["demo", "--speed", "0"]).await.says(2, &["0.1 to 100"]);
}

/// Both are made where nothing is set up: while a package is built, or in a shell's start.
#[tokio::test]
async fn completions_and_the_man_page_need_no_settings_and_name_every_command() {
    let mut stage = Stage::new().await;
    stage.vars.clear();
    let help = stage.run(&["--help"]).await;
    let (_, commands) = help.stdout.split_once("Commands:\n").unwrap();
    // A line that continues another one is indented further.
    let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    assert!(commands.contains(&"completions") && commands.contains(&"backup") && !commands.contains(&"man"), "{help}");
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["completions", "powershell"],
        &["completions", "elvish"],
        &["man"],
    ] {
        let printed = stage.run(arguments).await;
        assert!(printed.code == Some(0) && printed.stderr.is_empty(), "{arguments:?}: {printed}");
        for command in commands.iter().filter(|command| **command != "help") {
            assert!(printed.stdout.contains(command), "{command} is not in {arguments:?}: {printed}");
        }
    }
    stage.run(&["completions"]).await.says(2, &["<SHELL>"]);
    stage.run(&["completions", "csh"]).await.says(2, &["csh", "bash", "powershell"]);
}

/// Each line of `check` is one finding, except the last, which sums up.
#[track_caller]
fn findings(check: &Finished) -> Vec<&str> {
    let mut lines: Vec<&str> = check.stdout.lines().collect();
    let sum = lines.pop().unwrap_or_default();
    let failed = lines.iter().filter(|line| line.starts_with("FAIL ")).count();
    assert!(lines.iter().all(|line| ["ok ", "note ", "FAIL "].iter().any(|mark| line.starts_with(mark))), "{check}");
    assert_eq!(check.code, Some(i32::from(failed > 0)), "{check}");
    assert_eq!(sum.contains("Fix the "), failed > 0, "{check}");
    lines
}

#[track_caller]
fn fails_with(check: &Finished, count: usize, words: &[&str]) {
    let failed: Vec<&str> = findings(check).into_iter().filter(|line| line.starts_with("FAIL ")).collect();
    assert_eq!(failed.len(), count, "{check}");
    assert!(failed.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} not in one line of {check}");
}

#[tokio::test]
async fn check_finds_nothing_wrong_with_a_good_setup() {
    let stage = Stage::new().await;
    let check = stage.run(&["check"]).await;
    let lines = findings(&check);
    assert_eq!(check.code, Some(0), "{check}");
    for what in ["settings", "database", "listener", "ops", "discord", "cad"] {
        assert!(lines.iter().any(|line| line.starts_with("ok ") && line.contains(what)), "{what} is not in {check}");
    }
    assert!(check.stdout.contains("Test Guild") && check.stdout.contains("Server 1"), "{check}");
}

#[tokio::test]
async fn check_reports_each_problem_with_its_fix() {
    let mut stage = Stage::new().await;
    let good = stage.vars.clone();

    stage.set("SONORAN_API_KEY", "wrong-key-5819");
    fails_with(&stage.run(&["check"]).await, 1, &["SONORAN_API_KEY", "Admin > In-Game Integration > API"]);

    stage.vars = good.clone();
    stage.set("SONORAN_SERVER_IDS", "1,9");
    fails_with(&stage.run(&["check"]).await, 1, &["SONORAN_SERVER_IDS", "no server 9", "it has 1"]);

    stage.vars = good.clone();
    stage.set("DISCORD_TOKEN", "MTk4.wrong.token-6120");
    fails_with(&stage.run(&["check"]).await, 1, &["DISCORD_TOKEN", "Reset Token"]);

    stage.vars = good.clone();
    stage.set("DISCORD_GUILD_ID", "123456789012345678");
    fails_with(&stage.run(&["check"]).await, 1, &["DISCORD_GUILD_ID", "tenfour invite"]);

    stage.vars = good.clone();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stage.set("LISTEN_ADDR", taken.local_addr().unwrap().to_string());
    fails_with(&stage.run(&["check"]).await, 1, &["LISTEN_ADDR", &taken.local_addr().unwrap().port().to_string(), "another port"]);

    stage.vars = good.clone();
    stage.vars.retain(|name, _| !name.starts_with("SONORAN"));
    let check = stage.run(&["check"]).await;
    fails_with(&check, 2, &["SONORAN_COMMUNITY_ID"]);
    fails_with(&check, 2, &["SONORAN_API_KEY"]);

    // The intent that DISCORD_MESSAGE_CONTENT needs: granted, then not.
    stage.vars = good.clone();
    stage.set("DISCORD_MESSAGE_CONTENT", "on");
    let check = stage.run(&["check"]).await;
    assert!(check.code == Some(0) && check.stdout.contains("ok   discord   the bot may read messages"), "{check}");
    let options = DiscordOptions { denied_intents: 1 << 15, token: good["DISCORD_TOKEN"].clone(), ..DiscordOptions::default() };
    let strict = DiscordSim::start(options).await.unwrap();
    stage.vars.remove("DISCORD_GUILD_ID");
    stage.set("DISCORD_API_URL", strict.url());
    fails_with(&stage.run(&["check"]).await, 1, &["DISCORD_MESSAGE_CONTENT", "Message Content Intent", "page Bot"]);

    // Nothing that stops it, but the hub wouldn't accept it.
    stage.vars = good.clone();
    stage.set("SONORAN_COMMUNITY_ID", "another");
    let check = stage.run(&["check"]).await;
    assert!(
        check.stdout.contains("note cad       SONORAN_COMMUNITY_ID: the key belongs to community demo, not to the one that is set"),
        "{check}"
    );

    // Several at once: all are reported.
    stage.vars = good;
    stage.set("DISCORD_TOKEN", "MTk4.wrong.token-6121");
    stage.set("SONORAN_API_KEY", "wrong-key-5820");
    stage.set("OPS_ADDR", taken.local_addr().unwrap().to_string());
    let check = stage.run(&["check"]).await;
    for words in ["DISCORD_TOKEN", "SONORAN_API_KEY", "OPS_ADDR"] {
        fails_with(&check, 3, &[words]);
    }
}

#[tokio::test]
async fn invite_prints_the_link_alone_with_the_least_permissions() {
    let mut stage = Stage::new().await;
    stage.vars.retain(|name, _| name.starts_with("DISCORD"));
    let invite = stage.run(&["invite"]).await;
    invite.says(0, &["/cad setup"]);
    assert_eq!(invite.stdout.lines().count(), 1, "{invite}");
    let link = url::Url::parse(invite.stdout.trim_end()).unwrap();
    assert_eq!((link.scheme(), link.host_str(), link.path()), ("https", Some("discord.com"), "/oauth2/authorize"));
    let query: std::collections::HashMap<_, _> = link.query_pairs().into_owned().collect();
    assert_eq!(query["client_id"], stage.discord.application_id());
    assert_eq!(query["scope"], "bot applications.commands");
    let permissions: u64 = query["permissions"].parse().unwrap();
    // Discord's bits: Administrator, Manage Guild, Manage Roles, Manage Channels, Mention Everyone, Manage Messages, Manage Webhooks.
    for bit in [3, 5, 28, 4, 17, 13, 29] {
        assert_eq!(permissions & (1 << bit), 0, "bit {bit} of {permissions}");
    }
    for bit in [10, 11, 14] {
        assert_ne!(permissions & (1 << bit), 0, "bit {bit} of {permissions}");
    }

    stage.set("DISCORD_TOKEN", "MTk4.wrong.token-6122");
    let refused = stage.run(&["invite"]).await;
    refused.says(1, &["DISCORD_TOKEN", "Reset Token"]);
    assert_eq!(refused.stdout, "");
}

#[tokio::test]
async fn health_is_the_exit_code_of_the_running_bot() {
    let mut stage = Stage::new().await;
    let (bot, _) = stage.up().await;
    let ops = bot.ops().await;
    stage.set("OPS_ADDR", ops.to_string());
    let health = stage.run(&["health"]).await;
    assert_eq!(health.code, Some(0), "{health}");
    bot.kill().await;
    stage.run(&["health"]).await.says(1, &[&ops.to_string()]);
    stage.set("OPS_ADDR", "off");
    stage.run(&["health"]).await.says(1, &["OPS_ADDR"]);
}

/// The image and compose files use `/healthz`: it must not depend on Discord, or a slow Discord would have the bot restarted.
#[tokio::test]
async fn health_is_reported_while_discord_does_not_answer() {
    let mut stage = Stage::new().await;
    stage.discord.hang("GET", "/users/@me", 1);
    let bot = stage.start();
    let started = Instant::now();
    stage.set("OPS_ADDR", bot.ops().await.to_string());
    let health = stage.run(&["health"]).await;
    assert_eq!(health.code, Some(0), "{health}");
    assert!(started.elapsed() < TIME / 2, "{:?}", started.elapsed());
    let (status, text) = bot.readyz().await;
    assert!(status == 503 && text.contains("discord not ready"), "{text}");
}

#[tokio::test]
async fn the_env_file_is_read_and_the_environment_wins() {
    let mut stage = Stage::new().await;
    let right = stage.vars["DISCORD_TOKEN"].clone();
    let url = stage.vars["DISCORD_API_URL"].clone();
    let file = |token: &str| format!("# mine\nDISCORD_TOKEN='{token}'\nDISCORD_API_URL={url}\n");
    stage.vars.clear();
    std::fs::write(stage.folder.join(".env"), file(&right)).unwrap();
    stage.run(&["invite"]).await.says(0, &[]);

    stage.set("DISCORD_TOKEN", "MTk4.wrong.token-6123");
    stage.run(&["invite"]).await.says(1, &["DISCORD_TOKEN"]);

    std::fs::write(stage.folder.join(".env"), file("MTk4.wrong.token-6123")).unwrap();
    stage.run(&["invite"]).await.says(1, &["DISCORD_TOKEN"]);
    stage.set("DISCORD_TOKEN", right);
    stage.run(&["invite"]).await.says(0, &[]);

    // A broken line is named by its number; its content is never shown.
    std::fs::write(stage.folder.join(".env"), "A=1\nDISCORD_TOKEN='unclosed-6124\n").unwrap();
    stage.secrets.push("unclosed-6124".to_owned());
    stage.run(&["invite"]).await.says(1, &[".env", "line 2"]);
}

#[tokio::test]
async fn json_logs_are_one_object_a_line_for_a_whole_life() {
    let mut stage = Stage::new().await;
    stage.set("TENFOUR_LOG_FORMAT", "json");
    stage.set("TENFOUR_LOG", "debug");
    let channel = stage.channel("911", None).await;
    stage.discord.fail("POST", "/messages", 500, 1);
    let (bot, addr) = stage.up().await;
    stage.post(addr, 7).await;
    stage.holds(&channel, vec![7]).await;
    let end = bot.stop().await;
    assert!(end.stderr.lines().count() > 3, "{end}");
    for line in end.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["message"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    assert_eq!(end.stdout, "", "the log goes to stderr");
}
