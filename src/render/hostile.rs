//! Property tests over every renderer: whatever players write, messages fit, contain nothing that Discord would act on, and the public form
//! reveals nothing private.

use proptest::prelude::*;

use super::{Labels, Message, Reply, Style, View, limits, text};
use crate::clock::UnixMs;
use crate::event::*;
use crate::ids::{BoardId, CallId, Ident, RoleId, ServerId, UserId};
use crate::world::{Acknowledgement, Dispatch, Emergency, MomentKind, Paged, Panic, Server, Subject, TimelineEntry, UnitState};

const AT: UnixMs = super::sample::OPENED;
const ROLES: [RoleId; 2] = [RoleId(71), RoleId(72)];

/// Hostile text: pieces that Discord acts on, invisible characters, anything else.
pub(super) fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "@everyone", "@here", "@", "<@123456789012345678>", "<@!1>", "<@&1>", "<#1>", "</x:1>", "<t:1:R>", "<:a:1>", "<a:b:1>", "<",
            ">", "everyone", "[x](https://evil.example)", "https://", "http://evil.example/@here", "discord.gg/abc", "](", "**", "__", "||",
            "```", "`", "~~", "\\", "\\\\", "# ", "-# ", "- ", "> ", "1. ", "12) ", "\n", "\r\n", "\n\n\n", "\u{2028}", "\u{202E}",
            "\u{200B}", "\u{200D}", "\u{FE0F}", "\u{AD}", "\u{E0041}", "\u{3164}", "\u{301}", "👩\u{200D}🚒", "🇩🇪", "🏽", "Alta St",
            " / ", ". ", " · ", "é", "中",
        ]).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        1 => "[a-zA-Z0-9 ]{1,12}",
        1 => ("\\PC{1,3}", 1_usize..400).prop_map(|(t, n)| t.repeat(n)),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Checks that Discord would turn nothing in `text` into a mention, an emoji, a command, a time or a link.
pub(super) fn assert_inert(text: &str) {
    for act in ["@everyone", "@here", "<@", "<#", "</", "<t:", "<:", "<a:", "<id:", "://", "discord.gg", "evil.example"] {
        assert!(!text.contains(act), "{act} in {text:?}");
    }
    for unseen in ['\u{202E}', '\u{2066}', '\u{AD}', '\u{3164}', '\u{E0041}', '\u{2028}', '\u{FEFF}', '\0', '\r'] {
        assert!(!text.contains(unseen), "{unseen:?} in {text:?}");
    }
}

/// Checks every limit, counted independently; nothing is empty.
pub(super) fn assert_fits(message: &Message) {
    let len = |t: &str| t.encode_utf16().count();
    let filled = |t: &str, max: usize, what: &str| assert!(!t.trim().is_empty() && len(t) <= max, "{what}: {} units: {t:?}", len(t));
    if let Some(content) = &message.content {
        filled(content, 2000, "content");
    }
    assert!(message.embeds.len() <= 10 && message.files.len() <= 10);
    assert!(message.content.is_some() || !message.embeds.is_empty() || !message.files.is_empty(), "an empty message");
    let mut total = 0;
    for embed in &message.embeds {
        for (text, max, what) in [(&embed.title, 80, "title"), (&embed.description, 4096, "description"), (&embed.footer, 2048, "footer")] {
            if let Some(text) = text {
                filled(text, max, what);
                total += len(text);
            }
        }
        assert!(embed.fields.len() <= 25);
        for field in &embed.fields {
            filled(&field.name, 256, "field name");
            filled(&field.value, 1024, "field value");
            total += len(&field.name) + len(&field.value);
        }
        let empty = embed.title.is_none() && embed.description.is_none() && embed.fields.is_empty() && embed.footer.is_none();
        assert!(!empty, "an empty embed");
    }
    assert!(total <= 6000, "{total} units over all embeds");
}

/// [`assert_inert`] over a whole message, without our own tokens: mentions of configured roles before the sentence, times, links.
fn assert_harmless(message: &Message) {
    let mut content = message.content.as_deref().unwrap_or("");
    for role in &message.roles {
        content = content.strip_prefix(&format!("<@&{role}> ")).expect("every role is named, in order");
        assert!(ROLES.contains(role));
    }
    assert_inert(&without_own(content));
    for embed in &message.embeds {
        let texts = [&embed.title, &embed.description, &embed.footer].into_iter().flatten();
        for text in texts.chain(embed.fields.iter().flat_map(|f| [&f.name, &f.value])) {
            assert_inert(&without_own(text));
        }
    }
    for file in &message.files {
        assert_inert(&file.description);
        assert!(file.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')));
    }
}

/// Without `<t:-123:R>` and without `[host](https://…)` with its own host as text. Only exact forms are removed.
fn without_own(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            // An escaped character begins nothing.
            let pair = c.len_utf8() + rest.chars().nth(1).map_or(0, char::len_utf8);
            out.push_str(&rest[..pair]);
            rest = &rest[pair..];
            continue;
        }
        let time = rest.strip_prefix("<t:").and_then(|t| t.split_once('>')).filter(|(inside, _)| {
            inside.strip_suffix(":t").or_else(|| inside.strip_suffix(":R")).is_some_and(|n| n.parse::<i64>().is_ok())
        });
        let link = rest.strip_prefix('[').and_then(|t| t.split_once("](")).and_then(|(label, t)| {
            let (address, after) = t.split_once(')')?;
            let host = url::Url::parse(address).ok()?.host_str()?.to_owned();
            let own = label.replace(['\u{200B}', '\\'], "") == host;
            assert!(!own || !address.contains(['@', '<', '>', '(', ' ']), "{address}");
            own.then_some(after)
        });
        // Who acknowledged it: a mention of ours, which notifies nobody inside an embed.
        let taker = rest.strip_prefix("taken by <@").and_then(|t| t.split_once('>')).filter(|(id, _)| id.parse::<u64>().is_ok());
        rest = match (time.or(taker), link) {
            (Some((_, after)), _) | (None, Some(after)) => after,
            (None, None) => {
                out.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    out
}

/// A source of texts and small choices, so that one strategy fills every field.
struct Filler {
    texts: Vec<String>,
    next: usize,
}

impl Filler {
    fn text(&mut self) -> String {
        self.next += 1;
        self.texts[self.next % self.texts.len()].clone()
    }
    fn some(&mut self) -> Option<String> {
        Some(self.text())
    }
    fn list(&mut self, n: usize) -> Vec<String> {
        (0..n).map(|_| self.text()).collect()
    }

    fn unit(&mut self, ident: Ident) -> UnitState {
        let unit = Unit {
            ident,
            account: self.some(),
            status: Some(i64::try_from(self.next % 7).unwrap()),
            location: self.some(),
            aop: self.some(),
            callsign: self.some(),
            name: self.some(),
            district: self.some(),
            department: self.some(),
            subdivision: self.some(),
            rank: self.some(),
            group: self.some(),
            identities: self.list(2),
            ..Unit::default()
        };
        UnitState { unit, on_duty: true, since: Some(AT), located_at: Some(AT), seen_at: AT, ..UnitState::default() }
    }

    fn meta(&mut self) -> Meta {
        let other = (self.text(), self.text());
        ["postal", "plate", "block", "code", "priority", "silentAlert", "x", "uuid", "callerPlayerId"]
            .into_iter()
            .map(|key| (key.to_owned(), self.text()))
            .chain([other])
            .collect()
    }

    fn note(&mut self) -> Note {
        Note { time: self.some(), label: self.some(), kind: self.text(), content: self.text() }
    }

    fn world(&mut self, over: bool, crowd: usize) -> Server {
        let idents: Vec<Ident> = (0..crowd).map(|n| Ident(i64::try_from(n).unwrap())).collect();
        let gone = over.then(|| AT.plus_ms(i64::MAX));
        let units = idents.iter().step_by(2).map(|i| (*i, self.unit(*i))).collect();
        let mut world = Server { units, ..Server::default() };
        for (id, is_emergency) in [(1, true), (2, false)] {
            let call = EmergencyCall {
                id: Some(CallId(id)),
                is_emergency,
                caller: self.some(),
                location: self.some(),
                description: self.some(),
                meta: self.meta(),
                updated: None,
            };
            let became = is_emergency.then_some(CallId(3)).filter(|_| over);
            world.emergencies.insert(
                CallId(id),
                Emergency {
                    call,
                    opened_at: AT,
                    gone_at: gone,
                    became,
                    became_at: became.map(|_| AT),
                    panic_of: Some(Ident(0)),
                    content_fingerprint: None,
                    joined_late: false,
                    taken: None,
                    notes: (0..2).map(|_| self.note()).collect(),
                },
            );
        }
        let moments = [
            MomentKind::Called,
            MomentKind::Dispatched,
            MomentKind::Priority { from: Some(Priority::Word(self.text())), to: None },
            MomentKind::Edited(self.list(3)),
            MomentKind::Attached(Ident(0)),
            MomentKind::Detached(Ident(1)),
        ];
        let dispatch = Dispatch {
            origin: Some(i64::MIN),
            status: Some(i64::MAX),
            priority: Some(Priority::Word(self.text())),
            block: self.some(),
            address: self.some(),
            postal: self.some(),
            title: self.some(),
            code: self.some(),
            description: self.some(),
            notes: (0..3).map(|_| self.note()).collect(),
            units: idents.clone(),
            primary: idents.last().copied(),
            from_911: Some(CallId(1)),
            meta: self.meta(),
            first_unit_at: gone,
            closed_at: gone,
            edited: crate::world::FIELDS.map(str::to_owned).to_vec(),
            timeline: moments.into_iter().map(|what| TimelineEntry::new(UnixMs(i64::MIN), what)).collect(),
            ..super::sample::empty_dispatch(CallId(3))
        };
        world.dispatches.insert(CallId(3), dispatch);
        let page = Page { addresses: self.list(crowd), idents: idents.clone(), nature: PageNature::Other(self.text()), body: self.some() };
        let taken = over.then_some(Acknowledgement { by: UserId(1), at: AT });
        world.pages.insert((1, 0), Paged { page, at: AT, taken, over_at: gone });
        world.pages.insert((1, 1), Paged { page: Page::default(), at: AT, taken: None, over_at: gone });
        for ident in [Ident(0), Ident(1)] {
            world.panics.insert(
                ident,
                Panic {
                    ident,
                    since: AT,
                    over_at: gone,
                    linked_911: Some(CallId(1)),
                    by_flag: false,
                    joined_late: false,
                    taken: Some(Acknowledgement { by: UserId(u64::MAX), at: AT }),
                    shared: None,
                },
            );
        }
        world
    }

    fn labels(&mut self) -> Labels {
        Labels {
            emergency: self.text(),
            civil: self.text(),
            statuses: (0..4).map(|n| (n, (self.text(), self.text()))).collect(),
            priorities: (0..4).map(|n| (n, self.text())).collect(),
        }
    }

    fn events(&mut self, crowd: usize) -> Vec<Event> {
        let idents: Vec<Ident> = (0..crowd).map(|n| Ident(i64::try_from(n).unwrap())).collect();
        let station = |f: &mut Self| Station { name: f.some(), open: f.list(crowd), close: f.list(3) };
        let alert = |f: &mut Self, message| StationAlert {
            stations: (0..crowd).map(|_| station(f)).collect(),
            message: Some(message),
            colors: f.list(2),
            tone: f.some(),
        };
        let words = StationMessage::Text(self.text());
        let sound = StationMessage::Audio { extension: self.text(), base64: "AAAA".into() };
        let fields = (0..crowd).map(|_| RecordField { label: self.text(), value: self.text() }).collect();
        vec![
            Event::StationAlert(alert(self, words)),
            Event::StationAlert(alert(self, sound)),
            Event::StationAlert(StationAlert::default()),
            Event::Record {
                action: RecordAction::Edited,
                record: Record { id: self.some(), name: self.some(), kind: Some(3), fields, ..Record::default() },
            },
            Event::Record { action: RecordAction::Removed, record: Record::default() },
            Event::Tone {
                url: self.some(),
                targets: (0..crowd).map(|_| ToneTarget { kind: None, value: self.some(), label: self.some() }).collect(),
            },
            Event::Tone { url: Some("https://a.example/@here?<@1>(x)".into()), targets: vec![] },
            Event::GroupAdd { idents: idents.clone(), group: self.text() },
            Event::GroupRemove { idents: idents.clone(), group: None },
            Event::GroupRename { idents, old: self.some(), new: self.text() },
            Event::Bodycam { ident: Ident(0), on: true },
            Event::StreetSign { ids: vec![i64::MIN; crowd], lines: self.list(3) },
            Event::Callout(Callout {
                id: self.some(),
                name: self.some(),
                descriptions: self.list(crowd),
                location: self.some(),
                postal: self.some(),
            }),
            Event::CharacterSelected { account: self.some(), character: self.text() },
            Event::LinkVerified { community_user: self.text(), account: self.some() },
            Event::PrintRecord { ident: Some(Ident(0)), url: self.some() },
        ]
    }
}

/// Every message that can be rendered from the filler's texts, in one style.
fn all_messages(filler: &mut Filler, labels: &Labels, style: Style, over: bool, test: bool, crowd: usize) -> Vec<Message> {
    let world = filler.world(over, crowd);
    let now = AT.plus_ms(900_000);
    let view = View { world: &world, server: ServerId(1), labels, style, roles: &ROLES, test, buttons: true, now };
    let subjects = [
        Subject::Emergency(CallId(1), AT),
        Subject::Emergency(CallId(2), AT),
        Subject::Dispatch(CallId(3), AT),
        Subject::Panic(Ident(0), AT),
        Subject::Panic(Ident(1), AT),
    ];
    let mut messages: Vec<Message> = subjects.into_iter().map(|s| super::card(s, &view).expect("the world knows it")).collect();
    messages.extend([Subject::Event(1, 0), Subject::Event(1, 1)].into_iter().filter_map(|s| super::card(s, &view)));
    for subject in subjects {
        messages.extend(
            [Reply::PanicOver, Reply::Raised, Reply::Unanswered { since: AT }]
                .map(|r| super::reply(r, subject, &view))
                .into_iter()
                .flatten(),
        );
    }
    messages.extend(filler.events(crowd).iter().filter_map(|event| super::event(event, AT, &view)));
    messages.extend(super::duty(Ident(0), true, None, AT, &view));
    messages.extend(super::duty(Ident(0), false, Some(std::time::Duration::from_millis(u64::MAX)), AT, &view));
    messages.extend(super::status(Ident(0), Some(1), 2, AT, &view));
    messages.extend(super::note(&filler.note(), subjects[2], AT, &view));
    let servers = [(ServerId(1), &world), (ServerId(2), &world)];
    messages.extend(super::BoardKind::ALL.map(|kind| super::board(BoardId(i64::MAX), kind, &servers, labels)));
    let late: Vec<Message> = messages.iter().map(|m| super::late(m.clone(), UnixMs(0), UnixMs(i64::MAX))).collect();
    messages.extend(late);
    messages
}

const STYLES: [Style; 4] = [Style::Card, Style::Compact, Style::Log, Style::Public];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_message_fits_and_is_harmless(
        texts in proptest::collection::vec(text(), 1..24),
        over in any::<bool>(),
        test in any::<bool>(),
        crowd in prop_oneof![Just(0_usize), Just(1), Just(4), Just(40)],
    ) {
        let mut filler = Filler { texts, next: 0 };
        let labels = filler.labels();
        for style in STYLES {
            for message in all_messages(&mut filler, &labels, style, over, test, crowd) {
                assert_fits(&message);
                assert_harmless(&message);
                prop_assert_eq!(limits::fit(message.clone()), message);
            }
        }
    }
}

/// Every private text contains the marker; the rest is what the public form may show.
#[test]
fn the_public_form_reveals_nothing_private() {
    let labels = Labels::default();
    for (over, test) in [(false, false), (true, true)] {
        let mut filler = Filler { texts: vec!["Poison".into()], next: 0 };
        let mut world = filler.world(over, 4);
        // Allowed: the street, the code. Nothing around the street.
        let place = || Some("1180 Alta St (Poison 9001) / Integrity Way 7 Apt Poison".to_owned());
        for call in world.emergencies.values_mut() {
            call.call.location = place();
        }
        let call = world.dispatches.get_mut(&CallId(3)).unwrap();
        (call.address, call.code) = (place(), Some("10-62".into()));
        for state in world.units.values_mut() {
            state.unit.location = place();
        }
        let view =
            View { world: &world, server: ServerId(1), labels: &labels, style: Style::Public, roles: &ROLES, test, buttons: true, now: AT };
        let mut messages: Vec<Message> = Vec::new();
        for subject in [
            Subject::Emergency(CallId(1), AT),
            Subject::Emergency(CallId(2), AT),
            Subject::Dispatch(CallId(3), AT),
            Subject::Panic(Ident(0), AT),
        ] {
            let message = super::card(subject, &view).unwrap();
            let shown = super::sample::show(&Some(message.clone()));
            assert!(shown.contains("Alta St / Integrity Way") && !shown.contains("1180") && !shown.contains("9001"), "{shown}");
            messages.push(message);
            messages.extend([Reply::PanicOver, Reply::Raised].into_iter().filter_map(|r| super::reply(r, subject, &view)));
        }
        messages.extend(filler.events(4).iter().filter_map(|mut_event| {
            let event = match mut_event {
                Event::Callout(callout) => Event::Callout(Callout { location: place(), ..callout.clone() }),
                other => other.clone(),
            };
            super::event(&event, AT, &view)
        }));
        messages.extend(super::duty(Ident(0), true, None, AT, &view));
        messages.extend(super::status(Ident(0), None, 2, AT, &view));
        messages.extend(super::note(&filler.note(), Subject::Dispatch(CallId(3), AT), AT, &view));
        for message in messages {
            let whole = serde_json::to_string(&message).unwrap();
            assert!(!whole.contains("oison"), "{whole}");
        }
        // The other forms do show the marker.
        let open = super::card(Subject::Emergency(CallId(1), AT), &View { style: Style::Card, ..view }).unwrap();
        assert!(serde_json::to_string(&open).unwrap().contains("Poison"));
        assert!(text::units("Poison") > 0);
    }
}
