//! The panel under a card, as people see it.

use tenfour_sim::cad::DispatchSpec;

use super::duty::{duty_test, unit};
use super::*;

#[tokio::test]
async fn names_in_its_lists_are_as_the_cad_has_them() {
    let mut test = duty_test().await;
    test.bot.alerts("add", json!({"event": "dispatch", "channel": test.bot.channel})).await;
    let ident = test.bot.cad.login(1, &unit("A-12", "J. *Doe*", "Police", "account")).unwrap();
    let call = DispatchSpec { status: 1, title: "Fire".into(), idents: vec![ident], ..DispatchSpec::default() };
    test.bot.cad.dispatch_new(1, &call).unwrap();
    test.after(1).await;
    let bot = &test.bot;
    let card = bot.posted(&bot.channel, "Fire").await;
    let panel = bot.sim.click(id(&card), None, &component(&card, "more")).unwrap().reply(SOON).await.unwrap();
    let rows = panel["components"].as_array().unwrap();
    let labels: Vec<&str> = (rows.iter().flat_map(|row| row["components"].as_array().unwrap()))
        .filter(|one| one["placeholder"] == "Primary unit…")
        .flat_map(|list| list["options"].as_array().unwrap())
        .filter_map(|option| option["label"].as_str())
        .collect();
    assert_eq!(labels, ["A-12 J. *Doe*"], "{panel:#}");
    assert!(words(&panel).ends_with("Only you can see this. Your CAD permissions are checked when you press a button."), "{panel:#}");
}
