//! Reads the cards on the simulated Discord: what they are about and what they say.

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Emergency,
    Civil,
    Dispatch,
    Panic,
}

/// A message for each of its cards: the same one, with one embed.
pub(super) fn each(message: &Value) -> Vec<Value> {
    let embeds = message["embeds"].as_array().cloned().unwrap_or_default();
    let shared = embeds.len() > 1;
    let alone = |embed: Value| {
        let mut alone = message.clone();
        alone["embeds"] = json!([embed]);
        alone["shared"] = json!(shared);
        alone
    };
    if shared { embeds.into_iter().map(alone).collect() } else { vec![message.clone()] }
}

/// Whether a message that pings does so for this card of it: a shared one has a sentence for each card that it pings about. Names have
/// numbers: `Trouble 7`.
pub(super) fn is_spoken_of(card: &Value) -> bool {
    if card["shared"] != json!(true) {
        return true;
    }
    is_named_in(card, card["content"].as_str().unwrap_or_default())
}

pub(super) fn is_named_in(card: &Value, content: &str) -> bool {
    let number = footer(card).split(" · ").nth(1).filter(|about| about.contains('#'));
    if number.is_some_and(|number| content.ends_with(number) || content.contains(&format!("{number} "))) {
        return true;
    }
    let words: Vec<&str> = title(card).split_whitespace().collect();
    words.windows(2).filter(|pair| ["Trouble", "Robbery", "Retitled"].contains(&pair[0])).any(|pair| {
        let name = format!("{} {}", pair[0], pair[1]);
        content.match_indices(&name).any(|(at, _)| !content[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Discord's ids contain the time, since its epoch.
pub(super) fn sent_at(message: &Value) -> i64 {
    (message["id"].as_str().unwrap().parse::<i64>().unwrap() >> 22) + 1_420_070_400_000
}

pub(super) fn title(card: &Value) -> &str {
    card["embeds"][0]["title"].as_str().unwrap_or_default()
}

pub(super) fn footer(card: &Value) -> &str {
    card["embeds"][0]["footer"]["text"].as_str().unwrap_or_default()
}

pub(super) fn spelled(card: &Value) -> String {
    let fields = card["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
    let fields: Vec<String> = fields.iter().map(|f| format!("    {} {}", f["name"], f["value"])).collect();
    format!("  {} {} / {}\n{}", card["content"], title(card), footer(card), fields.join("\n"))
}

pub(super) fn is_over(card: &Value) -> bool {
    ["⬛", "☑️", "➡️", "✅"].iter().any(|mark| title(card).starts_with(mark))
}

/// `Server 1 · Call #501`.
pub(super) fn key_of(card: &Value) -> Option<(Kind, i64)> {
    let about = footer(card).split(" · ").nth(1)?;
    let (kind, id) = about.split_once(" #")?;
    let kind = match kind {
        "911" => Kind::Emergency,
        "311" => Kind::Civil,
        "Call" => Kind::Dispatch,
        "Panic" => Kind::Panic,
        _ => return None,
    };
    Some((kind, id.parse().ok()?))
}

pub(super) fn field(card: &Value, name: &str) -> String {
    let fields = card["embeds"][0]["fields"].as_array().cloned().unwrap_or_default();
    let found = fields.iter().find(|f| f["name"].as_str().is_some_and(|n| n.trim_start_matches("★ ") == name));
    found.and_then(|f| f["value"].as_str()).unwrap_or_default().to_owned()
}
