//! Notes belong to calls: messages under other cards don't become notes.

use tenfour::event::{Envelope, RawEvent, Source};

use super::*;

#[tokio::test]
async fn words_in_the_thread_of_a_panic_are_no_notes() {
    let bot = start_with(Plan { message_content: true, bot_permissions: Some((u64::MAX >> 12) & !(1 << 3)), ..Plan::default() }).await;
    bot.alerts("add", json!({"event": "all", "channel": bot.channel})).await;
    let said = bot.alerts("thread", json!({"route": 1, "mode": "always", "notes": "on"})).await;
    assert!(said.starts_with("🧵"), "{said}");
    happens(&bot, "EVENT_UNIT_PANIC", json!({"identIds": [4107], "isPanic": true})).await;
    let panic = id(&bot.posted(&bot.channel, "PANIC").await).to_owned();
    let call = json!({"callId": 501, "status": 1, "priority": 2, "title": "Fire", "idents": []});
    happens(&bot, "EVENT_DISPATCH_NEW", json!({"dispatch": call})).await;
    let call = id(&bot.posted(&bot.channel, "Fire").await).to_owned();
    let user = bot.sim.add_member(&bot.guild, "Ann", 0, &[]);

    // The menu says so, once the bot knows the thread.
    let menu = async || {
        let message = bot.sim.say(&panic, &user, "on my way").ok()?;
        let menu = json!({"do": "menu", "channel_id": panic, "name": "Add as CAD note", "target_id": message, "user_id": user});
        let text = words(&bot.sim.send(&menu).unwrap().reply(SOON).await.unwrap());
        (!text.starts_with("This works on messages in the thread of a call")).then_some(text)
    };
    assert_eq!(until(menu).await, "Notes belong to calls, and this thread is about something else: nothing was sent.");

    // Plain messages get no reply. The same message about the call gets one later: by then the others would have one.
    let message = bot.sim.say(&panic, &user, "on my way").unwrap();
    let answered = async || {
        let said = bot.sim.say(&call, &user, "on my way").ok()?;
        let reply = |m: &Value| m["message_reference"]["message_id"] == said.as_str();
        bot.sim.wait_message(&call, Duration::from_secs(2), reply).await.ok()
    };
    let text = until(answered).await;
    assert_eq!(text["content"], "Your message was not added as a note. `/unit link` tells you, and only you, what is missing.");
    let messages = bot.sim.messages(&panic);
    let own = messages.iter().find(|one| one["id"] == message.as_str()).unwrap();
    assert!(own["reactions"].as_array().is_none_or(Vec::is_empty), "{own}");
    assert!(!messages.iter().any(|one| one["message_reference"]["message_id"] == message.as_str()), "{messages:#?}");
}

async fn happens(bot: &Bot, kind: &str, data: Value) {
    let event = RawEvent {
        server: ServerId(1),
        source: Source::Http,
        received_at: Clock::system().now(),
        envelope: Arc::new(Envelope { kind: kind.into(), data, extras: serde_json::Map::default() }),
    };
    bot.intake.commit(event).await.unwrap();
}

/// Retries until there is a value.
async fn until<T>(attempt: impl AsyncFn() -> Option<T>) -> T {
    let tried = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, tried).await.expect("not in time")
}
