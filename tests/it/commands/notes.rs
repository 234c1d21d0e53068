//! Notes are of calls: what is written under other cards is not one.

use tenfour::event::{Envelope, RawEvent, Source};

use super::*;

#[tokio::test]
async fn words_in_the_thread_of_a_panic_are_no_notes() {
    let bot = start_with(Plan { message_content: true, bot_permissions: Some((u64::MAX >> 12) & !(1 << 3)), ..Plan::default() }).await;
    bot.alerts("add", json!({"event": "all", "channel": bot.channel})).await;
    let said = bot.alerts("thread", json!({"route": 1, "mode": "always", "notes": "on"})).await;
    assert!(said.starts_with("🧵"), "{said}");
    let data = json!({"identIds": [4107], "isPanic": true});
    let event = RawEvent {
        community: CommunityId::new(COMMUNITY),
        server: ServerId(1),
        source: Source::Http,
        received_at: Clock::system().now(),
        envelope: Arc::new(Envelope { kind: "EVENT_UNIT_PANIC".into(), data, extras: serde_json::Map::default() }),
    };
    bot.intake.commit(event).await.unwrap();
    let card = bot.sim.wait_message(&bot.channel, SOON, |m| m["embeds"][0]["footer"]["text"].is_string()).await.unwrap();
    let thread = id(&card).to_owned();
    let opened = async {
        while bot.sim.channel(&thread).is_null() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, opened).await.expect("no thread");
    let user = bot.sim.add_member(&bot.guild, "Ann", 0, &[]);
    let message = bot.sim.say(&thread, &user, "on my way").unwrap();
    let menu = json!({"do": "menu", "channel_id": thread, "name": "Add as CAD note", "target_id": message, "user_id": user});
    let told = words(&bot.sim.send(&menu).unwrap().reply(SOON).await.unwrap());
    assert_eq!(told, "Notes belong to calls, and this thread is about something else: nothing was sent.");
    // The listener had all that time to answer, and did not.
    let messages = bot.sim.messages(&thread);
    let own = messages.iter().find(|one| one["id"] == message.as_str()).unwrap();
    assert!(own["reactions"].as_array().is_none_or(Vec::is_empty), "{own}");
    assert!(!messages.iter().any(|one| one["message_reference"]["message_id"] == message.as_str()), "{messages:#?}");
}
