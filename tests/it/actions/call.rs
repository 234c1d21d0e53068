//! `/call`.

use serde_json::{Value, json};

use super::{Scene, told};
use crate::test_bot::{PATIENCE, field, title};

fn open(scene: &Scene) -> Vec<Value> {
    scene.bot.cad.open_state(1)["activeCalls"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_dispatcher_lists_views_assigns_notes_and_closes() {
    let scene = Scene::start().await;
    let dispatcher = scene.dispatcher("Desk").await;
    let ann = scene.officer("Ann", &["police"]).await;
    assert_eq!(scene.ran(&dispatcher.user, "call", &["list"], json!({})).await, "Nothing is open. `/call new` makes a call.");
    let (id, card) = scene.dispatch("Armed *Robbery*").await;
    let (emergency, _) = scene.emergency("Shots fired").await;
    let list = scene.ran(&dispatcher.user, "call", &["list"], json!({})).await;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "Open calls: 2");
    assert!(lines[1].contains(&format!("911 #{emergency}")) && lines[2].contains("Armed \\*Robbery\\*"), "{list}");

    let view = scene.run(&dispatcher.user, "call", &["view"], json!({ "call": id.to_string() })).reply(PATIENCE).await.unwrap();
    let shown = scene.settled(&card).await;
    assert_eq!(
        (title(&view), &view["embeds"][0]["fields"], &view["embeds"][0]["footer"]),
        (title(&shown), &shown["embeds"][0]["fields"], &shown["embeds"][0]["footer"])
    );
    assert_eq!(view["flags"].as_u64().unwrap() & 64, 64);
    assert_eq!(scene.pressed(&view, "respond", &dispatcher.user).await, format!("🚓 A-Desk Desk is attached to call #{id}."));

    let units = scene.typing(&dispatcher.user, "call", &["assign"], json!({ "call": id.to_string(), "unit": "ann" }), "unit").await;
    assert_eq!(units, [("A-Ann Ann · 🟢 Available".to_owned(), format!("1:{}", ann.ident))]);
    let assign = |unit: &str| scene.run(&dispatcher.user, "call", &["assign"], json!({ "call": id.to_string(), "unit": unit }));
    assert_eq!(told(&assign(&units[0].1)).await, format!("✅ A-Ann Ann is attached to call #{id}."));
    let said = told(&assign("Z-9")).await;
    assert!(said.starts_with("No unit on duty on server 1 is called that"), "{said}");
    let chosen = scene.typing(&dispatcher.user, "call", &["unassign"], json!({}), "call").await;
    assert_eq!(chosen.len(), 1, "a 911 has no units: {chosen:?}");
    let attached = scene.typing(&dispatcher.user, "call", &["unassign"], json!({ "call": chosen[0].1 }), "unit").await;
    assert_eq!(attached.len(), 2, "{attached:?}");
    let said = scene.ran(&dispatcher.user, "call", &["unassign"], json!({ "call": chosen[0].1, "unit": "a-ann" })).await;
    assert_eq!(said, format!("✅ A-Ann Ann left call #{id}."));
    scene.ran(&dispatcher.user, "call", &["note"], json!({ "call": chosen[0].1, "note": "gate 4" })).await;
    let shown = scene.settled(&card).await;
    assert!(field(&shown, "Last note").contains("gate 4") && !field(&shown, "Units").contains("A-Ann"), "{shown:#}");

    let said = scene.ran(&dispatcher.user, "call", &["from911"], json!({ "call": emergency.to_string() })).await;
    assert!(said.starts_with("🚔 It is call #"), "{said}");
    let made = open(&scene).last().unwrap().clone();
    assert_eq!((&made["idents"], &made["metaData"]["origin911"]), (&json!([]), &json!(emergency.to_string())));
    assert_eq!(
        scene.ran(&dispatcher.user, "call", &["close"], json!({ "call": id.to_string() })).await,
        format!("⬛ Call #{id} is closed.")
    );
    let (other, _) = scene.emergency("Cat on a tree").await;
    assert_eq!(
        scene.ran(&dispatcher.user, "call", &["close"], json!({ "call": other.to_string() })).await,
        format!("☑️ Call #{other} is dismissed.")
    );
    let said = scene.ran(&dispatcher.user, "call", &["assign"], json!({ "call": id.to_string(), "unit": "a-ann" })).await;
    assert!(said.contains("There is no open call"), "{said}");
    // Without Manage Server, or a role that was granted it, the command isn't shown.
    assert!(scene.bot.discord.slash(&scene.channel, Some(&ann.user), "call", &["list"], json!({})).is_err());
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_call_is_made_by_a_form() {
    let scene = Scene::start().await;
    let dispatcher = scene.dispatcher("Desk").await;
    let form = scene.run(&dispatcher.user, "call", &["new"], json!({}));
    let shown = form.reply(PATIENCE).await.unwrap();
    assert_eq!((&shown["title"], shown["components"].as_array().unwrap().len()), (&json!("New call"), 5));
    let fields = json!({ "title": "211 *Robbery*", "address": "Alta St", "postal": "9001", "description": "Two men", "priority": "p1" });
    let said = told(&scene.bot.discord.submit(&form, fields).unwrap()).await;
    let call = open(&scene)[0].clone();
    assert_eq!(said, format!("🚔 Call #{} is made.", call["callId"]));
    assert_eq!(
        (&call["title"], &call["postal"], &call["priority"], &call["status"]),
        (&json!("211 *Robbery*"), &json!("9001"), &json!(1), &json!(1))
    );
    assert_eq!(call["idents"], json!([]), "a dispatcher is not attached unless they ask");
    let card = scene.card_of(call["callId"].as_i64().unwrap()).await;
    assert!(title(&card).contains("211 \\*Robbery\\*"), "{}", title(&card));
    // A rejected form returns what was typed.
    let form = scene.run(&dispatcher.user, "call", &["new"], json!({ "attach": true }));
    form.reply(PATIENCE).await.unwrap();
    let said = told(&scene.bot.discord.submit(&form, json!({ "title": "Fire", "priority": "9" })).unwrap()).await;
    assert!(said.starts_with("The priority must be 1, 2 or 3.") && said.contains("```\nFire\n9\n```"), "{said}");
    let form = scene.run(&dispatcher.user, "call", &["new"], json!({ "attach": true }));
    form.reply(PATIENCE).await.unwrap();
    told(&scene.bot.discord.submit(&form, json!({ "title": "Fire" })).unwrap()).await;
    assert_eq!(open(&scene).last().unwrap()["idents"], json!([dispatcher.ident]));
    scene.bot.finish().await;
}

#[tokio::test]
async fn a_layout_of_the_communitys_own_is_a_form_too() {
    let scene = Scene::start().await;
    let dispatcher = scene.dispatcher("Desk").await;
    let text = |uid: &str, binding: &str, required: bool| json!({ "uid": uid, "type": "text", "label": uid, "binding": binding, "required": required });
    let mut fields: Vec<Value> = ["one", "two", "three", "four"].map(|uid| text(uid, "", false)).to_vec();
    fields.push(text("headline", "title", true));
    fields.push(json!({ "uid": "state", "type": "status", "label": "State", "binding": "status", "required": true }));
    fields.push(
        json!({ "uid": "grade", "type": "select", "label": "Grade", "binding": "priority", "options": ["High", "Low"], "required": true }),
    );
    let template = json!({
        "templateId": 4, "name": "Control Room", "version": 2, "isDefault": true,
        "statusOptions": [{ "id": "deployed", "label": "Deployed", "status": 1 }], "sections": [{ "uid": "s", "label": "S", "fields": fields }],
    });
    scene.bot.cad.add_template(&template);
    let choices = scene.typing(&dispatcher.user, "call", &["new"], json!({ "template": "room" }), "template").await;
    assert_eq!(choices, [("Control Room".to_owned(), "4".to_owned())]);
    let form = scene.run(&dispatcher.user, "call", &["new"], json!({ "template": "4" }));
    let shown = form.reply(PATIENCE).await.unwrap();
    let asked: Vec<&str> =
        shown["components"].as_array().unwrap().iter().map(|row| row["components"][0]["custom_id"].as_str().unwrap()).collect();
    assert_eq!((&shown["title"], asked), (&json!("Control Room"), vec!["headline", "state", "grade", "one", "two"]));
    let wrong = json!({ "headline": "Fire", "state": "Deployed", "grade": "Middle" });
    let said = told(&scene.bot.discord.submit(&form, wrong).unwrap()).await;
    assert!(said.starts_with("Grade must be one of High and Low") && said.contains("Fire\nDeployed\nMiddle"), "{said}");
    let form = scene.run(&dispatcher.user, "call", &["new"], json!({ "template": "control room" }));
    form.reply(PATIENCE).await.unwrap();
    let right = json!({ "headline": "Fire", "state": "deployed", "grade": "high", "one": "x" });
    let said = told(&scene.bot.discord.submit(&form, right).unwrap()).await;
    assert!(said.contains("is made.\nNot asked for, since a form has room for five inputs: three and four."), "{said}");
    let call = open(&scene)[0].clone();
    assert_eq!(
        (&call["title"], &call["priority"], &call["status"], &call["idents"]),
        (&json!("Fire"), &json!(1), &json!(1), &json!([dispatcher.ident]))
    );
    assert_eq!(call["values"], json!({ "headline": "Fire", "state": "deployed", "grade": "High", "one": "x" }));
    let said = scene.ran(&dispatcher.user, "call", &["new"], json!({ "template": "4", "attach": false })).await;
    assert!(said.contains("leave `attach:` out"), "{said}");
    scene.bot.finish().await;
}
