//! Rate limits: buckets, headers, the global one, exempt routes.

use super::client::{Bot, bot_with, calm};
use super::*;

async fn limited() -> Bot {
    // A clock that moves only by `advance`: nothing depends on how fast the machine is.
    let now = std::sync::Arc::new(|| 1_700_000_000_000_i64);
    bot_with(DiscordOptions { rate_limits: RateLimits::Real, message_bucket: Bucket { limit: 5, window_ms: 5_000 }, now, ..calm() }).await
}

async fn post(bot: &Bot, channel: &str) -> (u16, reqwest::header::HeaderMap, Value) {
    let response = bot.request(Method::POST, &format!("/channels/{channel}/messages")).json(&json!({"content": "x"})).send().await.unwrap();
    (response.status().as_u16(), response.headers().clone(), response.json().await.unwrap())
}

fn header<'a>(headers: &'a reqwest::header::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|v| v.to_str().unwrap())
}

#[tokio::test]
async fn a_channel_takes_five_posts_per_window_and_says_so() {
    let bot = limited().await;
    for left in (0..5).rev() {
        bot.sim.advance(100);
        let (status, headers, _) = post(&bot, &bot.channel).await;
        assert_eq!((status, header(&headers, "x-ratelimit-remaining")), (200, Some(left.to_string().as_str())));
        assert_eq!(header(&headers, "x-ratelimit-limit"), Some("5"));
    }
    bot.sim.advance(100);
    let (status, headers, body) = post(&bot, &bot.channel).await;
    assert_eq!((status, &body), (429, &json!({"message": "You are being rate limited.", "retry_after": 4.5, "global": false})));
    assert_eq!(header(&headers, "retry-after"), Some("5"), "whole seconds, rounded up");
    assert_eq!(header(&headers, "x-ratelimit-scope"), Some("user"));
    assert_eq!(header(&headers, "x-ratelimit-reset-after"), Some("4.500"));
    assert_eq!(header(&headers, "x-ratelimit-reset"), Some("1700000005.100"));
    assert_eq!(header(&headers, "x-ratelimit-global"), None);
    assert_eq!(bot.sim.invalid_requests(), 1);
    // Another channel has its own bucket of the same name; another method another one.
    let other = bot.sim.add_channel(&bot.guild, "other", 0);
    let (status, elsewhere, _) = post(&bot, &other).await;
    assert_eq!((status, header(&elsewhere, "x-ratelimit-bucket")), (200, header(&headers, "x-ratelimit-bucket")));
    let read = bot.request(Method::GET, &format!("/channels/{}/messages", bot.channel)).send().await.unwrap();
    assert_eq!(read.status(), 200);
    assert_ne!(header(read.headers(), "x-ratelimit-bucket"), header(&headers, "x-ratelimit-bucket"));
    // All edits in a channel share one bucket, whatever the message.
    let ids: Vec<String> = bot.seen().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    for (at, id) in ids.iter().chain([&ids[0]]).enumerate() {
        let path = format!("/channels/{}/messages/{id}", bot.channel);
        assert_eq!(bot.call(Method::PATCH, &path, json!({"content": "y"})).await.0, if at < 5 { 200 } else { 429 });
    }
    bot.sim.advance(4_499);
    assert_eq!(post(&bot, &bot.channel).await.0, 429);
    bot.sim.advance(1);
    assert_eq!(post(&bot, &bot.channel).await.0, 200);
}

#[tokio::test]
async fn fifty_requests_a_second_over_all_and_interactions_beside_them() {
    let bot = limited().await;
    let channels: Vec<String> = (0..11).map(|n| bot.sim.add_channel(&bot.guild, &n.to_string(), 0)).collect();
    for n in 0..50 {
        assert_eq!(post(&bot, &channels[n / 5]).await.0, 200);
    }
    let (status, headers, body) = post(&bot, &channels[10]).await;
    assert_eq!((status, &body["global"]), (429, &json!(true)));
    assert_eq!((header(&headers, "x-ratelimit-global"), header(&headers, "x-ratelimit-scope")), (Some("true"), Some("global")));
    assert_eq!(header(&headers, "x-ratelimit-bucket"), None);
    // A callback still goes through (to an interaction that does not exist).
    let (status, refusal) = bot.call(Method::POST, "/interactions/5/token/callback", json!({"type": 5})).await;
    assert_eq!((status, &refusal["code"]), (404, &json!(10062)));
    bot.sim.advance(1_000);
    assert_eq!(post(&bot, &channels[10]).await.0, 200);
}

#[tokio::test]
async fn limits_can_be_switched_off() {
    let bot = super::client::bot().await;
    for _ in 0..60 {
        let (status, headers, _) = post(&bot, &bot.channel).await;
        assert_eq!((status, header(&headers, "x-ratelimit-limit")), (200, None));
    }
}
