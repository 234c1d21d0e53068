//! Replays the CAD's documented examples against the client: it sends what the pages show, and understands the documented responses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::{Value, json};
use tenfour::authorization::{ActionRule, Granted, Member, MemberFacts, Need, Permission, VALIDATED, authorize};
use tenfour::cad::rest::{
    Account, AccountStatus, CadActor, CadReader, CadRest, CadServer, Calls, DispatchPatch, Identifiers, Info, Lookup, LookupKind,
    NewCustomDispatch, NewDispatch, NewEmergency, Notify, Object, Selector, Template, TemplateField, TemplateSection, TemplateStatus,
    UnitSelector, Units, Version,
};
use tenfour::ids::{CallId, CommunityId, Ident, ServerId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const SERVER: ServerId = ServerId(1);
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rest")
}

/// One documented example.
pub(crate) fn example(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// A client whose CAD answers one request as the example says, and that request.
struct Replay {
    reader: CadReader,
    actor: CadActor,
    asked: oneshot::Receiver<(String, Vec<u8>)>,
    example: Value,
}

impl Replay {
    async fn of(name: &str) -> Self {
        let example = example(name);
        let (status, body) = (&example["response"]["status"], example["response"]["body"].to_string());
        let kind = "content-type: application/json; charset=utf-8";
        let answer = format!("HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = oneshot::channel();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            sender.send((head, body)).ok();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let client = CadRest::new(&base, SecretString::from("replay-key"), reqwest::Client::new());
        Self { reader: client.reader(), actor: client.actor(community()), asked, example }
    }

    /// The request was the documented one.
    async fn check(self, name: &str) {
        let (head, body) = self.asked.await.unwrap();
        let wanted = &self.example["request"];
        let mut line = head.lines().next().unwrap().split(' ');
        assert_eq!(line.next(), wanted["method"].as_str(), "{name}");
        let target = url::Url::parse("http://cad").unwrap().join(line.next().unwrap()).unwrap();
        assert_eq!(Some(target.path()), wanted["path"].as_str(), "{name}");
        let query: BTreeMap<String, String> = target.query_pairs().into_owned().collect();
        assert_eq!(json!(query), wanted["query"], "{name}");
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        assert_eq!(body, wanted["body"], "{name}");
        assert_eq!(header(&head, "authorization"), Some("Bearer replay-key"), "{name}");
        assert_eq!(header(&head, "accept"), Some("application/json"), "{name}");
        let kind = if wanted["body"].is_null() { None } else { Some("application/json") };
        assert_eq!(header(&head, "content-type"), kind, "{name}");
    }

    fn answer(&self) -> &Value {
        &self.example["response"]["body"]
    }
}

pub(crate) fn community() -> CommunityId {
    CommunityId::new("c")
}

/// The account of a dispatcher on duty.
pub(crate) fn granted() -> Granted {
    let member = Member { status: VALIDATED, permissions: ["dispatch".to_owned()].into(), ..Member::default() };
    let facts = MemberFacts { roles: &[], member: Some(&member), units: 1 };
    let need = Need { permission: Permission::Dispatch, on_duty: Some(SERVER) };
    authorize(&community(), SERVER, &ActionRule::default(), facts, need).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(": ")).find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Replays each named example: the result of `$ask` is `$expected`.
macro_rules! replays {
    ($($test:ident: $($name:literal)|+ => |$cad:ident| $ask:expr, |$answer:ident| $expected:expr;)+) => {
        $(#[tokio::test]
        async fn $test() {
            for name in [$($name),+] {
                let replay = Replay::of(name).await;
                let $cad = &replay;
                let found = $ask.await.unwrap_or_else(|error| panic!("{name}: {error}"));
                let $answer = replay.answer();
                assert_eq!(found, $expected, "{name}");
                replay.check(name).await;
            }
        })+

        /// Every example that some test replays.
        const REPLAYED: &[&str] = &[$($($name),+),+];
    };
}

fn object(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

/// The only entry of a list, whether it came as a list or alone.
fn only(value: &Value) -> Object {
    object(value.get(0).unwrap_or(value))
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn player() -> UnitSelector {
    UnitSelector::CommunityUsers(vec!["player-1234".to_owned()])
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

replays! {
    version: "version.page" => |cad| cad.reader.version(), |_answer| Version { number: Some(2), name: text("PLUS") };

    servers: "servers.page" | "servers.generated" => |cad| cad.reader.servers(), |_answer| [CadServer { id: SERVER, name: text("Main Server") }];

    info: "info.page" => |cad| cad.reader.info(), |_answer| Info {
        community: text("examplecad"),
        name: text("Example CAD"),
        timezone: text("America/Phoenix"),
        codes: vec!["10-8".to_owned(), "10-23".to_owned()],
    };

    units: "units.page" | "units.generated" => |cad| cad.reader.units(SERVER), |answer| Units {
        units: vec![only(answer)],
        // Alone, it could be an error that looks like a unit.
        complete: answer.is_array(),
    };

    calls: "calls.page" | "calls.generated" => |cad| cad.reader.calls(SERVER), |answer| Calls {
        active: vec![only(&answer["ActiveCalls"])],
        emergency: vec![only(&answer["EmergencyCalls"])],
        closed: vec![only(&answer["ClosedCalls"])],
        closed_count: Some(18),
        active_in_part: answer["ActiveCalls"].is_object(),
        emergency_in_part: answer["EmergencyCalls"].is_object(),
    };

    account: "account.page" => |cad| cad.reader.account(&Selector::Account(NOBODY.to_owned())), |_answer| Some(Account {
        uuid: NOBODY.to_owned(),
        username: text("ExampleUser"),
        community_user_id: text("player-1234"),
        status: AccountStatus::Validated,
        permissions: ["police", "dispatch", "livemap", "adminingameintegration"].map(|name| (name.to_owned(), true)).into(),
    });

    units_of_an_account: "account-units.page" | "account-units.generated" => |cad| cad.reader.account_units(SERVER, NOBODY),
        |answer| [only(&answer["Units"])];

    identifiers: "identifiers.page" | "identifiers.generated" => |cad| cad.reader.identifiers(NOBODY), |answer| Identifiers {
        selected: Some(Ident(12)),
        all: vec![only(&answer["Identifiers"])],
    };

    current_call: "current-call.page" => |cad| cad.reader.current_call(NOBODY), |_answer| Some((Ident(12), CallId(501)));

    attach: "attach.page" => |cad| cad.actor.attach(&granted(), SERVER, CallId(501), &player()), |_answer| [Ident(12), Ident(18)];

    detach: "detach.page" => |cad| cad.actor.detach(&granted(), SERVER, &player()), |_answer| [Ident(12), Ident(18)];

    add_note: "add-note.page" => |cad| cad.actor.add_note(&granted(), SERVER, CallId(501), "Suspect vehicle fleeing northbound", "Integration"), |_answer| ();

    close: "close.page" => |cad| cad.actor.close(&granted(), SERVER, &[CallId(1042), CallId(1043)]), |_answer| [CallId(501), CallId(502)];

    edit_dispatch: "edit-dispatch.page" | "edit-dispatch.generated" => |cad| async {
        let patch = DispatchPatch {
            status: Some(1),
            postal: text("9002"),
            track_primary: Some(true),
            meta: Some(texts(&[("source", "integration"), ("x", "430.5"), ("y", "-982.1"), ("z", "31.0"), ("radius", "100")])),
            ..DispatchPatch::default()
        };
        cad.actor.edit_dispatch(&granted(), SERVER, CallId(501), &patch).await
    }, |answer| object(answer);

    set_postal: "set-postal.page" => |cad| cad.actor.set_postal(&granted(), SERVER, CallId(501), "9001"), |_answer| ();

    set_primary: "set-primary.page" => |cad| cad.actor.set_primary(&granted(), SERVER, CallId(501), Ident(15), true), |_answer| ();

    create_dispatch: "create-dispatch.page" => |cad| async {
        let new = NewDispatch {
            origin: 0,
            status: 1,
            priority: 1,
            title: "Armed Robbery".to_owned(),
            block: text("100"),
            address: text("Mission Row"),
            postal: text("9001"),
            code: text("211"),
            description: text("Clerk reports a firearm."),
            community_users: vec!["player-1234".to_owned()],
            meta: texts(&[("source", "integration"), ("x", "425.1"), ("y", "-979.2"), ("z", "30.7"), ("radius", "75")]),
            ..NewDispatch::default()
        };
        cad.actor.create_dispatch(&granted(), SERVER, &new).await
    }, |answer| object(answer);

    templates: "templates.page" => |cad| cad.reader.templates(), |_answer| [Template { sections: vec![section(Vec::new())], ..layout() }];

    template: "template.schema" => |cad| cad.reader.template(1), |_answer| Some(Template {
        sections: vec![section(vec![
            TemplateField {
                uid: "caller_name".to_owned(),
                kind: text("text"),
                label: text("Caller"),
                binding: None,
                required: true,
                locked: false,
                placeholder: text("Full name"),
                options: Vec::new(),
            },
            TemplateField {
                uid: "priority".to_owned(),
                kind: text("select"),
                label: text("Grade"),
                binding: text("priority"),
                required: true,
                locked: false,
                placeholder: None,
                options: ["Immediate", "Prompt", "Scheduled"].map(str::to_owned).to_vec(),
            },
        ])],
        ..layout()
    });

    create_custom_dispatch: "create-custom-dispatch.prose" => |cad| async {
        let values = [
            ("status", "deployed"),
            ("priority", "Immediate"),
            ("description", "Reports of a disturbance outside the station."),
            ("code", "GRADE_1"),
            ("caller_name", "Alex Smith"),
        ];
        let new = NewCustomDispatch {
            template: 1,
            values: values.map(|(uid, value)| (uid.to_owned(), json!(value))).into(),
            target: player(),
            notes: Vec::new(),
            meta: BTreeMap::new(),
            delete_after_minutes: None,
        };
        cad.actor.create_custom_dispatch(&granted(), SERVER, &new).await
    }, |answer| object(answer);

    create_911: "create-911.page" => |cad| async {
        let new = NewEmergency {
            emergency: true,
            caller: "911 Caller".to_owned(),
            location: "Alta St / Integrity Way".to_owned(),
            description: "Shots fired".to_owned(),
            delete_after_minutes: Some(15),
            meta: texts(&[("source", "integration"), ("x", "425.1"), ("y", "-979.2"), ("z", "30.7"), ("postal", "9001")]),
        };
        cad.actor.create_911(&granted(), SERVER, &new).await
    }, |answer| object(answer);

    remove_911: "remove-911.page" => |cad| cad.actor.remove_911(&granted(), SERVER, CallId(302)), |_answer| ();

    set_status: "set-status.page" => |cad| cad.actor.set_status(&granted(), SERVER, &player(), 3), |_answer| 1;

    set_panic: "set-panic.page" => |cad| cad.actor.set_panic(&granted(), SERVER, &player(), true), |_answer| 1;

    lookup: "lookup.page" | "lookup.generated" => |cad| async {
        let what = Lookup {
            wanted: LookupKind::Name { first: "John".to_owned(), mi: String::new(), last: "Doe".to_owned() },
            types: vec![7, 12],
            partial: true,
            notify: Some(Notify::CommunityUser("player-1234".to_owned())),
        };
        cad.reader.lookup(&what).await
    }, |answer| answer.as_array().unwrap().iter().map(object).collect::<Vec<_>>();
}

fn layout() -> Template {
    let status = |id: &str, label: &str, status| TemplateStatus { id: id.to_owned(), label: text(label), status: Some(status) };
    Template {
        id: 1,
        name: text("UK Control Room"),
        version: Some(2),
        default: true,
        statuses: vec![
            status("awaiting_deployment", "Awaiting Deployment", 0),
            status("deployed", "Deployed", 1),
            status("resolved", "Resolved", 2),
        ],
        sections: Vec::new(),
    }
}

fn section(fields: Vec<TemplateField>) -> TemplateSection {
    TemplateSection { uid: text("call_source"), label: text("Call Source"), fields }
}

#[test]
fn every_example_is_replayed_and_listed() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".json").map(str::to_owned))
        .collect();
    assert_eq!(REPLAYED.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), files);
    let index = fs::read_to_string(folder().join("INDEX.md")).unwrap();
    let listed: BTreeSet<String> =
        index.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once(".json`")?.0.to_owned())).collect();
    assert_eq!(listed, files);
}
