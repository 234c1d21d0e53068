//! Boards as people see them.

use super::*;
use crate::event::{EmergencyCall, Priority, Unit};
use crate::ids::{CallId, Ident};
use crate::render::sample::{self, OPENED, show};
use crate::render::{hostile, limits, text};
use crate::world::{Dispatch, Emergency, Panic, UnitState};
use insta::assert_snapshot;

fn shown(kind: BoardKind, servers: &[(ServerId, &Server)]) -> String {
    show(&Some(board(BoardId(3), kind, servers, &Labels::default())))
}

fn unit(world: &mut Server, ident: i64, callsign: &str, department: &str, status: i64) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let unit = Unit {
        ident: Ident(ident),
        status: Some(status),
        callsign: some(callsign),
        name: Some("John Doe".into()),
        department: some(department),
        ..Unit::default()
    };
    world.units.insert(Ident(ident), UnitState { unit, on_duty: true, ..UnitState::default() });
}

fn panic(world: &mut Server, ident: i64) {
    world.panics.insert(
        Ident(ident),
        Panic {
            ident: Ident(ident),
            since: OPENED,
            over_at: None,
            linked_911: None,
            by_flag: false,
            joined_late: false,
            taken: None,
            shared: None,
        },
    );
}

fn call(world: &mut Server, id: i64, priority: i64) {
    let call = Dispatch {
        priority: Some(Priority::Level(priority)),
        title: Some(format!("A burglary with quite some details, number {id}")),
        address: Some("1180 Mission Row, Los Santos".into()),
        opened_at: OPENED.plus_ms(id * 1_000),
        ..sample::empty_dispatch(CallId(id))
    };
    world.dispatches.insert(CallId(id), call);
}

#[test]
fn both_halves_of_a_small_world() {
    let mut world = sample::world();
    unit(&mut world, 1, "A-2", "LSPD", 2);
    unit(&mut world, 2, "D-1", "LSPD", 2);
    world.units.get_mut(&Ident(2)).unwrap().unit.is_dispatch = Some(true);
    unit(&mut world, 3, "Gone", "LSPD", 100);
    world.units.get_mut(&Ident(3)).unwrap().on_duty = false;
    call(&mut world, 502, 3);
    world.dispatches.get_mut(&CallId(502)).unwrap().status = Some(0);
    call(&mut world, 503, 1);
    world.dispatches.get_mut(&CallId(503)).unwrap().closed_at = Some(OPENED);
    assert_snapshot!(shown(BoardKind::Both, &[(ServerId(1), &world)]), @r##"
    #FF0033 👥 On duty: 5
    🆘 2 panics · 🟢 1 Available · 🔵 1 En route · ▫️ 1 Status 42 · ▫️ 1 without a status · 🎧 1 at dispatch

    🎧 **Dispatch**
    🟢 D-1 John Doe

    **LSPD**
    🟢 A-2 John Doe
    🆘 🔵 **A-10 John Doe** · PANIC → #501

    **No department**
    ▫️ E-1 → #501
    ▫️ Unit 4120
    🆘 ▫️ **Unit 9999** · PANIC → #501
    -- Board #3 · Server 1 @ -
    #C0392B 📋 Open calls: 2
    1 P1 · 1 P3 · ☎️ 1 waiting

    **P1** #501 · 211 Armed Robbery · 1180 Mission Row · A-10, E-1, Unit 9999 · <t:1763700000:R>
    **P3** #502 · A burglary with quite some details, number 502 · 1180 Mission Row · pending · nobody yet · <t:1763700502:R>

    **Waiting for dispatch**
    🚨 911 #302 · Shots fired · Alta St · <t:1763700000:R>
    -- Board #3 · Server 1 @ -
    "##);
}

#[test]
fn an_empty_world_says_so() {
    let world = Server::default();
    assert_snapshot!(shown(BoardKind::Both, &[(ServerId(1), &world)]), @r##"
    #7F8C8D 👥 On duty: 0
    Nobody is on duty.
    -- Board #3 · Server 1 @ -
    #95A5A6 📋 Open calls: 0
    No open call.
    -- Board #3 · Server 1 @ -
    "##);
    assert_snapshot!(shown(BoardKind::Units, &[]), @r##"
    #7F8C8D 👥 On duty: 0
    Nobody is on duty.
    -- Board #3 @ -
    "##);
}

#[test]
fn each_server_has_a_section() {
    let (mut one, mut two) = (Server::default(), Server::default());
    unit(&mut one, 1, "A-1", "", 2);
    call(&mut two, 501, 2);
    assert_snapshot!(shown(BoardKind::Units, &[(ServerId(1), &one), (ServerId(2), &two)]), @r##"
    #2ECC71 👥 Server 1 · On duty: 1
    🟢 1 Available

    🟢 A-1 John Doe
    -- Board #3 · Server 1 @ -
    #7F8C8D 👥 Server 2 · On duty: 0
    Nobody is on duty.
    -- Board #3 · Server 2 @ -
    "##);
}

#[test]
fn callsigns_stand_in_the_order_of_their_numbers() {
    let mut world = Server::default();
    for (ident, callsign) in [(1, "A-10"), (2, "a-9"), (3, ""), (4, "B-1"), (5, "A-9"), (6, "99999999999999999999999"), (7, "2 Adam 3")] {
        unit(&mut world, ident, callsign, "LSPD", 2);
    }
    let text = shown(BoardKind::Units, &[(ServerId(1), &world)]);
    let order: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("🟢 ")?.strip_suffix("John Doe")).map(str::trim).collect();
    assert_eq!(order, ["2 Adam 3", "99999999999999999999999", "a-9", "A-9", "A-10", "B-1", ""]);
}

#[test]
fn three_hundred_units_and_calls_fit_and_what_is_urgent_stays() {
    let mut world = Server::default();
    for n in 0..300 {
        unit(&mut world, n, &format!("Unit-{n}"), ["LSPD", "BCSO", "SAFR"][usize::try_from(n % 3).unwrap()], n % 5);
        call(&mut world, 1_000 + n, 3);
    }
    // The last of the last department, the youngest call, and a panic of somebody who was never seen.
    panic(&mut world, 299);
    panic(&mut world, 7_777);
    call(&mut world, 1_299, 1);
    for kind in BoardKind::ALL {
        let message = board(BoardId(3), kind, &[(ServerId(1), &world)], &Labels::default());
        hostile::assert_fits(&message);
        assert_eq!(limits::fit(message.clone()), message);
        let text = show(&Some(message.clone()));
        for embed in &message.embeds {
            let description = embed.description.as_deref().unwrap();
            let (_, left_out) = description.rsplit_once("… and ").unwrap();
            let left_out: usize = left_out.strip_suffix(" more").unwrap().parse().unwrap();
            let all = if embed.title.as_deref().unwrap().contains("On duty") { 301 } else { 300 };
            let there = description.lines().filter(|line| line.contains("Unit") || line.contains(" #1")).count();
            assert_eq!(there + left_out, all, "{description}");
            // Little space is wasted.
            let most = if kind == BoardKind::Both { 2_700 } else { 3_900 };
            assert!(text::units(description) > most, "{} units", text::units(description));
        }
        if kind != BoardKind::Calls {
            assert!(text.contains("🆘 🔴 **Unit-299 John Doe** · PANIC"), "{text}");
            assert!(text.contains("**Unit 7777** · PANIC") && text.contains("🆘 2 panics"), "{text}");
        }
        if kind != BoardKind::Units {
            assert!(text.contains("**P1** #1299"), "{text}");
        }
    }
}

#[test]
fn of_too_many_servers_those_with_a_panic_stay() {
    let (calm, mut alarm) = (Server::default(), Server::default());
    panic(&mut alarm, 9);
    let servers: Vec<(ServerId, &Server)> = (1..=14).map(|n| (ServerId(n), if n == 13 { &alarm } else { &calm })).collect();
    let message = board(BoardId(3), BoardKind::Both, &servers, &Labels::default());
    hostile::assert_fits(&message);
    let titles: Vec<&str> = message.embeds.iter().step_by(2).map(|embed| embed.title.as_deref().unwrap()).collect();
    assert_eq!(titles[0], "👥 Server 1 · On duty: 0");
    assert_eq!(titles[4], "👥 Server 13 · On duty: 0");
    assert_eq!(message.embeds[9].footer.as_deref(), Some("Board #3 · Server 13 · and 9 more servers"));
}

#[test]
fn a_crowd_does_not_push_another_server_out() {
    let (mut crowd, mut few) = (Server::default(), Server::default());
    for n in 0..300 {
        unit(&mut crowd, n, &format!("Unit-{n}"), "LSPD", 2);
    }
    for n in 0..10 {
        unit(&mut few, n, &format!("Few-{n}"), "LSPD", 2);
    }
    let message = board(BoardId(3), BoardKind::Units, &[(ServerId(1), &crowd), (ServerId(2), &few)], &Labels::default());
    let second = message.embeds[1].description.as_deref().unwrap();
    assert!(second.contains("Few-9 John Doe") && !second.contains("more"), "{second}");
}

#[test]
fn what_players_write_stays_harmless_and_the_words_are_the_communitys() {
    let mut world = Server::default();
    unit(&mut world, 1, "**A** @everyone", "[x](https://evil.example)", 2);
    call(&mut world, 501, 1);
    world.dispatches.get_mut(&CallId(501)).unwrap().title = Some("# <@1> `x`\n> y".into());
    let call = EmergencyCall {
        id: Some(CallId(9)),
        is_emergency: true,
        caller: None,
        location: Some("@here".into()),
        description: Some("||x||".into()),
        meta: [].into(),
        updated: None,
    };
    world.emergencies.insert(
        CallId(9),
        Emergency {
            call,
            opened_at: OPENED,
            gone_at: None,
            became: None,
            became_at: None,
            panic_of: Some(Ident(1)),
            content_fingerprint: None,
            joined_late: false,
            taken: None,
            notes: Vec::new(),
        },
    );
    let labels = Labels { emergency: "112".into(), statuses: [(2, ("✅".into(), "10-8".into()))].into(), ..Labels::default() };
    assert_snapshot!(show(&Some(board(BoardId(3), BoardKind::Both, &[(ServerId(1), &world)], &labels))), @r##"
    #2ECC71 👥 On duty: 1
    ✅ 1 10-8

    **\[x\](https:¦//evil.¦example)**
    ✅ \*\*A\*\* @¦everyone John Doe
    -- Board #3 · Server 1 @ -
    #C0392B 📋 Open calls: 1
    1 P1 · ☎️ 1 waiting

    **P1** #501 · \# <¦@¦1> \`x\` > y · 1180 Mission Row · nobody yet · <t:1763700501:R>

    **Waiting for dispatch**
    🚨 112 #9 · \|\|x\|\| · @¦here · 🆘 panic of \*\*A\*\* @¦everyone · <t:1763700000:R>
    -- Board #3 · Server 1 @ -
    "##);
}

#[test]
fn nothing_depends_on_when_units_were_last_seen() {
    let mut world = sample::world();
    let before = board(BoardId(3), BoardKind::Both, &[(ServerId(1), &world)], &Labels::default());
    for state in world.units.values_mut() {
        state.seen_at = state.seen_at.plus_ms(60_000);
        state.unit.location = Some("Elsewhere".into());
    }
    assert_eq!(board(BoardId(3), BoardKind::Both, &[(ServerId(1), &world)], &Labels::default()), before);
}
