//! Judges a crash test: what must be visible in the end, by the journal, and what is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use super::Places;
use super::story::{self, Kind, PANICKING, Step, words};
use crate::process::Stage;

/// An event that was given to a hub session.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) server: u32,
    pub(crate) life: usize,
    pub(crate) mark: String,
}

pub(crate) struct Judge<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) places: &'a [Places],
    pub(crate) roles: &'a [String; 3],
}

/// The statistics of a run.
#[derive(Default)]
pub(crate) struct Found {
    rows: usize,
    by_hub: usize,
    lost_on_the_hub: usize,
    sent_twice: usize,
    subjects: usize,
    messages: usize,
    batched: usize,
    repeated: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, by_hub, lost_on_the_hub, sent_twice, subjects, messages, batched, repeated } = self;
        write!(
            f,
            "{rows} events committed ({by_hub} by hub, where {lost_on_the_hub} were lost with the process; {sent_twice} twice), {subjects} things shown in {messages} messages ({batched} with several cards), {repeated} creates sent again,"
        )
    }
}

/// The journal's rows of one story.
#[derive(Debug, Default)]
struct Known {
    server: u32,
    version: Option<u8>,
    note: bool,
    over: bool,
    rows: usize,
}

/// All messages of one place.
#[derive(Default)]
struct Seen {
    /// By footer, e.g. `911 #7`: the message, the embed as text, its title, and whom the message pinged.
    cards: HashMap<String, Vec<Card>>,
    /// Which message is replied to, and whom the reply pinged.
    answers: Vec<(String, Vec<String>)>,
    /// Every message as text.
    texts: Vec<String>,
    batched: usize,
}

#[derive(Clone, Debug)]
struct Card {
    message: String,
    title: String,
    text: String,
    called: Vec<String>,
}

impl Seen {
    fn take(&mut self, message: &Value) {
        let called: Vec<String> = message["pinged"].as_array().unwrap().iter().map(|role| role.as_str().unwrap().to_owned()).collect();
        if let Some(to) = message["message_reference"]["message_id"].as_str() {
            self.answers.push((to.to_owned(), called.clone()));
        }
        let embeds = message["embeds"].as_array().cloned().unwrap_or_default();
        let mut cards = 0;
        for embed in &embeds {
            let footer = embed["footer"]["text"].as_str().unwrap_or_default();
            let Some(about) = about(footer) else { continue };
            cards += 1;
            self.cards.entry(about).or_default().push(Card {
                message: message["id"].as_str().unwrap().to_owned(),
                title: embed["title"].as_str().unwrap_or_default().to_owned(),
                text: embed.to_string(),
                called: called.clone(),
            });
        }
        self.batched += usize::from(cards > 1);
        // Without the message that it replies to.
        self.texts.push(format!("{} {}", message["content"], message["embeds"]));
    }

    fn count(&self, words: &str) -> usize {
        self.texts.iter().map(|text| text.matches(words).count()).sum()
    }
}

/// `911 #7` from `Server 3 · 911 #7`, whatever follows.
fn about(footer: &str) -> Option<String> {
    ["911 #", "Call #", "Panic #"].into_iter().find_map(|name| {
        let (_, rest) = footer.split_once(name)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("{name}{digits}"))
    })
}

impl Judge<'_> {
    pub(crate) fn judge(&self, accepted: &[(String, u32)], handed: &[Handed], reconnected: &[(u32, usize)]) -> Found {
        let mut found = Found::default();
        let mut wrong = Vec::new();
        let mut rows: HashMap<String, usize> = HashMap::new();
        let mut known: BTreeMap<(u32, Kind, i64), Known> = BTreeMap::new();
        for body in self.stage.look("SELECT body FROM journal ORDER BY seq") {
            let body: Value = serde_json::from_str(&body).unwrap();
            let mark = body["mark"].as_str().unwrap();
            *rows.entry(mark.to_owned()).or_default() += 1;
            found.rows += 1;
            let Some((server, number, kind, step)) = story::read(mark) else { continue };
            let exists = known.contains_key(&(server, kind, number));
            if step == Step::Over && !exists {
                // Its beginning was lost with the process: nothing to show, nothing to end.
                continue;
            }
            let entry = known.entry((server, kind, number)).or_default();
            entry.server = server;
            entry.rows += 1;
            match step {
                Step::Version(version) => entry.version = Some(version),
                Step::Note => entry.note = true,
                Step::Over => entry.over = true,
            }
        }
        for (mark, sent) in accepted {
            let rows = rows.get(mark).copied().unwrap_or(0);
            if rows == 0 || rows > usize::try_from(*sent).unwrap() {
                wrong.push(format!("`{mark}` was answered 200 after {sent} tries and is journaled {rows} times"));
            }
            found.sent_twice += usize::from(rows > 1);
        }
        found.lost_on_the_hub = self.hub(&rows, handed, reconnected, &mut wrong);
        found.by_hub = handed.iter().filter(|handed| rows.contains_key(&handed.mark)).count();
        found.subjects = known.len();
        for places in self.places {
            let here: BTreeMap<(Kind, i64), &Known> = known
                .iter()
                .filter(|((server, ..), _)| *server == places.server)
                .map(|((_, kind, number), known)| ((*kind, *number), known))
                .collect();
            self.server(places, &here, &mut found, &mut wrong);
        }
        let requests = self.stage.discord.requests();
        let nonces: Vec<&str> = requests.iter().filter_map(|r| r["body"]["nonce"].as_str()).collect();
        found.repeated = nonces.len() - nonces.iter().collect::<HashSet<_>>().len();
        assert!(
            wrong.is_empty(),
            "{found}\n{} things are wrong:\n{}",
            wrong.len(),
            wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
        );
        // Without any of these a run proves nothing.
        assert!(found.repeated > 0 && found.by_hub > 0, "{found}");
        found
    }

    /// In each life the hub's events were committed in order, without gaps: only the last ones, in transit, are missing.
    fn hub(&self, rows: &HashMap<String, usize>, handed: &[Handed], reconnected: &[(u32, usize)], wrong: &mut Vec<String>) -> usize {
        let mut lost = 0;
        let mut first_missing: HashMap<(u32, usize), &str> = HashMap::new();
        for Handed { server, life, mark } in handed {
            let place = (*server, *life);
            if !rows.contains_key(mark) {
                lost += 1;
                first_missing.entry(place).or_insert(mark);
            } else if let Some(missing) = first_missing.get(&place).filter(|_| !reconnected.contains(&place)) {
                wrong.push(format!("in life {life} the hub's `{mark}` was committed, but `{missing}` before it was not"));
            }
        }
        lost
    }

    fn server(&self, places: &Places, known: &BTreeMap<(Kind, i64), &Known>, found: &mut Found, wrong: &mut Vec<String>) {
        let (mut main, mut log, mut threads, mut forum) = (Seen::default(), Seen::default(), Seen::default(), Seen::default());
        let mut take = |channel: &str, into: &mut Seen| {
            let messages = self.stage.discord.messages(channel);
            found.messages += messages.len();
            messages.iter().for_each(|message| into.take(message));
        };
        take(&places.main, &mut main);
        take(&places.log, &mut log);
        for channel in self.stage.discord.snapshot()["channels"].as_array().unwrap() {
            let (id, parent) = (channel["id"].as_str().unwrap(), channel["parent_id"].as_str());
            if parent == Some(&places.main) {
                take(id, &mut threads);
            } else if parent.is_some() && parent == places.forum.as_deref() {
                take(id, &mut forum);
            }
        }
        found.batched += main.batched;
        for (key @ (kind, number), known) in known {
            match kind {
                Kind::Emergency | Kind::Dispatch | Kind::Panic => {
                    self.card("main", key, known, &main, wrong);
                    if *kind == Kind::Emergency && places.forum.is_some() {
                        self.card("forum", key, known, &forum, wrong);
                    }
                    if *kind == Kind::Dispatch && places.threads && known.note {
                        // A note written under a call that is over may have come too late to open a thread.
                        expect(
                            wrong,
                            || format!("the note of call {number} in its thread: {known:?}"),
                            threads.count(&words(*number, Step::Note)),
                            1,
                        );
                    }
                    if *kind == Kind::Panic && known.over {
                        let unit = format!("Unit {} ", PANICKING + number);
                        let replies = main
                            .texts
                            .iter()
                            .filter(|text| text.contains("Panic over") && text.contains(&unit) && text.ends_with("[]"))
                            .count();
                        expect(wrong, || format!("replies that the panic of {unit}is over"), replies, 1);
                    }
                }
                Kind::Page => {
                    expect(wrong, || format!("messages about page {number}"), main.count(&words(*number, Step::Version(1))), known.rows)
                }
                Kind::Duty => expect(wrong, || format!("lines about unit {number}"), log.count(&words(*number, Step::Version(1))), 1),
            }
        }
        // And nothing is shown without an event.
        for about in main.cards.keys().chain(forum.cards.keys()) {
            let (name, number) = about.split_once('#').unwrap();
            let number: i64 = number.parse().unwrap();
            let key = match name {
                "911 " => (Kind::Emergency, number),
                "Call " => (Kind::Dispatch, number),
                _ => (Kind::Panic, number - PANICKING),
            };
            if !known.contains_key(&key) {
                wrong.push(format!("server {}: a card about {about}, of which nothing was committed", places.server));
            }
        }
    }

    fn card(&self, place: &str, (kind, number): &(Kind, i64), known: &Known, seen: &Seen, wrong: &mut Vec<String>) {
        let (name, end) = match kind {
            Kind::Emergency => (format!("911 #{number}"), "handled"),
            Kind::Dispatch => (format!("Call #{number}"), "Closed"),
            _ => (format!("Panic #{}", PANICKING + number), "over"),
        };
        let cards = seen.cards.get(&name).map(Vec::as_slice).unwrap_or_default();
        let mut say = |what: String| wrong.push(format!("{place} of server {}, {name}: {what}; {known:?}; {cards:#?}", known.server));
        let [card] = cards else { return say(format!("{} cards", cards.len())) };
        let latest = known.version.filter(|_| *kind != Kind::Panic).map(|version| words(*number, Step::Version(version)));
        if latest.is_some_and(|latest| !card.text.contains(&latest)) {
            say("not as it was last told".into());
        }
        if known.over != card.title.contains(end) {
            say(if known.over { "still open".into() } else { "ended too early".into() });
        }
        // A message pings when it is created; so only a reply to the card can ping a role a second time.
        for role in self.roles {
            let role = format!("<@&{role}>");
            let answers = seen.answers.iter().filter(|(to, called)| *to == card.message && called.contains(&role)).count();
            if answers + usize::from(card.called.contains(&role)) > 1 {
                say(format!("{role} was called to it again"));
            }
        }
        let calls_somebody = self.roles.iter().any(|role| card.called.contains(&format!("<@&{role}>")));
        if *kind == Kind::Panic && !known.over && !calls_somebody && place == "main" {
            say("nobody was called to a panic".into());
        }
    }
}

fn expect(wrong: &mut Vec<String>, what: impl Fn() -> String, got: usize, wanted: usize) {
    if got != wanted {
        wrong.push(format!("{}: {got}, wanted {wanted}", what()));
    }
}
