//! The gateway: hello, identify, events by intent, heartbeats, resume, and its faults.

use super::client::{Gateway, TOKEN, bot, bot_with, calm};
use super::*;

const GUILDS: u64 = 1;
const GUILD_MESSAGES: u64 = 1 << 9;
const MESSAGE_CONTENT: u64 = 1 << 15;

#[tokio::test]
async fn identify_is_answered_with_ready_and_the_guilds() {
    let bot = bot().await;
    let mut gateway = Gateway::connect(&bot.sim).await;
    // Without `Bot ` it is accepted too.
    gateway.send(json!({"op": 2, "d": {"token": TOKEN, "intents": GUILDS, "properties": {}}})).await;
    let ready = gateway.event("READY").await;
    assert_eq!(
        (&ready["v"], &ready["user"]["id"], &ready["application"]["id"]),
        (&json!(10), &json!(bot.sim.bot_id()), &json!(bot.sim.application_id()))
    );
    assert_eq!(ready["guilds"], json!([{"id": bot.guild, "unavailable": true}]));
    assert!(ready["resume_gateway_url"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
    let guild = gateway.event("GUILD_CREATE").await;
    // Fields that serenity requires.
    for key in [
        "id",
        "name",
        "owner_id",
        "joined_at",
        "large",
        "member_count",
        "verification_level",
        "default_message_notifications",
        "explicit_content_filter",
        "mfa_level",
        "nsfw_level",
        "premium_tier",
        "premium_progress_bar_enabled",
        "preferred_locale",
        "system_channel_flags",
        "features",
        "roles",
        "emojis",
        "stickers",
        "channels",
        "threads",
        "members",
        "presences",
        "voice_states",
        "stage_instances",
        "guild_scheduled_events",
    ] {
        assert!(guild.get(key).is_some_and(|v| !v.is_null()), "{key} is missing");
    }
    assert_eq!(guild["channels"][0]["name"], "alerts");
    bot.sim.wait_ready(SOON).await.unwrap();
    assert_eq!(bot.sim.gateway(), json!({"connected": 1, "identifies": 1, "resumes": 0}));
    assert!(gateway.drain().await.is_empty());
}

#[tokio::test]
async fn what_discord_refuses_is_closed_with_its_code() {
    let bot = bot_with(DiscordOptions { denied_intents: MESSAGE_CONTENT, ..calm() }).await;
    let identify = |change: Value| {
        let mut data = json!({"token": TOKEN, "intents": 1, "properties": {}});
        data.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"op": 2, "d": data}).to_string()
    };
    let cases = [
        (identify(json!({"token": "wrong"})), 4004),
        (identify(json!({"token": format!("Bearer {TOKEN}")})), 4004),
        (identify(json!({"intents": 1_u64 << 40})), 4013),
        (identify(json!({"intents": null})), 4013),
        (identify(json!({"intents": MESSAGE_CONTENT})), 4014),
        (identify(json!({"shard": [2, 2]})), 4010),
        ("{".to_owned(), 4002),
        ("{}".to_owned(), 4002),
        (json!({"op": 1, "d": "x".repeat(5000)}).to_string(), 4002),
        (json!({"op": 99}).to_string(), 4001),
        (json!({"op": 3, "d": {}}).to_string(), 4003),
        (json!({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}).to_string(), 4004),
    ];
    for (payload, code) in cases {
        let mut gateway = Gateway::connect(&bot.sim).await;
        gateway.send_text(&payload).await;
        assert_eq!(gateway.closed().await, Some(Some(code)), "{payload}");
    }
    let mut twice = bot.gateway(GUILDS).await;
    twice.send_text(&identify(json!({}))).await;
    assert_eq!(twice.closed().await, Some(Some(4005)));
    let mut chatty = bot.gateway(GUILDS).await;
    for n in 0..120 {
        chatty.send(json!({"op": 1, "d": n})).await;
    }
    assert_eq!(chatty.closed().await, Some(Some(4008)));
}

#[tokio::test]
async fn a_bot_that_forgets_its_heartbeats_is_dropped() {
    let bot = bot_with(DiscordOptions { heartbeat_ms: 100, ..calm() }).await;
    let mut gateway = bot.gateway(GUILDS).await;
    assert_eq!(gateway.closed().await, Some(Some(4009)));
    // Acknowledgements can be withheld.
    let mut gateway = bot.gateway(GUILDS).await;
    gateway.event("GUILD_CREATE").await;
    gateway.send(json!({"op": 1, "d": 1})).await;
    assert_eq!(gateway.next().await["op"], 11);
    bot.sim.acknowledge_heartbeats(false);
    gateway.send(json!({"op": 1, "d": 1})).await;
    bot.sim.send_raw("\"marker\"");
    assert_eq!(gateway.next().await, "marker");
}

#[tokio::test]
async fn events_go_to_those_who_asked_for_them() {
    let bot = bot().await;
    let mut deaf = bot.gateway(GUILDS).await;
    let mut blind = bot.gateway(GUILD_MESSAGES).await;
    let mut full = bot.gateway(GUILDS | GUILD_MESSAGES | MESSAGE_CONTENT).await;
    deaf.event("GUILD_CREATE").await;
    full.event("GUILD_CREATE").await;
    assert!(blind.drain().await.is_empty(), "no guild without the GUILDS intent");

    let said = bot.sim.say(&bot.channel, &bot.sim.owner_id(&bot.guild), "secret").unwrap();
    let event = full.event("MESSAGE_CREATE").await;
    assert_eq!((&event["id"], &event["content"], &event["guild_id"]), (&json!(said), &json!("secret"), &json!(bot.guild)));
    assert!(event["member"]["joined_at"].is_string());
    assert_eq!(blind.event("MESSAGE_CREATE").await["content"], "", "other people's words need MESSAGE_CONTENT");
    bot.sim.say(&bot.channel, &bot.sim.owner_id(&bot.guild), &format!("hey <@{}>", bot.sim.bot_id())).unwrap();
    assert!(blind.event("MESSAGE_CREATE").await["content"].as_str().unwrap().starts_with("hey"), "unless the bot is mentioned");
    let own = bot.post(json!({"content": "own"})).await;
    assert_eq!(blind.event("MESSAGE_CREATE").await["content"], "own", "or it is the bot's");
    let path = format!("/channels/{}/messages/{}", bot.channel, own["id"].as_str().unwrap());
    bot.call(Method::PATCH, &path, json!({"content": "changed"})).await;
    assert_eq!(full.event("MESSAGE_UPDATE").await["content"], "changed");
    bot.call(Method::DELETE, &path, Value::Null).await;
    let event = full.event("MESSAGE_DELETE").await;
    assert_eq!((&event["id"], &event["channel_id"]), (&own["id"], &json!(bot.channel)));
    assert!(deaf.drain().await.is_empty(), "no messages without GUILD_MESSAGES");

    let shop = bot.sim.add_channel(&bot.guild, "shop", 0);
    assert_eq!(deaf.event("CHANNEL_CREATE").await["id"], json!(shop));
    bot.sim.deny(&shop, 1 << 10);
    assert_eq!(deaf.event("CHANNEL_UPDATE").await["permission_overwrites"][0]["deny"], "1024");
    bot.sim.delete_channel(&shop);
    assert_eq!(deaf.event("CHANNEL_DELETE").await["id"], json!(shop));
    bot.sim.add_role(&bot.guild, "Dispatch", 0);
    assert_eq!(deaf.event("GUILD_ROLE_CREATE").await["role"]["name"], "Dispatch");
    let second = bot.sim.add_guild("Sandy Shores");
    assert_eq!(deaf.event("GUILD_CREATE").await["id"], json!(second));
    bot.sim.remove_guild(&second);
    assert_eq!(deaf.event("GUILD_DELETE").await, json!({"id": second}));
    assert_eq!(bot.get(&format!("/guilds/{second}")).await.1["code"], 10004);
}

#[tokio::test]
async fn shards_get_their_own_guilds_only() {
    let bot = bot().await;
    let all: Vec<String> = std::iter::once(bot.guild.clone())
        .chain((0..5).map(|n| {
            bot.sim.advance(1);
            bot.sim.add_guild(&n.to_string())
        }))
        .collect();
    let (mut seen, mut shards) = (Vec::new(), Vec::new());
    for shard in 0..2 {
        let mut gateway = Gateway::connect(&bot.sim).await;
        gateway.send(json!({"op": 2, "d": {"token": TOKEN, "intents": 1, "shard": [shard, 2]}})).await;
        for payload in gateway.drain().await.iter().filter(|p| p["t"] == "GUILD_CREATE") {
            let id = payload["d"]["id"].as_str().unwrap().to_owned();
            assert_eq!((id.parse::<u64>().unwrap() >> 22) % 2, shard);
            seen.push(id);
        }
        shards.push(gateway);
    }
    seen.sort();
    assert_eq!(seen, all);
    for guild in &all {
        bot.sim.add_role(guild, "Dispatch", 0);
    }
    let mut count = 0;
    for (shard, gateway) in (0_u64..).zip(&mut shards) {
        for payload in gateway.drain().await {
            let guild = payload["d"]["guild_id"].as_str().unwrap();
            assert_eq!((guild.parse::<u64>().unwrap() >> 22) % 2, shard);
            count += 1;
        }
    }
    assert_eq!(count, all.len(), "each event goes to one shard");
}

#[tokio::test]
async fn a_lost_connection_is_resumed_without_a_gap() {
    let bot = bot().await;
    let mut gateway = bot.gateway(GUILD_MESSAGES).await;
    bot.post(json!({"content": "1"})).await;
    gateway.event("MESSAGE_CREATE").await;
    assert_eq!(bot.sim.drop_gateway(), 1);
    assert_eq!(gateway.closed().await, None, "no close frame");
    bot.post(json!({"content": "2"})).await;
    bot.post(json!({"content": "3"})).await;
    let resume = |seq: u64| json!({"op": 6, "d": {"token": format!("Bot {TOKEN}"), "session_id": gateway.session, "seq": seq}});
    let mut again = Gateway::connect(&bot.sim).await;
    again.send(resume(gateway.seq)).await;
    assert_eq!(again.next().await["d"]["content"], "2");
    let third = again.next().await;
    assert_eq!((&third["d"]["content"], third["s"].as_u64()), (&json!("3"), Some(gateway.seq + 2)));
    assert_eq!(again.next().await["t"], "RESUMED");
    bot.post(json!({"content": "4"})).await;
    assert_eq!(again.next().await["d"]["content"], "4");
    bot.sim.wait_gateway(1, 1, SOON).await.unwrap();
    // From the future, or of nobody.
    let mut liar = Gateway::connect(&bot.sim).await;
    liar.send(resume(999)).await;
    assert_eq!(liar.closed().await, Some(Some(4007)));
    let mut stranger = Gateway::connect(&bot.sim).await;
    stranger.send(json!({"op": 6, "d": {"token": TOKEN, "session_id": "unknown", "seq": 1}})).await;
    let payload = stranger.next().await;
    assert_eq!((&payload["op"], &payload["d"]), (&json!(9), &json!(false)));
    stranger.identify(GUILDS).await;
    // Too much missed: the replay is bounded.
    bot.sim.drop_gateway();
    let (owner, channel) = (bot.sim.owner_id(&bot.guild), bot.channel.clone());
    for n in 0..2_100 {
        bot.sim.say(&channel, &owner, &n.to_string()).unwrap();
    }
    let mut late = Gateway::connect(&bot.sim).await;
    late.send(resume(gateway.seq)).await;
    assert_eq!(late.next().await["op"], 9);
}

#[tokio::test]
async fn a_goodbye_ends_the_session_and_other_closes_keep_it() {
    let bot = bot().await;
    for (code, expected) in [(1000, 9), (4000, 0)] {
        let gateway = bot.gateway(GUILD_MESSAGES).await;
        let (session, seq) = (gateway.session.clone(), gateway.seq);
        gateway.close(code).await;
        let mut again = Gateway::connect(&bot.sim).await;
        again.send(json!({"op": 6, "d": {"token": TOKEN, "session_id": session, "seq": seq}})).await;
        assert_eq!(again.next().await["op"], expected, "after {code}");
    }
}

#[tokio::test]
async fn the_gateway_misbehaves_on_demand() {
    let bot = bot().await;
    for code in [Some(4000), Some(4004), None] {
        let mut gateway = bot.gateway(GUILD_MESSAGES).await;
        assert_eq!(bot.sim.close_gateway(code), 1);
        assert_eq!(gateway.closed().await, Some(code));
    }
    let mut gateway = bot.gateway(GUILD_MESSAGES).await;
    bot.sim.opcode7();
    assert_eq!(gateway.next().await["op"], 7);
    bot.sim.invalidate_session();
    let payload = gateway.next().await;
    assert_eq!((&payload["op"], &payload["d"]), (&json!(9), &json!(false)));
    bot.post(json!({"content": "unheard"})).await;
    assert!(gateway.drain().await.is_empty(), "the session is gone");
    gateway.identify(GUILD_MESSAGES).await;
    bot.sim.gateway_up(false);
    let url = bot.sim.url().replace("http://", "ws://");
    assert!(tokio_tungstenite::connect_async(&url).await.is_err());
    bot.sim.gateway_up(true);
    tokio_tungstenite::connect_async(&url).await.expect("the path / is good too");
    bot.sim.stop().await;
    assert_eq!(gateway.closed().await, Some(Some(1001)));
}
