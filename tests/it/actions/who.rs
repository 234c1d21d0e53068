//! Who may act: roles, guilds, servers, accounts, units; which answers are cached and for how long; forged ids.

use serde_json::{Value, json};
use tenfour::authorization::ActionRule;
use tenfour::ids::RoleId;
use tenfour::render::custom_id::{On, Verb, card};
use tenfour::world::Subject;
use tenfour::{
    clock::UnixMs,
    ids::{CallId, Ident, ServerId},
};
use tenfour_sim::cad::{Account, CadOptions, ServerOptions, UnitSpec};
use tenfour_sim::discord::DiscordOptions;

use super::matrix::{ALL_PERMISSIONS, Action, quiet_scene};
use super::{Officer, Scene, told};
use crate::test_bot::{PATIENCE, Setup, field, until};

impl Scene {
    /// A message of the bot with a button of this custom id, which the bot itself would never send.
    async fn forged(&self, channel: &str, custom_id: &str) -> Value {
        let url = format!("{}/api/v10/channels/{channel}/messages", self.bot.discord.url());
        let button = json!({ "type": 2, "style": 1, "label": "x", "custom_id": custom_id });
        let body = json!({ "content": "x", "components": [{ "type": 1, "components": [button] }], "allowed_mentions": { "parse": [] } });
        let request = reqwest::Client::new().post(url).header("authorization", format!("Bot {}", DiscordOptions::default().token));
        let response = request.json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    async fn press_forged(&self, channel: &str, custom_id: &str, user: &str) -> String {
        let message = self.forged(channel, custom_id).await;
        told(&self.bot.discord.click(message["id"].as_str().unwrap(), Some(user), custom_id).unwrap()).await
    }

    /// Sets the member's account.
    fn account(&self, officer: &Officer, permissions: &[&str]) {
        self.bot.cad.add_account(Account {
            uuid: officer.account.clone(),
            discord: Some(officer.user.clone()),
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
            ..Account::default()
        });
    }
}

#[tokio::test]
async fn a_role_can_be_asked_for_and_is_looked_at_before_the_cad_is_asked() {
    let scene = quiet_scene(Vec::new()).await;
    let role = scene.bot.discord.add_role(&scene.bot.guild, "Officers", 0);
    let mut with = scene.stranger("With");
    with.user = scene.bot.discord.add_member(&scene.bot.guild, "With role", 0, &[&role]);
    with.account = "with".into();
    scene.account(&with, &ALL_PERMISSIONS);
    scene.duty(&mut with, "With");
    let without = scene.civilian("Without", &ALL_PERMISSIONS);
    let (_, card) = scene.dispatch("Robbery").await;
    let rule = ActionRule { role: Some(RoleId(role.parse().unwrap())), ..ActionRule::default() };
    scene.bot.app().store.set_action_rule(scene.bot.guild_id(), rule).await.unwrap();
    scene.bot.cad.clear_log();
    let said = scene.pressed(&card, "respond", &without.user).await;
    assert_eq!(said, format!("Only members with <@&{role}> may act in the CAD from here: ask this server's staff for that role."));
    assert_eq!(scene.bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Rest { .. })), 0, "the CAD was asked");
    assert!(scene.pressed(&card, "respond", &with.user).await.contains("is attached"));
    scene.bot.finish().await;
}

#[tokio::test]
async fn ids_that_nobody_made_do_no_harm() {
    let mut scene = quiet_scene(Vec::new()).await;
    let crew = scene.crew(2).await;
    let (ann, bob) = (&crew[0], &crew[1]);
    let staged = scene.stage(Action::RespondCall, ann, bob).await;
    let (call, _) = scene.dispatch("Robbery").await;
    let of = |verb, server, subject| card(verb, On { server: ServerId(server), subject });
    let channel = scene.channel.clone();
    let at = scene.bot.clock.now();
    let stale = Subject::Dispatch(CallId(call), at.plus_ms(-1));
    for (custom_id, words) in [
        // About an earlier call with this number.
        (of(Verb::Respond, 1, stale), "is over"),
        (of(Verb::Close, 1, stale), "is over"),
        (of(Verb::Detach, 1, stale), "is over"),
        (of(Verb::Dismiss, 1, Subject::Emergency(CallId(call), at)), "is over"),
        (of(Verb::Respond, 1, Subject::Emergency(CallId(9), UnixMs(i64::MAX))), "is over"),
        (of(Verb::Over, 1, Subject::Panic(Ident(ann.ident), at)), "is over"),
        (of(Verb::Take, 1, Subject::Event(i64::MAX, 7)), "is over"),
        (of(Verb::More, 1, Subject::Panic(Ident(-1), UnixMs(i64::MIN))), "is over"),
        // Verbs of other subjects.
        (of(Verb::Close, 1, Subject::Panic(Ident(1), at)), "is over"),
        (of(Verb::Respond, 1, Subject::Event(1, 0)), "nothing was sent"),
        (of(Verb::Over, 1, Subject::Dispatch(CallId(call), at)), "nothing was sent"),
        // A list's id on a button.
        (of(Verb::Priority, 1, Subject::Dispatch(CallId(call), at)), "Nothing was chosen"),
        // Servers that the bot doesn't serve.
        (of(Verb::Respond, 99, Subject::Dispatch(CallId(call), at)), "does not watch server 99"),
        (of(Verb::More, 99, Subject::Dispatch(CallId(call), at)), "does not watch server 99"),
        (of(Verb::Close, u32::MAX, stale), "does not watch server"),
        // Other forms.
        ("c1:respond:1:d:zz".to_owned(), "another version"),
        ("c1:respond:01:d:dx:1".to_owned(), "another version"),
        ("c1:pick".to_owned(), "another version"),
    ] {
        let said = scene.press_forged(&channel, &custom_id, &ann.user).await;
        assert!(said.contains(words), "{custom_id}: {said}");
    }
    assert_eq!(scene.changes(), Vec::<String>::new());
    assert!(staged.is_unchanged(&scene));

    // A guild that is not served.
    let elsewhere = scene.bot.discord.add_guild("Elsewhere");
    let user = scene.bot.discord.add_member(&elsewhere, "Eve", 0, &[]);
    scene.account(&Officer { user: user.clone(), account: bob.account.clone(), ident: 0 }, &ALL_PERMISSIONS);
    let channel = scene.bot.discord.add_channel(&elsewhere, "x", 0);
    let custom_id = of(Verb::Respond, 1, Subject::Dispatch(CallId(call), at));
    let said = scene.press_forged(&channel, &custom_id, &user).await;
    assert!(said.contains("set up to serve one Discord server, and it isn't this one"), "{said}");
    assert_eq!(scene.changes(), Vec::<String>::new());
    scene.bot.finish().await;
}

/// Two servers of one community.
async fn two_servers() -> Scene {
    let mut cad = CadOptions { rate_limits: false, ..CadOptions::default() };
    cad.servers.push(ServerOptions::new(2, "Second"));
    let settings = vec![("SONORAN_SERVER_IDS", "1,2".to_owned())];
    Scene::start_with(Setup { settings, cad: Some(cad), ..Setup::default() }).await
}

#[tokio::test]
async fn a_unit_acts_on_its_own_server_and_one_that_is_not_watched_any_more_is_left_alone() {
    let mut scene = two_servers().await;
    let ann = scene.civilian("Ann", &ALL_PERMISSIONS);
    let spec = UnitSpec { num: "A-2".into(), status: 2, account: ann.account.clone(), ..UnitSpec::default() };
    scene.bot.cad.login(2, &spec).unwrap();
    let (_, card) = scene.dispatch("Robbery").await;
    let said = scene.pressed(&card, "respond", &ann.user).await;
    assert_eq!(said, "You are not on duty on server 1: open the CAD, choose your identifier and go on duty there, then try again.");
    let spec = tenfour_sim::cad::DispatchSpec { status: 1, priority: 2, title: "Two".into(), ..Default::default() };
    scene.bot.cad.dispatch_new(2, &spec).unwrap();
    let second =
        scene.bot.message(&scene.channel, |m| m["embeds"][0]["footer"]["text"].as_str().is_some_and(|t| t.starts_with("Server 2"))).await;
    assert!(scene.pressed(&second, "respond", &ann.user).await.contains("A-2 is attached"));
    scene.bot.settled().await;
    let before = scene.changes();
    assert!(scene.bot.halt().await);
    scene.bot.set("SONORAN_SERVER_IDS", "1".to_owned());
    scene.bot.boot().await;
    for verb in ["respond", "more"] {
        let said = scene.pressed(&second, verb, &ann.user).await;
        assert!(said.contains("does not watch server 2 any more") && said.contains("tell this bot's operator"), "{verb}: {said}");
    }
    assert_eq!(scene.changes(), before);
    scene.bot.finish().await;
}

#[tokio::test]
async fn permissions_taken_away_are_noticed_within_ten_minutes_and_those_given_at_once() {
    let scene = quiet_scene(Vec::new()).await;
    let mut ann = scene.civilian("Ann", &["selfDispatch"]);
    scene.duty(&mut ann, "Ann");
    let press = async |title: &str| {
        let (_, card) = scene.dispatch(title).await;
        scene.pressed(&card, "respond", &ann.user).await
    };
    assert!(press("One").await.contains("is attached"));
    scene.account(&ann, &["police"]);
    scene.bot.clock.advance(419_000);
    assert!(press("Two").await.contains("is attached"), "believed, and not yet so old that it is asked about unasked");
    scene.bot.clock.advance(181_000);
    assert!(press("Three").await.contains("lacks the permission Self-Dispatch or Dispatch"));
    scene.account(&ann, &["dispatch"]);
    scene.bot.clock.advance(5_000);
    assert!(press("Four").await.contains("is attached"), "nobody is refused because of what was");
    // Banned, and let in again.
    let status = |status| {
        let (uuid, discord) = (ann.account.clone(), Some(ann.user.clone()));
        scene.bot.cad.add_account(Account { uuid, discord, status, permissions: vec!["dispatch".into()], ..Account::default() });
    };
    status(4);
    scene.bot.clock.advance(600_000);
    assert!(press("Five").await.contains("is banned from this community"));
    status(1);
    scene.bot.clock.advance(5_000);
    assert!(press("Six").await.contains("is attached"));
    scene.bot.finish().await;
}

/// A member who acted once and is on duty is refreshed before their data expires: their next press needs no request.
#[tokio::test]
async fn who_is_on_duty_stays_known_and_who_is_not_does_not() {
    let scene = quiet_scene(Vec::new()).await;
    let asked = |officer: &Officer| {
        let wanted = format!("discord={}", officer.user);
        scene.bot.cad.count(move |seen| matches!(seen, tenfour_sim::cad::Seen::Rest { path, query, .. } if path.ends_with("/account") && query.contains(&wanted)))
    };
    let (mut ann, off) = (scene.civilian("Ann", &["selfDispatch"]), scene.civilian("Off", &["selfDispatch"]));
    scene.duty(&mut ann, "Ann");
    scene.bot.caught_up().await;
    let (_, card) = scene.dispatch("One").await;
    assert!(scene.pressed(&card, "respond", &ann.user).await.contains("is attached"));
    assert!(scene.pressed(&card, "respond", &off.user).await.contains("go on duty there"));
    assert_eq!((asked(&ann), asked(&off)), (1, 1));
    let lists =
        || scene.bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Rest { path, .. } if path.ends_with("/general/accounts")));
    scene.bot.clock.advance(421_000);
    until("a list of accounts that nobody waits for", async || lists() == 1).await;
    scene.bot.clock.advance(300_000);
    let (_, card) = scene.dispatch("Two").await;
    assert!(scene.pressed(&card, "respond", &ann.user).await.contains("is attached"));
    assert_eq!((asked(&ann), asked(&off)), (1, 1), "twelve minutes after she was asked about first");
    scene.bot.finish().await;
}

#[tokio::test]
async fn linking_works_within_a_minute_and_going_on_duty_at_once() {
    let scene = quiet_scene(Vec::new()).await;
    let mut eve = scene.stranger("Eve");
    let (_, card) = scene.dispatch("Robbery").await;
    let press = || scene.pressed(&card, "respond", &eve.user);
    assert!(press().await.contains("/unit link"));
    assert!(press().await.contains("noticed within a minute"));
    let account =
        Account { uuid: "eve".into(), discord: Some(eve.user.clone()), permissions: vec!["dispatch".into()], ..Account::default() };
    scene.bot.cad.add_account(account);
    scene.bot.clock.advance(60_000);
    assert!(press().await.contains("go on duty there"));
    eve.account = "eve".into();
    scene.duty(&mut eve, "Eve");
    scene.bot.caught_up().await;
    assert!(scene.pressed(&card, "respond", &eve.user).await.contains("A-Eve Eve is attached"));
    scene.bot.finish().await;
}

/// Asking about oneself repeatedly doesn't use up the shared limit.
#[tokio::test]
async fn somebody_without_an_account_makes_the_bot_ask_once_a_minute_at_most() {
    let scene = quiet_scene(Vec::new()).await;
    let eve = scene.stranger("Eve");
    for _ in 0..12 {
        assert!(scene.ran(&eve.user, "unit", &["me"], json!({})).await.contains("not linked"));
    }
    let asked = scene.bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Rest { path, .. } if path.ends_with("/account")));
    assert_eq!(asked, 1);
    scene.bot.clock.advance(60_000);
    scene.ran(&eve.user, "unit", &["me"], json!({})).await;
    let asked = scene.bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Rest { path, .. } if path.ends_with("/account")));
    assert_eq!(asked, 2);
    scene.bot.finish().await;
}

/// Pressing repeatedly doesn't use up the shared limit.
#[tokio::test]
async fn who_is_off_duty_costs_one_question() {
    let scene = quiet_scene(Vec::new()).await;
    let ann = scene.civilian("Ann", &ALL_PERMISSIONS);
    let (_, card) = scene.dispatch("Robbery").await;
    for _ in 0..12 {
        assert!(scene.pressed(&card, "respond", &ann.user).await.contains("go on duty there"));
    }
    let asked = |end: &'static str| {
        scene.bot.cad.count(
            move |seen| matches!(seen, tenfour_sim::cad::Seen::Rest { path, .. } if path.ends_with(end) && path.contains("/accounts/")),
        )
    };
    assert_eq!((asked("/units"), asked("/account")), (1, 1));
    scene.bot.finish().await;
}

#[tokio::test]
async fn several_identifiers_act_as_the_one_on_the_street_and_leave_only_what_is_meant() {
    let mut scene = quiet_scene(Vec::new()).await;
    let other = scene.crew(1).await.remove(0);
    let ann = scene.civilian("Ann", &ALL_PERMISSIONS);
    let login = |num: &str, page: i64| {
        let spec = UnitSpec { num: num.into(), name: "Ann".into(), page, status: 2, account: ann.account.clone(), ..UnitSpec::default() };
        scene.bot.cad.login(1, &spec).unwrap()
    };
    let dispatcher = login("D-1", 3);
    scene.bot.caught_up().await;
    let (one, first) = scene.dispatch("One").await;
    // On duty only as a dispatcher, the member acts as one.
    assert_eq!(scene.pressed(&first, "respond", &ann.user).await, format!("🚓 D-1 Ann is attached to call #{one}."));
    scene.bot.clock.advance(1_000);
    let street = login("A-1", 0);
    scene.bot.caught_up().await;
    let (two, second) = scene.dispatch("Two").await;
    assert_eq!(scene.pressed(&second, "respond", &ann.user).await, format!("🚓 A-1 Ann is attached to call #{two}."));
    let (_, third) = scene.dispatch("Three").await;
    let leave = async |card: &Value| {
        let panel = scene.press(card, "more", &ann.user).reply(PATIENCE).await.unwrap();
        scene.pressed(&panel, "detach", &ann.user).await
    };
    assert_eq!(leave(&third).await, "You are not on this call: nothing was sent.");
    assert_eq!(leave(&second).await, format!("↩️ You left call #{two}."));
    let open = scene.bot.cad.open_state(1);
    let idents: Vec<&Value> = open["activeCalls"].as_array().unwrap().iter().map(|call| &call["idents"]).collect();
    assert_eq!(idents, [&json!([dispatcher]), &json!([]), &json!([])]);
    assert!(street > dispatcher && other.ident > 0);
    scene.bot.settled().await;
    assert!(field(&scene.settled(&first).await, "Units").contains("D-1"));
    assert_eq!(scene.all_wrong(&[]), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_unit_of_another_account_is_nobodys() {
    let scene = quiet_scene(Vec::new()).await;
    let ann = scene.civilian("Ann", &ALL_PERMISSIONS);
    // Her second account is not the one that is linked.
    let spec = UnitSpec { num: "A-1".into(), status: 2, account: "second".into(), ..UnitSpec::default() };
    scene.bot.cad.login(1, &spec).unwrap();
    let (_, card) = scene.dispatch("Robbery").await;
    assert!(scene.pressed(&card, "respond", &ann.user).await.contains("not on duty on server 1"));
    assert_eq!(scene.changes(), Vec::<String>::new());
    scene.bot.finish().await;
}

#[tokio::test]
async fn the_cad_refusing_the_key_is_not_the_persons_fault() {
    let scene = quiet_scene(Vec::new()).await;
    let ann = scene.civilian("Ann", &ALL_PERMISSIONS);
    let (_, card) = scene.dispatch("Robbery").await;
    for (status, word) in [(401, "SONORAN_API_KEY"), (403, "SONORAN_API_KEY"), (402, "plan"), (500, "try again in a minute")] {
        scene.bot.cad.rest_status("/accounts/account", status, 1, None);
        let said = scene.pressed(&card, "respond", &ann.user).await;
        assert!(
            said.contains("tell this bot's operator") && said.contains(word) && said.contains("nothing was changed"),
            "{status}: {said}"
        );
        assert!(!said.to_lowercase().contains("your "), "{status}: {said}");
    }
    scene.bot.finish().await;
}

/// Otherwise, somebody with their own guild could press there what they may not press here.
#[tokio::test]
async fn the_communitys_role_rule_holds_in_every_linked_guild_and_its_staff_see_what_is_done_elsewhere() {
    let scene = quiet_scene(vec![("DISCORD_GUILD_ID", String::new())]).await;
    let (sim, home) = (&scene.bot.discord, &scene.bot.guild);
    let store = &scene.bot.app().store;
    until("the first guild is linked", async || store.routing_now().access.serves(scene.bot.guild_id())).await;
    let role = sim.add_role(home, "Officers", 0);
    let rule = ActionRule { role: Some(RoleId(role.parse().unwrap())), ..ActionRule::default() };
    store.set_action_rule(scene.bot.guild_id(), rule).await.unwrap();

    let elsewhere = sim.add_guild("My own");
    let channel = sim.add_channel(&elsewhere, "dispatch", 0);
    let guild = tenfour::ids::GuildId(elsewhere.parse().unwrap());
    let community = tenfour::ids::CommunityId::new(&CadOptions::default().community);
    store.link(guild, &community, None, tenfour::guild_access::How::Key, scene.bot.clock.now(), Vec::new()).await.unwrap();
    // Its own rule requires nothing.
    store.ensure_guild(guild, &community).await.unwrap();
    store.set_action_rule(guild, ActionRule::default()).await.unwrap();
    let (without, with, outsider) = (
        scene.officer("Without", &ALL_PERMISSIONS).await,
        scene.officer("With", &ALL_PERMISSIONS).await,
        sim.add_member(&elsewhere, "Outsider", 0, &[]),
    );
    for user in [&without.user, &with.user] {
        sim.join(&elsewhere, user, 0, &[]);
    }
    sim.join(home, &with.user, 0, &[&role]);
    let (call, card) = scene.dispatch("Robbery").await;
    let custom_id = super::button(&card, "respond");
    scene.bot.cad.clear_log();
    for user in [&without.user, &outsider] {
        let said = scene.press_forged(&channel, &custom_id, user).await;
        assert!(said.contains("role on the community's main Discord server"), "{said}");
    }
    assert_eq!(scene.bot.cad.count(|seen| matches!(seen, tenfour_sim::cad::Seen::Rest { .. })), 0, "the CAD was asked");
    // Discord doesn't say: without an answer nobody may.
    sim.fail("GET", "/members/", 503, 1);
    let said = scene.press_forged(&channel, &custom_id, &with.user).await;
    assert!(said.contains("Discord didn't say which roles"), "{said}");
    assert!(scene.press_forged(&channel, &custom_id, &with.user).await.contains(&format!("attached to call #{call}")));

    let audited = store.audited(scene.bot.guild_id(), tenfour::store::audit::AuditFilter::default(), 0).await.unwrap().entries;
    let entry = audited.iter().find(|entry| entry.action == "respond").unwrap_or_else(|| panic!("{audited:?}"));
    assert!(entry.target.contains(&format!("from Discord server {elsewhere}")) && entry.user.0.to_string() == with.user, "{entry:?}");
    assert_eq!(store.audited(guild, tenfour::store::audit::AuditFilter::default(), 0).await.unwrap().total, 1);
    scene.bot.finish().await;
}
