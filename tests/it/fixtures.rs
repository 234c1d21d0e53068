//! Every push-event fixture decodes to the value that a reader of the file would write down. The expected values are hand-written.

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tenfour::clock::UnixMs;
use tenfour::event::envelope::{self, Envelope};
use tenfour::event::own::is_own;
use tenfour::event::{
    Callout, DispatchCall, EmergencyCall, Event, Meta, Note, Page, PageNature, Priority, Record, RecordAction, RecordField, Station,
    StationAlert, StationMessage, ToneTarget, Topic, Unit, decode, known_kinds,
};
use tenfour::ids::{CallId, Ident};

/// 2026-08-14T19:42:11Z.
const CALLED: UnixMs = UnixMs(1_786_736_531_000);
/// 2026-08-14T19:44:02Z.
const DISPATCHED: UnixMs = UnixMs(1_786_736_642_000);

const DANA_ACCOUNT: &str = "7c1f9a52-3a0e-4d7b-9f6e-2b8d4c5e6f70";

/// File (without `.json`), topic, events.
type Row = (&'static str, Option<Topic>, Vec<Event>);

fn rows() -> Vec<Row> {
    let mut rows = emergencies();
    rows.extend(panics());
    rows.extend(units());
    rows.extend(groups());
    rows.extend(dispatches());
    rows.extend(around_dispatch());
    rows.extend(records());
    rows.extend(stations_pages_tones());
    rows.extend(others());
    rows
}

fn emergencies() -> Vec<Row> {
    let new = |file, topic, call| (file, Some(topic), vec![Event::EmergencyNew(call)]);
    let removed = |file, calls: &[i64]| (file, Some(Topic::Emergency), vec![Event::EmergencyRemoved { calls: calls_of(calls) }]);
    vec![
        new(
            "EVENT_911.array-doc",
            Topic::Emergency,
            EmergencyCall { meta: meta(&[("plate", "BKT 4471"), ("phone", "555-0142")]), ..bait_shop(302) },
        ),
        new(
            "EVENT_911.object-identities",
            Topic::Emergency,
            EmergencyCall { meta: meta(&[("postal", "2207"), ("x", "-318.4"), ("y", "1204.75"), ("z", "31.2")]), ..bait_shop(303) },
        ),
        new(
            "EVENT_911.object-community-user-ids",
            Topic::Emergency,
            emergency(304, "Jonas Petrov", "Kestrel Bay Apartments, 44 Breakwater Rd", "Kitchen fire, smoke on the second floor."),
        ),
        new("EVENT_911.object-api-ids-only", Topic::Emergency, bait_shop(305)),
        new(
            "EVENT_911.api-fivem",
            Topic::Emergency,
            EmergencyCall {
                // `plate` is sent blank.
                meta: meta(&[
                    ("callerPlayerId", "37"),
                    ("callerCommunityUserId", "license:9d20ab7713"),
                    ("uuid", "5d4cbb1e-7f2a-4c1d-8c6e-3b1a9e60d2f8"),
                    ("silentAlert", "false"),
                    ("useCallLocation", "false"),
                    ("postal", "2214"),
                    ("x", "-402.1"),
                    ("y", "1377.9"),
                    ("z", "4.6"),
                ]),
                updated: Some(CALLED),
                ..emergency(306, "Gideon Slate", "Gullwing Ave / Pier 9 Access", "Car in the water, driver still inside")
            },
        ),
        new(
            "EVENT_911.civil",
            Topic::Civil,
            EmergencyCall {
                is_emergency: false,
                meta: meta(&[("postal", "2231")]),
                ..emergency(307, "Odette Finch", "Brineford Library", "(311) Abandoned bicycle blocking the ramp.")
            },
        ),
        new(
            "EVENT_911.anonymous-caller",
            Topic::Emergency,
            EmergencyCall { caller: None, ..emergency(308, "", "Saltworks Trailhead", "Shots fired near the parking lot.") },
        ),
        new(
            "EVENT_911.emergency-flag-name",
            Topic::Emergency,
            emergency(309, "Lou Barrow", "Route 9 mile 14", "Head-on collision, two vehicles."),
        ),
        new("EVENT_911.flat-2020", Topic::Emergency, emergency(310, "Hal Winters", "12 Cannery Row", "Break-in in progress.")),
        new("EVENT_911.lowercase-type", Topic::Emergency, bait_shop(311)),
        new("EVENT_911.hub-string", Topic::Emergency, bait_shop(312)),
        removed("EVENT_REMOVE_911.array-doc", &[302, 304]),
        removed("EVENT_REMOVE_911.object", &[306]),
        removed("EVENT_REMOVE_911.legacy-callid", &[307]),
    ]
}

fn panics() -> Vec<Row> {
    let panic = |file, list: &[i64], on| (file, Some(Topic::Panic), vec![Event::Panic { idents: idents(list), on }]);
    vec![
        panic("EVENT_UNIT_PANIC.array-doc", &[4107, 4112, 4118], true),
        panic("EVENT_UNIT_PANIC.object", &[4107], true),
        panic("EVENT_UNIT_PANIC.object-clear", &[4107], false),
        panic("EVENT_UNIT_PANIC.legacy-identid", &[4107], true),
        panic("EVENT_UNIT_PANIC.legacy-identid-ispanic", &[4112], true),
        panic("EVENT_UNIT_PANIC.both-identids-and-identid", &[4107, 4112], true),
        panic("EVENT_UNIT_PANIC.identids-scalar", &[4118], true),
    ]
}

fn units() -> Vec<Row> {
    let login = |file, unit| (file, Some(Topic::Duty), vec![Event::UnitLogin { units: vec![unit] }]);
    let logout = |file| (file, Some(Topic::Duty), vec![Event::UnitLogout { idents: idents(&[4107]) }]);
    let status = |file, list: &[i64], status| {
        (file, Some(Topic::Status), vec![Event::UnitStatus { idents: idents(list), status: Some(status), units: vec![] }])
    };
    let whole = |file, units| (file, Some(Topic::Status), vec![Event::UnitStatus { idents: vec![], status: None, units }]);
    let update = |file, units| (file, Some(Topic::Status), vec![Event::UnitUpdate { units }]);
    let rowan = Unit {
        ident: Ident(4101),
        account: some("d3882b0c-6e19-47f5-a0c7-95b1f4e7a826"),
        status: Some(2),
        is_panic: Some(false),
        location: None,
        aop: some("Brineford"),
        is_dispatch: Some(true),
        callsign: some("D-1"),
        name: some("Rowan Ashby"),
        district: some("Saltmarsh County"),
        department: some("SCSO"),
        subdivision: some("Communications"),
        rank: some("Dispatcher"),
        group: None,
        page: Some(3),
        identities: vec![],
    };
    vec![
        login("EVENT_UNIT_LOGIN.array-doc", Unit { is_dispatch: Some(false), ..dana(&["STEAM:110000112a4f9c7"]) }),
        login("EVENT_UNIT_LOGIN.object", Unit { is_dispatch: Some(false), ..dana(&["license:4be07d1c9a"]) }),
        login("EVENT_UNIT_LOGIN.object-dispatcher", rowan),
        login("EVENT_UNIT_LOGIN.units-2020", Unit { page: None, ..dana(&["STEAM:110000112a4f9c7"]) }),
        logout("EVENT_UNIT_LOGOUT.array-doc"),
        logout("EVENT_UNIT_LOGOUT.object"),
        status("EVENT_UNIT_STATUS.array-doc-scalar", &[4107], 3),
        status("EVENT_UNIT_STATUS.object-identids", &[4112, 4118], 4),
        status("EVENT_UNIT_STATUS.offline", &[4107], 100),
        status("EVENT_UNIT_STATUS.custom-status", &[4107], 7),
        whole("EVENT_UNIT_STATUS.object-units", vec![dana_at(3, "Lantern Quay / Gullwing Ave"), milo()]),
        whole("EVENT_UNIT_STATUS.units-empty", vec![]),
        update("EVENT_UNIT_UPDATE.object-units", vec![dana_at(2, "Cannery Row / 4th St"), priya()]),
        update("EVENT_UNIT_UPDATE.panic-flip", vec![Unit { is_panic: Some(true), ..dana_at(4, "Saltworks Trailhead") }]),
    ]
}

fn groups() -> Vec<Row> {
    let add = |file, list: &[i64]| (file, Some(Topic::Other), vec![Event::GroupAdd { idents: idents(list), group: "STATION 2".into() }]);
    let remove = Event::GroupRemove { idents: idents(&[4118]), group: some("STATION 2") };
    let rename = Event::GroupRename { idents: idents(&[4112, 4118]), old: some("STATION 2"), new: "HARBOR TASK FORCE".into() };
    vec![
        add("EVENT_UNIT_GROUP_ADD.object-doc", &[4112]),
        // `identIds` is read before `identId`; here both orders give the same.
        add("EVENT_UNIT_GROUP_ADD.object-identids", &[4112, 4118]),
        add("EVENT_UNIT_GROUP_ADD.toplevel-identid", &[4112]),
        add("EVENT_UNIT_GROUP_ADD.toplevel-identids", &[4112, 4118]),
        ("EVENT_UNIT_GROUP_REMOVE.object-doc", Some(Topic::Other), vec![remove]),
        ("EVENT_UNIT_GROUP_CHANGE_NAME.object-doc", Some(Topic::Other), vec![rename]),
    ]
}

fn dispatches() -> Vec<Row> {
    let new = |file, call| (file, Some(Topic::Dispatch), vec![Event::DispatchNew(call)]);
    let edited = |file, call| (file, Some(Topic::Dispatch), vec![Event::DispatchEdited(call)]);
    let rear_door = Note { time: None, label: None, kind: "text".into(), content: "RP has a key to the rear door.".into() };
    let responding = Note { time: some("00:00:00"), label: some("Dispatch"), kind: "text".into(), content: "Officer Responding".into() };
    let noise = DispatchCall {
        id: Some(CallId(504)),
        by: Some(Ident(4101)),
        origin: Some(0),
        status: Some(0),
        priority: Some(Priority::Level(3)),
        address: some("1180 Lantern Quay, Brineford"),
        title: some("Noise complaint"),
        notes: Some(vec![]),
        idents: Some(vec![]),
        ..DispatchCall::default()
    };
    let responded = DispatchCall {
        id: Some(CallId(505)),
        by: Some(Ident(4107)),
        origin: Some(2),
        status: Some(1),
        priority: Some(Priority::Level(2)),
        block: some("1100"),
        address: some("Gullwing Ave / Pier 9 Access"),
        postal: some("2214"),
        title: some("OFFICER RESPONSE - 306"),
        code: None,
        description: some("Car in the water, driver still inside"),
        notes: Some(vec![responding]),
        idents: Some(idents(&[4107])),
        primary: None,
        track_primary: true,
        from_911: Some(CallId(306)),
        meta: meta(&[
            ("callerPlayerId", "37"),
            ("silentAlert", "false"),
            ("useCallLocation", "false"),
            ("x", "-402.1"),
            ("y", "1377.9"),
            ("z", "4.6"),
        ]),
        updated: None,
    };
    vec![
        new("EVENT_DISPATCH_NEW.array-doc", burglary(501)),
        new("EVENT_DISPATCH_NEW.object-full", burglary_in_full()),
        new("EVENT_DISPATCH_NEW.object-notes-string", DispatchCall { notes: Some(vec![rear_door]), ..burglary(503) }),
        new("EVENT_DISPATCH_NEW.object-no-units", noise),
        new("EVENT_DISPATCH_NEW.flat", DispatchCall { by: None, ..burglary(506) }),
        new(
            "EVENT_DISPATCH_NEW.custom-layout",
            DispatchCall { id: Some(CallId(507)), priority: Some(Priority::Word("Immediate".into())), ..burglary_in_full() },
        ),
        edited("EVENT_DISPATCH_EDIT.array-doc", DispatchCall { priority: Some(Priority::Level(2)), postal: some("2209"), ..burglary(501) }),
        edited(
            "EVENT_DISPATCH_EDIT.object-full",
            DispatchCall {
                by: Some(Ident(4107)),
                idents: Some(idents(&[4107, 4112, 4118])),
                primary: Some(Ident(4112)),
                track_primary: true,
                ..burglary_in_full()
            },
        ),
        edited("EVENT_DISPATCH_EDIT.status-closed", DispatchCall { status: Some(2), ..burglary_in_full() }),
        edited("EVENT_DISPATCH_EDIT.in-game-respond", responded),
        new("EVENT_DISPATCH.retired-2020", DispatchCall { id: Some(CallId(90)), by: None, ..burglary(90) }),
    ]
}

fn around_dispatch() -> Vec<Row> {
    let closed = |file, by: Option<i64>, calls: &[i64]| {
        (file, Some(Topic::Dispatch), vec![Event::DispatchClosed { by: by.map(Ident), calls: calls_of(calls) }])
    };
    let note = |file, call, note| (file, Some(Topic::Dispatch), vec![Event::DispatchNote { call: CallId(call), note }]);
    let attach = |file, by: Option<i64>, list: &[i64]| {
        (file, Some(Topic::Dispatch), vec![Event::UnitAttach { by: by.map(Ident), idents: idents(list), call: CallId(501) }])
    };
    let detach = |file, by: Option<i64>, list: &[i64]| {
        (file, Some(Topic::Dispatch), vec![Event::UnitDetach { by: by.map(Ident), idents: idents(list), call: CallId(501) }])
    };
    let bodycam = |file, on| (file, Some(Topic::Other), vec![Event::Bodycam { ident: Ident(4107), on }]);
    let by = Some(4101);
    vec![
        closed("EVENT_DISPATCH_CLOSED.object-doc", by, &[501, 503]),
        closed("EVENT_DISPATCH_CLOSED.array", by, &[502]),
        closed("EVENT_DISPATCH_CLOSED.legacy-callid", None, &[504]),
        closed("EVENT_DISPATCH_CLOSE.legacy-name", None, &[505]),
        note(
            "EVENT_DISPATCH_NOTE.object-doc",
            501,
            Note {
                time: some("19:47:30"),
                label: some("2L-14"),
                kind: "text".into(),
                content: "On scene, one detained, second ran toward the pier.".into(),
            },
        ),
        note(
            "EVENT_DISPATCH_NOTE.note-string",
            501,
            Note { time: None, label: None, kind: "text".into(), content: "Tow requested.".into() },
        ),
        note(
            "EVENT_DISPATCH_NOTE.iso-time",
            502,
            Note {
                time: some("2026-08-14T19:47:30Z"),
                label: some("2L-14"),
                kind: "image".into(),
                content: "https://cdn.example.org/cad/evidence/7721.png".into(),
            },
        ),
        attach("EVENT_DISPATCH_UNIT_ATTACH.ident", by, &[4112]),
        attach("EVENT_DISPATCH_UNIT_ATTACH.idents", by, &[4112, 4118]),
        attach("EVENT_DISPATCH_UNIT_ATTACH.both", by, &[4112, 4118]),
        attach("EVENT_UNIT_ATTACH.legacy-name", None, &[4112]),
        detach("EVENT_DISPATCH_UNIT_DETACH.ident", by, &[4112]),
        detach("EVENT_DISPATCH_UNIT_DETACH.idents", by, &[4112, 4118]),
        detach("EVENT_DISPATCH_UNIT_DETACH.both", by, &[4112, 4118]),
        detach("EVENT_UNIT_DETACH.legacy-name", None, &[4112]),
        bodycam("EVENT_DISPATCH_TOGGLE_BODYCAM.doc", true),
        bodycam("EVENT_DISPATCH_TOGGLE_BODYCAM.number", false),
        bodycam("TOGGLE_BODYCAM.doc-name", true),
    ]
}

fn records() -> Vec<Row> {
    let row = |file, topic, action, record| (file, Some(topic), vec![Event::Record { action, record }]);
    let vehicle = [("Flags", "ARMED, STOLEN"), ("Plate", "BKT 4471"), ("Model", "Silver Ridgeback")];
    let bolo = |closed, fields: &[(&str, &str)]| Record {
        id: some("8842"),
        record_type: Some(3),
        kind: Some(3),
        name: some("BOLO"),
        fields: fields.iter().map(|(label, value)| RecordField { label: (*label).into(), value: (*value).into() }).collect(),
        closed: Some(closed),
    };
    let report =
        Record { id: some("8790"), record_type: Some(9), kind: Some(9), name: some("Incident Report"), fields: vec![], closed: None };
    let printed = || vec![Event::PrintRecord { ident: Some(Ident(4107)), url: some("https://files.example.org/records/8842.pdf") }];
    let with_officer: Vec<_> = vehicle.into_iter().chain([("Officer", "Dana Okafor")]).collect();
    vec![
        row("EVENT_RECORD_ADD.bolo", Topic::Bolo, RecordAction::Added, bolo(false, &with_officer)),
        row("EVENT_RECORD_EDIT.bolo-closed", Topic::Bolo, RecordAction::Edited, bolo(true, &vehicle)),
        row("EVENT_RECORD_REMOVE.object", Topic::Record, RecordAction::Removed, report),
        ("EVENT_PRINT_RECORD.identid", Some(Topic::Other), printed()),
        ("EVENT_PRINT_RECORD.unitid", Some(Topic::Other), printed()),
    ]
}

fn stations_pages_tones() -> Vec<Row> {
    let target = |kind, value: Option<&str>, label: &str| ToneTarget { kind: Some(kind), value: value.map(Into::into), label: some(label) };
    let page = |file, page| (file, Some(Topic::Pager), vec![Event::Pager(page)]);
    let tone = |file, url, targets| (file, Some(Topic::Tone), vec![Event::Tone { url: some(url), targets }]);
    let spoken = StationAlert {
        stations: vec![Station { name: some("KBFR Station 2"), open: texts(&["Bay 1", "Bay 2"]), close: texts(&["Bay 3"]) }],
        message: Some(StationMessage::Text("Structure fire, Breakwater Road 44, smoke showing.".into())),
        colors: texts(&["red", "blue"]),
        tone: some("tone1"),
    };
    let sounding = StationAlert {
        stations: vec![
            Station { name: some("KBFR Station 2"), open: vec![], close: vec![] },
            Station { name: some("KBFR Station 5"), open: texts(&["Bay 1"]), close: vec![] },
        ],
        message: Some(StationMessage::Audio {
            extension: "mp3".into(),
            base64: "SUQzBAAAAAAAI1RTU0UAAAAPAAADTGF2ZjU4Ljc2LjEwMAAAAAAAAAAAAAAA".into(),
        }),
        colors: vec![],
        tone: some("https://tones.example.org/saltmarsh/ems-priority-1.mp3"),
    };
    vec![
        ("EVENT_STATION_ALERT.doc", Some(Topic::Station), vec![Event::StationAlert(spoken)]),
        ("EVENT_STATION_ALERT.audio", Some(Topic::Station), vec![Event::StationAlert(sounding)]),
        page(
            "EVENT_PAGER_REBORN.identids",
            Page {
                addresses: texts(&["KBFR-2", "BATTALION-1"]),
                idents: idents(&[4112, 4118]),
                nature: PageNature::Emergency,
                body: some("Second alarm, report to Breakwater Road staging."),
            },
        ),
        page(
            "EVENT_PAGER_REBORN.players",
            Page { addresses: texts(&["KBFR-2"]), idents: vec![], nature: PageNature::NonEmergency, body: some("Hydrant check at 0900.") },
        ),
        tone(
            "EVENT_TONE.doc",
            "https://tones.example.org/saltmarsh/structure-fire.mp3",
            vec![target(1, Some("501"), "Dispatch Call 501"), target(3, Some("KBFR"), "KBFR"), target(6, Some("STATION 2"), "STATION 2")],
        ),
        tone("EVENT_TONE.all-units", "https://tones.example.org/saltmarsh/signal-100.mp3", vec![target(0, None, "All Active Units")]),
    ]
}

fn others() -> Vec<Row> {
    let other = |file, event| (file, Some(Topic::Other), vec![event]);
    let selected = |character: &str| Event::CharacterSelected { account: some(DANA_ACCOUNT), character: character.into() };
    let linked = |user: &str, account| Event::LinkVerified { community_user: user.into(), account: some(account) };
    let pier = Callout {
        id: some("disturbance_pier"),
        name: some("Disturbance on the pier"),
        descriptions: texts(&["Several people arguing near the boats."]),
        location: None,
        postal: None,
    };
    vec![
        other("EVENT_STREETSIGN_UPDATED.doc", Event::StreetSign { ids: vec![3, 8], lines: texts(&["CRASH AHEAD", "RIGHT LANE CLOSED"]) }),
        other("EVENT_CHAR_SELECTED.numeric", selected("2451")),
        other("EVENT_CHAR_SELECTED.sync-id", selected("char1:4be07d1c9a")),
        other("EVENT_COMMUNITY_LINK_VERIFIED.doc", linked("license:4be07d1c9a", DANA_ACCOUNT)),
        other("EVENT_COMMUNITY_LINK_VERIFIED.hub-no-key", linked("discord:118822334455667788", "a94d2e17-58b3-4c6a-8d21-0f7e9b3c1d45")),
        // Nothing in it but coordinates and the behavior of people.
        other("EVENT_NEW_CALLOUT.doc", Event::Callout(Callout::default())),
        other("EVENT_NEW_CALLOUT.real", Event::Callout(pier)),
        ("GET_LOGS.toplevel", None, vec![Event::Ignored]),
        ("EVENT_UNIT_CALL_CLEAR.retired-2020", None, vec![Event::Ignored]),
    ]
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn idents(list: &[i64]) -> Vec<Ident> {
    list.iter().copied().map(Ident).collect()
}

fn calls_of(list: &[i64]) -> Vec<CallId> {
    list.iter().copied().map(CallId).collect()
}

fn meta(pairs: &[(&str, &str)]) -> Meta {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn emergency(id: i64, caller: &str, location: &str, description: &str) -> EmergencyCall {
    EmergencyCall {
        id: Some(CallId(id)),
        is_emergency: true,
        caller: some(caller),
        location: some(location),
        description: some(description),
        meta: Meta::new(),
        updated: None,
    }
}

fn bait_shop(id: i64) -> EmergencyCall {
    emergency(id, "Tessa Marlowe", "1180 Lantern Quay, Brineford", "Two men with crowbars are forcing the door of the bait shop.")
}

/// The call of the documented shapes: `notes` a blank text, which says nothing about notes.
fn burglary(id: i64) -> DispatchCall {
    DispatchCall {
        id: Some(CallId(id)),
        by: Some(Ident(4101)),
        origin: Some(0),
        status: Some(1),
        priority: Some(Priority::Level(1)),
        block: some("1100"),
        address: some("1180 Lantern Quay, Brineford"),
        postal: some("2207"),
        title: some("Burglary in progress"),
        code: some("10-62 - Burglary"),
        description: some("Two suspects with crowbars at the bait shop; caller watching from across the street."),
        notes: None,
        idents: Some(idents(&[4107])),
        primary: None,
        track_primary: false,
        from_911: Some(CallId(302)),
        meta: Meta::new(),
        updated: None,
    }
}

/// Call 502 as the real client reads it.
fn burglary_in_full() -> DispatchCall {
    DispatchCall {
        notes: Some(vec![Note {
            time: some("2026-08-14T19:44:02Z"),
            label: some("D-1"),
            kind: "text".into(),
            content: "Caller hears glass breaking.".into(),
        }]),
        idents: Some(idents(&[4107, 4112])),
        primary: Some(Ident(4107)),
        meta: meta(&[("x", "-318.4"), ("y", "1204.75")]),
        updated: Some(DISPATCHED),
        ..burglary(502)
    }
}

fn dana(identities: &[&str]) -> Unit {
    Unit {
        ident: Ident(4107),
        account: some(DANA_ACCOUNT),
        status: Some(0),
        is_panic: Some(false),
        location: None,
        aop: some("Brineford"),
        is_dispatch: None,
        callsign: some("2L-14"),
        name: some("Dana Okafor"),
        district: some("Saltmarsh County"),
        department: some("SCSO"),
        subdivision: some("Patrol"),
        rank: some("Deputy"),
        group: None,
        page: Some(0),
        identities: texts(identities),
    }
}

fn dana_at(status: i64, location: &str) -> Unit {
    Unit { status: Some(status), location: some(location), is_dispatch: Some(false), ..dana(&["license:4be07d1c9a"]) }
}

fn milo() -> Unit {
    Unit {
        ident: Ident(4112),
        account: some("a94d2e17-58b3-4c6a-8d21-0f7e9b3c1d45"),
        status: Some(4),
        is_panic: Some(false),
        location: some("KBFR Station 2"),
        aop: some("Brineford"),
        is_dispatch: Some(false),
        callsign: some("E-21"),
        name: some("Milo Brandt"),
        district: some("Saltmarsh County"),
        department: some("KBFR"),
        subdivision: some("Suppression"),
        rank: some("Lieutenant"),
        group: some("STATION 2"),
        page: Some(1),
        identities: texts(&["license:77aa03e5f2"]),
    }
}

fn priya() -> Unit {
    Unit {
        ident: Ident(4118),
        account: some("0e5b7d39-c2f4-4a18-b6d0-71a3e8f29c64"),
        status: Some(3),
        is_panic: Some(false),
        location: some("Brineford General"),
        aop: some("Brineford"),
        is_dispatch: Some(false),
        callsign: some("M-7"),
        name: some("Priya Nandakumar"),
        district: some("Saltmarsh County"),
        department: some("Saltmarsh EMS"),
        subdivision: some("ALS"),
        rank: some("Paramedic"),
        group: some("STATION 2"),
        page: Some(2),
        identities: texts(&["license:c0ffee1189"]),
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/push-events")
}

/// Names of the fixture files without `.json`, in order.
fn files() -> BTreeSet<String> {
    std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str().unwrap().strip_suffix(".json")?.to_owned()))
        .collect()
}

fn body(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{file}.json"))).unwrap()
}

#[test]
fn every_fixture_decodes_to_what_it_says() {
    for (file, topic, expected) in rows() {
        let (opened, _) = envelope::open(&body(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let events = decode(&opened).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(events, expected, "{file}");
        for event in &events {
            assert_eq!(event.topic(), topic, "{file}");
        }
    }
}

#[test]
fn every_fixture_has_a_row_a_line_in_the_index_and_no_row_lacks_its_file() {
    let rows = rows();
    let named: BTreeSet<String> = rows.iter().map(|(file, _, _)| (*file).to_owned()).collect();
    assert_eq!(named.len(), rows.len(), "a file has two rows");
    assert_eq!(named, files());
    let index = std::fs::read_to_string(folder().join("INDEX.md")).unwrap();
    let indexed: BTreeSet<String> =
        index.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once(".json`")?.0.to_owned())).collect();
    assert_eq!(indexed, files());
}

#[test]
fn every_known_type_has_a_fixture() {
    let seen: BTreeSet<String> = files().iter().map(|file| file.split_once('.').unwrap().0.to_owned()).collect();
    // The bot's own events come from nowhere else.
    let known: BTreeSet<String> = known_kinds().filter(|kind| !is_own(kind)).map(str::to_owned).collect();
    assert_eq!(seen, known);
}

#[test]
fn the_key_comes_off_and_nothing_journaled_has_it() {
    for file in files() {
        let (opened, key) = envelope::open(&body(&file)).unwrap();
        // One documented hub sample has no key.
        assert_eq!(key.is_none(), file == "EVENT_COMMUNITY_LINK_VERIFIED.hub-no-key", "{file}");
        if let Some(key) = key {
            assert!(key.expose_secret().eq_ignore_ascii_case("YOUR_API_KEY"), "{file}");
        }
        let written = opened.to_json();
        assert!(!written.to_lowercase().contains("your_api_key"), "{file}: {written}");
        // The support key of GET_LOGS.
        assert!(!written.contains("48213"), "{file}: {written}");
        let (again, key) = envelope::open(written.as_bytes()).unwrap();
        assert!(key.is_none(), "{file}");
        assert_eq!(again, opened, "{file}");
        assert_eq!(decode(&again), decode(&opened), "{file}");
    }
}

/// Each value of every fixture, one after the other, is replaced: the decoder may reject the event but not crash, and an
/// event that survives still has its type.
#[test]
fn no_fixture_with_one_place_spoilt_makes_the_decoder_fall_over() {
    let long = "\u{1F525}".repeat(20_000);
    let hostile = [
        Value::Null,
        json!(false),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{202E}\u{200B}"),
        json!("@everyone [x](https://evil.example)"),
        json!(long),
        json!([]),
        json!({}),
        json!([null, {}, [], "7", 7.0]),
        json!({"id": {"id": [{}]}}),
    ];
    let mut decoded = 0;
    for file in files() {
        let (opened, _) = envelope::open(&body(&file)).unwrap();
        for place in places(&opened.data) {
            for value in &hostile {
                let mut data = opened.data.clone();
                *data.pointer_mut(&place).unwrap() = value.clone();
                let spoilt = Envelope { kind: opened.kind.clone(), data, extras: opened.extras.clone() };
                if let Ok(events) = decode(&spoilt) {
                    decoded += 1;
                    assert!(!events.contains(&Event::Unknown), "{file} {place} {value}");
                    assert!(format!("{events:?}").chars().count() < 40_000, "{file} {place}: a text is not bounded");
                }
            }
        }
    }
    assert!(decoded > 5_000, "only {decoded} of the spoilt events were of use: the test spoils too much");
}

/// JSON pointers to every value inside `value`, itself included.
fn places(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, inner)| (key.replace('~', "~0").replace('/', "~1"), inner)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(n, inner)| (n.to_string(), inner)).collect(),
        _ => vec![],
    };
    let deeper = inner.into_iter().flat_map(|(name, inner)| places(inner).into_iter().map(move |place| format!("/{name}{place}")));
    std::iter::once(String::new()).chain(deeper).collect()
}
