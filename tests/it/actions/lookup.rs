//! `/lookup`.

use serde_json::{Value, json};

use super::Scene;
use crate::test_bot::{PATIENCE, field, title};

fn vehicle(plate: &str, owner: &str) -> Value {
    let field = |uid: &str, label: &str, value: &str| json!({ "uid": uid, "label": label, "value": value, "type": "text" });
    let fields = [field("plate", "Plate", plate), field("model", "Model", "Blue *Sedan*"), field("last", "Owner", owner)];
    json!({ "recordTypeId": 5, "type": 5, "name": "Vehicle Registration", "sections": [{ "fields": fields }] })
}

#[tokio::test]
async fn records_are_shown_to_the_asker_alone() {
    let scene = Scene::start().await;
    let dispatcher = scene.dispatcher("Desk").await;
    for n in 0..7 {
        scene.bot.cad.add_record_for_lookup(&vehicle(&format!("BKT{n}"), "Marlowe <@1>"));
    }
    let reply = scene.run(&dispatcher.user, "lookup", &["plate"], json!({ "plate": "bkt3" })).reply(PATIENCE).await.unwrap();
    assert_eq!(reply["flags"].as_u64().unwrap() & 64, 64);
    assert_eq!((&reply["content"], title(&reply)), (&json!("1 record."), "🔵 Vehicle Registration".to_owned()));
    assert_eq!(
        (field(&reply, "Plate"), field(&reply, "Model"), field(&reply, "Owner")),
        ("BKT3".into(), "Blue \\*Sedan\\*".into(), "Marlowe <\u{200b}@\u{200b}1>".into())
    );
    let many = scene.run(&dispatcher.user, "lookup", &["plate"], json!({ "plate": "bkt", "partial": true })).reply(PATIENCE).await.unwrap();
    assert_eq!(many["embeds"].as_array().unwrap().len(), 5);
    assert_eq!(many["content"], "7 records, the first 5 are shown: open the CAD for the rest.");
    let none = scene.ran(&dispatcher.user, "lookup", &["plate"], json!({ "plate": "bkt" })).await;
    assert_eq!(none, "The CAD has no record of that. `partial:True` finds parts of it too.");
    let named = scene.ran(&dispatcher.user, "lookup", &["name"], json!({ "last": "marlowe", "partial": true, "open_in_cad": true })).await;
    assert!(named.starts_with("7 records,") && named.contains("It opens in your CAD too"), "{named}");
    let log = format!("{:?}", scene.bot.cad.log());
    assert!(log.contains("notifyDiscord") && log.contains(&dispatcher.user), "{log}");
    assert_eq!(scene.ran(&dispatcher.user, "lookup", &["name"], json!({})).await, "Type a first name, a last name, or both.");
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_hung_cad_costs_a_command_ten_seconds_and_a_lookup_never_speaks_of_changes() {
    let scene = Scene::start().await;
    let dispatcher = scene.dispatcher("Desk").await;
    scene.bot.cad.rest_hang("", u32::MAX);
    let began = tokio::time::Instant::now();
    let asked = [
        scene.run(&dispatcher.user, "lookup", &["plate"], json!({ "plate": "bkt" })),
        scene.run(&dispatcher.user, "unit", &["me"], json!({})),
        scene.run(&dispatcher.user, "unit", &["panic"], json!({})),
    ];
    for pending in asked {
        let said = pending.wait_reply_where(PATIENCE, |reply| reply.to_string().contains("didn't answer")).await.unwrap().to_string();
        assert!(said.contains("Sonoran CAD didn't answer within 10 s: try again in a minute."), "{said}");
        assert!(!said.contains("nothing was"), "{said}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(13), "{:?}", began.elapsed());
    scene.bot.cad.heal();
    scene.bot.finish().await;
}
