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
    // One in two minutes; what was typed is returned.
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

#[tokio::test]
async fn the_officers_role_does_not_restrict_911_which_has_a_role_of_its_own() {
    let scene = Scene::start().await;
    let (tess, owner) = (scene.civilian("Tess", &[]), scene.bot.discord.owner_id(&scene.bot.guild));
    let role = |name: &str| scene.bot.discord.add_role(&scene.bot.guild, name, 0);
    let (officers, callers) = (role("Officers"), role("Callers"));
    scene.ran(&owner, "cad", &["actions"], json!({ "emergency": "on", "role": officers })).await;
    let form = scene.run(&tess.user, "911", &[], json!({}));
    form.reply(PATIENCE).await.unwrap();
    let said = told(&scene.bot.discord.submit(&form, json!({ "what": "x", "where": "y" })).unwrap()).await;
    assert!(said.starts_with("📞 Your call was placed."), "{said}");
    let said = scene.ran(&owner, "cad", &["actions"], json!({ "emergency_role": callers })).await;
    assert!(
        said.contains(&format!("Only members with <@&{callers}> may use `/911`")) && said.contains(&format!("<@&{officers}>")),
        "{said}"
    );
    let said = scene.ran(&tess.user, "911", &[], json!({})).await;
    assert_eq!(said, format!("Only members with <@&{callers}> may place calls from here: ask this server's staff for that role."));
    let said = scene.ran(&owner, "cad", &["actions"], json!({ "any_emergency_role": true })).await;
    assert!(said.contains("No role is needed for `/911`"), "{said}");
    scene.bot.finish().await;
}
