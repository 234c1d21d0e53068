//! What prevents the bot from starting, and what doesn't.

use tenfour_sim::cad::Seen;
use tokio::net::TcpListener;

use super::{Running, Stage, eventually, sqlite};
use crate::test_bot::PATIENCE;

#[tokio::test]
async fn everything_missing_is_reported_in_one_message() {
    let mut stage = Stage::new().await;
    stage.vars.clear();
    let end = stage.run(&[]).await;
    end.says(1, &["DISCORD_TOKEN is not set", "SONORAN_COMMUNITY_ID is not set", "SONORAN_API_KEY is not set", ".env.example", "demo"]);
    assert!(!end.stderr.contains("RUST_BACKTRACE") && end.stdout.is_empty(), "{end}");
    assert!(!stage.folder.join("data").exists(), "nothing is made before the settings are good");
}

#[tokio::test]
async fn bad_values_are_all_reported_without_their_secrets() {
    let mut stage = Stage::new().await;
    // Pasted into the wrong line, and with a blank in it.
    let token = format!("{}.{}.{}", "M".repeat(26), "G".repeat(6), "h".repeat(38));
    let bad = [
        ("DISCORD_TOKEN", "a secret-7001"),
        ("DISCORD_GUILD_ID", &token),
        ("SONORAN_SERVER_IDS", "0"),
        ("SONORAN_API_URL", "https://me:secret-7002@cad.example"),
        ("SONORAN_HUB", "perhaps"),
        ("SONORAN_HUB_NEGOTIATE", "no"),
        ("LISTEN_ADDR", "3232"),
        ("OPS_ADDR", "everywhere:1"),
        ("DATABASE_URL", "postgres://me:secret-7003@db/x"),
        ("TENFOUR_LOG", "inof"),
        ("TENFOUR_LOG_FORMAT", "xml"),
    ];
    for (name, value) in bad {
        stage.set(name, value);
    }
    stage.secrets.extend(["secret-7001", "secret-7002", "secret-7003", &token].map(str::to_owned));
    let end = stage.run(&[]).await;
    end.says(1, &["11 problems"]);
    for (name, _) in bad {
        assert!(end.stderr.lines().any(|line| line.trim().starts_with(name) && line.contains("Valid: ")), "{name} is not in {end}");
    }
}

#[tokio::test]
async fn a_wrong_token_ends_it_with_the_fix() {
    let mut stage = Stage::new().await;
    stage.set("DISCORD_TOKEN", "MTk4.wrong.token-6130");
    let end = stage.run(&[]).await;
    end.says(1, &["DISCORD_TOKEN", "Reset Token"]);
    only_the_reason(&end);
}

/// One error with the reason, and none about parts that ended because of it.
fn only_the_reason(end: &super::Finished) {
    let errors: Vec<&str> = end.stderr.lines().filter(|line| line.contains("ERROR") || line.starts_with("tenfour: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains("DISCORD_TOKEN"), "{end}");
    assert!(!end.stderr.contains("vital"), "{end}");
}

#[tokio::test]
async fn a_token_that_is_refused_later_ends_it_with_the_reason_as_its_only_error() {
    for log in ["info", "off"] {
        let mut stage = Stage::new().await;
        stage.set("TENFOUR_LOG", log);
        let bot = stage.start();
        stage.discord.wait_ready(PATIENCE).await.unwrap();
        assert_eq!(stage.discord.close_gateway(Some(4004)), 1);
        let end = bot.ended(super::GRACE).await;
        end.says(1, &["DISCORD_TOKEN", "Reset Token"]);
        only_the_reason(&end);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_made_ends_it_with_the_fix() {
    let mut stage = Stage::new().await;
    std::fs::write(stage.folder.join("file"), "in the way").unwrap();
    stage.set("DATABASE_URL", sqlite(&stage.folder.join("file/tenfour.db")));
    stage.run(&[]).await.says(1, &["DATABASE_URL", "folder", "file"]);

    // A file that is no database.
    std::fs::write(stage.folder.join("letter.db"), "Dear Sir or Madam, ".repeat(500)).unwrap();
    stage.set("DATABASE_URL", sqlite(&stage.folder.join("letter.db")));
    stage.run(&[]).await.says(1, &["DATABASE_URL", "letter.db"]);
    assert!(std::fs::read_to_string(stage.folder.join("letter.db")).unwrap().starts_with("Dear Sir"), "it was written to");
}

#[tokio::test]
async fn a_port_in_use_ends_it_by_the_settings_name() {
    let mut stage = Stage::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = (taken.local_addr().unwrap().to_string(), taken);
    for name in ["LISTEN_ADDR", "OPS_ADDR"] {
        let before = stage.vars.clone();
        stage.set(name, taken.0.clone());
        stage.run(&[]).await.says(1, &[name, "already", "another port"]);
        stage.vars = before;
    }
}

#[tokio::test]
async fn a_second_start_on_the_same_database_is_refused_and_harms_nothing() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    let (bot, addr) = stage.up().await;
    stage.run(&[]).await.says(1, &["another Tenfour", "DATABASE_URL"]);
    stage.post(addr, 1).await;
    stage.holds(&channel, vec![1]).await;
    bot.kill().await;
    // A lock file left by a kill doesn't prevent the start.
    let (bot, addr) = stage.up().await;
    stage.post(addr, 2).await;
    stage.holds(&channel, vec![1, 2]).await;
    bot.stop().await;
}

/// Waits until `/readyz` reports the hub session as rejected, and checks that the process runs and accepts events.
async fn rejected_but_running(stage: &Stage, bot: &Running) -> String {
    let seen = stage.cad.wait_seen(PATIENCE, |seen| matches!(seen, Seen::Auth { success: Some(false), .. })).await;
    assert!(seen.is_some(), "it never signed in");
    let mut text = String::new();
    eventually("readyz never told of the refusal", async || {
        let (status, said) = bot.readyz().await;
        text = said;
        status == 503 && text.lines().any(|line| line.starts_with("hub ") && line.contains("not ready") && !line.contains("starting"))
    })
    .await;
    let listener = bot.listener().await;
    assert_eq!(super::client().get(format!("http://{listener}/")).send().await.unwrap().status(), 200);
    text
}

#[tokio::test]
async fn wrong_cad_credentials_are_reported_and_it_keeps_running() {
    let mut stage = Stage::new().await;
    stage.set("SONORAN_API_KEY", "wrong-key-7010");
    let bot = stage.start();
    rejected_but_running(&stage, &bot).await;
    let line = bot.line("Rejected").await;
    assert!(line.contains("hub"), "{line}");
    bot.stop().await;
}

#[tokio::test]
async fn an_unknown_server_id_is_reported_and_the_known_one_works() {
    let mut stage = Stage::new().await;
    stage.set("SONORAN_SERVER_IDS", "1,9");
    let bot = stage.start();
    let text = rejected_but_running(&stage, &bot).await;
    assert!(text.contains("hub 9 not ready"), "{text}");
    bot.line("Rejected").await;
    assert!(stage.cad.wait_session(1, PATIENCE).await);
    eventually("hub 1 was never ready", async || bot.readyz().await.1.contains("hub 1 ok")).await;
    bot.stop().await;
}

#[tokio::test]
async fn a_discord_that_is_down_at_the_start_is_waited_for_and_loses_nothing() {
    let stage = Stage::new().await;
    let channel = stage.channel("911", None).await;
    stage.discord.fail("GET", "/users/@me", 503, 2);
    stage.discord.fail("POST", "/messages", 503, 1);
    let (bot, addr) = stage.up().await;
    stage.post(addr, 1).await;
    stage.holds(&channel, vec![1]).await;
    bot.line("Discord knows the bot").await;
    bot.stop().await;
}

#[tokio::test]
async fn a_public_bot_is_warned_of_at_the_start_and_the_guilds_served_are_listed() {
    let stage = Stage::new().await;
    let (bot, _) = stage.up().await;
    let line = bot.line("Public Bot is on").await;
    assert!(line.contains("WARN") && line.contains("https://discord.com/developers/applications"), "{line}");
    let line = bot.line("serving a Discord server").await;
    assert!(line.contains(&stage.guild) && line.contains("setting"), "{line}");
    bot.stop().await;
}
