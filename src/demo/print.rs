//! Alerts as text, for `tenfour demo --once`.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// Names of channels, threads and roles by id.
#[derive(Debug)]
pub(super) struct Names {
    names: HashMap<String, String>,
    forums: Vec<String>,
    zone: TimeZone,
}

impl Names {
    /// Reads them from a snapshot of the simulated Discord. Times are shown in this zone.
    pub(super) fn new(snapshot: &Value, zone: TimeZone) -> Self {
        let mut names = Self { names: HashMap::new(), forums: Vec::new(), zone };
        for role in list(snapshot, "roles") {
            names.names.insert(str(role, "/id"), format!("@{}", str(role, "/name")));
        }
        for user in list(snapshot, "users") {
            names.names.insert(str(user, "/id"), format!("@{}", str(user, "/name")));
        }
        for channel in list(snapshot, "channels") {
            names.learn(channel);
        }
        names
    }

    fn learn(&mut self, channel: &Value) {
        let (id, name, parent) = (str(channel, "/id"), str(channel, "/name"), str(channel, "/parent_id"));
        let name = match channel.get("type").and_then(Value::as_i64) {
            Some(10..=12) => {
                let what = if self.forums.contains(&parent) { "post" } else { "thread" };
                format!("{} · {what} “{name}”", self.of(&parent))
            }
            Some(15) => {
                self.forums.push(id.clone());
                format!("#{name}")
            }
            _ => format!("#{name}"),
        };
        self.names.insert(id, name);
    }

    fn of(&self, id: &str) -> &str {
        self.names.get(id).map(String::as_str).unwrap_or_default()
    }

    /// Discord's markup as plain text: `<#1>` by name, `<t:1:t>` as a time of day, `[text](address)` as its text.
    pub(super) fn plain(&self, text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['<', '[', '\\']) {
            let (before, marked) = rest.split_at(at);
            plain.push_str(before);
            let (said, length) = self.token(marked).unwrap_or_else(|| {
                let first: String = marked.chars().take(1).collect();
                let length = first.len();
                (first, length)
            });
            plain.push_str(&said);
            rest = marked.get(length..).unwrap_or_default();
        }
        plain + rest
    }

    /// The text of the token that `text` begins with, and its length.
    fn token(&self, text: &str) -> Option<(String, usize)> {
        if let Some(escaped) = text.strip_prefix('\\') {
            let next = escaped.chars().next().filter(char::is_ascii_punctuation)?;
            return Some((next.to_string(), 1 + next.len_utf8()));
        }
        if let Some((label, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once("](")) {
            let (address, _) = rest.split_once(')')?;
            let plain = !label.contains(['[', ']']) && !address.contains(char::is_whitespace);
            return plain.then(|| (label.to_owned(), label.len() + address.len() + 4));
        }
        let (inside, _) = text.strip_prefix('<')?.split_once('>')?;
        let length = inside.len() + 2;
        if let Some(id) = ["@&", "@", "#"].iter().find_map(|mark| inside.strip_prefix(mark)) {
            return self.names.get(id).map(|name| (name.clone(), length));
        }
        let time = inside.strip_prefix("t:")?;
        let at = Timestamp::from_second(time.split(':').next()?.parse().ok()?).ok()?;
        Some((at.to_zoned(self.zone.clone()).strftime("%H:%M").to_string(), length))
    }
}

/// Prints each message, each edit and each archived thread, until `stop`.
pub(super) async fn each_alert(mut stream: broadcast::Receiver<Value>, mut names: Names, stop: CancellationToken, say: fn(&str)) {
    loop {
        let change = tokio::select! {
            biased;
            change = stream.recv() => change,
            () = stop.cancelled() => return,
        };
        let change = match change {
            Ok(change) => change,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let edited = match change.get("type").and_then(Value::as_str) {
            Some("MESSAGE_CREATE") => false,
            Some("MESSAGE_UPDATE") => true,
            Some("CHANNEL_CREATE") => {
                change.get("channel").into_iter().for_each(|channel| names.learn(channel));
                continue;
            }
            Some("CHANNEL_UPDATE") if change.pointer("/channel/archived").and_then(Value::as_bool) == Some(true) => {
                say(&format!("\n{} is put away", names.of(&str(&change, "/channel/id"))));
                continue;
            }
            _ => continue,
        };
        if let Some(message) = change.get("message") {
            say(&text(message, edited, &names));
        }
    }
}

/// One message as lines.
fn text(message: &Value, edited: bool, names: &Names) -> String {
    let mut lines = vec![format!("\n{}{}", names.of(&str(message, "/channel_id")), if edited { " (edited)" } else { "" })];
    let content = str(message, "/content");
    if !content.is_empty() {
        lines.push(format!("  {}", names.plain(&content)));
    }
    lines.extend(embeds(message).iter().map(|line| names.plain(line)));
    lines.join("\n")
}

/// The embeds of a message as lines.
pub(super) fn embeds(message: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for embed in list(message, "embeds") {
        for part in [str(embed, "/title"), str(embed, "/description")] {
            lines.extend(part.lines().map(|line| format!("  │ {line}")));
        }
        for field in list(embed, "fields") {
            lines.push(format!("  │ {}: {}", str(field, "/name"), str(field, "/value").replace('\n', " / ")));
        }
        let footer = str(embed, "/footer/text");
        if !footer.is_empty() {
            lines.push(format!("  │ {footer}"));
        }
    }
    lines
}

fn str(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        let channels = json!([
            { "id": "7", "name": "dispatch", "type": 0 },
            { "id": "8", "name": "case-files", "type": 15 },
            { "id": "70", "name": "P2 · Fire", "type": 11, "parent_id": "7" },
        ]);
        let mut names = Names::new(&json!({ "channels": channels, "roles": [{ "id": "9", "name": "Dispatch" }] }), TimeZone::UTC);
        names.learn(&json!({ "id": "80", "name": "P1 · Flood", "type": 11, "parent_id": "8" }));
        names
    }

    #[test]
    fn a_message_as_a_person_reads_it() {
        let message = json!({ "channel_id": "7", "content": "<@&9> 911: fire", "embeds": [
            { "title": "🚨 911", "description": "a\nb", "fields": [{ "name": "Postal", "value": "1\n2" }], "footer": { "text": "Server 1" } }
        ] });
        let expected = "\n#dispatch (edited)\n  @Dispatch 911: fire\n  │ 🚨 911\n  │ a\n  │ b\n  │ Postal: 1 / 2\n  │ Server 1";
        assert_eq!(text(&message, true, &names()), expected);
        assert_eq!(text(&json!({ "channel_id": "70", "content": "📝" }), false, &names()), "\n#dispatch · thread “P2 · Fire”\n  📝");
        assert_eq!(text(&json!({ "channel_id": "80", "content": "📝" }), false, &names()), "\n#case-files · post “P1 · Flood”\n  📝");
    }

    #[test]
    fn marks_are_read_and_what_only_looks_like_one_stays() {
        let names = names();
        for (marked, plain) in [
            ("📞 <t:60:t> 911 · [Call #501](https://discord.com/channels/1/2/3) ★", "📞 00:01 911 · Call #501 ★"),
            ("see <#7>, <@&9>; \\*not\\* bold", "see #dispatch, @Dispatch; *not* bold"),
            ("a < b [c] (d) <t:x> <#404> \\", "a < b [c] (d) <t:x> <#404> \\"),
            ("[ä](b [c](d)", "[ä](b c"),
        ] {
            assert_eq!(names.plain(marked), plain);
        }
    }
}
