//! `/duty …` and `/cad stats`: from the simulated CAD's events to what people read, see and save.

use super::*;
use tenfour::clock::UnixMs;
use tenfour::event::{RawEvent, Source, envelope, listed_unit};
use tenfour::world::{ListedUnits, Listing};
use tenfour_sim::cad::{CallSpec, DispatchSpec, UnitSpec};
use tokio::sync::oneshot;

/// 2026-11-20T18:00:00Z.
const BEGIN: i64 = 1_795_197_600_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const MODERATE_MEMBERS: u64 = 1 << 40;

/// A bot with a clock of its own, and the events of its CAD.
pub(super) struct DutyTest {
    pub(super) bot: Bot,
    clock: Clock,
    events: mpsc::UnboundedReceiver<(i64, Value)>,
}

pub(super) async fn duty_test() -> DutyTest {
    let clock = Clock::manual(UnixMs(BEGIN));
    let bot = start_with(Plan { servers: vec![1, 2], clock: clock.clone(), ..Plan::default() }).await;
    let events = bot.cad.tap();
    DutyTest { bot, clock, events }
}

pub(super) fn unit(num: &str, name: &str, department: &str, account: &str) -> UnitSpec {
    UnitSpec {
        num: num.into(),
        name: name.into(),
        department: department.into(),
        account: account.into(),
        status: 2,
        ..UnitSpec::default()
    }
}

impl DutyTest {
    /// Ingests the CAD's events so far.
    async fn ingest_events(&mut self) {
        while let Ok((server, body)) = self.events.try_recv() {
            let (envelope, _) = envelope::open(body.to_string().as_bytes()).unwrap();
            let event = RawEvent {
                server: ServerId(server.try_into().unwrap()),
                source: Source::Http,
                received_at: self.clock.now(),
                envelope: envelope.into(),
            };
            self.bot.intake.commit(event).await.unwrap();
        }
    }

    pub(super) async fn after(&mut self, ms: i64) {
        self.ingest_events().await;
        self.clock.advance(ms);
    }

    /// Reads server 1's units from the CAD's API.
    async fn read(&self) {
        let units = self.bot.interface.cad.as_ref().unwrap().units(ServerId(1)).await.unwrap();
        let units = ListedUnits { units: units.units.iter().filter_map(listed_unit).collect(), complete: units.complete };
        let listing = Listing { asked_at: self.clock.now(), units: Some(units), ..Listing::default() };
        let (done, read) = oneshot::channel();
        self.bot.readings.send(Read { server: ServerId(1), listing, done }).await.unwrap();
        read.await.unwrap();
    }

    async fn duty(&self, path: &str, options: Value) -> Value {
        self.bot.run("duty", path, options).reply(SOON).await.unwrap()
    }
}

/// Ann: 3 h, by events. Bo: 2 h and a missed logout. Cy: on for an hour, without a known account.
async fn played() -> DutyTest {
    let mut test = duty_test().await;
    let login = |test: &DutyTest, spec: UnitSpec| test.bot.cad.login(1, &spec).unwrap();
    let ann = login(&test, unit("A-12", "Ann, \"the Boss\" Lee", "Police", "account-ann"));
    let bo = login(&test, unit("=1+1", "=HYPERLINK(\"x\")", "Fire", "account-bo"));
    test.after(2 * HOUR).await;
    test.read().await;
    // Bo's client dies: there is no event.
    test.bot.cad.silently(true);
    test.bot.cad.logout(1, bo);
    test.bot.cad.silently(false);
    test.after(5 * MINUTE).await;
    test.read().await;
    test.after(55 * MINUTE).await;
    test.bot.cad.logout(1, ann);
    login(&test, unit("C-3", "Cy **bold** @everyone", "Fire", "account-cy"));
    test.after(HOUR).await;
    test
}

fn is_private(reply: &Value) -> bool {
    reply["flags"].as_u64().unwrap_or(0) & 64 == 64
}

async fn file(reply: &Value, nth: usize) -> Vec<u8> {
    let address = reply["attachments"][nth]["url"].as_str().unwrap_or_else(|| panic!("no file in {reply}"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(address).send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
}

/// Width and height, as the file's header has them.
fn size_of(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "no PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn the_log_has_each_session_and_marks_what_was_missed() {
    let test = played().await;
    let pending = test.bot.run("duty", "log", json!({}));
    assert_eq!(pending.acknowledged(SOON).await.unwrap(), 5);
    let reply = pending.reply(SOON).await.unwrap();
    assert!(is_private(&reply));
    let (began, secs) = (BEGIN / 1_000, |ms: i64| (BEGIN + ms) / 1_000);
    let said = words(&reply);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "🕒 Duty log");
    // 3 h + 2 h less the moment by which a reading may be older than its answer + 1 h.
    assert_eq!(lines[1], "**3 sessions, 5 h 59 min** in the last 7 days.");
    assert_eq!(lines[3], format!("<t:{}:f> – now · **1 h** · Cy \\*\\*bold\\*\\* @\u{200b}everyone · C-3 · Fire", secs(3 * HOUR)));
    let bo = lines.iter().find(|line| line.contains("HYPERLINK")).unwrap();
    let ended = secs(2 * HOUR - 3_000);
    assert!(bo.starts_with(&format!("<t:{began}:f> – <t:{ended}:t> · **1 h 59 min** · ")) && bo.ends_with(" · Fire ✂️"), "{bo}");
    let ann = lines.iter().find(|line| line.contains("Ann")).unwrap();
    assert_eq!(*ann, format!("<t:{began}:f> – <t:{}:t> · **3 h** · Ann, \"the Boss\" Lee · A-12 · Police", secs(3 * HOUR)));
    assert!(said.ends_with("-# ✂️ The logout was missed: counted until the last sign of life."), "{said}");

    let log = async |options: Value| words(&test.duty("log", options).await);
    assert!(log(json!({"member": "account-ann"})).await.contains("**1 session, 3 h**"));
    assert!(log(json!({"department": "fire"})).await.contains("**2 sessions, 2 h 59 min**"));
    assert_eq!(
        log(json!({"member": "nobody", "days": 1})).await,
        "Nobody like that was on duty in the last 24 hours: choose from the list that shows while you type, or ask for more `days:`."
    );
    assert!(log(json!({"server": 2})).await.starts_with("Nobody was on duty in the last 7 days, on server 2, as far as the bot has seen:"));
    assert!(log(json!({"server": 9})).await.contains("does not watch server 9"));
}

#[tokio::test]
async fn members_and_departments_are_offered_while_typing() {
    let test = played().await;
    let typing = async |options: Value, focused: &str| {
        let pending = test.bot.sim.autocomplete(&test.bot.lobby, None, "duty", &["log"], options, focused).unwrap();
        let reply = pending.wait_reply_where(SOON, |v| v.get("choices").is_some()).await.unwrap();
        let one = |c: &Value| (c["name"].as_str().unwrap().to_owned(), c["value"].as_str().unwrap().to_owned());
        reply["choices"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let members = typing(json!({}), "member").await;
    assert_eq!(members.len(), 3);
    assert!(members[0].0.starts_with("Cy ") && members[0].1 == "account-cy", "{members:?}");
    assert_eq!(typing(json!({"member": "a-12"}), "member").await[0].1, "account-ann");
    let departments = typing(json!({"department": "f"}), "department").await;
    assert_eq!(departments, [("Fire".to_owned(), "Fire".to_owned())]);
}

#[tokio::test]
async fn the_leaderboard_is_a_chart_that_can_also_be_read() {
    let test = played().await;
    let reply = test.duty("leaderboard", json!({})).await;
    assert!(is_private(&reply));
    let said = words(&reply);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "🏆 Hours on duty by member");
    assert_eq!(lines[1], "1. **Ann, \"the Boss\" Lee** · A-12 · Police · 3 h in 1 session");
    // Nobody set quiet hours: the CAD's own time zone applies.
    assert_eq!(lines[4], "-# 13 Nov 2026, 15:00 to 20 Nov 2026, 15:00 · America/Phoenix · sessions that last count until now");
    assert_eq!(reply["embeds"][0]["image"]["url"], reply["attachments"][0]["url"], "{reply}");
    let says = reply["attachments"][0]["description"].as_str().unwrap();
    assert!(says.starts_with("Bar chart: Hours on duty by member,") && says.contains("3 h"), "{says}");
    assert_eq!(size_of(&file(&reply, 0).await), (1_200, 408));

    test.bot.alerts("quiet", json!({"from": "22:00", "to": "7:00", "timezone": "Europe/Berlin"})).await;
    let shared = test.duty("leaderboard", json!({"by": "department", "days": 1, "share": true})).await;
    assert!(!is_private(&shared), "{shared}");
    let said = words(&shared);
    assert!(said.contains("1. **Police** · 1 member · 3 h in 1 session\n2. **Fire** · 2 members · 2 h 59 min in 2 sessions"), "{said}");
    assert!(said.contains("-# 19 Nov 2026, 23:00 to 20 Nov 2026, 23:00 · Europe/Berlin"), "{said}");
}

#[tokio::test]
async fn the_export_is_a_table_that_no_spreadsheet_runs() {
    let test = played().await;
    test.bot.alerts("quiet", json!({"from": "22:00", "to": "7:00", "timezone": "Europe/Berlin"})).await;
    let reply = test.duty("export", json!({"days": 30})).await;
    assert!(is_private(&reply));
    assert!(words(&reply).contains("3 sessions that lie wholly or in part in the last 30 days.\nTimes are of Europe/Berlin;"), "{reply}");
    assert_eq!(reply["attachments"][0]["filename"], "duty-2026-11-20.csv");
    let mut rows: Vec<String> = String::from_utf8(file(&reply, 0).await).unwrap().split("\r\n").map(str::to_owned).collect();
    rows[1..3].sort();
    assert_eq!(
        rows,
        [
            "member,callsign,department,account,server,began,ended,seconds,joined_late,logout_missed",
            "\"'=HYPERLINK(\"\"x\"\")\",'=1+1,Fire,account-bo,1,2026-11-20T19:00:00+01:00,2026-11-20T20:59:57+01:00,7197,no,yes",
            "\"Ann, \"\"the Boss\"\" Lee\",A-12,Police,account-ann,1,2026-11-20T19:00:00+01:00,2026-11-20T22:00:00+01:00,10800,no,no",
            "Cy **bold** @everyone,C-3,Fire,account-cy,1,2026-11-20T22:00:00+01:00,,3600,no,no",
            "",
        ]
    );
}

#[tokio::test]
async fn nothing_yet_is_said_with_what_to_do_and_only_supervisors_may_ask() {
    let test = duty_test().await;
    for path in ["log", "leaderboard", "export"] {
        let said = words(&test.duty(path, json!({})).await);
        assert!(
            said.starts_with("Nobody was on duty in the last 7 days, as far as the bot has seen:") && said.contains("`/cad status`"),
            "{said}"
        );
    }
    let said = test.bot.cad("stats", json!({"days": 1})).await;
    assert!(said.starts_with("No call was opened in the last 24 hours, as far as the bot has seen."), "{said}");
    let visitor = test.bot.sim.add_member(&test.bot.guild, "Visitor", 0, &[]);
    let supervisor = test.bot.sim.add_member(&test.bot.guild, "Supervisor", MODERATE_MEMBERS, &[]);
    let ask = |user: &str, name: &str, path: &str| test.bot.sim.slash(&test.bot.lobby, Some(user), name, &[path], json!({}));
    assert!(ask(&visitor, "duty", "log").is_err());
    assert!(ask(&supervisor, "cad", "stats").is_err());
    let said = words(&ask(&supervisor, "duty", "log").unwrap().reply(SOON).await.unwrap());
    assert!(said.starts_with("Nobody was on duty"), "{said}");
}

#[tokio::test]
async fn statistics_say_when_calls_come_and_how_long_they_wait() {
    let mut test = duty_test().await;
    let ident = test.bot.cad.login(1, &unit("A-12", "Ann", "Police", "account-ann")).unwrap();
    test.ingest_events().await;
    for (wait, priority) in [(30_000, 1), (90_000, 1), (10 * MINUTE, 2)] {
        let call =
            test.bot.cad.dispatch_new(1, &DispatchSpec { priority, status: 1, title: "Fire".into(), ..DispatchSpec::default() }).unwrap();
        test.after(wait).await;
        test.bot.cad.attach(1, call, &[ident]);
        test.after(1).await;
    }
    // Created with its unit: nobody waited.
    test.bot.cad.dispatch_new(1, &DispatchSpec { priority: 3, status: 1, idents: vec![ident], ..DispatchSpec::default() }).unwrap();
    test.bot.cad.place_911(1, &CallSpec { emergency: true, description: "Smoke".into(), ..CallSpec::default() });
    test.after(1).await;
    let reply = test.bot.run("cad", "stats", json!({"share": true})).reply(SOON).await.unwrap();
    assert!(!is_private(&reply));
    let said = words(&reply);
    let start = "📊 Calls\n**1** 911 or civil call and **4** dispatch calls in the last 7 days. Busiest hour of the day: 11:00 to 12:00.\n\
                 Dispatch calls by priority: Priority 1: **2** · Priority 2: **1** · Priority 3: **1**";
    assert!(said.starts_with(start), "{said}");
    assert_eq!(
        reply["embeds"][1]["description"],
        "**Priority 1**: half within 30 s, nine in ten within 1 min 30 s (2 calls)\n\
         **Priority 2**: half within 10 min, nine in ten within 10 min (1 call)\n\
         -# From a dispatch call's creation to its first unit. Calls that were made with a unit on them are left out."
    );
    for nth in 0..2 {
        assert_eq!(size_of(&file(&reply, nth).await), (1_200, 600));
        assert_eq!(reply["embeds"][nth]["image"]["url"], reply["attachments"][nth]["url"]);
    }
}
