//! Messages, threads, history, permissions, mentions, nonces, rejections.

use super::client::{TOKEN, bot, bot_with, calm, read};
use super::*;

#[tokio::test]
async fn it_starts_on_a_free_port_and_stops_for_good() {
    let bot = bot().await;
    assert!(bot.sim.url().starts_with("http://127.0.0.1:"));
    let (status, gateway) = bot.get("/gateway/bot").await;
    assert_eq!((status, &gateway["shards"]), (200, &json!(1)));
    assert!(gateway["url"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
    assert!(gateway["session_start_limit"]["remaining"].as_u64().unwrap() > 0);
    let address = bot.sim.url().trim_start_matches("http://").to_owned();
    bot.sim.stop().await;
    assert!(std::net::TcpStream::connect(&address).is_err(), "still listening after stop");
    // The same when the last handle is dropped.
    let other = super::client::bot().await;
    let address = other.sim.url().trim_start_matches("http://").to_owned();
    drop(other);
    let gone = async {
        while tokio::net::TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("still listening after drop");
}

#[tokio::test]
async fn only_the_right_token_is_let_in() {
    let bot = bot().await;
    for wrong in [None, Some("Bot other".to_owned()), Some(TOKEN.to_owned()), Some(format!("Bearer {TOKEN}"))] {
        let mut request = bot.http.get(format!("{}/api/v10/users/@me", bot.sim.url()));
        if let Some(wrong) = &wrong {
            request = request.header("Authorization", wrong);
        }
        assert_eq!(read(request.send().await.unwrap()).await, (401, json!({"message": "401: Unauthorized", "code": 0})), "{wrong:?}");
    }
    assert_eq!(bot.sim.invalid_requests(), 4);
    let public = bot.http.get(format!("{}/api/v10/gateway", bot.sim.url())).send().await.unwrap();
    assert_eq!(public.status(), 200);
}

#[tokio::test]
async fn the_bot_learns_who_and_where_it_is() {
    let bot = bot().await;
    let me = bot.get("/users/@me").await.1;
    assert_eq!((me["id"].as_str().unwrap(), &me["bot"]), (bot.sim.bot_id().as_str(), &json!(true)));
    for path in ["/applications/@me", "/oauth2/applications/@me"] {
        let application = bot.get(path).await.1;
        assert_eq!(application["id"], json!(bot.sim.application_id()));
        assert_eq!(application["owner"]["id"], json!(bot.sim.owner_id(&bot.guild)));
    }
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0x12_34_56);
    let guild = bot.get(&format!("/guilds/{}", bot.guild)).await.1;
    assert_eq!((&guild["name"], guild["roles"].as_array().unwrap().len()), (&json!("Los Santos"), 3));
    let roles = bot.get(&format!("/guilds/{}/roles", bot.guild)).await.1;
    let dispatch = roles.as_array().unwrap().iter().find(|r| r["id"] == json!(role)).unwrap();
    assert_eq!((&dispatch["color"], &dispatch["colors"]["primary_color"]), (&json!(0x12_34_56), &json!(0x12_34_56)));
    let channels = bot.get(&format!("/guilds/{}/channels", bot.guild)).await.1;
    assert_eq!(channels[0]["name"], "alerts");
    let member = bot.get(&format!("/guilds/{}/members/{}", bot.guild, bot.sim.bot_id())).await.1;
    assert_eq!(member["user"]["id"], json!(bot.sim.bot_id()));
    assert_eq!(bot.get("/guilds/1").await.1["code"], 10004);
    assert_eq!(bot.get(&format!("/guilds/{}/members/1", bot.guild)).await.1["code"], 10007);
    assert_eq!(bot.get("/guilds/x").await.1["code"], 50035);
    assert_eq!(bot.get("/nowhere").await.0, 404);
}

#[tokio::test]
async fn ids_are_snowflakes_of_their_moment_and_always_grow() {
    let moment = 1_700_000_000_000_i64;
    let bot = bot_with(DiscordOptions { now: std::sync::Arc::new(move || moment), ..calm() }).await;
    let first = bot.post(json!({"content": "a"})).await;
    let second = bot.post(json!({"content": "b"})).await;
    let id = |m: &Value| m["id"].as_str().unwrap().parse::<i64>().unwrap();
    assert!(id(&second) > id(&first));
    assert_eq!((id(&first) >> 22) + 1_420_070_400_000, moment);
    assert_eq!(first["timestamp"], "2023-11-14T22:13:20.000000+00:00");
}

#[tokio::test]
async fn a_message_is_made_changed_read_and_deleted() {
    let bot = bot().await;
    let made = bot.post(json!({"content": "  hi  ", "embeds": [{"title": "T", "fields": [{"name": "n", "value": "v"}], "timestamp": "2026-01-02T03:04:05Z"}]})).await;
    assert_eq!(
        (&made["content"], &made["edited_timestamp"], &made["author"]["id"]),
        (&json!("hi"), &Value::Null, &json!(bot.sim.bot_id()))
    );
    assert_eq!(made["embeds"][0]["type"], "rich");
    assert_eq!(made["embeds"][0]["fields"][0]["inline"], false);
    assert_eq!(made["embeds"][0]["timestamp"], "2026-01-02T03:04:05.000000+00:00");
    let path = format!("/channels/{}/messages/{}", bot.channel, made["id"].as_str().unwrap());
    let (status, changed) = bot.call(Method::PATCH, &path, json!({"content": "new"})).await;
    assert_eq!((status, &changed["content"], &changed["embeds"]), (200, &json!("new"), &made["embeds"]));
    assert!(changed["edited_timestamp"].is_string());
    assert_eq!(bot.get(&path).await.1, changed);
    let versions = bot.sim.edits(made["id"].as_str().unwrap());
    assert_eq!(versions.iter().map(|v| v["content"].as_str().unwrap()).collect::<Vec<_>>(), ["hi", "new"]);
    // Removing everything is rejected; deleting isn't.
    assert_eq!(bot.call(Method::PATCH, &path, json!({"content": "", "embeds": []})).await.1["code"], 50006);
    assert_eq!(bot.call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(bot.get(&path).await, (404, json!({"message": "Unknown Message", "code": 10008})));
    assert_eq!(bot.call(Method::PATCH, &path, json!({"content": "x"})).await.1["code"], 10008);
    let last = bot.sim.requests().pop().unwrap();
    assert_eq!((&last["method"], &last["status"], &last["body"]["content"]), (&json!("PATCH"), &json!(404), &json!("x")));
    assert!(last["at_ms"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn other_peoples_messages_are_theirs() {
    let bot = bot().await;
    let said = bot.sim.say(&bot.channel, &bot.sim.owner_id(&bot.guild), "mine").unwrap();
    let path = format!("/channels/{}/messages/{said}", bot.channel);
    assert_eq!(bot.call(Method::PATCH, &path, json!({"content": "x"})).await.1["code"], 50005);
    assert_eq!(bot.call(Method::DELETE, &path, Value::Null).await.1["code"], 50013);
    bot.sim.allow(&bot.channel, 1 << 13);
    assert_eq!(bot.call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert!(bot.sim.say("1", "2", "x").is_err());
}

#[tokio::test]
async fn history_is_newest_first_and_can_be_walked() {
    let bot = bot().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(bot.post(json!({"content": n.to_string()})).await["id"].as_str().unwrap().to_owned());
    }
    let read = async |search: &str| -> String {
        let (status, all) = bot.get(&format!("/channels/{}/messages?{search}", bot.channel)).await;
        assert_eq!(status, 200, "{all}");
        all.as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect()
    };
    assert_eq!(read("").await, "543210");
    assert_eq!(read("limit=2").await, "54");
    assert_eq!(read(&format!("limit=2&before={}", ids[3])).await, "21");
    assert_eq!(read(&format!("limit=2&after={}", ids[1])).await, "32");
    assert_eq!(read(&format!("limit=3&around={}", ids[2])).await, "321");
    for bad in ["limit=0", "limit=101", "limit=x", "before=x"] {
        assert_eq!(bot.get(&format!("/channels/{}/messages?{bad}", bot.channel)).await.1["code"], 50035, "{bad}");
    }
    bot.sim.deny(&bot.channel, 1 << 16);
    assert_eq!(read("").await, "", "without READ_MESSAGE_HISTORY the channel looks empty");
    assert_eq!(bot.get(&format!("/channels/{}/messages/{}", bot.channel, ids[0])).await.1["code"], 50013);
}

#[tokio::test]
async fn permissions_come_from_roles_and_overwrites() {
    let bot = bot().await;
    let embed = json!({"embeds": [{"title": "x"}]});
    bot.sim.deny(&bot.channel, 1 << 14);
    assert_eq!(bot.refused(embed.clone()).await, (403, json!({"message": "Missing Permissions", "code": 50013})));
    bot.post(json!({"content": "plain text still goes"})).await;
    bot.sim.allow(&bot.channel, 1 << 14);
    bot.post(embed).await;
    bot.sim.deny(&bot.channel, 1 << 11);
    assert_eq!(bot.refused(json!({"content": "x"})).await.1["code"], 50013);
    bot.sim.deny(&bot.channel, 1 << 10);
    assert_eq!(bot.refused(json!({"content": "x"})).await, (403, json!({"message": "Missing Access", "code": 50001})));
    assert_eq!(bot.get(&format!("/channels/{}", bot.channel)).await.1["code"], 50001);
    assert_eq!(bot.get("/channels/1").await, (404, json!({"message": "Unknown Channel", "code": 10003})));
    assert!(bot.sim.delete_channel(&bot.channel));
    assert_eq!(bot.refused(json!({"content": "x"})).await.1["code"], 10003);
    let forum = bot.sim.add_channel(&bot.guild, "calls", 15);
    assert_eq!(bot.call(Method::POST, &format!("/channels/{forum}/messages"), json!({"content": "x"})).await.1["code"], 50008);
    assert_eq!(bot.sim.invalid_requests(), 4);
}

#[tokio::test]
async fn whatever_breaks_a_limit_is_refused_at_its_place() {
    let bot = bot().await;
    let long = |n: usize| "x".repeat(n);
    let field = json!({"name": "n", "value": "v"});
    let button = |id: &str| json!({"type": 2, "style": 1, "label": "b", "custom_id": id});
    let row = |inner: Value| json!({"content": "c", "components": [{"type": 1, "components": inner}]});
    let select = |options: Vec<Value>| row(json!([{"type": 3, "custom_id": "s", "options": options}]));
    let choice = |n: usize| json!({"label": n.to_string(), "value": n.to_string()});
    let buttons = |n: usize| (0..n).map(|i| button(&i.to_string())).collect::<Vec<_>>();
    let cases = [
        (json!({"content": long(2001)}), "content", "BASE_TYPE_MAX_LENGTH"),
        // 1001 characters of two UTF-16 units each.
        (json!({"content": "😀".repeat(1001)}), "content", "BASE_TYPE_MAX_LENGTH"),
        (json!({"content": 5}), "content", "STRING_TYPE_CONVERT"),
        (json!({"embeds": vec![json!({"title": "t"}); 11]}), "embeds", "BASE_TYPE_BAD_LENGTH"),
        (json!({"embeds": [{"title": long(257)}]}), "embeds/0/title", "BASE_TYPE_MAX_LENGTH"),
        (json!({"embeds": [{"description": long(4097)}]}), "embeds/0/description", "BASE_TYPE_MAX_LENGTH"),
        (json!({"embeds": [{"fields": vec![field.clone(); 26]}]}), "embeds/0/fields", "BASE_TYPE_BAD_LENGTH"),
        (json!({"embeds": [{"fields": [field, {"name": "n", "value": " "}]}]}), "embeds/0/fields/1/value", "BASE_TYPE_REQUIRED"),
        (json!({"embeds": [{"fields": [{"value": "v"}]}]}), "embeds/0/fields/0/name", "BASE_TYPE_REQUIRED"),
        (json!({"embeds": [{"fields": [{"name": long(257), "value": "v"}]}]}), "embeds/0/fields/0/name", "BASE_TYPE_MAX_LENGTH"),
        (json!({"embeds": [{"fields": [{"name": "n", "value": long(1025)}]}]}), "embeds/0/fields/0/value", "BASE_TYPE_MAX_LENGTH"),
        (json!({"embeds": [{"footer": {"text": long(2049)}}]}), "embeds/0/footer/text", "BASE_TYPE_MAX_LENGTH"),
        (json!({"embeds": [{"author": {"name": long(257)}}]}), "embeds/0/author/name", "BASE_TYPE_MAX_LENGTH"),
        (json!({"embeds": [{"title": "t", "url": "javascript:x"}]}), "embeds/0/url", "URL_TYPE_INVALID_SCHEME"),
        (json!({"embeds": [{"image": {"url": "no"}}]}), "embeds/0/image/url", "URL_TYPE_INVALID_URL"),
        (json!({"embeds": [{"title": "t", "color": 0x0100_0000}]}), "embeds/0/color", "NUMBER_TYPE_MAX"),
        (json!({"embeds": [{"title": "t", "timestamp": "yesterday"}]}), "embeds/0/timestamp", "DATE_TIME_TYPE_PARSE"),
        (json!({"embeds": [{"description": long(4000)}, {"description": long(2001)}]}), "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
        (json!({"content": "c", "nonce": long(26)}), "nonce", "NONCE_TYPE_TOO_LONG"),
        (
            json!({"content": "c", "components": vec![json!({"type": 1, "components": [{"type": 2, "style": 5, "label": "l", "url": "https://x.y"}]}); 6]}),
            "components",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (json!({"content": "c", "components": [button("a")]}), "components/0/type", "UNION_TYPE_CHOICES"),
        (row(json!(buttons(6))), "components/0/components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
        (row(json!([])), "components/0/components", "BASE_TYPE_BAD_LENGTH"),
        (row(json!([button("a"), button("a")])), "components/0/components/1/custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
        (row(json!([button(&long(101))])), "components/0/components/0/custom_id", "BASE_TYPE_MAX_LENGTH"),
        (row(json!([{"type": 2, "style": 1, "label": "b"}])), "components/0/components/0/custom_id", "BASE_TYPE_REQUIRED"),
        (
            row(json!([{"type": 2, "style": 1, "label": long(81), "custom_id": "a"}])),
            "components/0/components/0/label",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (row(json!([{"type": 2, "style": 1, "custom_id": "a"}])), "components/0/components/0", "BUTTON_COMPONENT_MISSING_LABEL_EMOJI"),
        (row(json!([{"type": 2, "style": 5, "label": "l"}])), "components/0/components/0/url", "BASE_TYPE_REQUIRED"),
        (select((0..26).map(choice).collect()), "components/0/components/0/options", "BASE_TYPE_BAD_LENGTH"),
        (select(vec![]), "components/0/components/0/options", "BASE_TYPE_BAD_LENGTH"),
        (select(vec![choice(1), choice(1)]), "components/0/components/0/options/1/value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED"),
        (
            json!({"content": "c", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}),
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (json!({"content": "c", "allowed_mentions": {"parse": ["all"]}}), "allowed_mentions/parse/0", "BASE_TYPE_CHOICES"),
        (json!({"content": "c", "flags": 1 << 15}), "flags", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"),
    ];
    for (body, path, code) in cases {
        let (status, refusal) = bot.refused(body).await;
        assert_eq!((status, &refusal["code"], &refusal["message"]), (400, &json!(50035), &json!("Invalid Form Body")), "{path}");
        let errors = refusal["errors"].pointer(&format!("/{path}/_errors")).unwrap_or_else(|| panic!("nothing at {path}: {refusal}"));
        assert!(errors.as_array().unwrap().iter().any(|e| e["code"] == code), "{path}: {errors}");
    }
    for empty in
        [json!({}), json!({"content": "  "}), json!({"embeds": [{}]}), json!({"components": [{"type": 1, "components": [button("a")]}]})]
    {
        assert_eq!(bot.refused(empty).await, (400, json!({"message": "Cannot send an empty message", "code": 50006})));
    }
    let broken =
        bot.request(Method::POST, &format!("/channels/{}/messages", bot.channel)).body("{").header("Content-Type", "application/json");
    assert_eq!(read(broken.send().await.unwrap()).await.1["code"], 50109);
    assert!(bot.seen().is_empty());
    // Right at the limits everything passes.
    bot.post(json!({"content": long(2000)})).await;
    bot.post(json!({"content": "c", "components": vec![json!({"type": 1, "components": [{"type": 2, "style": 5, "label": "l", "url": "https://x.y"}]}); 5]})).await;
    bot.post(row(json!(buttons(5)))).await;
    bot.post(select((0..25).map(choice).collect())).await;
    bot.post(json!({"embeds": [{"title": long(256), "description": long(4096), "footer": {"text": long(1648)}}]})).await;
    bot.post(json!({"flags": 1 << 15, "components": [{"type": 17, "components": [{"type": 10, "content": "text"}]}]})).await;
}

#[tokio::test]
async fn files_are_kept_listed_and_served() {
    let bot = bot().await;
    let part =
        |bytes: &'static [u8], name: &'static str| reqwest::multipart::Part::bytes(bytes).file_name(name).mime_str("image/png").unwrap();
    let payload = json!({
        "attachments": [{"id": 0, "description": "a chart"}], "embeds": [{"title": "t", "image": {"url": "attachment://chart.png"}}]
    });
    let form =
        reqwest::multipart::Form::new().part("files[0]", part(b"\x89PNG\r\n--", "chart.png")).text("payload_json", payload.to_string());
    let path = format!("/channels/{}/messages", bot.channel);
    let (status, made) = read(bot.request(Method::POST, &path).multipart(form).send().await.unwrap()).await;
    assert_eq!(status, 200, "{made}");
    let file = &made["attachments"][0];
    assert_eq!(
        (&file["filename"], &file["description"], &file["size"], &file["content_type"]),
        (&json!("chart.png"), &json!("a chart"), &json!(8), &json!("image/png"))
    );
    assert_eq!(made["embeds"][0]["image"]["url"], file["url"]);
    let served = bot.http.get(file["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(&served.bytes().await.unwrap()[..], b"\x89PNG\r\n--");
    // An edit keeps what it names and adds what it brings.
    let form = reqwest::multipart::Form::new()
        .part("files[0]", part(b"two", "b.png"))
        .text("payload_json", json!({"attachments": [{"id": file["id"]}, {"id": 0, "filename": "b.png"}]}).to_string());
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let (_, changed) = read(bot.request(Method::PATCH, &one).multipart(form).send().await.unwrap()).await;
    assert_eq!(changed["attachments"].as_array().unwrap().len(), 2, "{changed}");
    let (_, changed) = bot.call(Method::PATCH, &one, json!({"attachments": []})).await;
    assert_eq!(changed["attachments"], json!([]));
    bot.sim.deny(&bot.channel, 1 << 15);
    let form = reqwest::multipart::Form::new().part("files[0]", part(b"x", "x.png"));
    assert_eq!(read(bot.request(Method::POST, &path).multipart(form).send().await.unwrap()).await.1["code"], 50013);
}

#[tokio::test]
async fn who_is_pinged_depends_on_allowed_mentions() {
    let bot = bot().await;
    let user = bot.sim.add_member(&bot.guild, "Ana", 0, &[]);
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let content = format!("<@{user}> <@!{user}> <@&{role}> @everyone @here <@1> <@&2>");
    let pinged = |id: &Value| {
        let message = bot.seen().into_iter().find(|m| m["id"] == *id).unwrap();
        (
            message["pinged"].clone(),
            message["mentions"].as_array().unwrap().len(),
            message["mention_roles"].clone(),
            message["mention_everyone"].clone(),
        )
    };
    let everybody = json!([format!("<@{user}>"), format!("<@&{role}>"), "@everyone", "@here"]);
    let cases = [
        (json!({"content": content}), everybody.clone(), 1, json!([role]), true),
        (json!({"content": content, "allowed_mentions": {"parse": []}}), json!([]), 0, json!([]), false),
        (json!({"content": content, "allowed_mentions": {"roles": [role]}}), json!([format!("<@&{role}>")]), 0, json!([role]), false),
        (json!({"content": content, "allowed_mentions": {"users": [user]}}), json!([format!("<@{user}>")]), 1, json!([]), false),
        (json!({"content": content, "allowed_mentions": {"parse": ["everyone"]}}), json!(["@everyone", "@here"]), 0, json!([]), true),
        // No push notification, although the mentions are there.
        (json!({"content": content, "flags": 1 << 12}), json!([]), 1, json!([role]), true),
        // Embeds never ping.
        (json!({"embeds": [{"description": content}]}), json!([]), 0, json!([]), false),
        // Text components do.
        (json!({"flags": 1 << 15, "components": [{"type": 10, "content": content}]}), everybody, 1, json!([role]), true),
    ];
    for (body, who, users, roles, everyone) in cases {
        let made = bot.post(body.clone()).await;
        assert_eq!(pinged(&made["id"]), (who, users, roles, json!(everyone)), "{body}");
    }
    // An edit never pings, even if it brings a mention.
    let made = bot.post(json!({"content": "quiet"})).await;
    let path = format!("/channels/{}/messages/{}", bot.channel, made["id"].as_str().unwrap());
    let (_, changed) = bot.call(Method::PATCH, &path, json!({"content": content})).await;
    assert_eq!((pinged(&made["id"]).0, changed["mentions"].as_array().unwrap().len()), (json!([]), 1));
    // A reply pings its author unless told not to.
    let said = bot.sim.say(&bot.channel, &user, "help").unwrap();
    let reply = json!({"content": "coming", "message_reference": {"message_id": said}});
    let made = bot.post(reply.clone()).await;
    assert_eq!(
        (pinged(&made["id"]).0, &made["type"], &made["referenced_message"]["content"]),
        (json!([format!("<@{user}>")]), &json!(19), &json!("help"))
    );
    let mut quiet = reply;
    quiet["allowed_mentions"] = json!({"parse": []});
    let made = bot.post(quiet).await;
    assert_eq!(pinged(&made["id"]).0, json!([]));
    assert_eq!(bot.refused(json!({"content": "x", "message_reference": {"message_id": "5"}})).await.1["code"], 50035);
    // Without MENTION_EVERYONE only roles that everybody may mention are pinged.
    bot.sim.deny(&bot.channel, 1 << 17);
    let made = bot.post(json!({"content": content})).await;
    assert_eq!(pinged(&made["id"]).0, json!([format!("<@{user}>")]));
    bot.sim.set_mentionable(&bot.guild, &role, true);
    let made = bot.post(json!({"content": content})).await;
    assert_eq!(pinged(&made["id"]).0, json!([format!("<@{user}>"), format!("<@&{role}>")]));
}

#[tokio::test]
async fn an_enforced_nonce_makes_one_message_for_some_minutes() {
    let bot = bot().await;
    let body = json!({"content": "once", "nonce": "post-7", "enforce_nonce": true});
    let first = bot.post(body.clone()).await;
    let second = bot.post(json!({"content": "other text", "nonce": "post-7", "enforce_nonce": true})).await;
    assert_eq!(first, second);
    assert_eq!(first["nonce"], "post-7");
    assert_eq!(bot.seen().len(), 1);
    // Only when asked for, and only here.
    bot.post(json!({"content": "again", "nonce": "post-7"})).await;
    assert_eq!(bot.seen().len(), 2);
    let other = bot.sim.add_channel(&bot.guild, "other", 0);
    assert_eq!(bot.call(Method::POST, &format!("/channels/{other}/messages"), body.clone()).await.0, 200);
    assert_eq!(bot.sim.messages(&other).len(), 1);
    bot.sim.advance(5 * 60 * 1000 + 1);
    bot.post(body).await;
    assert_eq!(bot.seen().len(), 3, "after some minutes the nonce is forgotten");
}

#[tokio::test]
async fn old_messages_take_few_edits_if_the_option_says_so() {
    let bot = bot_with(DiscordOptions { old_edit_limit: Some((2, 60_000)), ..calm() }).await;
    let made = bot.post(json!({"content": "0"})).await;
    let path = format!("/channels/{}/messages/{}", bot.channel, made["id"].as_str().unwrap());
    let edit = async |n: u32| bot.call(Method::PATCH, &path, json!({"content": n.to_string()})).await;
    for n in 1..5 {
        assert_eq!(edit(n).await.0, 200, "young messages are free");
    }
    bot.sim.advance(3_600_000);
    assert_eq!((edit(5).await.0, edit(6).await.0), (200, 200));
    let (status, refusal) = edit(7).await;
    assert_eq!((status, &refusal["code"]), (429, &json!(30046)));
    bot.sim.advance(60_000);
    assert_eq!(edit(8).await.0, 200);
}

#[tokio::test]
async fn the_bot_reacts_once_and_needs_a_permission_for_it() {
    let bot = bot().await;
    let made = bot.post(json!({"content": "a note"})).await;
    let path = |emoji: &str| format!("/channels/{}/messages/{}/reactions/{emoji}/@me", bot.channel, made["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(bot.call(Method::PUT, &path("%F0%9F%93%9D"), json!({})).await.0, 204);
    }
    let reactions = bot.seen()[0]["reactions"].clone();
    assert_eq!((&reactions[0]["emoji"]["name"], &reactions[0]["count"], reactions.as_array().unwrap().len()), (&json!("📝"), &json!(1), 1));
    for unknown in ["note", "%zz", "%FF"] {
        assert_eq!(bot.call(Method::PUT, &path(unknown), json!({})).await.1["code"], 10014, "{unknown}");
    }
    // Joining an existing reaction is allowed; starting another one isn't.
    bot.sim.deny(&bot.channel, 1 << 6);
    assert_eq!(bot.call(Method::PUT, &path("%F0%9F%93%9D"), json!({})).await.0, 204);
    assert_eq!(bot.call(Method::PUT, &path("%E2%9A%A0%EF%B8%8F"), json!({})).await.1["code"], 50013);
}

#[tokio::test]
async fn threads_hang_on_messages_and_forums_hold_posts() {
    let bot = bot().await;
    let made = bot.post(json!({"content": "a call"})).await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/channels/{}/messages/{id}/threads", bot.channel);
    let (status, thread) = bot.call(Method::POST, &path, json!({"name": "Call 7", "auto_archive_duration": 60})).await;
    assert_eq!((status, thread["id"].as_str().unwrap(), &thread["type"], &thread["parent_id"]), (201, id, &json!(11), &json!(bot.channel)));
    assert_eq!(bot.call(Method::POST, &path, json!({"name": "twice"})).await.1["code"], 160_004);
    assert_eq!(bot.seen()[0]["thread"]["name"], "Call 7");
    let inside = format!("/channels/{id}/messages");
    let (status, note) = bot.call(Method::POST, &inside, json!({"content": "note"})).await;
    assert_eq!((status, bot.sim.messages(id).len(), bot.seen().len()), (200, 1, 1));
    // Archived: no edits, but writing reopens it. The page is notified of both.
    let mut stream = bot.sim.subscribe();
    let (status, archived) = bot.call(Method::PATCH, &format!("/channels/{id}"), json!({"archived": true})).await;
    assert_eq!((status, &archived["thread_metadata"]["archived"]), (200, &json!(true)));
    let one = format!("{inside}/{}", note["id"].as_str().unwrap());
    assert_eq!(bot.call(Method::PATCH, &one, json!({"content": "x"})).await.1["code"], 50083);
    assert_eq!(bot.call(Method::POST, &inside, json!({"content": "more"})).await.0, 200);
    assert_eq!(bot.get(&format!("/channels/{id}")).await.1["thread_metadata"]["archived"], false);
    let updates: Vec<_> = std::iter::from_fn(|| stream.try_recv().ok()).filter(|item| item["type"] == "CHANNEL_UPDATE").collect();
    let updates: Vec<_> = updates.iter().map(|item| (&item["channel"]["id"], &item["channel"]["archived"])).collect();
    assert_eq!(updates, [(&json!(id), &json!(true)), (&json!(id), &json!(false))]);
    // Locking is for moderators; a locked archive accepts nothing.
    assert_eq!(bot.call(Method::PATCH, &format!("/channels/{id}"), json!({"locked": true, "archived": true})).await.1["code"], 50013);
    bot.sim.allow(&bot.channel, 1 << 34);
    assert_eq!(bot.call(Method::PATCH, &format!("/channels/{id}"), json!({"locked": true, "archived": true})).await.0, 200);
    bot.sim.deny(&bot.channel, 1 << 34);
    assert_eq!(bot.call(Method::POST, &inside, json!({"content": "x"})).await.1["code"], 50083);

    let forum = bot.sim.add_channel(&bot.guild, "calls", 15);
    let tags = bot.sim.set_tags(&forum, &["open", "closed"]);
    let path = format!("/channels/{forum}/threads");
    let (status, post) =
        bot.call(Method::POST, &path, json!({"name": "Call 8", "message": {"content": "first"}, "applied_tags": [tags[0]]})).await;
    assert_eq!((status, &post["message"]["id"], &post["applied_tags"]), (201, &post["id"], &json!([tags[0]])));
    assert_eq!(bot.sim.messages(post["id"].as_str().unwrap())[0]["content"], "first");
    assert_eq!(
        bot.call(Method::POST, &path, json!({"name": "x", "message": {"content": "y"}, "applied_tags": ["9"]})).await.1["code"],
        50035
    );
    assert_eq!(bot.call(Method::POST, &path, json!({"name": "x"})).await.1["code"], 50035);
    assert_eq!(bot.call(Method::POST, &path, json!({"name": "x", "message": {"content": ""}})).await.1["code"], 50006);
    assert_eq!(bot.call(Method::POST, &path, json!({"name": "x".repeat(101), "message": {"content": "y"}})).await.1["code"], 50035);
    let (status, _) = bot
        .call(Method::PATCH, &format!("/channels/{}", post["id"].as_str().unwrap()), json!({"archived": true, "applied_tags": [tags[1]]}))
        .await;
    assert_eq!(status, 200);
    // Announcements can be published once.
    let news = bot.sim.add_channel(&bot.guild, "news", 5);
    let (_, item) = bot.call(Method::POST, &format!("/channels/{news}/messages"), json!({"content": "news"})).await;
    let publish = format!("/channels/{news}/messages/{}/crosspost", item["id"].as_str().unwrap());
    assert_eq!(bot.call(Method::POST, &publish, Value::Null).await.1["flags"], 1);
    assert_eq!(bot.call(Method::POST, &publish, Value::Null).await.1["code"], 40033);
}

#[tokio::test]
async fn the_page_gets_a_snapshot_and_then_every_change() {
    let bot = bot().await;
    bot.post(json!({"content": "before"})).await;
    let mut stream = bot.sim.subscribe();
    let snapshot = bot.sim.snapshot();
    assert_eq!(snapshot["guild"], json!({"id": bot.guild, "name": "Los Santos"}));
    assert_eq!(
        snapshot["channels"],
        json!([{"id": bot.channel, "name": "alerts", "type": 0, "parent_id": null, "topic": null, "archived": false}])
    );
    assert_eq!(snapshot["messages"][&bot.channel][0]["content"], "before");
    assert_eq!(snapshot["messages"][&bot.channel][0]["pinged"], json!([]));
    assert!(snapshot["users"].as_array().unwrap().iter().any(|u| u["bot"] == true && u["id"] == json!(bot.sim.bot_id())));
    let made = bot.post(json!({"content": "after"})).await;
    let path = format!("/channels/{}/messages/{}", bot.channel, made["id"].as_str().unwrap());
    bot.call(Method::PATCH, &path, json!({"content": "changed"})).await;
    bot.call(Method::DELETE, &path, Value::Null).await;
    let shop = bot.sim.add_channel(&bot.guild, "shop", 0);
    let mut seq = snapshot["seq"].as_u64().unwrap();
    let mut next = async || {
        let item = tokio::time::timeout(SOON, stream.recv()).await.unwrap().unwrap();
        seq += 1;
        assert_eq!(item["seq"], seq);
        item
    };
    let item = next().await;
    assert_eq!(
        (&item["type"], &item["channel_id"], &item["message"]["content"]),
        (&json!("MESSAGE_CREATE"), &json!(bot.channel), &json!("after"))
    );
    let item = next().await;
    assert_eq!((&item["type"], &item["message"]["content"]), (&json!("MESSAGE_UPDATE"), &json!("changed")));
    let item = next().await;
    assert_eq!((&item["type"], &item["message_id"]), (&json!("MESSAGE_DELETE"), &made["id"]));
    let item = next().await;
    assert_eq!(item["channel"], json!({"id": shop, "name": "shop", "type": 0, "parent_id": null, "topic": null, "archived": false}));
    let found = bot.sim.wait_message(&bot.channel, Duration::from_millis(1), |m| m["content"] == "never").await;
    assert!(found.unwrap_err().contains("before"), "a wait in vain says what is there");
}
