//! `/911`.

use serde_json::json;

use super::{Scene, told};
use crate::test_bot::{PATIENCE, field};

#[tokio::test]
async fn members_place_calls_once_it_is_switched_on() {
    let scene = Scene::start().await;
    let (tess, owner) = (scene.civilian("Tess", &[]), scene.bot.discord.owner_id(&scene.bot.guild));
    let said = scene.ran(&tess.user, "911", &[], json!({})).await;
    assert!(said.contains("switched off here") && said.contains("`/cad actions`"), "{said}");
    let said = scene.ran(&owner, "cad", &["actions"], json!({ "emergency": "on" })).await;
    assert!(said.contains("`/911` is on"), "{said}");
    let form = scene.run(&tess.user, "911", &[], json!({}));
    assert_eq!(form.reply(PATIENCE).await.unwrap()["title"], "Call for help");
    let fields = json!({ "what": "Two men with *masks*", "where": "Alta St", "postal": "9001" });
    let said = told(&scene.bot.discord.submit(&form, fields.clone()).unwrap()).await;
    assert!(said.starts_with("📞 Your call was placed."), "{said}");
    let call = scene.bot.cad.open_state(1)["emergencyCalls"][0].clone();
    assert_eq!(
        (&call["caller"], &call["location"], &call["description"]),
        (&json!("Tess"), &json!("Alta St"), &json!("Two men with *masks*"))
    );
    assert_eq!((&call["isEmergency"], &call["metaData"]["postal"]), (&json!(true), &json!("9001")));
    let number = call["callId"].as_i64().unwrap();
    let card = scene.bot.message(&scene.channel, |m| m["embeds"][0]["footer"]["text"] == format!("Server 1 · 911 #{number}")).await;
    assert_eq!(field(&card, "Caller"), "Tess");
    // One in two minutes; what was typed comes back.
    let form = scene.run(&tess.user, "911", &[], json!({}));
    form.reply(PATIENCE).await.unwrap();
    let said = told(&scene.bot.discord.submit(&form, fields).unwrap()).await;
    assert!(said.starts_with("You placed a call a moment ago") && said.contains("Two men with *masks*\nAlta St\n9001"), "{said}");
    // Without an account nobody can.
    let stranger = scene.bot.discord.add_member(&scene.bot.guild, "Eve", 0, &[]);
    let form = scene.run(&stranger, "911", &[], json!({}));
    form.reply(PATIENCE).await.unwrap();
    let said = told(&scene.bot.discord.submit(&form, json!({ "what": "x", "where": "y", "caller": "Jane" })).unwrap()).await;
    assert!(said.contains("is not linked"), "{said}");
    assert_eq!(scene.changes(), ["POST /v2/emergency/servers/1/calls/911"]);
    scene.bot.finish().await;
}
