//! `/alerts …`

use super::*;

#[tokio::test]
async fn add_makes_a_route_confirms_it_in_the_channel_and_says_how_to_undo_it() {
    let bot = start().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let options = json!({"event": "911", "channel": bot.channel, "role": role});
    let pending = bot.run("alerts", "add", options.clone());
    assert_eq!(pending.acknowledged(SOON).await.unwrap(), 5);
    let reply = pending.reply(SOON).await.unwrap();
    let expected = format!(
        "✅ Route #1 added: 911 → <#{}>, pinging <@&{role}>, as card. Undo it with `/alerts remove route:1`.\nTry it with `/alerts test event:911`.",
        bot.channel
    );
    assert_eq!(words(&reply), expected);
    assert_eq!(reply["flags"].as_u64().unwrap() & 64, 64, "not private");
    assert_eq!(reply["pinged"], json!([]));

    let posted = bot.posted(&bot.channel, "🔔 Alerts on: emergency calls").await;
    let text = posted["embeds"][0]["description"].as_str().unwrap();
    assert!(text.contains(&format!("Set by <@{}>", bot.sim.owner_id(&bot.guild))), "{text}");
    assert_eq!(posted["pinged"], json!([]), "a confirmation pings nobody");

    // The same again, and with another style.
    let again = bot.alerts("add", options).await;
    assert!(again.starts_with("👌 Nothing changed. Route #1 is already 911 →"), "{again}");
    let changed = bot.alerts("add", json!({"event": "911", "channel": bot.channel, "style": "compact"})).await;
    let expected = format!("✏️ Route #1 (911 → <#{}>) changed: style card → compact.", bot.channel);
    assert!(changed.starts_with(&expected), "{changed}");
    bot.posted(&bot.channel, "🔔 Alerts changed: emergency calls").await;
    assert_eq!(bot.routes().len(), 1);
}

#[tokio::test]
async fn add_refuses_what_would_not_work_and_names_the_fix() {
    let bot = start().await;
    bot.sim.deny(&bot.channel, FILES);
    let answer = bot.alerts("add", json!({"event": "panic", "channel": bot.channel})).await;
    assert_eq!(
        answer,
        format!(
            "The bot is missing Attach Files in <#{}>: open Edit Channel > Permissions there, add the bot's role and allow it, then try again.",
            bot.channel
        )
    );
    bot.sim.deny(&bot.channel, SEND);
    let answer = bot.alerts("add", json!({"event": "panic", "channel": bot.channel})).await;
    assert!(answer.contains("missing Send Messages, Embed Links and Attach Files in"), "{answer}");
    bot.sim.deny(&bot.channel, VIEW);
    let answer = bot.alerts("add", json!({"event": "panic", "channel": bot.channel})).await;
    assert!(answer.contains("missing View Channel in"), "{answer}");
    // The current channel comes with the interaction, without a request, and is checked the same.
    bot.sim.deny(&bot.lobby, FILES);
    let answer = bot.alerts("add", json!({"event": "panic", "channel": bot.lobby})).await;
    assert!(answer.contains("missing Attach Files in"), "{answer}");

    let open = bot.sim.add_channel(&bot.guild, "open", 5);
    let everyone = json!({"event": "panic", "channel": open, "role": bot.guild});
    let answer = bot.alerts("add", everyone).await;
    assert_eq!(answer, "The role @everyone is never pinged by this bot: choose a role of your own, or leave it out.");
    let answer = bot.alerts("add", json!({"event": "panic", "channel": open, "server": 7})).await;
    assert_eq!(answer, "This bot does not watch server 7: its operator must add 7 to SONORAN_SERVER_IDS and restart it.");
    assert!(bot.routes().is_empty());
    for channel in [&bot.channel, &bot.lobby, &open] {
        assert!(bot.sim.messages(channel).iter().all(|m| m["flags"].as_u64().unwrap_or(0) & 64 != 0), "something was posted");
    }
    // Voice channels aren't offered.
    let voice = bot.sim.add_channel(&bot.guild, "voice", 2);
    assert!(bot.sim.slash(&bot.lobby, None, "alerts", &["add"], json!({"event": "all", "channel": voice})).is_err());
}

#[tokio::test]
async fn discord_in_trouble_becomes_a_sentence_and_makes_no_route() {
    let bot = start().await;
    bot.sim.fail("GET", "/roles", 500, 1);
    let answer = bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    assert!(answer.starts_with("That did not work, and it is not your fault") && answer.contains("reference `"), "{answer}");
    assert!(bot.routes().is_empty());
    bot.sim.rate_limit("GET", "/roles", tenfour_sim::discord::Scope::User, 4_000, 1);
    let answer = bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    assert!(answer.starts_with("Discord asks the bot to wait: try again in"), "{answer}");
}

#[tokio::test]
async fn a_role_that_discord_would_not_ping_is_hinted_at() {
    // Everything needed, except to mention everyone.
    let bot = start_with(Plan { bot_permissions: Some(VIEW | SEND | FILES | 1 << 14 | 1 << 16), ..Plan::default() }).await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let answer = bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": role})).await;
    assert!(answer.contains("✅ Route #1 added") && answer.contains("Discord will not ping"), "{answer}");
    bot.sim.set_mentionable(&bot.guild, &role, true);
    let answer = bot.alerts("add", json!({"event": "panic", "channel": bot.channel, "role": role})).await;
    assert!(answer.contains("✅ Route #2 added") && !answer.contains("Discord will not ping"), "{answer}");
}

#[tokio::test]
async fn list_and_remove_and_what_is_shown_while_typing() {
    let bot = start_with(Plan { servers: vec![1, 2], ..Plan::default() }).await;
    let empty = bot.alerts("list", json!({})).await;
    assert!(empty.starts_with("Nothing is posted in this server yet. Begin with `/cad setup`"), "{empty}");
    assert!(bot.typing("remove", json!({}), "route").await.is_empty());

    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": role})).await;
    bot.alerts("add", json!({"event": "all", "channel": bot.lobby, "server": 2, "style": "log"})).await;
    let listed = bot.alerts("list", json!({})).await;
    assert!(listed.starts_with("🔔 2 alert routes"), "{listed}");
    assert!(listed.contains(&format!("**<#{}>**\n`#1` 911 · card · <@&{role}>", bot.channel)), "{listed}");
    assert!(listed.contains(&format!("**<#{}>**\n`#2` all · log · server 2", bot.lobby)), "{listed}");

    let routes = bot.typing("remove", json!({}), "route").await;
    assert_eq!(routes, [("#1 911 → #alerts · @Dispatch".to_owned(), 1), ("#2 all → #lobby · server 2".to_owned(), 2)]);
    assert_eq!(bot.typing("test", json!({"event": "911", "route": "disp"}), "route").await.len(), 1);
    let servers = bot.typing("add", json!({"event": "911", "channel": bot.channel}), "server").await;
    assert_eq!(servers, [("Main Server (server 1)".to_owned(), 1), ("Event *night* (server 2)".to_owned(), 2)]);

    let removed = bot.alerts("remove", json!({"route": 1})).await;
    assert!(removed.starts_with("🗑️ Route #1 removed: 911 →"), "{removed}");
    let gone = bot.alerts("remove", json!({"route": 1})).await;
    assert_eq!(gone, "This server has no route #1: `/alerts list` shows them.");
    // Another guild's route isn't visible.
    let other = bot.sim.add_guild("Elsewhere");
    let place = bot.sim.add_channel(&other, "general", 0);
    assert!(bot.sim.slash(&place, None, "alerts", &["remove"], json!({"route": 2})).is_err(), "commands were registered in one guild only");
    assert_eq!(bot.routes().len(), 1);
}

#[tokio::test]
async fn names_fall_back_to_numbers_while_the_cad_is_down() {
    let bot = start().await;
    bot.cad.stop().await;
    assert_eq!(bot.typing("add", json!({}), "server").await, [("Server 1".to_owned(), 1)]);
}

#[tokio::test]
async fn a_preset_makes_its_routes_with_one_confirmation() {
    let bot = start().await;
    let answer = bot.alerts("preset", json!({"name": "essentials", "channel": bot.channel})).await;
    assert_eq!(answer.lines().filter(|line| line.starts_with('✅')).count(), 5, "{answer}");
    assert!(answer.ends_with("Try it with `/alerts test event:911`."), "{answer}");
    let posted = bot.posted(&bot.channel, "🔔 Alerts on: 5 kinds").await;
    let text = words(&posted);
    assert!(text.contains("emergency calls, civil calls, panic buttons"), "{text}");
    bot.sim.deny(&bot.lobby, SEND);
    let refused = bot.alerts("preset", json!({"name": "full", "channel": bot.lobby})).await;
    assert!(refused.contains("missing Send Messages"), "{refused}");
    assert_eq!(bot.routes().len(), 5);
}

#[tokio::test]
async fn a_test_takes_the_real_path_and_says_where_it_goes() {
    let bot = start_with(Plan { servers: vec![1, 2], ..Plan::default() }).await;
    let nowhere = bot.alerts("test", json!({"event": "911"})).await;
    assert_eq!(nowhere, "Nothing in this server listens to 911: add a route with `/alerts add event:911 channel:#your-channel`.");
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    bot.alerts("add", json!({"event": "911", "channel": bot.channel, "role": role, "server": 2})).await;
    let answer = bot.alerts("test", json!({"event": "911"})).await;
    assert_eq!(answer, format!("🧪 A test alert (911) is on its way to <#{}>. It pings nobody.", bot.channel));
    let alert = bot.posted(&bot.channel, "TEST").await;
    assert_eq!(alert["pinged"], json!([]));

    let answer = bot.alerts("test", json!({"event": "911", "route": 1, "full": true})).await;
    assert!(answer.ends_with("It pings as a real one would."), "{answer}");
    let pinged = |m: &Value| m["pinged"] == json!([format!("<@&{role}>")]);
    bot.sim.wait_message(&bot.channel, SOON, pinged).await.unwrap();

    let answer = bot.alerts("test", json!({"event": "panic", "route": 1})).await;
    assert_eq!(answer, "Route #1 listens to 911, not to panic: choose another event or route.");
    let answer = bot.alerts("test", json!({"event": "911", "route": 99})).await;
    assert_eq!(answer, "This server has no route #99: `/alerts list` shows them.");
    // "all" is no event.
    assert!(bot.sim.slash(&bot.lobby, None, "alerts", &["test"], json!({"event": "all"})).is_err());
}

#[tokio::test]
async fn the_commands_are_for_people_with_manage_server_and_for_guilds() {
    let bot = start().await;
    let names: Vec<String> = bot.sim.commands().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["alerts", "board", "cad", "duty", "unit", "call", "lookup", "911", "Add as CAD note"]);
    for command in bot.sim.commands() {
        // Supervisors run these; for actions in one's own name, the CAD is asked for permission.
        let needed = match command["name"].as_str().unwrap() {
            "duty" => json!((1_u64 << 40).to_string()),
            "unit" | "911" | "Add as CAD note" => json!(null),
            _ => json!(MANAGE_GUILD.to_string()),
        };
        assert_eq!(command["default_member_permissions"], needed, "{command}");
        assert_eq!(command["contexts"], json!([0]), "{command}");
    }
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    assert!(bot.sim.slash(&bot.lobby, Some(&visitor), "alerts", &["list"], json!({})).is_err());
    // All our terms are there.
    let alerts = bot.sim.commands().into_iter().find(|c| c["name"] == "alerts").unwrap();
    let option = |sub: &str, option: &str| {
        let sub = alerts["options"].as_array().unwrap().iter().find(|o| o["name"] == sub).unwrap().clone();
        sub["options"].as_array().unwrap().iter().find(|o| o["name"] == option).unwrap().clone()
    };
    let values =
        |option: &Value| option["choices"].as_array().unwrap().iter().map(|c| c["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let events = ["all", "911", "civil", "panic", "dispatch", "duty", "status", "record", "bolo", "station", "pager", "tone", "other"];
    assert_eq!(values(&option("add", "event")), events);
    assert_eq!(values(&option("test", "event")), events[1..]);
    assert_eq!(values(&option("add", "style")), ["card", "compact", "log", "public"]);
    assert_eq!(values(&option("preset", "name")), ["essentials", "full", "duty", "fire-ems", "records", "public"]);
    for command in ["add", "edit", "preset"] {
        assert_eq!(option(command, "channel")["channel_types"], json!([0, 5, 15]), "{command}");
    }
    assert_eq!(values(&option("ping", "when")), ["always", "priority-1", "no-dispatcher", "never"]);
    assert_eq!(values(&option("thread", "mode")), ["off", "on-first-note", "always"]);
    let cooldown = option("ping", "cooldown");
    assert_eq!((cooldown["min_value"].as_f64(), cooldown["max_value"].as_f64()), (Some(0.0), Some(3600.0)));
}
