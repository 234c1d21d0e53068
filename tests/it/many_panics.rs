//! One event, many units in panic: one ping in each channel, and one card if they are many.

use serde_json::{Value, json};
use tenfour::event::Source;
use tenfour::render::Style;
use tenfour::route::Rule;

use crate::stage::Stage;

struct Scene {
    stage: Stage,
    role: String,
    channel: String,
}

impl Scene {
    async fn new() -> Self {
        let mut stage = Stage::new().await;
        stage.reads = false;
        let role = stage.discord.add_role(&stage.guild, "Patrol", 0);
        let channel = stage.channel("panic", Some(&role), Style::Card, false, Rule::default()).await;
        Self { stage, role, channel }
    }

    async fn panic(&mut self, idents: std::ops::RangeInclusive<i64>, on: bool) {
        let data = json!({ "identIds": idents.collect::<Vec<_>>(), "isPanic": on });
        self.stage.arrive(Source::Hub, &json!({ "type": "EVENT_UNIT_PANIC", "data": data })).await;
    }

    fn cards(&self) -> Vec<Value> {
        self.stage.discord.messages(&self.channel).into_iter().filter(|message| message["embeds"][0]["title"].is_string()).collect()
    }

    fn pings(&self) -> usize {
        let mention = json!(format!("<@&{}>", self.role));
        let all = self.stage.discord.messages(&self.channel);
        all.iter().filter(|message| message["pinged"].as_array().unwrap().contains(&mention)).count()
    }
}

fn title(card: &Value) -> &str {
    card["embeds"][0]["title"].as_str().unwrap()
}

#[tokio::test]
async fn one_event_that_names_220_units_is_one_card_and_one_ping() {
    let mut scene = Scene::new().await;
    scene.panic(1..=220, true).await;
    scene.stage.turn().await;
    assert_eq!((scene.cards().len(), scene.pings()), (1, 1));
    let card = scene.cards().remove(0);
    assert_eq!(title(&card), "🆘 PANIC · 220 units");
    let said = card["content"].as_str().unwrap();
    assert!(said.contains("PANIC: 220 units: Unit 1, Unit 2") && said.contains("more"), "{said}");
    assert!(card["embeds"][0]["fields"][0]["value"].as_str().unwrap().contains("Unit 1, Unit 2, Unit 3"), "{card:#}");
    // Some are safe: the card says so. The bot is killed and restarted: it still does.
    scene.panic(1..=180, false).await;
    scene.stage.restart().await;
    scene.stage.play(2_000, 500).await;
    assert_eq!(title(&scene.cards()[0]), "🆘 PANIC · 40 units");
    // The first of them is in panic again: a new alarm.
    scene.stage.play(20_000, 5_000).await;
    scene.panic(1..=1, true).await;
    scene.stage.play(2_000, 500).await;
    assert_eq!((scene.cards().len(), scene.pings()), (2, 2));
    // All others are safe, and then the first is, too.
    scene.panic(181..=220, false).await;
    scene.stage.play(2_000, 500).await;
    assert_eq!(title(&scene.cards()[0]), "✅ Panic over · 220 units");
    assert!(title(&scene.cards()[1]).starts_with("🆘 PANIC · Unit 1"));
    scene.panic(1..=1, false).await;
    scene.stage.play(2_000, 500).await;
    assert!(title(&scene.cards()[1]).starts_with("✅ Panic over"));
    assert_eq!(scene.pings(), 2);
    scene.stage.end().await;
}

#[tokio::test]
async fn up_to_five_units_in_one_event_keep_a_card_each_and_ping_once() {
    for many in 2..=6 {
        let mut scene = Scene::new().await;
        scene.panic(1..=many, true).await;
        scene.stage.turn().await;
        let cards = if many > 5 { 1 } else { usize::try_from(many).unwrap() };
        assert_eq!((scene.cards().len(), scene.pings()), (cards, 1), "{many}");
        // Another event is another alarm, even at the same moment.
        scene.panic(11..=11, true).await;
        scene.stage.turn().await;
        assert_eq!((scene.cards().len(), scene.pings()), (cards + 1, 2), "{many}");
        scene.stage.end().await;
    }
}

/// The first card would have pinged; a panic that ended before it was shown pings nobody.
#[tokio::test]
async fn the_ping_of_an_event_is_not_lost_with_the_unit_that_is_safe_first() {
    let mut scene = Scene::new().await;
    scene.panic(1..=3, true).await;
    scene.panic(1..=1, false).await;
    scene.stage.turn().await;
    assert_eq!((scene.cards().len(), scene.pings()), (3, 1));
    scene.stage.end().await;
}

#[tokio::test]
async fn panics_of_one_event_escalate_once_for_each_step() {
    use tenfour::route::{Escalation, EscalationStep};
    for many in [3, 30] {
        let mut scene = Scene::new().await;
        let chief = scene.stage.discord.add_role(&scene.stage.guild, "Chief", 0);
        let step =
            |minutes| EscalationStep { minutes, role: tenfour::ids::RoleId(chief.parse().unwrap()), since: tenfour::clock::UnixMs(0) };
        let rule = Rule { escalation: serde_json::from_value::<Escalation>(json!([step(2), step(4)])).unwrap(), ..Rule::default() };
        scene.channel = scene.stage.channel("panic", None, Style::Card, false, rule).await;
        scene.stage.rerouted().await;
        scene.role = chief;
        scene.panic(1..=many, true).await;
        scene.stage.turn().await;
        for _ in 0..30 {
            scene.stage.clock.advance(10_000);
            scene.stage.look_after().await;
            scene.stage.turn().await;
        }
        assert_eq!(scene.pings(), 2, "{many}");
        scene.stage.end().await;
    }
}
