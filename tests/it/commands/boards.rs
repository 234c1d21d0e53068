//! `/board …`: the commands. What boards then show is in `whole/boards.rs`.

use super::*;

impl Bot {
    async fn board(&self, path: &str, options: Value) -> String {
        self.ask("board", path, options).await
    }

    async fn typing_board(&self, path: &str, options: Value, focused: &str) -> Vec<(String, i64)> {
        let pending = self.sim.autocomplete(&self.lobby, None, "board", &[path], options, focused).unwrap();
        let reply = pending.wait_reply_where(SOON, |v| v.get("choices").is_some()).await.unwrap();
        let one = |c: &Value| (c["name"].as_str().unwrap().to_owned(), c["value"].as_i64().unwrap());
        reply["choices"].as_array().unwrap().iter().map(one).collect()
    }

    fn boards(&self) -> Vec<tenfour::route::Board> {
        self.store.routing_now().boards.clone()
    }
}

#[tokio::test]
async fn create_makes_a_board_and_says_how_to_undo_it() {
    let bot = start_with(Plan { servers: vec![1, 2], ..Plan::default() }).await;
    let options = json!({"kind": "both", "channel": bot.channel});
    let pending = bot.run("board", "create", options.clone());
    assert_eq!(pending.acknowledged(SOON).await.unwrap(), 5);
    let reply = pending.reply(SOON).await.unwrap();
    let text = words(&reply);
    assert!(text.starts_with(&format!("✅ Board #1: units on duty and open calls → <#{}>. It appears there ", bot.channel)), "{text}");
    assert!(text.ends_with("Take it away with `/board remove board:1`."), "{text}");
    assert_eq!(reply["flags"].as_u64().unwrap() & 64, 64, "not private");

    let again = bot.board("create", options).await;
    assert!(again.starts_with("👌 Board #1 is exactly that already: units on duty and open calls →"), "{again}");
    let second = bot.board("create", json!({"kind": "units", "channel": bot.lobby, "server": 2})).await;
    assert!(second.starts_with(&format!("✅ Board #2: units on duty → <#{}>, of server 2 only.", bot.lobby)), "{second}");
    let boards = bot.boards();
    assert_eq!(boards.iter().map(|board| (board.id.0, board.server)).collect::<Vec<_>>(), [(1, None), (2, Some(ServerId(2)))]);

    let shown = bot.typing_board("remove", json!({}), "board").await;
    assert_eq!(shown, [("#1 both → #alerts".to_owned(), 1), ("#2 units → #lobby · server 2".to_owned(), 2)]);
    assert_eq!(bot.typing_board("refresh", json!({"board": "lob"}), "board").await.len(), 1);
    let servers = bot.typing_board("create", json!({"kind": "calls", "channel": bot.channel}), "server").await;
    assert_eq!(servers[0], ("Main Server (server 1)".to_owned(), 1));
}

#[tokio::test]
async fn create_refuses_what_would_not_work_and_names_the_fix() {
    let bot = start().await;
    bot.sim.deny(&bot.channel, SEND);
    let text = bot.board("create", json!({"kind": "units", "channel": bot.channel})).await;
    assert!(text.starts_with("The bot is missing Send Messages, Embed Links and Attach Files in"), "{text}");
    let text = bot.board("create", json!({"kind": "units", "channel": bot.lobby, "server": 7})).await;
    assert_eq!(text, "This bot does not watch server 7: its operator must add 7 to SONORAN_SERVER_IDS and restart it.");
    assert!(bot.boards().is_empty());
    let voice = bot.sim.add_channel(&bot.guild, "voice", 2);
    assert!(bot.sim.slash(&bot.lobby, None, "board", &["create"], json!({"kind": "units", "channel": voice})).is_err());
    let visitor = bot.sim.add_member(&bot.guild, "Visitor", 0, &[]);
    let options = json!({"kind": "units", "channel": bot.lobby});
    assert!(bot.sim.slash(&bot.lobby, Some(&visitor), "board", &["create"], options).is_err(), "anybody may make boards");

    for n in 0..10 {
        let place = bot.sim.add_channel(&bot.guild, &format!("board-{n}"), 0);
        let text = bot.board("create", json!({"kind": "calls", "channel": place})).await;
        assert!(text.starts_with("✅"), "{text}");
    }
    let text = bot.board("create", json!({"kind": "calls", "channel": bot.lobby})).await;
    assert_eq!(text, "This server has the most boards it may have: take one away with `/board remove`.");
}

#[tokio::test]
async fn missing_boards_are_reported() {
    let bot = start().await;
    assert!(bot.typing_board("remove", json!({}), "board").await.is_empty());
    let text = bot.board("refresh", json!({})).await;
    assert_eq!(text, "This server has no board yet: put one up with `/board create`.");
    let unknown = "This server has no board #4: choose one from the list that `/board remove` shows while you type.";
    assert_eq!(bot.board("refresh", json!({"board": 4})).await, unknown);
    assert_eq!(bot.board("remove", json!({"board": 4})).await, unknown);
}

#[tokio::test]
async fn refresh_names_the_closed_channel() {
    let bot = start().await;
    bot.board("create", json!({"kind": "units", "channel": bot.channel})).await;
    bot.board("create", json!({"kind": "calls", "channel": bot.lobby})).await;
    bot.sim.deny(&bot.channel, VIEW);
    let text = bot.board("refresh", json!({})).await;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("❌ Board #1: The bot is missing View Channel in"), "{text}");
    assert_eq!(lines[1], format!("🔄 Board #2: open calls → <#{}>.", bot.lobby));
}
