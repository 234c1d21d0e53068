//! `/cad audit`: what is recorded, and how it is shown.

use tenfour::clock::UnixMs;
use tenfour::ids::UserId;
use tenfour::store::audit::{AuditEntry, AuditFilter, AuditKind};

use super::*;

impl Bot {
    /// The entries of this guild, newest first.
    async fn entries(&self) -> Vec<AuditEntry> {
        self.store.all_audited(self.guild_id(), AuditFilter::default()).await.unwrap()
    }

    /// Waits for this many entries: a command answers before its entry is written.
    async fn entries_of(&self, count: usize) -> Vec<AuditEntry> {
        let looked = async {
            loop {
                let entries = self.entries().await;
                if entries.len() >= count {
                    return entries;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, looked).await.expect("not written down in time")
    }

    fn guild_id(&self) -> GuildId {
        GuildId(self.guild.parse().unwrap())
    }

    pub(super) async fn wrote(&self, number: i64, kind: AuditKind, detail: &str) {
        let entry = AuditEntry {
            guild: self.guild_id(),
            at: self.data.clock.now().plus_ms(number),
            user: UserId(777_777_777_777_777_777),
            kind,
            action: format!("Action {number}"),
            target: "dispatch 12 on server 1".into(),
            detail: detail.into(),
            outcome: if kind == AuditKind::Cad { "the CAD did not answer".into() } else { "done".into() },
        };
        self.store.audit(entry).await.unwrap();
    }

    /// The text of a file attached to a reply.
    pub(super) async fn attached(&self, message: &Value) -> (String, String) {
        let file = &message["attachments"][0];
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let text = http.get(file["url"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
        (file["filename"].as_str().unwrap().to_owned(), text)
    }

    /// Presses a button; the message as it is then.
    pub(super) async fn turn(&self, message: &Value, custom_id: &str) -> Value {
        self.sim.click(id(message), None, custom_id).unwrap().reply(SOON).await.unwrap()
    }
}

#[tokio::test]
async fn every_change_of_a_setting_is_written_down_with_who_and_what() {
    let bot = start().await;
    let chief = bot.sim.add_member(&bot.guild, "Chief", MANAGE_GUILD, &[]);
    let role = bot.sim.add_role(&bot.guild, "Dispatch", 0);
    let owner: u64 = bot.sim.owner_id(&bot.guild).parse().unwrap();
    let add = json!({"event": "911", "channel": bot.channel, "role": role});
    bot.alerts("add", add.clone()).await;
    let mute = bot.sim.slash(&bot.lobby, Some(&chief), "alerts", &["mute"], json!({"route": 1, "for": "30m", "panic": true})).unwrap();
    mute.reply(SOON).await.unwrap();
    bot.alerts("quiet", json!({"from": "22:00", "to": "7:00", "timezone": "Europe/Berlin"})).await;
    bot.cad("notices", json!({"channel": bot.channel})).await;
    bot.ask("board", "create", json!({"kind": "units", "channel": bot.channel})).await;
    bot.alerts("remove", json!({"route": 1})).await;

    let entries = bot.entries_of(6).await;
    let reply_text: Vec<(String, String, String)> =
        entries.iter().map(|e| (e.action.clone(), e.target.clone(), e.detail.clone())).collect();
    let wanted = [
        ("/alerts remove", "route #1", "route:1".to_owned()),
        ("/board create", "board #1", format!("kind:units channel:<#{}>", bot.channel)),
        ("/cad notices", "notices channel", format!("channel:<#{}>", bot.channel)),
        ("/alerts quiet", "quiet hours", "from:22:00 to:7:00 timezone:Europe/Berlin".to_owned()),
        ("/alerts mute", "route #1", "route:1 for:30m panic:True".to_owned()),
        ("/alerts add", "route #1", format!("event:911 channel:<#{}> role:<@&{role}>", bot.channel)),
    ];
    assert_eq!(reply_text, wanted.map(|(action, target, detail)| (action.to_owned(), target.to_owned(), detail)));
    assert!(entries.iter().all(|entry| entry.kind == AuditKind::Setting && entry.outcome == "done"));
    let by: Vec<u64> = entries.iter().map(|entry| entry.user.0).collect();
    assert_eq!(by, [owner, owner, owner, owner, chief.parse().unwrap(), owner]);

    let shown = bot.cad("audit", json!({"user": chief})).await;
    assert!(shown.starts_with("🗂️ Audit: 1 entry\n⚙️ <t:"), "{shown}");
    assert!(shown.ends_with(&format!("<@{chief}> **/alerts mute** · route #1 · route:1 for:30m panic:True")), "{shown}");
}

#[tokio::test]
async fn what_changed_nothing_is_not_written_down() {
    let bot = start().await;
    let add = json!({"event": "911", "channel": bot.channel});
    bot.alerts("add", add.clone()).await;
    bot.alerts("add", add).await;
    bot.alerts("remove", json!({"route": 9})).await;
    bot.alerts("mute", json!({"route": 1, "for": "soon"})).await;
    bot.alerts("quiet", json!({})).await;
    bot.cad("notices", json!({})).await;
    bot.alerts("list", json!({})).await;
    bot.cad("status", json!({})).await;
    let opened = bot.run("cad", "labels", json!({}));
    opened.reply(SOON).await.unwrap();
    bot.sim.submit(&opened, json!({})).unwrap().reply(SOON).await.unwrap();
    assert_eq!(bot.entries().await.len(), 1);
    assert_eq!(
        bot.cad("audit", json!({"kind": "cad"})).await,
        "🗂️ Audit\nNothing of that kind was written down. Entries are kept for 90 days."
    );
}

#[tokio::test]
async fn a_change_whose_answer_did_not_arrive_is_written_down_too() {
    let bot = start().await;
    bot.sim.fail("POST", "/webhooks/", 500, 1);
    drop(bot.run("alerts", "add", json!({"event": "911", "channel": bot.channel})));
    let entry = bot.entries_of(1).await.remove(0);
    assert_eq!((entry.target.as_str(), entry.outcome.as_str()), ("route #1", "done, but the command failed afterwards"));
}

#[tokio::test]
async fn the_form_and_the_wizard_are_written_down() {
    let bot = start().await;
    let opened = bot.run("cad", "labels", json!({}));
    opened.reply(SOON).await.unwrap();
    bot.sim.submit(&opened, json!({"emergency": "112", "priorities": "1 = Code 3\n2 = Code 2"})).unwrap().reply(SOON).await.unwrap();
    let entry = bot.entries().await.remove(0);
    assert_eq!((entry.action.as_str(), entry.target.as_str()), ("/cad labels", "words"));
    assert!(
        entry.detail.starts_with("emergency:112 civil:311 priorities:1 = Code 3, 2 = Code 2 statuses:0 ⚫ Unavailable, "),
        "{}",
        entry.detail
    );

    let page = super::setup::to_place(&bot, &["all"], "duty").await;
    let page = super::setup::choose(&bot, &page, "pick-channel", &[&bot.channel]).await;
    let made = super::setup::press(&bot, &page, "make").await;
    assert!(words(&made).starts_with("Set-up done"), "{}", words(&made));
    let entry = bot.entries().await.remove(0);
    assert_eq!((entry.action.as_str(), entry.detail), ("/cad setup", format!("preset:duty channel:<#{}>", bot.channel)));
    assert_eq!(entry.target, "route #1");
}

#[tokio::test]
async fn pages_turn_both_ways_and_stay_as_they_were() {
    let bot = start().await;
    for n in 0..32 {
        bot.wrote(n, if n % 2 == 0 { AuditKind::Cad } else { AuditKind::Setting }, "note").await;
    }
    let first = bot.run("cad", "audit", json!({})).reply(SOON).await.unwrap();
    let reply_text = words(&first);
    assert!(reply_text.starts_with("🗂️ Audit: 32 entries, page 1 of 3\n⚙️ <t:"), "{reply_text}");
    assert_eq!(reply_text.lines().count(), 16);
    assert!(
        reply_text.lines().nth(2).unwrap().ends_with("**Action 30** · dispatch 12 on server 1 · note · the CAD did not answer"),
        "{reply_text}"
    );
    assert_eq!(first["flags"].as_u64().unwrap() & 64, 64, "not private");
    let buttons = DiscordSim::custom_ids(&first);
    assert!(bot.sim.click(id(&first), None, &buttons[0]).is_err(), "there is nothing newer");

    // New entries don't move the pages.
    bot.wrote(99, AuditKind::Cad, "later").await;
    let second = bot.turn(&first, &buttons[1]).await;
    let reply_text = words(&second);
    assert!(reply_text.starts_with("🗂️ Audit: 32 entries, page 2 of 3\n"), "{reply_text}");
    assert!(reply_text.lines().nth(1).unwrap().contains("**Action 16**"), "{reply_text}");
    let third = bot.turn(&second, &DiscordSim::custom_ids(&second)[1]).await;
    assert_eq!(words(&third).lines().count(), 3, "{}", words(&third));
    let back = bot.turn(&third, &DiscordSim::custom_ids(&third)[0]).await;
    assert_eq!(words(&back), reply_text);

    let cad = bot.cad("audit", json!({"kind": "cad"})).await;
    assert!(cad.starts_with("🗂️ Audit: 17 entries, page 1 of 2\n") && cad.contains("**Action 99**"), "{cad}");
}

#[tokio::test]
async fn entries_are_shown_for_ninety_days_and_texts_are_harmless() {
    let bot = start_with(Plan { clock: Clock::manual(UnixMs(1_790_000_000_000)), ..Plan::default() }).await;
    bot.wrote(0, AuditKind::Cad, &format!("**x** <@&123456789012345678> @everyone [a](https://example.org) {}", "y".repeat(400))).await;
    let reply_text = bot.cad("audit", json!({})).await;
    assert!(reply_text.contains("\\*\\*x\\*\\* <@&123456789012345678> "), "{reply_text}");
    assert!(!reply_text.contains("@everyone") && reply_text.contains("\\[a\\](https:\u{200B}//"), "{reply_text}");
    assert!(reply_text.lines().nth(1).unwrap().encode_utf16().count() <= 265, "{reply_text}");

    bot.data.clock.advance(10 * 86_400_000);
    assert!(bot.cad("audit", json!({"days": 9})).await.contains("Nothing of that kind"));
    assert!(bot.cad("audit", json!({"days": 11})).await.starts_with("🗂️ Audit: 1 entry"));
    bot.data.clock.advance(80 * 86_400_000 + 1);
    assert!(bot.cad("audit", json!({})).await.contains("Nothing of that kind"));
    let now = bot.data.clock.now();
    assert_eq!(bot.store.prune(UnixMs(0), UnixMs(0), now).await.unwrap(), 1);
}

#[tokio::test]
async fn the_file_is_for_spreadsheets_and_defuses_formulas() {
    let bot = start_with(Plan { clock: Clock::manual(UnixMs(1_790_000_000_000)), ..Plan::default() }).await;
    bot.wrote(0, AuditKind::Setting, "=HYPERLINK(\"http://example.org\")").await;
    bot.wrote(1, AuditKind::Cad, "two\nlines, and a comma").await;
    let reply = bot.run("cad", "audit", json!({"export": true})).reply(SOON).await.unwrap();
    assert!(words(&reply).ends_with("2 entries, newest first."), "{}", words(&reply));
    let (name, text) = bot.attached(&reply).await;
    assert_eq!(name, "tenfour-audit-2026-09-21.csv");
    assert_eq!(
        text,
        "time,user,kind,action,target,detail,outcome\r\n\
         2026-09-21T14:13:20.001Z,<@777777777777777777>,cad,Action 1,dispatch 12 on server 1,\"two\nlines, and a comma\",the CAD did not answer\r\n\
         2026-09-21T14:13:20Z,<@777777777777777777>,setting,Action 0,dispatch 12 on server 1,\"'=HYPERLINK(\"\"http://example.org\"\")\",done\r\n"
    );
}
