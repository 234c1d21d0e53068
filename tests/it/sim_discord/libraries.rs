//! Third-party libraries: serenity (the bot's own) and discord.js.

use std::process::Stdio;
use std::sync::Arc;

use serenity::all::{
    ClientBuilder, Context, EventHandler, GatewayIntents, Guild, Http, HttpBuilder, Interaction, Ready, ResolvedOption, ResolvedValue,
};
use serenity::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use super::client::{TOKEN, bot, calm};
use super::*;

/// Sends serenity's events to the test.
struct Handler(mpsc::UnboundedSender<Value>);

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, ready: Ready) {
        self.0.send(json!({"ready": ready.user.name, "application": ready.application.id.to_string()})).unwrap();
    }

    async fn guild_create(&self, _: Context, guild: Guild, _: Option<bool>) {
        let roles: Vec<&str> = guild.roles.values().map(|r| r.name.as_str()).collect();
        self.0
            .send(json!({"guild": guild.name, "channels": guild.channels.len(), "roles": roles.len(), "members": guild.members.len()}))
            .unwrap();
    }

    async fn interaction_create(&self, ctx: Context, interaction: Interaction) {
        if let Interaction::Command(command) = interaction {
            let options = command.data.options();
            let Some(ResolvedOption { name: sub, value: ResolvedValue::SubCommand(inner), .. }) = options.first() else {
                panic!("{options:?}")
            };
            let mut answer = json!({"sub": sub});
            for option in inner {
                answer[option.name] = match &option.value {
                    ResolvedValue::Channel(channel) => json!(channel.name),
                    ResolvedValue::Role(role) => json!(role.name),
                    ResolvedValue::User(user, member) => json!([user.display_name(), member.is_some()]),
                    ResolvedValue::Integer(number) => json!(number),
                    ResolvedValue::String(text) => json!(text),
                    other => panic!("{other:?}"),
                };
            }
            self.0.send(answer).unwrap();
            let reply = serenity::all::CreateInteractionResponseMessage::new().content("as you wish").ephemeral(true);
            command.create_response(&ctx.http, serenity::all::CreateInteractionResponse::Message(reply)).await.unwrap();
        }
    }
}

fn serenity_http(sim: &DiscordSim) -> Http {
    HttpBuilder::new(TOKEN).proxy(sim.url()).ratelimiter_disabled(true).build()
}

#[tokio::test]
async fn serenity_reaches_ready_sees_the_guild_and_answers_a_command() {
    let bot = bot().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0x00FF_0000);
    let (sender, mut answer) = mpsc::unbounded_channel();
    let mut client =
        ClientBuilder::new_with_http(serenity_http(&bot.sim), GatewayIntents::GUILDS).event_handler(Handler(sender)).await.unwrap();
    let shards = Arc::clone(&client.shard_manager);
    let http = Arc::clone(&client.http);
    let running = tokio::spawn(async move { client.start().await });

    let ready = next(&mut answer).await;
    assert_eq!(ready["application"], json!(bot.sim.application_id()));
    let guild = next(&mut answer).await;
    // @everyone, the bot's own role and ours; the owner and the bot.
    assert_eq!(guild, json!({"guild": "Los Santos", "channels": 1, "roles": 3, "members": 2}));

    let add = serenity::all::CreateCommand::new("alerts").description("Alerts").add_option(
        serenity::all::CreateCommandOption::new(serenity::all::CommandOptionType::SubCommand, "add", "Add")
            .add_sub_option(option(serenity::all::CommandOptionType::Channel, "channel").required(true))
            .add_sub_option(option(serenity::all::CommandOptionType::Role, "role"))
            .add_sub_option(option(serenity::all::CommandOptionType::User, "user"))
            .add_sub_option(option(serenity::all::CommandOptionType::Integer, "count"))
            .add_sub_option(option(serenity::all::CommandOptionType::String, "event")),
    );
    let guild_id = serenity::all::GuildId::new(bot.guild.parse().unwrap());
    let registered = guild_id.set_commands(&http, vec![add]).await.unwrap();
    assert_eq!(registered[0].name, "alerts");

    let options = json!({"channel": bot.channel, "role": role, "user": bot.sim.owner_id(&bot.guild), "count": 3, "event": "911"});
    let pending = bot.sim.slash(&bot.channel, None, "alerts", &["add"], options).unwrap();
    let expected = json!({"sub": "add", "channel": "alerts", "role": "Dispatch", "user": ["Owner", true], "count": 3, "event": "911"});
    assert_eq!(next(&mut answer).await, expected);
    let reply = pending.reply(SOON).await.unwrap();
    assert_eq!(reply["content"], "as you wish");
    assert!(bot.seen().is_empty(), "a private reply is not in the channel");

    // A message from its builders, posted and changed.
    let channel = serenity::all::ChannelId::new(bot.channel.parse().unwrap());
    let embed = serenity::all::CreateEmbed::new().title("A call").field("Postal", "100", true);
    let mut sent = channel.send_message(&http, serenity::all::CreateMessage::new().embed(embed)).await.unwrap();
    sent.edit(&http, serenity::all::EditMessage::new().content("changed")).await.unwrap();
    assert_eq!(bot.seen()[0]["content"], "changed");
    assert_eq!(bot.seen()[0]["embeds"][0]["fields"][0]["value"], "100");

    shards.shutdown_all().await;
    running.await.unwrap().unwrap();
}

fn option(kind: serenity::all::CommandOptionType, name: &str) -> serenity::all::CreateCommandOption {
    serenity::all::CreateCommandOption::new(kind, name, name)
}

async fn next(answer: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    tokio::time::timeout(SOON, answer.recv()).await.expect("serenity said nothing").unwrap()
}

/// Runs `tests/official/discord.mjs`. Without Node or the packages it is skipped, unless `TENFOUR_REQUIRE_NODE=1` asks for it.
#[tokio::test]
async fn official_discord_client_agrees() {
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official");
    let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !node.is_ok_and(|s| s.success()) || !place.join("node_modules/discord.js").exists() {
        assert!(std::env::var("TENFOUR_REQUIRE_NODE").as_deref() != Ok("1"), "node or tests/official/node_modules is missing");
        println!("skipped: node or tests/official/node_modules/discord.js is missing");
        return;
    }
    // Real limits with a short window: the library has to read the headers to get through its burst.
    let options = DiscordOptions { rate_limits: RateLimits::Real, message_bucket: Bucket { limit: 5, window_ms: 1_000 }, ..calm() };
    let bot = super::client::bot_with(options).await;
    let sim = &bot.sim;
    let mut child = tokio::process::Command::new("node")
        .args(["discord.mjs", sim.url(), TOKEN, &bot.guild, &bot.channel])
        .current_dir(&place)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut step = async |name: &str| -> Value {
        let limit = Duration::from_secs(40);
        let line =
            tokio::time::timeout(limit, lines.next_line()).await.expect("discord.js said nothing").unwrap().expect("discord.js ended");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["step"], name, "{value}");
        value
    };
    assert_eq!(step("ready").await, json!({"step": "ready", "user": "tenfour", "guild": "Los Santos", "channel": "alerts"}));
    let sent = step("sent").await;
    assert_eq!(
        (&sent["file"], &sent["seen"], &sent["thread"]),
        (&json!("dot.txt"), &json!("edited by discord.js"), &json!(true)),
        "{sent}"
    );
    let done = step("done").await;
    assert_eq!(done["refused"], 50035);
    assert_eq!(sim.invalid_requests(), 0, "it ran into a 429: the headers misled it");
    assert!(done["ms"].as_u64().unwrap() >= 500, "seven posts through a bucket of five must wait: {done}");

    sim.say(&bot.channel, &sim.owner_id(&bot.guild), "hello bot").unwrap();
    let received = step("message").await;
    assert_eq!((&received["content"], &received["author"]), (&json!("hello bot"), &json!("Owner")));

    let typed = sim.interact(json!({
        "do": "autocomplete", "channel_id": bot.channel, "name": "alerts", "path": ["add"], "options": {"event": "9"}, "focused": "event"
    }));
    assert_eq!(typed.await.unwrap()["choices"], json!([{"name": "event: 9", "value": "chosen"}]));
    let ran = sim.slash(&bot.channel, None, "alerts", &["add"], json!({"channel": "alerts", "event": "911"})).unwrap();
    let reply = ran.reply(SOON).await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(reply["content"].as_str().unwrap()).unwrap(),
        json!({"sub": "add", "channel": "alerts", "event": "911"})
    );
    let clicked: Pending = sim.click(reply["id"].as_str().unwrap(), None, "again").unwrap();
    assert_eq!(clicked.reply(SOON).await.unwrap()["custom_id"], "form");
    let submitted = sim.submit(&clicked, json!({"why": "I can"})).unwrap();
    assert_eq!(submitted.reply(SOON).await.unwrap()["content"], "because I can");

    // It survives a lost connection by resuming.
    let before = sim.gateway();
    sim.drop_gateway();
    sim.wait_gateway(before["identifies"].as_u64().unwrap(), 1, Duration::from_secs(30)).await.unwrap();
    sim.say(&bot.channel, &sim.owner_id(&bot.guild), "still there?").unwrap();
    assert_eq!(step("message").await["content"], "still there?");

    child.stdin.take().unwrap().write_all(b"quit\n").await.unwrap();
    tokio::time::timeout(SOON, child.wait()).await.unwrap().unwrap();
}
