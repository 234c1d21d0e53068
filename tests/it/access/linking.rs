//! `/cad link` and `/cad unlink`.

use tenfour::store::audit::AuditFilter;
use tenfour_sim::discord::DiscordSim;

use super::*;
use crate::test_bot::title;

fn key() -> String {
    CadOptions::default().api_key
}

/// Another member of that guild.
fn member(bot: &TestBot, other: &Other, name: &str, permissions: u64) -> String {
    bot.discord.add_member(&other.guild, name, permissions, &[])
}

#[tokio::test]
async fn whoever_knows_the_key_links_their_guild_and_the_key_is_kept_nowhere() {
    let bot = TestBot::untied().await;
    let other = bot.joined_by("Friends");
    let community = CadOptions::default().community;
    // As people paste it.
    let answer = bot.try_link(&other, None, &format!(" {} ", community.to_uppercase()), &format!("{} ", key().to_uppercase())).await;
    assert!(answer.contains("is linked"), "{answer}");
    assert_eq!(bot.standing(&other.guild), Standing::Served);
    let listed = bot.discord.slash(&other.channel, None, "alerts", &["list"], json!({})).unwrap();
    assert!(said(&listed).await.starts_with("Nothing is posted"));
    let again = bot.try_link(&other, None, &community, &key()).await;
    assert!(again.contains("already linked") && again.contains("/cad unlink"), "{again}");

    for id in [&bot.guild, &other.guild] {
        let audited = bot.app().store.audited(guild(id), AuditFilter::default(), 0).await.unwrap();
        assert_eq!(audited.entries.iter().filter(|entry| entry.action == "/cad link").count(), 1, "{audited:?}");
        assert!(!format!("{audited:?}").to_lowercase().contains(&key().to_lowercase()));
    }
    let sent = json!(bot.discord.requests()).to_string().to_lowercase();
    assert!(!sent.contains(&key().to_lowercase()), "the key went back to Discord");

    // The status of each shows both, and whose rule applies.
    let status = said(&bot.cad_in(&other, None, "status", json!({}))).await;
    assert!(status.contains("2 linked") && status.contains(&format!("`{}`", bot.guild)) && status.contains("the main one"), "{status}");
    let rule = said(&bot.cad_in(&other, None, "actions", json!({}))).await;
    assert!(rule.contains("which was linked first") && rule.contains(&bot.guild), "{rule}");
    bot.finish().await;
}

#[tokio::test]
async fn five_wrong_keys_an_hour_of_a_guild_or_a_person_are_all_there_are() {
    let bot = TestBot::untied().await;
    let other = bot.joined_by("Strangers");
    let community = CadOptions::default().community;
    for left in (0..5).rev() {
        let (name, guess) = if left % 2 == 0 { (community.as_str(), "wrong-key") } else { ("someone-else", &*key()) };
        let answer = bot.try_link(&other, None, name, guess).await;
        assert!(answer.contains("nothing was linked") && answer.contains(&format!("this hour: {left}")), "{answer}");
    }
    let spent = "tried 5 times within an hour";
    assert!(bot.try_link(&other, None, &community, &key()).await.contains(spent), "the right key comes too late");
    let second = member(&bot, &other, "Accomplice", MANAGE_GUILD);
    assert!(bot.try_link(&other, Some(&second), &community, &key()).await.contains(spent), "another person there");
    let elsewhere = bot.joined_by("Strangers again");
    bot.discord.join(&elsewhere.guild, &other.owner, MANAGE_GUILD, &[]);
    assert!(bot.try_link(&elsewhere, Some(&other.owner), &community, &key()).await.contains(spent), "the same person elsewhere");
    assert_eq!(bot.standing(&other.guild), Standing::NotLinked);
    // Others aren't held up.
    assert!(bot.try_link(&elsewhere, None, &community, &key()).await.contains("is linked"));
    bot.finish().await;
}

#[tokio::test]
async fn only_manage_server_links_and_unlinks_whatever_a_guilds_integrations_say() {
    let bot = TestBot::untied().await;
    let other = bot.joined_by("Strangers");
    let guest = member(&bot, &other, "Guest", 0);
    // Their staff lets everybody run `/cad` there.
    let mut cad = bot.discord.commands().into_iter().find(|command| command["name"] == "cad").unwrap();
    cad["default_member_permissions"] = Value::Null;
    let url = format!("{}/api/v10/applications/{}/guilds/{}/commands", bot.discord.url(), bot.discord.application_id(), other.guild);
    let put = reqwest::Client::new().post(url).header("authorization", format!("Bot {}", DiscordOptions::default().token)).json(&cad);
    assert!(put.send().await.unwrap().status().is_success());
    let answer = bot.try_link(&other, Some(&guest), &CadOptions::default().community, &key()).await;
    assert!(answer.contains("Only someone with Manage Server"), "{answer}");
    // The form was opened by somebody who may, and is sent by somebody who no longer may.
    let opened = bot.cad_in(&other, None, "link", json!({}));
    opened.reply(PATIENCE).await.unwrap();
    let fields = json!({ "community": CadOptions::default().community, "key": key() });
    let send = json!({ "do": "modal", "interaction_id": opened.id(), "user_id": guest, "fields": fields });
    assert!(said(&bot.discord.send(&send).unwrap()).await.contains("Only someone with Manage Server"));
    assert_eq!(bot.standing(&other.guild), Standing::NotLinked);

    bot.link(&other).await;
    assert!(said(&bot.cad_in(&other, Some(&guest), "unlink", json!({}))).await.contains("Only someone with Manage Server"));
    let page = bot.cad_in(&other, None, "unlink", json!({})).reply(PATIENCE).await.unwrap();
    let button = page["components"][0]["components"][0]["custom_id"].as_str().unwrap();
    let rows = json!([{ "type": 1, "components": [{ "type": 2, "style": 4, "label": "x", "custom_id": button }] }]);
    let forged = bot.forged(&other.channel, rows).await;
    assert!(said(&bot.discord.click(&forged, Some(&guest), button).unwrap()).await.contains("Only someone with Manage Server"));
    assert_eq!(bot.standing(&other.guild), Standing::Served);
    bot.finish().await;
}

#[tokio::test]
async fn unlinking_names_what_goes_and_afterwards_nothing_is_shown_there() {
    let mut bot = TestBot::untied().await;
    let other = bot.joined_by("Friends");
    bot.link(&other).await;
    bot.route_in(&other, "911").await;
    let channel = bot.channel("911", None, Style::Card).await;
    bot.send_event("EVENT_911", emergency(1, "Before")).await;
    bot.message(&other.channel, |m| title(m).contains("Before")).await;
    bot.settled().await;

    let pending = bot.cad_in(&other, None, "unlink", json!({}));
    let page = pending.reply(PATIENCE).await.unwrap();
    let text = words(&page);
    assert!(text.contains("1 route") && text.contains("stay as they are") && text.contains("/cad link"), "{text}");
    assert_eq!(bot.standing(&other.guild), Standing::Served, "it was only asked");
    let button = page["components"][0]["components"][0]["custom_id"].as_str().unwrap();
    bot.discord.click(page["id"].as_str().unwrap(), None, button).unwrap();
    until("it is unlinked", async || bot.standing(&other.guild) == Standing::NotLinked).await;

    let before = bot.discord.messages(&other.channel);
    bot.send_event("EVENT_911", emergency(2, "After")).await;
    bot.send_event("EVENT_REMOVE_911", json!({ "callIds": [1] })).await;
    bot.message(&channel, |m| title(m).contains("After")).await;
    bot.settled().await;
    assert_eq!(bot.discord.messages(&other.channel), before, "what stands there stays as it is");
    let listed = bot.discord.slash(&other.channel, None, "alerts", &["list"], json!({})).unwrap();
    assert!(said(&listed).await.starts_with(NOT_LINKED));
    // A restart links no guild again, even if the bot is in only one.
    bot.discord.kick_bot(&bot.guild.clone());
    assert!(bot.halt().await);
    bot.boot().await;
    let community = CommunityId::new(&CadOptions::default().community);
    until("READY is worked through", async || {
        bot.app().store.routing_now().access.first(&community).is_some_and(|link| link.left_at.is_some())
    })
    .await;
    assert_eq!(bot.standing(&other.guild), Standing::NotLinked);
    bot.end().await;
}

#[tokio::test]
async fn the_guild_linked_first_can_unlink_another_and_no_other_can() {
    let bot = TestBot::untied().await;
    let (second, third) = (bot.joined_by("Second"), bot.joined_by("Third"));
    bot.link(&second).await;
    bot.link(&third).await;
    let refused = said(&bot.cad_in(&second, None, "unlink", json!({ "server_id": third.guild }))).await;
    assert!(refused.contains("linked first"), "{refused}");
    let lobby = bot.discord.add_channel(&bot.guild, "lobby", 0);
    // The others entered the key, but this guild was only linked automatically: it could be a stranger's.
    let first = Other { guild: bot.guild.clone(), channel: lobby.clone(), owner: bot.discord.owner_id(&bot.guild) };
    let refused = said(&bot.cad_in(&first, None, "unlink", json!({ "server_id": third.guild }))).await;
    assert!(refused.contains("Run `/cad link` here first") && bot.standing(&third.guild) == Standing::Served, "{refused}");
    let linked = bot.try_link(&first, None, community().as_str(), &key()).await;
    assert!(linked.starts_with("✅"), "{linked}");
    let pending = bot.discord.slash(&lobby, None, "cad", &["unlink"], json!({ "server_id": third.guild })).unwrap();
    let page = pending.reply(PATIENCE).await.unwrap();
    let button = page["components"][0]["components"][0]["custom_id"].as_str().unwrap();
    bot.discord.click(page["id"].as_str().unwrap(), None, button).unwrap();
    until("it is unlinked", async || bot.standing(&third.guild) == Standing::NotLinked).await;
    assert_eq!(bot.standing(&second.guild), Standing::Served);
    bot.finish().await;
}

/// Somebody who finds the bot's invite link before its owner has used it.
#[tokio::test]
async fn a_stranger_who_was_there_first_is_removed_by_whoever_knows_the_key() {
    let bot = TestBot::untied().await;
    let owner = bot.joined_by("The community");
    let linked = bot.try_link(&owner, None, community().as_str(), &key()).await;
    assert!(linked.starts_with("✅"), "{linked}");
    let page = bot.cad_in(&owner, None, "unlink", json!({ "server_id": bot.guild })).reply(PATIENCE).await.unwrap();
    let button = page["components"][0]["components"][0]["custom_id"].as_str().unwrap();
    bot.discord.click(page["id"].as_str().unwrap(), None, button).unwrap();
    until("it is unlinked", async || bot.standing(&bot.guild) == Standing::NotLinked).await;
    assert_eq!(bot.standing(&owner.guild), Standing::Served);
    bot.finish().await;
}

#[tokio::test]
async fn the_guild_linked_first_is_told_who_links_and_unlinks_another() {
    let bot = TestBot::untied().await;
    let notices = bot.notices().await;
    let other = bot.joined_by("Fri*ends");
    bot.message(&notices, |m| title(m) == "➕ Another Discord server added this bot").await;
    assert!(bot.try_link(&other, None, &CadOptions::default().community, &key()).await.contains("is linked"));
    let linked = bot.message(&notices, |m| title(m) == "🔗 Another Discord server was linked").await;
    let text = linked["embeds"][0]["description"].as_str().unwrap();
    for part in
        [&format!("<@{}>", other.owner), "**Fri\\*ends**", "2 Discord servers linked", &format!("/cad unlink server_id:{}", other.guild)]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Entering the same key again links nothing new.
    bot.try_link(&other, None, &CadOptions::default().community, &key()).await;
    let asked = bot.cad_in(&other, None, "unlink", json!({})).reply(PATIENCE).await.unwrap();
    let button = DiscordSim::custom_ids(&asked).remove(0);
    bot.discord.click(asked["id"].as_str().unwrap(), Some(&other.owner), &button).unwrap();
    let unlinked = bot.message(&notices, |m| title(m) == "🔗 A Discord server was unlinked").await;
    assert!(unlinked["embeds"][0]["description"].as_str().unwrap().contains("1 Discord server linked"), "{unlinked}");
    bot.settled().await;
    assert_eq!(bot.titles(&notices).len(), 3, "{:?}", bot.titles(&notices));
    bot.finish().await;
}
