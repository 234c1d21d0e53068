//! Several communities in one bot, each with its own CAD and two guilds: the same call numbers everywhere, and nothing of one in another.
//!
//! `TENFOUR_SEED=17` plays one random scenario again.

mod failing;
mod flood;
mod random_scenarios;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tenfour::community::{self, Community};
use tenfour::config::{Config, RequiredSettings};
use tenfour::guild_access::How;
use tenfour::ids::{ChannelId, CommunityId, GuildId, UserId};
use tenfour::render::Style;
use tenfour::route::{BoardKind, Listens, RouteSpec, Rule};
use tenfour_sim::cad::{Account, CadOptions, CadSim, CallSpec, Seen, ServerOptions, UnitSpec};

use crate::test_bot::{Setup, TestBot, post, until};

/// Every free text of a community's CAD holds its mark.
const MARKS: [&str; 3] = ["ALFAMARK", "BRAVOMARK", "CHARLIEMARK"];
const NAMES: [&str; 3] = ["alfa", "bravo", "charlie"];
/// Manage Server and Timeout Members, as Discord numbers them: with them every command may be run.
const STAFF: u64 = 1 << 5 | 1 << 40;

/// A guild of a community.
struct Home {
    community: usize,
    guild: String,
    cards: String,
    board: String,
    notices: String,
    /// Somebody with an account in the community's CAD, on duty there.
    member: String,
}

/// Three communities, two guilds each.
struct Scene {
    bot: TestBot,
    cads: Vec<CadSim>,
    homes: Vec<Home>,
}

fn key(community: usize) -> String {
    format!("key-of-{}", NAMES[community])
}

fn options(community: usize) -> CadOptions {
    CadOptions {
        community: NAMES[community].to_owned(),
        api_key: key(community),
        servers: vec![ServerOptions::new(1, "Main"), ServerOptions::new(2, "Event")],
        rate_limits: false,
        ..CadOptions::default()
    }
}

impl Scene {
    async fn start() -> Self {
        let settings = [
            ("DISCORD_GUILD_ID", String::new()),
            ("SONORAN_COMMUNITY_ID", NAMES[0].to_owned()),
            ("SONORAN_API_KEY", key(0)),
            ("SONORAN_SERVER_IDS", "1,2".to_owned()),
        ];
        let setup = Setup { settings: settings.into(), cad: Some(options(0)), ..Setup::default() };
        let mut bot = TestBot::prepare(setup).await;
        let cads = vec![bot.cad.clone(), CadSim::start(options(1)).await.unwrap(), CadSim::start(options(2)).await.unwrap()];
        let guilds: Vec<String> =
            std::iter::once(bot.guild.clone()).chain((1..6).map(|n| bot.discord.add_guild(&format!("Guild {n}")))).collect();
        bot.boot().await;
        let mut scene = Self { bot, cads, homes: Vec::new() };
        scene.add_communities().await;
        for (nth, guild) in guilds.into_iter().enumerate() {
            scene.add_home(nth % 3, guild).await;
        }
        scene
    }

    /// Those beside the environment's.
    async fn add_communities(&self) {
        for community in 1..3 {
            self.add_community(community).await;
        }
    }

    async fn add_community(&self, community: usize) -> Arc<Community> {
        let mut vars: Vec<(&str, String)> = self.bot.settings().to_vec();
        for (name, value) in [
            ("SONORAN_COMMUNITY_ID", NAMES[community].to_owned()),
            ("SONORAN_API_KEY", key(community)),
            ("SONORAN_API_URL", self.cads[community].api_url()),
        ] {
            vars.retain(|(known, _)| *known != name);
            vars.push((name, value));
        }
        let config = Config::from_vars(vars, RequiredSettings::Run).unwrap();
        let credentials = config.credentials().unwrap().clone();
        let settings = community::Settings { credentials, sonoran: Arc::new(config.sonoran), required: false };
        let added = self.bot.app().add_community(settings).await.unwrap();
        for server in [1, 2] {
            assert!(self.cads[community].wait_session(server, Duration::from_secs(20)).await);
        }
        added
    }

    async fn add_home(&mut self, community: usize, guild: String) {
        let (store, discord, now) = (self.bot.app().store.clone(), &self.bot.discord, self.bot.clock.now());
        let channel = |name: &str| discord.add_channel(&guild, name, 0);
        let (cards, board, notices) = (channel("cards"), channel("board"), channel("notices"));
        let id = GuildId(guild.parse().unwrap());
        let whose = CommunityId::new(NAMES[community]);
        store.link(id, &whose, Some(UserId(1)), How::Key, now, Vec::new()).await.unwrap();
        store.ensure_guild(id, &whose).await.unwrap();
        let of = |channel: &str| ChannelId(channel.parse().unwrap());
        let (event, channel) = (Listens::All, of(&cards));
        let route = RouteSpec { event, channel, server: None, role: None, style: Style::Card, forum: false, rule: Rule::default() };
        store.add_route(id, route, UserId(1), now).await.unwrap();
        store.add_board(id, of(&board), BoardKind::Both, None, UserId(1), now).await.unwrap();
        store.set_notices(id, Some(of(&notices))).await.unwrap();
        let member = discord.add_member(&guild, &format!("{} member", MARKS[community]), STAFF, &[]);
        let account = self.cads[community].add_account(Account {
            username: format!("{} account", MARKS[community]),
            discord: Some(member.clone()),
            permissions: ["dispatch", "police"].map(str::to_owned).to_vec(),
            ..Account::default()
        });
        let unit =
            UnitSpec { num: format!("{}-1", MARKS[community]), name: MARKS[community].into(), status: 2, account, ..UnitSpec::default() };
        self.cads[community].login(1, &unit).unwrap();
        self.homes.push(Home { community, guild, cards, board, notices, member });
    }

    fn of(&self, community: usize) -> impl Iterator<Item = &Home> {
        self.homes.iter().filter(move |home| home.community == community)
    }

    fn handle(&self, community: usize) -> Arc<Community> {
        self.bot.app().communities.get(&CommunityId::new(NAMES[community])).unwrap()
    }

    fn call(community: usize, words: &str) -> CallSpec {
        let mark = MARKS[community];
        CallSpec {
            emergency: true,
            caller: format!("{mark} caller"),
            location: format!("{mark} street"),
            description: format!("{mark} {words}"),
            meta: Value::Null,
        }
    }

    /// Posts an event with a community's key.
    async fn post(&self, community: usize, server: u32, kind: &str, data: Value) -> (u16, String) {
        let url = format!("{}?server={server}", self.bot.events_url());
        post(&url, &json!({ "key": key(community), "type": kind, "data": data })).await
    }

    /// Waits until everything that was pushed to a community is worked through and stands on Discord.
    async fn caught_up(&self, community: usize) {
        for server in [1, 2] {
            let mark = format!("EVENT_{}_{:08X}", MARKS[community], fastrand::u32(..));
            self.cads[community].push(server, &mark, json!({}));
            let status = self.handle(community).status.clone();
            until("the hub's mark", async || status.snapshot().unknown.contains_key(&mark)).await;
        }
        self.bot.settled().await;
    }

    /// The footers of the cards in a guild's channel.
    fn cards(&self, home: &Home) -> Vec<String> {
        let footer = |message: &Value| message["embeds"][0]["footer"]["text"].as_str().map(str::to_owned);
        self.bot.discord.messages(&home.cards).iter().filter_map(footer).collect()
    }

    async fn card(&self, home: &Home, footer: &str) -> Value {
        self.bot.message(&home.cards, |message| message["embeds"][0]["footer"]["text"] == footer).await
    }

    /// Nothing of one community is anywhere in another's guilds, CAD or status.
    fn nothing_is_mixed(&self) {
        let nothing_of_others = |community: usize, where_: &str, text: &str| {
            for (other, mark) in MARKS.iter().enumerate().filter(|(other, _)| *other != community) {
                assert!(!text.contains(mark), "{} appears in {}'s {where_}: {text}", NAMES[other], NAMES[community]);
            }
        };
        for home in &self.homes {
            for (name, channel) in [("cards", &home.cards), ("board", &home.board), ("notices", &home.notices)] {
                for message in self.bot.discord.messages(channel) {
                    nothing_of_others(home.community, name, &message.to_string());
                }
            }
        }
        for (community, cad) in self.cads.iter().enumerate() {
            nothing_of_others(community, "CAD", &format!("{:?}", cad.log()));
            nothing_of_others(community, "status", &format!("{:?}", self.handle(community).status.snapshot()));
        }
    }

    /// Requests that change a community's CAD.
    fn changes(&self, community: usize) -> usize {
        self.cads[community].count(|seen| matches!(seen, Seen::Rest { method, .. } if method != "GET"))
    }

    async fn end(self) {
        let Self { bot, cads, .. } = self;
        bot.end().await;
        for cad in &cads[1..] {
            cad.stop().await;
        }
    }
}

#[tokio::test]
async fn a_button_acts_in_the_cad_of_its_guilds_community_only() {
    let scene = Scene::start().await;
    // 911 #1 of server 1 exists in the first two communities, in the third there is none.
    for community in [0, 1] {
        scene.cads[community].place_911(1, &Scene::call(community, "help")).unwrap();
        scene.caught_up(community).await;
    }
    let home = scene.of(0).next().unwrap();
    let card = scene.card(home, &scene.cards(home).into_iter().find(|footer| footer.contains("911")).unwrap()).await;
    let respond = tenfour_sim::discord::DiscordSim::custom_ids(&card).into_iter().find(|id| id.contains("respond")).unwrap();
    // The same button in a guild of a community that has no such call, as a member there could make one.
    let stranger = scene.of(2).next().unwrap();
    let url = format!("{}/api/v10/channels/{}/messages", scene.bot.discord.url(), stranger.cards);
    let button = json!({ "type": 2, "style": 1, "label": "Respond", "custom_id": respond });
    let body = json!({ "content": "x", "components": [{ "type": 1, "components": [button] }], "allowed_mentions": { "parse": [] } });
    let token = tenfour_sim::discord::DiscordOptions::default().token;
    let forged = reqwest::Client::new().post(url).header("authorization", format!("Bot {token}")).json(&body).send().await.unwrap();
    let forged: Value = forged.json().await.unwrap();
    let pressed = scene.bot.discord.click(forged["id"].as_str().unwrap(), Some(&stranger.member), &respond).unwrap();
    let told = crate::actions::told(&pressed).await;
    assert!(told.contains("over") || told.contains("isn't open"), "{told}");
    assert_eq!([0, 1, 2].map(|community| scene.changes(community)), [0, 0, 0]);
    assert!(scene.bot.discord.delete_message(&stranger.cards, forged["id"].as_str().unwrap()));

    let pressed = scene.bot.discord.click(card["id"].as_str().unwrap(), Some(&home.member), &respond).unwrap();
    crate::actions::told(&pressed).await;
    let changed = [0, 1, 2].map(|community| scene.changes(community) > 0);
    assert_eq!(changed, [true, false, false]);
    for community in 0..3 {
        scene.caught_up(community).await;
    }
    scene.nothing_is_mixed();
    scene.end().await;
}

#[tokio::test]
async fn a_key_links_a_guild_to_the_community_whose_key_it_is() {
    let scene = Scene::start().await;
    let guild = scene.bot.discord.add_guild("New");
    let channel = scene.bot.discord.add_channel(&guild, "general", 0);
    let id = GuildId(guild.parse().unwrap());
    let link = async |community: usize, with: usize| {
        let opened = scene.bot.discord.slash(&channel, None, "cad", &["link"], json!({})).unwrap();
        opened.reply(crate::test_bot::PATIENCE).await.unwrap();
        let form = json!({ "community": NAMES[community], "key": key(with) });
        let sent = scene.bot.discord.submit(&opened, form).unwrap();
        sent.reply(crate::test_bot::PATIENCE).await.unwrap()["content"].as_str().unwrap().to_owned()
    };
    until("the bot knows the guild", async || {
        let asked = scene.bot.discord.slash(&channel, None, "cad", &["status"], json!({})).unwrap();
        crate::actions::told(&asked).await.contains("isn't linked")
    })
    .await;
    assert!(link(1, 2).await.contains("isn't the community ID and API key"), "one community's id with another's key");
    assert!(link(2, 2).await.contains("is linked"));
    assert_eq!(scene.bot.app().store.routing_now().access.community_of(id), Some(&CommunityId::new(NAMES[2])));
    assert_eq!(scene.bot.app().communities.of_guild(id).unwrap().id, CommunityId::new(NAMES[2]));
    // Only the guild that was linked to that community first is told.
    let notice = |home: &Home| scene.bot.discord.messages(&home.notices).iter().any(|m| m.to_string().contains("was linked"));
    until("the notice", async || scene.of(2).any(&notice)).await;
    assert!(!scene.of(0).any(&notice) && !scene.of(1).any(&notice));
    scene.end().await;
}
