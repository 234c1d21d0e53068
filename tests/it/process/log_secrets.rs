//! Secrets in what the process prints, at the most verbose level: none, whatever Discord answers.

use serde_json::{Value, json};

use super::{Stage, eventually};
use crate::test_bot::PATIENCE;

/// The interaction tokens in the URLs that the bot requested so far.
fn tokens(stage: &Stage, path: &str) -> Vec<String> {
    let requests = stage.discord.requests();
    let paths = requests.iter().filter_map(|request| request["path"].as_str());
    let after = paths.filter_map(|at| at.split_once(path)).filter_map(|(_, rest)| rest.split('/').nth(1));
    after.map(str::to_owned).collect()
}

fn command(stage: &Stage, channel: &str, path: &str) {
    stage.discord.slash(channel, None, "cad", &[path], json!({})).unwrap();
}

#[tokio::test]
async fn neither_tokens_nor_the_key_are_logged_at_trace_while_discord_resets_callbacks() {
    let mut stage = Stage::new().await;
    // By name, since noisy libraries are quiet otherwise.
    let libraries = ["serenity", "poise", "hyper", "hyper_util", "h2", "reqwest", "rustls", "tungstenite", "tokio_tungstenite"];
    stage.set("TENFOUR_LOG", format!("trace,{}", libraries.map(|name| format!("{name}=trace")).join(",")));
    let channel = stage.discord.add_channel(&stage.guild, "lobby", 0);
    let (bot, addr) = stage.up().await;
    stage.discord.wait_ready(PATIENCE).await.unwrap();
    assert!(stage.cad.wait_session(1, PATIENCE).await);
    stage.post(addr, 1).await;

    // The first answer to a command is reset, then its later ones.
    stage.discord.drop_requests("POST", "/callback", 1_000);
    for _ in 0..3 {
        command(&stage, &channel, "status");
    }
    eventually("no callback was tried", async || tokens(&stage, "/interactions/").len() >= 3).await;
    bot.line("ERROR").await;
    stage.discord.clear_faults();
    stage.discord.drop_requests("PATCH", "/webhooks/", 1_000);
    stage.discord.drop_requests("POST", "/webhooks/", 1_000);
    command(&stage, &channel, "diagnose");
    eventually("no later answer was tried", async || !tokens(&stage, "/webhooks/").is_empty()).await;
    let seen: Vec<String> = tokens(&stage, "/interactions/").into_iter().chain(tokens(&stage, "/webhooks/")).collect();
    assert!(seen.iter().all(|token| token.len() > 50), "{seen:?}");
    // Token and key are searched for when it is gone.
    let end = bot.stop().await;
    for token in seen {
        assert!(!end.stderr.contains(&token), "an interaction token was printed: {}", around(&end.stderr, &token));
    }
    assert!(end.stderr.contains("TRACE"), "it was not that talkative");
    for secret in [&stage.key, &stage.vars["DISCORD_TOKEN"]] {
        assert!(!end.stderr.to_ascii_lowercase().contains(&secret.to_ascii_lowercase()), "{}", around(&end.stderr, secret));
    }
}

fn around(text: &str, found: &str) -> Value {
    json!(text.lines().find(|line| line.contains(found)))
}
