//! `/lookup`, as far as it depends on the member's department.

use tenfour_sim::cad::Account;

use super::*;

/// A bot whose community has a warrant and a registration of one plate, and everybody may `/lookup`.
async fn library() -> Bot {
    let bot = start().await;
    bot.alerts("add", json!({"event": "911", "channel": bot.channel})).await;
    bot.allow_all("lookup").await;
    for (kind, name) in [(2, "Warrant"), (5, "Registration"), (99, "Something new")] {
        let field = json!({"uid": "plate", "label": "Plate", "value": "BKT 4471", "type": "text"});
        let record = json!({"recordTypeId": kind, "type": kind, "name": name, "sections": [{"fields": [field]}]});
        bot.cad.add_record_for_lookup(&record).unwrap();
    }
    bot
}

fn member(bot: &Bot, name: &str, permission: &str) -> String {
    let user = bot.sim.add_member(&bot.guild, name, 0, &[]);
    let permissions = [permission.to_owned()].into();
    bot.cad.add_account(Account { username: name.into(), discord: Some(user.clone()), permissions, ..Account::default() });
    user
}

async fn asked(bot: &Bot, user: &str, plate: &str, open: bool) -> Value {
    bot.run_as(user, "lookup", "plate", json!({"plate": plate, "open_in_cad": open})).reply(SOON).await.unwrap()
}

#[tokio::test]
async fn what_the_police_wrote_is_for_police_and_dispatch() {
    let bot = library().await;
    for permission in ["police", "dispatch"] {
        let reply = asked(&bot, &member(&bot, permission, permission), "BKT 4471", false).await;
        assert_eq!((&reply["content"], reply["embeds"].as_array().unwrap().len()), (&json!("3 records."), 3), "{permission}");
    }
    for permission in ["fire", "ems"] {
        let user = member(&bot, permission, permission);
        let reply = asked(&bot, &user, "BKT 4471", false).await;
        assert_eq!(reply["content"], "1 record. Records of the police are for Police and Dispatch.", "{permission}");
        assert!(words(&reply).contains("Registration") && reply["embeds"].as_array().unwrap().len() == 1, "{reply}");
        // Whether there are any isn't shown.
        let none = words(&asked(&bot, &user, "NONE", false).await);
        assert!(none.starts_with("The CAD has no record of that.") && none.ends_with("Records of the police are for Police and Dispatch."));
    }
}

#[tokio::test]
async fn what_opens_in_the_cad_would_show_them_too() {
    let bot = library().await;
    let (medic, officer) = (member(&bot, "Medic", "ems"), member(&bot, "Officer", "police"));
    let answer = words(&asked(&bot, &medic, "BKT 4471", true).await);
    assert!(answer.contains("so it does not open in your CAD either"), "{answer}");
    assert!(!format!("{:?}", bot.cad.log()).contains("notifyDiscord"));
    let answer = words(&asked(&bot, &officer, "BKT 4471", true).await);
    assert!(answer.contains("It opens in your CAD too"), "{answer}");
    let log = format!("{:?}", bot.cad.log());
    assert!(log.contains("notifyDiscord") && log.contains(&officer));
}

#[tokio::test]
async fn someone_without_permission_learns_which_one_is_missing() {
    let bot = library().await;
    let answer = words(&asked(&bot, &member(&bot, "Clerk", "civilian"), "BKT 4471", false).await);
    assert!(answer.contains("lacks the permission Police, Fire, EMS or Dispatch"), "{answer}");
}
