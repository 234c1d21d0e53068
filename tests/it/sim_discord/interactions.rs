//! People run commands, type, click, choose, submit forms; the bot answers.

use super::client::{Bot, bot, bot_with, calm};
use super::*;

fn commands() -> Value {
    json!([
        {"name": "alerts", "description": "Alerts", "default_member_permissions": "32", "options": [
            {"type": 1, "name": "add", "description": "Add", "options": [
                {"type": 3, "name": "event", "description": "What", "required": true, "choices": [{"name": "Emergency", "value": "911"}]},
                {"type": 7, "name": "channel", "description": "Where", "channel_types": [0, 5]},
                {"type": 8, "name": "role", "description": "Whom"},
                {"type": 6, "name": "user", "description": "Who"},
                {"type": 4, "name": "count", "description": "How many", "min_value": 1, "max_value": 9},
                {"type": 5, "name": "quiet", "description": "Quiet"},
                {"type": 3, "name": "route", "description": "Route", "autocomplete": true, "max_length": 5}
            ]},
            {"type": 2, "name": "more", "description": "More", "options": [{"type": 1, "name": "list", "description": "List"}]}
        ]},
        {"name": "ping", "description": "Ping"},
        {"name": "import", "description": "Import", "options": [{"type": 11, "name": "file", "description": "F", "required": true}]},
        {"name": "admin", "description": "Admin", "default_member_permissions": "0"},
        {"type": 3, "name": "Make a note"},
        {"type": 2, "name": "Look up"}
    ])
}

#[tokio::test]
async fn commands_are_registered_as_discord_would() {
    let bot = bot().await;
    let app = bot.sim.application_id();
    let (global, guild) = (format!("/applications/{app}/commands"), format!("/applications/{app}/guilds/{}/commands", bot.guild));
    let mut stream = bot.sim.subscribe();
    let (status, first) = bot.call(Method::PUT, &global, json!([{"name": "ping", "description": "Ping"}])).await;
    assert_eq!(status, 200);
    let ping = &first[0];
    assert_eq!((&ping["application_id"], &ping["type"], &ping["dm_permission"]), (&json!(app), &json!(1), &json!(true)));
    assert!(ping["version"].is_string());
    assert_eq!(tokio::time::timeout(SOON, stream.recv()).await.unwrap().unwrap()["commands"], first);
    // The same name keeps its id, commands that aren't named are removed.
    let (_, second) =
        bot.call(Method::PUT, &global, json!([{"name": "ping", "description": "Pong"}, {"name": "help", "description": "Help"}])).await;
    assert_eq!((&second[0]["id"], &second[0]["description"]), (&ping["id"], &json!("Pong")));
    assert_ne!(second[0]["version"], ping["version"]);
    bot.call(Method::PUT, &global, json!([{"name": "help", "description": "Help"}])).await;
    assert_eq!(bot.get(&global).await.1.as_array().unwrap().len(), 1);
    // One by one, and separate from the guild's.
    let (status, one) = bot.call(Method::POST, &guild, json!({"name": "local", "description": "L"})).await;
    assert_eq!((status, &one["guild_id"]), (201, &json!(bot.guild)));
    let (status, same) = bot.call(Method::POST, &guild, json!({"name": "local", "description": "M"})).await;
    assert_eq!((status, &same["id"]), (200, &one["id"]));
    let path = format!("{guild}/{}", one["id"].as_str().unwrap());
    assert_eq!(bot.call(Method::PATCH, &path, json!({"description": "N"})).await.1["description"], "N");
    assert_eq!(bot.get(&path).await.1["description"], "N");
    assert_eq!(bot.sim.commands().len(), 2);
    bot.sim.wait_command("local", SOON).await.unwrap();
    assert_eq!(bot.call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(bot.get(&path).await.1["code"], 10063);
    assert_eq!(bot.get("/applications/5/commands").await.0, 403);
    let option = |kind: u64, name: &str, more: Value| {
        let mut value = json!({"type": kind, "name": name, "description": "d"});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    let choices = |n: usize| json!({"choices": (0..n).map(|i| json!({"name": i.to_string(), "value": i.to_string()})).collect::<Vec<_>>()});
    let with = |options: Vec<Value>| json!({"name": "x", "description": "d", "options": options});
    let plain = |n: usize| (0..n).map(|i| option(3, &i.to_string(), json!({}))).collect::<Vec<_>>();
    let refused = [
        (json!({"name": "Upper", "description": "d"}), "0/name", "APPLICATION_COMMAND_INVALID_NAME"),
        (json!({"name": "a b", "description": "d"}), "0/name", "APPLICATION_COMMAND_INVALID_NAME"),
        (json!({"name": "x".repeat(33), "description": "d"}), "0/name", "BASE_TYPE_MAX_LENGTH"),
        (json!({"name": "x"}), "0/description", "BASE_TYPE_REQUIRED"),
        (json!({"name": "x", "description": "d".repeat(101)}), "0/description", "BASE_TYPE_MAX_LENGTH"),
        (json!({"name": "x", "description": "d", "name_localizations": {"xx": "y"}}), "0/name_localizations", "ENUM_TYPE_COERCE"),
        (json!({"name": "x", "description": "d", "name_localizations": {"de": "Y"}}), "0/name_localizations/de", "APPLICATION_COMMAND_INVALID_NAME"),
        (json!({"name": "x", "description": "d", "description_localizations": {"de": ""}}), "0/description_localizations/de", "BASE_TYPE_BAD_LENGTH"),
        (json!({"name": "x", "description": "d", "default_member_permissions": "all"}), "0/default_member_permissions", "NUMBER_TYPE_COERCE"),
        (json!({"type": 2, "name": "x", "description": "d"}), "0/description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION"),
        (with(plain(26)), "0/options", "BASE_TYPE_BAD_LENGTH"),
        (with(vec![option(3, "a", json!({})), option(3, "a", json!({}))]), "0/options/1", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"),
        (with(vec![option(3, "a", json!({})), option(3, "b", json!({"required": true}))]), "0/options/1", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"),
        (with(vec![option(3, "a", choices(26))]), "0/options/0/choices", "BASE_TYPE_BAD_LENGTH"),
        (with(vec![option(4, "a", choices(1))]), "0/options/0/choices/0/value", "BASE_TYPE_BAD_TYPE"),
        (with(vec![option(1, "a", json!({})), option(3, "b", json!({}))]), "0/options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"),
        (with(vec![option(1, "a", json!({"options": [option(1, "b", json!({}))]}))]), "0/options/0/options/0/type", "BASE_TYPE_CHOICES"),
        (with(vec![option(99, "a", json!({}))]), "0/options/0/type", "BASE_TYPE_CHOICES"),
        (with((0..4).map(|n| option(3, &n.to_string(), json!({"choices": (0..25).map(|i| json!({"name": format!("{i:0>50}"), "value": format!("{i:0>50}")})).collect::<Vec<_>>()}))).collect()), "0", "APPLICATION_COMMAND_TOO_LARGE"),
    ];
    for (command, path, code) in refused {
        let refusal = bot.call(Method::PUT, &global, json!([command])).await.1;
        let errors = refusal["errors"].pointer(&format!("/{path}/_errors")).unwrap_or_else(|| panic!("nothing at {path}: {refusal}"));
        assert!(errors.as_array().unwrap().iter().any(|e| e["code"] == code), "{path}: {errors}");
    }
    let twice = json!([{"name": "x", "description": "d"}, {"name": "x", "description": "d"}]);
    assert_eq!(bot.call(Method::PUT, &global, twice).await.1["errors"]["1"]["_errors"][0]["code"], "APPLICATION_COMMANDS_DUPLICATE_NAME");
    let many: Vec<Value> = (0..101).map(|n| json!({"name": n.to_string(), "description": "d"})).collect();
    assert_eq!(bot.call(Method::PUT, &global, json!(many)).await.1["code"], 30032);
}

#[tokio::test]
async fn a_slash_command_arrives_with_all_its_fields() {
    let bot = bot().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let ana = bot.sim.add_member(&bot.guild, "Ana", 1 << 5, &[&role]);
    let mut gateway = bot.with_commands(commands()).await;
    let options = json!({"user": "Ana", "event": "Emergency", "channel": "#alerts", "role": role, "count": 3, "quiet": true});
    let sent = bot.sim.interact(json!({
        "do": "slash", "guild_id": bot.guild, "channel_id": bot.channel, "user_id": ana, "name": "alerts", "path": ["add"], "options": options, "locale": "de"
    }));
    let id = sent.await.unwrap()["interaction_id"].clone();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!((&event["id"], &event["type"], &event["locale"]), (&id, &json!(2), &json!("de")));
    for key in [
        "application_id",
        "token",
        "version",
        "guild_id",
        "channel_id",
        "entitlements",
        "attachment_size_limit",
        "app_permissions",
        "context",
        "authorizing_integration_owners",
    ] {
        assert!(!event[key].is_null(), "{key} is missing");
    }
    assert_eq!((&event["member"]["user"]["id"], &event["member"]["roles"]), (&json!(ana), &json!([role])));
    assert!(event["member"]["permissions"].as_str().unwrap().parse::<u64>().unwrap() & (1 << 5) != 0);
    let data = &event["data"];
    assert_eq!(data["name"], "alerts");
    // In the registration's order, by the registration's types.
    let sub = &data["options"][0];
    assert_eq!((&sub["name"], &sub["type"]), (&json!("add"), &json!(1)));
    assert_eq!(
        sub["options"],
        json!([
            {"name": "event", "type": 3, "value": "911"}, {"name": "channel", "type": 7, "value": bot.channel}, {"name": "role", "type": 8, "value": role},
            {"name": "user", "type": 6, "value": ana}, {"name": "count", "type": 4, "value": 3}, {"name": "quiet", "type": 5, "value": true}
        ])
    );
    assert_eq!(data["resolved"]["channels"][&bot.channel]["name"], "alerts");
    assert_eq!(data["resolved"]["roles"][&role]["name"], "Dispatch");
    assert_eq!(data["resolved"]["users"][&ana]["global_name"], "Ana");
    assert_eq!(data["resolved"]["members"][&ana]["roles"], json!([role]));
    bot.sim.slash(&bot.channel, None, "alerts", &["more", "list"], json!({})).unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!(event["data"]["options"], json!([{"name": "more", "type": 2, "options": [{"name": "list", "type": 1, "options": []}]}]));
    let said = bot.sim.say(&bot.channel, &ana, "note me").unwrap();
    bot.sim.send(&json!({"do": "menu", "channel_id": bot.channel, "name": "Make a note", "target_id": said})).unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!((&event["data"]["type"], &event["data"]["resolved"]["messages"][&said]["content"]), (&json!(3), &json!("note me")));
    bot.sim.send(&json!({"do": "menu", "channel_id": bot.channel, "name": "Look up", "target_id": ana})).unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!((&event["data"]["type"], &event["data"]["resolved"]["users"][&ana]["id"]), (&json!(2), &json!(ana)));
}

#[tokio::test]
async fn a_file_given_to_a_command_lies_where_its_address_says() {
    let bot = bot().await;
    let mut gateway = bot.with_commands(commands()).await;
    let given = |file: Value| bot.sim.slash(&bot.channel, None, "import", &[], json!({"file": file}));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (file, size, bytes) in [
        (json!({"name": "a.json", "content": "{\"ä\": 1}"}), 9, "{\"ä\": 1}".as_bytes()),
        (json!({"name": "b.bin", "base64": "AP8K"}), 3, &[0, 255, 10]),
    ] {
        given(file.clone()).unwrap();
        let data = gateway.event("INTERACTION_CREATE").await["data"].clone();
        let option = &data["options"][0];
        let attachment = &data["resolved"]["attachments"][option["value"].as_str().unwrap()];
        assert_eq!((&option["type"], &attachment["id"], &attachment["filename"]), (&json!(11), &option["value"], &file["name"]));
        assert_eq!((&attachment["size"], &attachment["ephemeral"]), (&json!(size), &json!(true)));
        let answer = http.get(attachment["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.bytes().await.unwrap()[..]), (200, bytes));
    }
    for wrong in [
        json!("a.json"),
        json!({"name": "a.json"}),
        json!({"content": "x"}),
        json!({"name": "../a", "content": "x"}),
        json!({"name": "a", "base64": "?"}),
        json!({"name": "a", "content": "x", "base64": "AP8K"}),
        json!({"name": "a", "content": "x".repeat(10 * 1024 * 1024 + 1)}),
    ] {
        assert!(given(wrong).unwrap_err().starts_with("option file: "));
    }
}

#[tokio::test]
async fn what_a_client_would_not_let_through_never_reaches_the_bot() {
    let bot = bot().await;
    let ana = bot.sim.add_member(&bot.guild, "Ana", 0, &[]);
    assert!(bot.sim.slash(&bot.channel, None, "ping", &[], json!({})).unwrap_err().contains("no command"));
    let mut gateway = bot.with_commands(commands()).await;
    let voice = bot.sim.add_channel(&bot.guild, "voice", 2);
    gateway.event("CHANNEL_CREATE").await;
    let ok = json!({"event": "911"});
    let slash = |user: Option<&str>, name: &str, path: &[&str], options: Value| {
        bot.sim.slash(&bot.channel, user, name, path, options).map(|p| p.id())
    };
    let cases = [
        (slash(Some(&ana), "alerts", &["add"], ok.clone()), "may not use"),
        (slash(Some(&ana), "admin", &[], json!({})), "may not use"),
        (slash(Some("77"), "ping", &[], json!({})), "not a member"),
        (slash(None, "alerts", &[], ok.clone()), "needs a sub-command"),
        (slash(None, "alerts", &["remove"], ok.clone()), "no sub-command"),
        (slash(None, "alerts", &["add"], json!({})), "event is required"),
        (slash(None, "alerts", &["add"], json!({"event": "x"})), "one of the choices"),
        (slash(None, "alerts", &["add"], json!({"event": "911", "nope": 1})), "no option nope"),
        (slash(None, "alerts", &["add"], json!({"event": "911", "count": 10})), "in range"),
        (slash(None, "alerts", &["add"], json!({"event": "911", "count": "many"})), "whole number"),
        (slash(None, "alerts", &["add"], json!({"event": "911", "channel": voice})), "known here"),
        (slash(None, "alerts", &["add"], json!({"event": "911", "role": "5"})), "known here"),
        (slash(None, "alerts", &["add"], json!({"event": "911", "route": "too long"})), "allowed length"),
        (bot.sim.slash("5", None, "ping", &[], json!({})).map(|p| p.id()), "no channel"),
        (bot.sim.autocomplete(&bot.channel, None, "alerts", &["add"], json!({}), "event").map(|p| p.id()), "no autocompletion"),
        (bot.sim.send(&json!({"do": "dance"})).map(|p| p.id()), "dance"),
    ];
    for (outcome, why) in cases {
        assert!(outcome.as_ref().is_err_and(|e| e.contains(why)), "{why}: {outcome:?}");
    }
    assert!(gateway.drain().await.is_empty());
    slash(Some(&ana), "ping", &[], json!({})).unwrap();
    slash(None, "admin", &[], json!({})).unwrap();
    gateway.close(1000).await;
    assert!(bot.sim.slash(&bot.channel, None, "ping", &[], json!({})).unwrap_err().contains("no bot is connected"));
}

/// A `/ping` sent by the owner, and its event.
async fn ping(bot: &Bot, gateway: &mut super::client::Gateway) -> (Pending, Value) {
    let pending = bot.sim.slash(&bot.channel, None, "ping", &[], json!({})).unwrap();
    (pending, gateway.event("INTERACTION_CREATE").await)
}

#[tokio::test]
async fn a_reply_is_a_message_and_comes_once() {
    let bot = bot().await;
    let mut gateway = bot.with_commands(commands()).await;
    let (pending, event) = ping(&bot, &mut gateway).await;
    // A rejected answer can be retried.
    let (status, refusal) = bot.callback(&event, json!({"type": 4, "data": {"content": "x".repeat(2001)}})).await;
    assert_eq!((status, &refusal["code"]), (400, &json!(50035)));
    for wrong in [6, 7, 8, 99] {
        assert_eq!(bot.callback(&event, json!({"type": wrong, "data": {}})).await.1["code"], 50035, "type {wrong}");
    }
    let everyone = json!({"type": 4, "data": {"content": "pong @everyone", "allowed_mentions": {"parse": []}}});
    assert_eq!(bot.callback(&event, everyone).await, (204, Value::Null));
    let reply = pending.reply(SOON).await.unwrap();
    assert_eq!(
        (&reply["content"], &reply["pinged"], &reply["application_id"]),
        (&json!("pong @everyone"), &json!([]), &json!(bot.sim.application_id()))
    );
    assert_eq!(reply["interaction_metadata"]["id"], json!(pending.id()));
    assert_eq!(pending.acknowledged(SOON).await, Ok(4));
    assert_eq!(bot.seen().len(), 1);
    let again = bot.callback(&event, json!({"type": 4, "data": {"content": "again"}})).await;
    assert_eq!(again, (400, json!({"message": "Interaction has already been acknowledged.", "code": 40060})));
    // The webhook: original, its edit, a follow-up, both deleted.
    let original = bot.webhook(&event, "/messages/@original");
    assert_eq!(bot.get(&original).await.1["id"], reply["id"]);
    assert_eq!(bot.call(Method::PATCH, &original, json!({"content": "edited"})).await.1["content"], "edited");
    assert_eq!(pending.wait_reply_where(SOON, |m| m["content"] == "edited").await.unwrap()["id"], reply["id"]);
    let (status, more) = bot.call(Method::POST, &bot.webhook(&event, ""), json!({"content": "more"})).await;
    assert_eq!((status, bot.seen().len()), (200, 2));
    let posted = bot.post(json!({"content": "a card"})).await;
    let foreign = bot.webhook(&event, &format!("/messages/{}", posted["id"].as_str().unwrap()));
    assert_eq!(bot.call(Method::DELETE, &foreign, Value::Null).await.1["code"], 10008, "the token reaches its own messages only");
    assert!(bot.sim.delete_message(&bot.channel, posted["id"].as_str().unwrap()));
    let one = bot.webhook(&event, &format!("/messages/{}", more["id"].as_str().unwrap()));
    assert_eq!(bot.call(Method::DELETE, &one, Value::Null).await.0, 204);
    assert_eq!(bot.call(Method::DELETE, &original, Value::Null).await.0, 204);
    assert_eq!(bot.get(&original).await.1["code"], 10008);
    assert!(bot.seen().is_empty());
    // It needs no permission in the channel.
    bot.sim.deny(&bot.channel, 1 << 11);
    let (_, event) = ping(&bot, &mut gateway).await;
    let answer = bot.request(
        Method::POST,
        &format!("/interactions/{}/{}/callback?with_response=true", event["id"].as_str().unwrap(), event["token"].as_str().unwrap()),
    );
    let (status, value) = super::client::read(answer.json(&json!({"type": 4, "data": {"content": "hi"}})).send().await.unwrap()).await;
    assert_eq!((status, &value["resource"]["message"]["content"]), (200, &json!("hi")));
}

#[tokio::test]
async fn a_deferred_reply_shows_once_it_has_content() {
    let bot = bot().await;
    let mut gateway = bot.with_commands(commands()).await;
    for by_edit in [true, false] {
        let mut stream = bot.sim.subscribe();
        let (pending, event) = ping(&bot, &mut gateway).await;
        assert_eq!(bot.call(Method::POST, &bot.webhook(&event, ""), json!({"content": "early"})).await.1["code"], 10015);
        assert_eq!(bot.callback(&event, json!({"type": 5, "data": {"flags": 64}})).await.0, 204);
        assert!(pending.reply(Duration::from_millis(50)).await.is_err(), "thinking is no answer");
        let item = stream.recv().await.unwrap();
        assert_eq!((&item["type"], &item["ephemeral"], &item["edited"]), (&json!("INTERACTION_REPLY"), &json!(true), &json!(false)));
        assert_eq!(item["message"]["flags"], 64 | 128);
        let (path, method) = if by_edit { ("/messages/@original", Method::PATCH) } else { ("", Method::POST) };
        let (status, done) = bot.call(method, &bot.webhook(&event, path), json!({"content": "done"})).await;
        assert_eq!((status, &done["content"], &done["flags"]), (200, &json!("done"), &json!(64)));
        assert_eq!(pending.reply(SOON).await.unwrap()["content"], "done");
        let item = stream.recv().await.unwrap();
        assert_eq!(
            (&item["edited"], &item["interaction_id"], &item["user_id"]),
            (&json!(true), &json!(pending.id()), &json!(bot.sim.owner_id(&bot.guild)))
        );
    }
    assert!(bot.seen().is_empty(), "private replies are not in the channel");
    let read = bot.get(&format!("/channels/{}/messages", bot.channel)).await;
    assert_eq!(read.1, json!([]));
}

#[tokio::test]
async fn an_interaction_dies_of_old_age() {
    let bot = bot().await;
    let mut gateway = bot.with_commands(commands()).await;
    let (_, event) = ping(&bot, &mut gateway).await;
    let mut forged = event.clone();
    forged["token"] = json!("forged");
    assert_eq!(bot.callback(&forged, json!({"type": 5})).await.1["code"], 10062);
    bot.sim.advance(3_001);
    assert_eq!(bot.callback(&event, json!({"type": 5})).await, (404, json!({"message": "Unknown interaction", "code": 10062})));
    let (_, event) = ping(&bot, &mut gateway).await;
    assert_eq!(bot.callback(&event, json!({"type": 5})).await.0, 204);
    bot.sim.advance(14 * 60 * 1000);
    assert_eq!(bot.call(Method::PATCH, &bot.webhook(&event, "/messages/@original"), json!({"content": "slow"})).await.0, 200);
    bot.sim.advance(60 * 1000 + 1);
    let (status, refusal) = bot.call(Method::POST, &bot.webhook(&event, ""), json!({"content": "late"})).await;
    assert_eq!((status, &refusal["code"]), (401, &json!(50027)));
    assert_eq!(bot.call(Method::POST, "/webhooks/1/nobody", json!({"content": "x"})).await.1["code"], 10015);
}

#[tokio::test]
async fn autocompletion_gives_choices() {
    let bot = bot_with(calm()).await;
    let mut gateway = bot.with_commands(commands()).await;
    let action = json!({
        "do": "autocomplete", "channel_id": bot.channel, "name": "alerts", "path": ["add"], "options": {"event": "911", "route": "too long to send"}, "focused": "route"
    });
    let (typed, ()) = tokio::join!(bot.sim.interact(action), async {
        let event = gateway.event("INTERACTION_CREATE").await;
        assert_eq!(event["type"], 4);
        assert_eq!(
            event["data"]["options"][0]["options"][1],
            json!({"name": "route", "type": 3, "value": "too long to send", "focused": true})
        );
        let choices = |n: usize| json!({"type": 8, "data": {"choices": (0..n).map(|i| json!({"name": i.to_string(), "value": i.to_string()})).collect::<Vec<_>>()}});
        assert_eq!(bot.callback(&event, choices(26)).await.1["code"], 50035);
        assert_eq!(
            bot.callback(&event, json!({"type": 8, "data": {"choices": [{"name": "x".repeat(101), "value": "v"}]}})).await.1["code"],
            50035
        );
        assert_eq!(bot.callback(&event, json!({"type": 4, "data": {"content": "x"}})).await.1["code"], 50035);
        assert_eq!(bot.callback(&event, choices(25)).await.0, 204);
    });
    assert_eq!(typed.unwrap()["choices"].as_array().unwrap().len(), 25);
}

#[tokio::test]
async fn buttons_lists_and_forms_go_round() {
    let bot = bot().await;
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let ana = bot.sim.add_member(&bot.guild, "Ana", 0, &[]);
    let mut gateway = bot.with_commands(commands()).await;
    let list = |kind: u64, id: &str, more: Value| {
        let mut value = json!({"type": kind, "custom_id": id, "min_values": 1, "max_values": 2});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": 1, "components": [value]})
    };
    let button = |id: &str, disabled: bool| json!({"type": 2, "style": 1, "label": id, "custom_id": id, "disabled": disabled});
    let message = bot
        .post(json!({"content": "panel", "components": [
            {"type": 1, "components": [button("go", false), button("off", true)]},
            list(3, "pick", json!({"options": [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]})),
            list(5, "who", json!({})), list(6, "role", json!({})), list(8, "where", json!({"channel_types": [0]}))
        ]}))
        .await;
    let id = message["id"].as_str().unwrap();
    assert_eq!(DiscordSim::custom_ids(&message), ["go", "off", "pick", "who", "role", "where"]);
    for (outcome, why) in [
        (bot.sim.click(id, None, "off"), "disabled"),
        (bot.sim.click(id, None, "none"), "no component"),
        (bot.sim.click(id, None, "pick"), "select from it"),
        (bot.sim.select(id, None, "go", &["a"]), "click it"),
        (bot.sim.select(id, None, "pick", &["c"]), "cannot be chosen"),
        (bot.sim.select(id, None, "pick", &[]), "allowed are 1 to 2"),
        (bot.sim.select(id, None, "who", &["5"]), "cannot be chosen"),
        (bot.sim.click("5", None, "go"), "no message"),
    ] {
        assert!(outcome.as_ref().is_err_and(|e| e.contains(why)), "{why}: {outcome:?}");
    }
    for (name, values, resolved) in
        [("who", [ana.as_str()], "users"), ("role", [role.as_str()], "roles"), ("where", [bot.channel.as_str()], "channels")]
    {
        bot.sim.select(id, Some(&ana), name, &values).unwrap();
        let event = gateway.event("INTERACTION_CREATE").await;
        assert_eq!((&event["type"], &event["data"]["values"], &event["message"]["id"]), (&json!(3), &json!(values), &message["id"]));
        assert!(event["data"]["resolved"][resolved][values[0]].is_object(), "{resolved}");
    }
    // 7: the panel itself changes.
    let pending = bot.sim.select(id, None, "pick", &["a", "b"]).unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!((&event["data"]["component_type"], &event["data"]["values"]), (&json!(3), &json!(["a", "b"])));
    assert_eq!(bot.callback(&event, json!({"type": 7, "data": {"content": "picked"}})).await.0, 204);
    assert_eq!(pending.reply(SOON).await.unwrap()["content"], "picked");
    assert_eq!(bot.seen()[0]["content"], "picked");
    // 6: nothing yet; then @original is the panel.
    let pending = bot.sim.click(id, None, "go").unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!(bot.callback(&event, json!({"type": 6})).await.0, 204);
    assert_eq!(
        bot.call(Method::PATCH, &bot.webhook(&event, "/messages/@original"), json!({"content": "later"})).await.1["id"],
        message["id"]
    );
    assert_eq!(pending.reply(SOON).await.unwrap()["content"], "later");
    // 4 with a private reply, whose own button only its reader sees.
    let pending = bot.sim.click(id, Some(&ana), "go").unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    let private =
        json!({"type": 4, "data": {"content": "for you", "flags": 64, "components": [{"type": 1, "components": [button("mine", false)]}]}});
    assert_eq!(bot.callback(&event, private).await.0, 204);
    let reply = pending.reply(SOON).await.unwrap();
    let private_id = reply["id"].as_str().unwrap();
    assert!(bot.sim.click(private_id, Some(&bot.sim.owner_id(&bot.guild)), "mine").unwrap_err().contains("does not see"));
    assert_eq!(bot.get(&format!("/channels/{}/messages/{private_id}", bot.channel)).await.1["code"], 10008);
    // 9: a form, and its submission.
    let opened = bot.sim.click(private_id, None, "mine").unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!(event["member"]["user"]["id"], json!(ana), "who sees it clicks it");
    let input = |id: &str, more: Value| {
        let mut value = json!({"type": 4, "custom_id": id, "label": id, "style": 1});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": 1, "components": [value]})
    };
    let form = |rows: Vec<Value>| json!({"type": 9, "data": {"custom_id": "form", "title": "Form", "components": rows}});
    for wrong in [
        form(vec![]),
        form((0..6).map(|n| input(&n.to_string(), json!({}))).collect()),
        form(vec![input("a", json!({"label": "x".repeat(46)}))]),
        form(vec![input("a", json!({"style": 3}))]),
        form(vec![input("a", json!({})), input("a", json!({}))]),
        json!({"type": 9, "data": {"custom_id": "form", "title": "x".repeat(46), "components": [input("a", json!({}))]}}),
    ] {
        assert_eq!(bot.callback(&event, wrong.clone()).await.1["code"], 50035, "{wrong}");
    }
    let mut stream = bot.sim.subscribe();
    let rows = vec![input("why", json!({"max_length": 5})), input("note", json!({"required": false, "value": "preset"}))];
    assert_eq!(bot.callback(&event, form(rows)).await.0, 204);
    assert_eq!(opened.reply(SOON).await.unwrap()["custom_id"], "form");
    let item = stream.recv().await.unwrap();
    assert_eq!((&item["type"], &item["interaction_id"], &item["modal"]["title"]), (&json!("MODAL"), &json!(opened.id()), &json!("Form")));
    for (fields, why) in
        [(json!({}), "required"), (json!({"why": "too long"}), "too few or too many"), (json!({"why": "x", "nope": "y"}), "no field nope")]
    {
        assert!(bot.sim.submit(&opened, fields).is_err_and(|e| e.contains(why)), "{why}");
    }
    let submitted = bot.sim.interact(json!({"do": "modal", "custom_id": "form", "fields": {"why": "so"}})).await.unwrap();
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!((&event["id"], &event["type"], &event["data"]["custom_id"]), (&submitted["interaction_id"], &json!(5), &json!("form")));
    assert_eq!(event["data"]["components"][0]["components"][0], json!({"type": 4, "custom_id": "why", "value": "so"}));
    assert_eq!(event["data"]["components"][1]["components"][0]["value"], "preset");
    assert_eq!(event["message"]["id"], private_id);
    assert_eq!(bot.callback(&event, json!({"type": 9, "data": {}})).await.1["code"], 50035, "no form after a form");
    assert_eq!(bot.callback(&event, json!({"type": 7, "data": {"content": "thanks", "components": []}})).await.0, 204);
    assert_eq!(bot.sim.edits(private_id).last().unwrap()["content"], "thanks");
}
