//! Calls that nobody answers ping a second role, once.

use serde_json::{Value, json};
use tenfour::clock::{Clock, UnixMs};
use tenfour::event::own;
use tenfour::ids::{RoleId, RouteId};
use tenfour::render::Style;
use tenfour::route::EscalationStep;
use tenfour_sim::cad::CallSpec;

use crate::test_bot::{Setup, TestBot, until};

const MINUTE: i64 = 60_000;
const BEGIN: UnixMs = UnixMs(1_795_000_000_000);

/// A bot with its own clock, and a route whose unanswered calls ping `second` after three minutes and `third` after five.
struct EscalationTest {
    bot: TestBot,
    clock: Clock,
    channel: String,
    second: String,
    third: String,
}

impl EscalationTest {
    async fn start(event: &str) -> Self {
        let clock = Clock::manual(BEGIN);
        let bot = TestBot::start_with(Setup { clock: Some(clock.clone()), ..Setup::default() }).await;
        let [first, second, third] = ["Patrol", "Supervisors", "Command"].map(|name| bot.discord.add_role(&bot.guild, name, 0));
        let channel = bot.discord.add_channel(&bot.guild, "alerts", 0);
        let route = bot.route(event, &channel, Some(&first), Style::Card).await;
        for (minutes, role) in [(3, &second), (5, &third)] {
            let step = EscalationStep { minutes, role: RoleId(role.parse().unwrap()), since: BEGIN };
            let set = bot.app().store.change_rule(bot.guild_id(), RouteId(route), move |rule| rule.escalation.set(step)).await.unwrap();
            assert!(set.unwrap().1);
        }
        Self { bot, clock, channel, second, third }
    }

    async fn call(&self, id: i64) {
        let call =
            json!({ "call": { "callId": id, "isEmergency": true, "caller": "T", "location": "Alta St", "description": "shots fired" } });
        self.bot.send_event("EVENT_911", call).await;
        self.bot.settled().await;
    }

    /// Advances the clock, and waits until the bot has checked.
    async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        // Two checks: one may have begun before.
        let looks = self.bot.app().status.snapshot().looks;
        until("two looks", async || self.bot.app().status.snapshot().looks >= looks + 2).await;
        self.bot.settled().await;
    }

    /// Who was pinged, message by message.
    fn pinged(&self) -> Vec<Vec<String>> {
        let pinged = |m: &Value| m["pinged"].as_array().into_iter().flatten().map(|role| role.as_str().unwrap().to_owned()).collect();
        self.bot.discord.messages(&self.channel).iter().skip(1).map(pinged).collect()
    }

    fn of(&self, roles: &[&String]) -> Vec<Vec<String>> {
        roles.iter().map(|role| vec![format!("<@&{role}>")]).collect()
    }
}

#[tokio::test]
async fn a_911_that_nobody_takes_calls_each_step_once_even_over_a_restart() {
    let mut test = EscalationTest::start("911").await;
    test.call(302).await;
    test.later(3 * MINUTE - 1).await;
    assert_eq!(test.pinged(), Vec::<Vec<String>>::new());
    test.later(1).await;
    assert_eq!(test.pinged(), test.of(&[&test.second]));
    let messages = test.bot.discord.messages(&test.channel);
    assert_eq!(messages[1]["content"], format!("<@&{}> ⏰ Nobody has taken this yet: 3 min so far", test.second));
    assert_eq!(messages[1]["message_reference"]["message_id"], messages[0]["id"]);
    assert!(test.bot.halt().await);
    test.bot.boot().await;
    test.later(1_000).await;
    assert_eq!(test.pinged(), test.of(&[&test.second]));
    test.later(2 * MINUTE).await;
    assert_eq!(test.pinged(), test.of(&[&test.second, &test.third]));
    test.later(20 * MINUTE).await;
    assert_eq!(test.pinged().len(), 2);
    test.bot.finish().await;
}

#[tokio::test]
async fn what_was_answered_calls_nobody() {
    let test = EscalationTest::start("911").await;
    test.call(302).await;
    test.later(3 * MINUTE).await;
    assert_eq!(test.pinged().len(), 1);
    test.bot.send_event("EVENT_REMOVE_911", json!({ "callIds": [302] })).await;
    test.later(2 * MINUTE).await;
    assert_eq!(test.pinged().len(), 1, "it was handled");
    test.bot.finish().await;
}

#[tokio::test]
async fn panics_and_pages_are_called_out_too() {
    for (event, kind, data) in [
        ("panic", "EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": true })),
        ("pager", "EVENT_PAGER_REBORN", json!({ "addresses": ["FIRE-1"], "nature": "Emergency", "body": "Second alarm" })),
    ] {
        let test = EscalationTest::start(event).await;
        test.bot.send_event(kind, data).await;
        test.bot.settled().await;
        test.later(3 * MINUTE).await;
        assert_eq!(test.pinged(), test.of(&[&test.second]), "{event}");
        test.bot.finish().await;
    }
}

#[tokio::test]
async fn a_muted_route_and_a_step_missed_by_far_call_nobody() {
    let mut test = EscalationTest::start("911").await;
    let route = test.bot.app().store.routing_now().routes[0].id;
    let until = BEGIN.plus_ms(10 * MINUTE);
    let mute = move |rule: &mut tenfour::route::Rule| rule.mute = Some(tenfour::route::Mute { until, panic: false });
    test.bot.app().store.change_rule(test.bot.guild_id(), route, mute).await.unwrap();
    test.call(302).await;
    test.later(4 * MINUTE).await;
    assert_eq!(test.pinged().len(), 0);
    // The bot is down while the second step is due, and comes back a quarter of an hour later.
    assert!(test.bot.halt().await);
    test.clock.advance(20 * MINUTE);
    test.bot.boot().await;
    test.later(1_000).await;
    assert_eq!(test.pinged().len(), 0);
    test.bot.finish().await;
}

/// It is unknown since when it waits, and whether somebody is already going.
#[tokio::test]
async fn what_was_there_before_the_bot_calls_nobody() {
    let mut test = EscalationTest::start("911").await;
    assert!(test.bot.halt().await);
    test.clock.advance(60 * MINUTE);
    let spec = CallSpec { emergency: true, description: "Shots fired".into(), ..CallSpec::default() };
    test.bot.cad.place_911(1, &spec).unwrap();
    test.bot.set("SONORAN_RECONCILE_SECONDS", "60".to_owned());
    test.bot.boot().await;
    until("its card", async || test.bot.discord.messages(&test.channel).len() == 1).await;
    test.later(6 * MINUTE).await;
    assert_eq!(test.pinged().len(), 0);
    test.bot.finish().await;
}

/// Anybody with the community's key could send this; only the bot itself may.
#[tokio::test]
async fn nobody_else_can_say_that_it_was_taken() {
    let test = EscalationTest::start("911").await;
    test.call(302).await;
    let subject = format!("911:302@{}", BEGIN.0);
    test.bot.send_event(own::ACKNOWLEDGED, json!({ "subject": subject, "by": "1" })).await;
    test.later(3 * MINUTE).await;
    assert_eq!(test.pinged(), test.of(&[&test.second]));
    test.bot.finish().await;
}

/// A panic, and the 911 that the game creates for it.
async fn panic_with_its_911(test: &EscalationTest) {
    let unit = json!({ "unit": { "id": 7, "status": 2, "data": { "unitNum": "A-10", "name": "John Doe" } } });
    test.bot.send_event("EVENT_UNIT_LOGIN", unit).await;
    test.bot.send_event("EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": true })).await;
    let call = json!({ "call": {
        "callId": 302, "isEmergency": true, "caller": "John Doe", "location": "Alta St", "description": "Unit A-10 has pressed their panic button!",
    } });
    test.bot.send_event("EVENT_911", call).await;
    test.bot.settled().await;
}

#[tokio::test]
async fn a_911_of_a_panic_that_is_over_calls_nobody_any_more() {
    for end in [("EVENT_UNIT_PANIC", json!({ "identIds": [7], "isPanic": false })), ("EVENT_UNIT_LOGOUT", json!({ "identId": 7 }))] {
        let test = EscalationTest::start("911").await;
        panic_with_its_911(&test).await;
        let panics = test.bot.channel("panic", None, Style::Card).await;
        test.later(2 * MINUTE).await;
        test.bot.send_event(end.0, end.1).await;
        test.later(10 * MINUTE).await;
        assert_eq!(test.pinged(), [[""; 0]; 0], "{}", end.0);
        drop(panics);
        test.bot.finish().await;
    }
}

#[tokio::test]
async fn a_911_of_a_panic_that_goes_on_still_calls() {
    let test = EscalationTest::start("911").await;
    panic_with_its_911(&test).await;
    test.later(3 * MINUTE).await;
    assert_eq!(test.pinged(), [[format!("<@&{}>", test.second)]]);
    test.bot.finish().await;
}
