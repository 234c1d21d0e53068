//! Actions in the CAD from Discord: real presses, the whole bot, both simulators.

mod call;
mod emergency;
mod lookup;
mod lost;
mod matrix;
mod races;
mod random_scenarios;
mod refusals;
mod respond;
mod threads;
mod unit;
mod who;

use std::time::Duration;

use serde_json::{Value, json};
use tenfour::authorization::Member;
use tenfour::clock::Clock;
use tenfour::ids::{CommunityId, UserId};
use tenfour::render::Style;
use tenfour_sim::cad::{Account, CadOptions, CallSpec, DispatchSpec, Seen, UnitSpec};
use tenfour_sim::discord::{DiscordSim, Pending};

use crate::test_bot::{PATIENCE, Setup, TestBot};

/// Discord's bit for it.
const MANAGE_GUILD: u64 = 1 << 5;

/// A bot whose members can act: cards of calls and panics in one channel.
pub(crate) struct Scene {
    pub(crate) bot: TestBot,
    pub(crate) channel: String,
}

/// A member who may act: on Discord, in the CAD, on duty.
#[derive(Clone, Debug)]
pub(crate) struct Officer {
    pub(crate) user: String,
    pub(crate) account: String,
    pub(crate) ident: i64,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(mut setup: Setup) -> Self {
        // Changes through the API raise no event: what the cards show comes only from the CAD's responses.
        if !setup.settings.iter().any(|(name, _)| *name == "SONORAN_RECONCILE_SECONDS") {
            setup.settings.push(("SONORAN_RECONCILE_SECONDS", "off".to_owned()));
        }
        let bot = TestBot::start_with(setup).await;
        let channel = bot.discord.add_channel(&bot.guild, "dispatch", 0);
        for event in ["911", "dispatch", "panic", "pager"] {
            bot.route(event, &channel, None, Style::Card).await;
        }
        Self { bot, channel }
    }

    /// A member with an account in the CAD, on duty.
    pub(crate) async fn officer(&self, name: &str, permissions: &[&str]) -> Officer {
        self.on_duty(self.civilian(name, permissions), name).await
    }

    async fn on_duty(&self, mut officer: Officer, name: &str) -> Officer {
        let spec = UnitSpec {
            num: format!("A-{name}"),
            name: name.to_owned(),
            status: 2,
            account: officer.account.clone(),
            ..UnitSpec::default()
        };
        officer.ident = self.bot.cad.login(1, &spec).unwrap();
        self.bot.caught_up().await;
        officer
    }

    /// A member with an account in the CAD, off duty.
    pub(crate) fn civilian(&self, name: &str, permissions: &[&str]) -> Officer {
        self.member(name, 0, permissions)
    }

    /// A dispatcher, on duty, who may use `/call` and `/lookup` in this guild.
    pub(crate) async fn dispatcher(&self, name: &str) -> Officer {
        let member = self.member(name, MANAGE_GUILD, &["dispatch", "police"]);
        self.on_duty(member, name).await
    }

    fn member(&self, name: &str, discord: u64, permissions: &[&str]) -> Officer {
        let user = self.bot.discord.add_member(&self.bot.guild, name, discord, &[]);
        let account = Account {
            username: name.to_owned(),
            discord: Some(user.clone()),
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
            ..Account::default()
        };
        let account = self.bot.cad.add_account(account);
        Officer { user, account, ident: 0 }
    }

    /// What the CAD said about a member a moment ago.
    pub(crate) async fn known(&self, officer: &Officer, permissions: &[&str]) {
        let permissions = permissions.iter().map(|p| (*p).to_owned()).collect();
        let member = Member { account: officer.account.clone(), name: String::new(), status: 1, permissions };
        let (store, user) = (&self.bot.app().store, UserId(officer.user.parse().unwrap()));
        let community = CommunityId::new(&CadOptions::default().community);
        store.put_member(&community, user, &member, Clock::system().now()).await.unwrap();
    }

    /// A 911, and its card.
    pub(crate) async fn emergency(&self, description: &str) -> (i64, Value) {
        let call = CallSpec {
            emergency: true,
            caller: "Tessa Marlowe".into(),
            location: "Alta St".into(),
            description: description.into(),
            meta: json!({ "postal": "9001" }),
        };
        let id = self.bot.cad.place_911(1, &call).unwrap();
        let card = self.bot.message(&self.channel, |m| m["embeds"][0]["footer"]["text"] == format!("Server 1 · 911 #{id}")).await;
        (id, card)
    }

    /// A dispatch call, and its card.
    pub(crate) async fn dispatch(&self, title: &str) -> (i64, Value) {
        let spec = DispatchSpec { status: 1, priority: 2, title: title.into(), address: "Mission Row".into(), ..DispatchSpec::default() };
        let id = self.bot.cad.dispatch_new(1, &spec).unwrap();
        (id, self.card_of(id).await)
    }

    /// The card of a dispatch call.
    pub(crate) async fn card_of(&self, id: i64) -> Value {
        self.bot.message(&self.channel, |m| m["embeds"][0]["footer"]["text"] == format!("Server 1 · Call #{id}")).await
    }

    /// The card once everything is settled.
    pub(crate) async fn settled(&self, card: &Value) -> Value {
        self.bot.settled().await;
        self.bot.discord.messages(&self.channel).into_iter().find(|m| m["id"] == card["id"]).unwrap()
    }

    /// Presses a button of a message.
    pub(crate) fn press(&self, card: &Value, verb: &str, user: &str) -> Pending {
        self.bot.discord.click(card["id"].as_str().unwrap(), Some(user), &button(card, verb)).unwrap()
    }

    /// The reply to a press.
    pub(crate) async fn pressed(&self, card: &Value, verb: &str, user: &str) -> String {
        told(&self.press(card, verb, user)).await
    }

    /// Runs a command.
    pub(crate) fn run(&self, user: &str, name: &str, path: &[&str], options: Value) -> Pending {
        self.bot.discord.slash(&self.channel, Some(user), name, path, options).unwrap()
    }

    /// The reply to a command.
    pub(crate) async fn ran(&self, user: &str, name: &str, path: &[&str], options: Value) -> String {
        told(&self.run(user, name, path, options)).await
    }

    /// The choices shown while typing, as name and value.
    pub(crate) async fn typing(&self, user: &str, name: &str, path: &[&str], options: Value, focused: &str) -> Vec<(String, String)> {
        let pending = self.bot.discord.autocomplete(&self.channel, Some(user), name, path, options, focused).unwrap();
        let reply = pending.wait_reply_where(PATIENCE, |reply| reply.get("choices").is_some()).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        reply["choices"].as_array().unwrap().iter().map(|choice| (text(&choice["name"]), text(&choice["value"]))).collect()
    }

    /// Requests that change the CAD, as `METHOD path`, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        let change = |seen: Seen| match seen {
            Seen::Rest { method, path, .. } if method != "GET" => Some(format!("{method} {path}")),
            _ => None,
        };
        self.bot.cad.log().into_iter().filter_map(change).collect()
    }
}

/// The text of the private reply.
pub(crate) async fn told(pending: &Pending) -> String {
    // "Waiting" is not a reply yet; the CAD's limits count by the minute.
    let waits = |reply: &Value| {
        ["Checking your CAD account", "Waiting for a turn"].iter().any(|w| reply["content"].as_str().is_some_and(|c| c.starts_with(w)))
    };
    let reply = pending.wait_reply_where(Duration::from_secs(90), |reply| !waits(reply)).await.unwrap();
    assert_eq!(reply["flags"].as_u64().unwrap_or(0) & 64, 64, "not private: {reply}");
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let embed = &reply["embeds"][0];
    [part(&reply["content"]), part(&embed["title"]), part(&embed["description"])]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The custom id of a button.
pub(crate) fn button(card: &Value, verb: &str) -> String {
    let ids = DiscordSim::custom_ids(card);
    ids.iter().find(|id| id.split(':').nth(1) == Some(verb)).unwrap_or_else(|| panic!("no {verb} in {ids:?}")).clone()
}
