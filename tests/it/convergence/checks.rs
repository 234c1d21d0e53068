//! What must be true when the faults have ended: every channel shows what is open, and every role was pinged, but not twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tenfour::render::Style;

use super::cards::{Kind, each, field, footer, is_named_in, is_over, is_spoken_of, key_of, spelled, title};
use super::model::{Life, Scenario, Watched, open};

pub(super) type Outcome = Result<(), String>;

/// Messages that were created for several cards, over all scenarios.
pub(super) static SHARED: AtomicUsize = AtomicUsize::new(0);
/// If something is open for this long, it was sent, whatever failed meanwhile.
const HOLD_MS: i64 = 60_000;

impl Scenario {
    pub(super) async fn judge(&mut self) -> Outcome {
        for request in self.stage.discord.requests() {
            self.say(|| {
                format!(
                    "asked at {}: {} {} {} {}",
                    request["at_ms"], request["status"], request["method"], request["path"], request["body"]
                )
            });
        }
        self.every_request_names_its_mentions()?;
        let state = self.stage.cad.open_state(1);
        for watched in &self.watched {
            let cards = self.cards(watched).await;
            self.shows_what_is_open(watched, &cards, &state).map_err(|why| {
                let titles: Vec<String> = cards.iter().map(|card| format!("  {} / {}", title(card), footer(card))).collect();
                format!(
                    "channel for {:?} ({:?}, forum {}): {why}\n{}\nthe CAD: {}",
                    watched.kinds,
                    watched.style,
                    watched.forum,
                    titles.join("\n"),
                    state.to_string().chars().take(2_000).collect::<String>()
                )
            })?;
            self.called_once(watched, &state).await.map_err(|why| format!("channel for {:?}: {why}", watched.kinds))?;
        }
        self.board_shows_what_is_open(&state)?;
        let counts = self.stage.store.counts().await.unwrap();
        let problems = self.stage.store.problems(tenfour::ids::GuildId(self.stage.guild.parse().unwrap()), 20).await.unwrap();
        if counts.waiting > 0 || counts.failed > 0 {
            return Err(format!("posts are left: {counts:?}: {problems:?}"));
        }
        Ok(())
    }

    fn every_request_names_its_mentions(&self) -> Outcome {
        for request in self.stage.discord.requests() {
            let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
            let message = match method {
                "POST" if path.ends_with("/messages") => &request["body"],
                "PATCH" if path.contains("/messages/") => &request["body"],
                "POST" if path.ends_with("/threads") && !path.contains("/messages/") => &request["body"]["message"],
                _ => continue,
            };
            if method == "POST" && message["embeds"].as_array().is_some_and(|embeds| embeds.len() > 1) {
                SHARED.fetch_add(1, Ordering::SeqCst);
            }
            if message["allowed_mentions"]["parse"] != json!([]) {
                return Err(format!("without allowed_mentions: {request}"));
            }
            let roles = message["allowed_mentions"]["roles"].as_array().cloned().unwrap_or_default();
            if roles.iter().any(|role| *role != json!(self.role)) || !message["allowed_mentions"]["users"].is_null() {
                return Err(format!("somebody else could be called: {request}"));
            }
        }
        Ok(())
    }

    /// All messages of a channel, or of its forum posts, including replies and thread messages.
    async fn messages(&self, watched: &Watched) -> Vec<Value> {
        if !watched.forum {
            return self.stage.discord.messages(&watched.channel);
        }
        let snapshot = self.stage.discord.snapshot();
        let posts = snapshot["channels"].as_array().unwrap().iter().filter(|c| c["parent_id"] == json!(watched.channel));
        posts.flat_map(|post| self.stage.discord.messages(post["id"].as_str().unwrap())).collect()
    }

    /// The cards among them, separately even if several share a message.
    async fn cards(&self, watched: &Watched) -> Vec<Value> {
        let mut all: Vec<Value> = self.messages(watched).await.iter().flat_map(each).collect();
        all.retain(|message| message["message_reference"].is_null() && footer(message).contains('#'));
        all.retain(|message| !watched.forum || message["id"] == message["channel_id"]);
        all
    }

    fn shows_what_is_open(&self, watched: &Watched, cards: &[Value], state: &Value) -> Outcome {
        let mut wanted = open(state);
        wanted.retain(|(kind, _), _| watched.kinds.contains(kind));
        let mut shown = BTreeSet::new();
        for card in cards.iter().filter(|card| !is_over(card)) {
            let key = key_of(card).ok_or_else(|| format!("what is this? {}", spelled(card)))?;
            let fact = wanted.get(&key).ok_or_else(|| format!("{key:?} is shown as open and is not: {}", title(card)))?;
            if !shown.insert(key) {
                return Err(format!("{key:?} is shown twice"));
            }
            self.is_this_panic(key, card)?;
            match watched.style {
                Style::Card => right(key.0, card, fact, state),
                Style::Compact => right_in_a_line(key.0, card, fact),
                Style::Public | Style::Log => right_for_the_public(key.0, card, fact),
            }
            .map_err(|why| format!("{key:?} is wrong: {why}\n{}", spelled(card)))?;
        }
        // Nothing changes a waiting 911: it stays deleted.
        let deleted: Vec<Value> = watched.deleted.iter().flat_map(each).collect();
        let is_gone =
            |key: &(Kind, i64)| matches!(key.0, Kind::Emergency | Kind::Civil) && deleted.iter().any(|card| key_of(card) == Some(*key));
        match wanted.keys().find(|key| !shown.contains(key) && !is_gone(key)) {
            Some(missing) => Err(format!("{missing:?} is open and not shown")),
            None => Ok(()),
        }
    }

    /// An open panic has its own card, not that of the previous one, about which people were pinged long ago.
    fn is_this_panic(&self, key: (Kind, i64), card: &Value) -> Outcome {
        let life = self.lives.get(&key).and_then(|lives| lives.last()).filter(|life| !life.blurred);
        let Some(life) = life.filter(|_| key.0 == Kind::Panic && !self.misleading.contains_key(&key.1)) else { return Ok(()) };
        let since: jiff::Timestamp = card["embeds"][0]["timestamp"].as_str().unwrap().parse().unwrap();
        if since.as_millisecond() >= life.began { Ok(()) } else { Err(format!("{key:?} is shown as the panic of {since}: {life:?}")) }
    }

    /// One message with every unit and every call, and no call that is over.
    fn board_shows_what_is_open(&self, state: &Value) -> Outcome {
        let Some(board) = &self.board else { return Ok(()) };
        let messages = self.stage.discord.messages(board);
        let [message] = messages.as_slice() else { return Err(format!("{} messages for one board", messages.len())) };
        let text = message["embeds"].to_string();
        let (units, calls) = (state["units"].as_array().unwrap(), state["activeCalls"].as_array().unwrap());
        let missing = (units.iter().map(|unit| unit["data"]["unitNum"].as_str().unwrap().to_owned()))
            .chain(calls.iter().map(|call| call["title"].as_str().unwrap().to_owned()))
            .chain(state["emergencyCalls"].as_array().unwrap().iter().map(|call| call["description"].as_str().unwrap().to_owned()))
            .find(|word| !text.contains(word.as_str()));
        if let Some(missing) = missing {
            return Err(format!("the board lacks {missing:?}: {text}"));
        }
        // Numbers begin at 501 and grow.
        let open = |id: i64| calls.iter().any(|call| call["callId"] == json!(id));
        match (501..540).find(|id| !open(*id) && text.contains(&format!("#{id}"))) {
            Some(over) => Err(format!("the board shows call {over}, which is over: {text}")),
            None => Ok(()),
        }
    }

    async fn called_once(&self, watched: &Watched, state: &Value) -> Outcome {
        let mut all: Vec<Value> = self.messages(watched).await.iter().flat_map(each).collect();
        all.extend(watched.deleted.iter().flat_map(each));
        // A panic by its beginning too: one unit may have several.
        let mut pings: BTreeMap<(Kind, i64, String), usize> = BTreeMap::new();
        // For a message with several cards that pings, the cards it may have pinged about: they look different by now.
        let mut perhaps: BTreeSet<(Kind, i64)> = BTreeSet::new();
        let mention = format!("<@&{}>", self.role);
        let pinged = |message: &&Value| message["pinged"].as_array().is_some_and(|pinged| pinged.contains(&json!(mention)));
        for message in all.iter().filter(pinged) {
            if !is_spoken_of(message) {
                perhaps.extend(key_of(message));
                continue;
            }
            // A reply is under its card; in a forum, in the card's own post.
            let card = match message["message_reference"]["message_id"].as_str() {
                Some(id) => {
                    let there: Vec<&Value> = all.iter().filter(|card| card["id"] == json!(id)).collect();
                    // For a shared message, the card that the reply is about.
                    let said = message["content"].as_str().unwrap_or_default();
                    match there.as_slice() {
                        [] => None,
                        [alone] => Some(*alone),
                        several => match several.iter().find(|card| is_named_in(card, said)) {
                            Some(card) => Some(*card),
                            None => {
                                perhaps.extend(several.iter().filter_map(|card| key_of(card)));
                                continue;
                            }
                        },
                    }
                }
                None if key_of(message).is_some() => Some(message),
                None => all.iter().find(|card| card["id"] == message["channel_id"]),
            };
            // If its card was deleted, it is a message of its own.
            let meant = || {
                let mut requests = self.stage.discord.requests().into_iter().map(|request| request["body"].clone());
                let sent = requests.find(|body| body["content"] == message["content"] && !body["message_reference"].is_null())?;
                all.iter().find(|card| card["id"] == sent["message_reference"]["message_id"])
            };
            let card = card.or_else(meant).ok_or_else(|| format!("a ping for nothing: {}", spelled(message)))?;
            let (kind, id) = key_of(card).ok_or_else(|| format!("a ping for nothing: {}", spelled(message)))?;
            let began = card["embeds"][0]["timestamp"].as_str().filter(|_| kind == Kind::Panic);
            *pings.entry((kind, id, began.unwrap_or_default().to_owned())).or_default() += 1;
        }
        // One event or read with several panics pings once: about those that began at the same moment as the one that pinged.
        let moments: BTreeSet<String> = pings.keys().filter(|(kind, ..)| *kind == Kind::Panic).map(|(.., began)| began.clone()).collect();
        for card in &all {
            let began = card["embeds"][0]["timestamp"].as_str().unwrap_or_default();
            if let Some((Kind::Panic, id)) = key_of(card).filter(|_| moments.contains(began)) {
                pings.entry((Kind::Panic, id, began.to_owned())).or_insert(1);
            }
        }
        if let Some(((kind, id, began), count)) =
            pings.iter().find(|((kind, id, _), count)| **count > 1 && !self.used_again.contains(&(*kind, *id)))
        {
            return Err(format!("{kind:?} {id} {began} called {count} times"));
        }
        let called = |kind: Kind, id: i64| pings.keys().filter(|(k, i, _)| (*k, *i) == (kind, id)).count();
        for (&(kind, id), lives) in &self.lives {
            let called = called(kind, id);
            let most = lives.len() + self.misleading.get(&id).copied().unwrap_or(0);
            if kind == Kind::Panic && called > most {
                return Err(format!("panics of {id} called {called} times, {most} allowed: {lives:?}"));
            }
            let urgent =
                state["activeCalls"].as_array().unwrap().iter().any(|call| call["callId"] == json!(id) && call["priority"] == json!(1));
            let must = |life: &&Life| {
                let seen = match (life.ended, life.seen_at) {
                    (None, _) => true,
                    (Some((ended, _)), Some(seen_at)) => ended - seen_at >= HOLD_MS,
                    (Some(_), None) => false,
                };
                seen && !life.before_us && !life.blurred
            };
            let least = lives.iter().filter(must).count();
            if watched.calls_to(kind, urgent) && called < least && !perhaps.contains(&(kind, id)) {
                return Err(format!("{kind:?} {id} called {called} times, {least} wanted: {lives:?}"));
            }
        }
        let unknown = pings.keys().find(|(kind, id, _)| !self.lives.contains_key(&(*kind, *id)) || !watched.kinds.contains(kind));
        unknown.map_or(Ok(()), |unknown| Err(format!("called to {unknown:?}, which was never there")))
    }
}

/// Whether a card says what the CAD says.
fn right(kind: Kind, card: &Value, fact: &Value, state: &Value) -> Outcome {
    let same = |what: &str, shown: &str, expected: &str| {
        if shown == expected { Ok(()) } else { Err(format!("{what} is {shown:?}, the CAD says {expected:?}")) }
    };
    let text = |name: &str| text(fact, name);
    let holds = |what: &str| if title(card).contains(what) { Ok(()) } else { Err(format!("the title lacks {what:?}")) };
    match kind {
        Kind::Dispatch => {
            holds(&text("title"))?;
            same("the priority", &field(card, "Priority"), &format!("P{}", fact["priority"]))?;
            same("the address", &field(card, "Address"), &text("address"))?;
            same("the postal", &field(card, "Postal"), &text("postal"))?;
            same("the status", &field(card, "Status"), if fact["status"] == json!(0) { "Pending" } else { "Active" })?;
            let mut units: Vec<String> = Vec::new();
            for ident in fact["idents"].as_array().unwrap() {
                let unit = state["units"].as_array().unwrap().iter().find(|unit| unit["id"] == *ident);
                let Some(unit) = unit else { continue };
                let star = if fact["primary"] == *ident { " ★" } else { "" };
                units.push(format!("{} {}{star}", emoji(&unit["status"]), unit["data"]["unitNum"].as_str().unwrap()));
            }
            let shown = field(card, "Units");
            let mut shown: Vec<String> = if shown == "Nobody yet" { Vec::new() } else { shown.split(" · ").map(str::to_owned).collect() };
            shown.sort();
            units.sort();
            if shown != units {
                return Err(format!("units {shown:?}, the CAD says {units:?}"));
            }
            let last = fact["notes"].as_array().and_then(|notes| notes.last());
            let said = last.map(|note| note["content"].as_str().unwrap().to_owned()).unwrap_or_default();
            let fields = card["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
            let noted = fields.iter().find(|f| f["name"].as_str().is_some_and(|n| n.starts_with("Last")));
            let shown = noted.and_then(|f| f["value"].as_str()).unwrap_or_default();
            if !shown.ends_with(&said) || (said.is_empty() && !shown.is_empty()) {
                return Err(format!("last note {shown:?}, the CAD says {said:?}"));
            }
            Ok(())
        }
        Kind::Emergency | Kind::Civil => {
            holds(&text("description"))?;
            same("the caller", &field(card, "Caller"), &text("caller"))?;
            same("the location", &field(card, "Location"), &text("location"))
        }
        Kind::Panic => holds(fact["data"]["unitNum"].as_str().unwrap()),
    }
}

/// Compact: kind, place and priority, in the title alone.
fn right_in_a_line(kind: Kind, card: &Value, fact: &Value) -> Outcome {
    let wanted: Vec<String> = match kind {
        Kind::Dispatch => vec![format!("P{} ", fact["priority"]), text(fact, "title"), text(fact, "address")],
        Kind::Emergency | Kind::Civil => vec![text(fact, "description"), text(fact, "location")],
        Kind::Panic => vec![text(&fact["data"], "unitNum")],
    };
    let embed = &card["embeds"][0];
    if let Some(missing) = wanted.iter().find(|wanted| !title(card).contains(wanted.as_str())) {
        return Err(format!("the title lacks {missing:?}"));
    }
    if embed["description"].is_null() && embed["fields"].as_array().is_none_or(Vec::is_empty) {
        Ok(())
    } else {
        Err("more than a line".into())
    }
}

/// Public: kind, street and status, and nothing that people wrote.
fn right_for_the_public(kind: Kind, card: &Value, fact: &Value) -> Outcome {
    let (street, word) = match (kind, &fact["status"]) {
        (Kind::Dispatch, status) => (text(fact, "address"), if *status == json!(0) { "Pending" } else { "Active" }),
        (Kind::Emergency | Kind::Civil, _) => (text(fact, "location"), "Waiting"),
        (Kind::Panic, _) => (text(fact, "location"), "On"),
    };
    if (field(card, "Street"), field(card, "State").as_str()) != (street.clone(), word) || !title(card).contains(&street) {
        return Err(format!("it should be {street:?} and {word:?}"));
    }
    if kind == Kind::Dispatch && !title(card).contains(&format!("P{} ", fact["priority"])) {
        return Err(format!("the title lacks P{}", fact["priority"]));
    }
    let said = format!("{}{}", card["embeds"], card["content"]);
    let secret = ["Trouble", "Robbery", "Retitled", "Story", "Caller ", "Note ", "9001", "A-", "B-", "No1"].into_iter();
    secret.into_iter().find(|secret| said.contains(secret)).map_or(Ok(()), |secret| Err(format!("the public reads {secret:?}")))
}

fn text(fact: &Value, name: &str) -> String {
    fact[name].as_str().unwrap_or_default().to_owned()
}

fn emoji(status: &Value) -> &'static str {
    match status.as_i64() {
        Some(0) => "⚫",
        Some(1) => "🟠",
        Some(2) => "🟢",
        Some(3) => "🔵",
        Some(4) => "🔴",
        _ => "?",
    }
}
