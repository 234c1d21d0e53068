//! Who may use a community's data: linked guilds, unlinked ones, one guild by setting; the whole bot, both simulators.

mod linking;
mod serving;
mod strangers;

use serde_json::{Value, json};
use tenfour::guild_access::{How, Standing};
use tenfour::ids::{ChannelId, CommunityId, GuildId, UserId};
use tenfour::render::Style;
use tenfour::route::{Listens, RouteSpec, Rule};
use tenfour::store::AddRoute;
use tenfour_sim::cad::CadOptions;
use tenfour_sim::discord::{DiscordOptions, Pending};

use crate::test_bot::{PATIENCE, Setup, TestBot, until};

const NOT_LINKED: &str = "This Discord server isn't linked to the CAD community that this bot serves";
const OTHER_GUILD: &str = "This bot is set up to serve one Discord server, and it isn't this one";
/// Discord's bit for it.
const MANAGE_GUILD: u64 = 1 << 5;

fn community() -> CommunityId {
    CommunityId::new(&CadOptions::default().community)
}

fn guild(id: &str) -> GuildId {
    GuildId(id.parse().unwrap())
}

/// A guild next to the bot's own, with a channel.
struct Other {
    guild: String,
    channel: String,
    owner: String,
}

impl TestBot {
    /// A bot that no setting ties to a guild; its only guild is linked automatically.
    async fn untied() -> Self {
        let bot = Self::start_with(Setup { settings: vec![("DISCORD_GUILD_ID", String::new())], ..Setup::default() }).await;
        bot.is_linked(&bot.guild).await;
        bot
    }

    async fn is_linked(&self, id: &str) {
        until("the guild is linked", async || self.standing(id) == Standing::Served).await;
    }

    fn standing(&self, id: &str) -> Standing {
        self.app().store.routing_now().access.standing(guild(id))
    }

    /// Another guild adds the bot.
    fn joined_by(&self, name: &str) -> Other {
        let guild = self.discord.add_guild(name);
        let channel = self.discord.add_channel(&guild, "general", 0);
        let owner = self.discord.owner_id(&guild);
        Other { guild, channel, owner }
    }

    async fn link(&self, other: &Other) {
        let now = self.clock.now();
        self.app().store.link(guild(&other.guild), &community(), Some(UserId(1)), How::Key, now, Vec::new()).await.unwrap();
    }

    /// A route of another guild, as it could exist before guilds had to be linked.
    async fn route_in(&self, other: &Other, event: &str) {
        let store = &self.app().store;
        store.ensure_guild(guild(&other.guild), &community()).await.unwrap();
        let new = RouteSpec {
            event: Listens::parse(event).unwrap(),
            channel: ChannelId(other.channel.parse().unwrap()),
            server: None,
            role: None,
            style: Style::Card,
            forum: false,
            rule: Rule::default(),
        };
        assert!(matches!(store.add_route(guild(&other.guild), new, UserId(1), self.clock.now()).await.unwrap(), AddRoute::Added(_)));
    }

    /// A message of the bot with these components, which the bot itself would never send.
    async fn forged(&self, channel: &str, components: Value) -> String {
        let url = format!("{}/api/v10/channels/{channel}/messages", self.discord.url());
        let body = json!({ "content": "x", "components": components, "allowed_mentions": { "parse": [] } });
        let request = reqwest::Client::new().post(url).header("authorization", format!("Bot {}", DiscordOptions::default().token));
        let response = request.json(&body).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// `/cad` in another guild.
    fn cad_in(&self, other: &Other, user: Option<&str>, path: &str, options: Value) -> Pending {
        self.discord.slash(&other.channel, user, "cad", &[path], options).unwrap()
    }

    /// Opens `/cad link` there and submits it.
    async fn try_link(&self, other: &Other, user: Option<&str>, community: &str, key: &str) -> String {
        let opened = self.cad_in(other, user, "link", json!({}));
        let shown = opened.reply(PATIENCE).await.unwrap();
        if shown.get("components").is_none() || shown.get("custom_id").is_none() {
            return words(&shown);
        }
        words(&self.discord.submit(&opened, json!({ "community": community, "key": key })).unwrap().reply(PATIENCE).await.unwrap())
    }
}

/// The whole text of a private reply.
fn words(reply: &Value) -> String {
    assert_eq!(reply["flags"].as_u64().unwrap_or(0) & 64, 64, "not private: {reply}");
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [part(&reply["content"]), part(&reply["embeds"][0]["title"]), part(&reply["embeds"][0]["description"])].join("\n").trim().to_owned()
}

async fn said(pending: &Pending) -> String {
    words(&pending.reply(PATIENCE).await.unwrap())
}

fn emergency(call: i64, description: &str) -> Value {
    json!({ "call": { "callId": call, "isEmergency": true, "description": description } })
}
