//! Alerts as text, for `tenfour demo --once`.

use std::collections::HashMap;

use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// Names of channels and roles by id.
pub(super) type Names = HashMap<String, String>;

/// Reads them off a snapshot of the pretend Discord.
pub(super) fn names(snapshot: &Value) -> Names {
    let mut names = Names::new();
    for (list, mark) in [("channels", "#"), ("roles", "@")] {
        for entry in snapshot.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            if let (Some(id), Some(name)) = (entry.get("id").and_then(Value::as_str), entry.get("name").and_then(Value::as_str)) {
                names.insert(id.to_owned(), format!("{mark}{name}"));
            }
        }
    }
    names
}

/// Says each message and each edit until `stop`.
pub(super) async fn each_alert(mut stream: broadcast::Receiver<Value>, names: Names, stop: CancellationToken, say: fn(&str)) {
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
            _ => continue,
        };
        if let Some(message) = change.get("message") {
            say(&text(message, edited, &names));
        }
    }
}

/// One message as lines.
fn text(message: &Value, edited: bool, names: &Names) -> String {
    let str = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let channel = names.get(&str(message, "/channel_id")).cloned().unwrap_or_default();
    let mut lines = vec![format!("\n{channel}{}", if edited { " (edited)" } else { "" })];
    let content = str(message, "/content");
    if !content.is_empty() {
        lines.push(format!("  {content}"));
    }
    for embed in message.get("embeds").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
        for part in [str(embed, "/title"), str(embed, "/description")] {
            lines.extend(part.lines().map(|line| format!("  │ {line}")));
        }
        for field in embed.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            lines.push(format!("  │ {}: {}", str(field, "/name"), str(field, "/value").replace('\n', " / ")));
        }
        let footer = str(embed, "/footer/text");
        if !footer.is_empty() {
            lines.push(format!("  │ {footer}"));
        }
    }
    let mut text = lines.join("\n");
    for (id, name) in names {
        text = text.replace(&format!("<@&{id}>"), name).replace(&format!("<#{id}>"), name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_as_a_person_reads_it() {
        let names = names(&json!({ "channels": [{ "id": "7", "name": "dispatch" }], "roles": [{ "id": "9", "name": "Dispatch" }] }));
        let message = json!({ "channel_id": "7", "content": "<@&9> 911: fire", "embeds": [
            { "title": "🚨 911", "description": "a\nb", "fields": [{ "name": "Postal", "value": "1\n2" }], "footer": { "text": "Server 1" } }
        ] });
        let expected = "\n#dispatch (edited)\n  @Dispatch 911: fire\n  │ 🚨 911\n  │ a\n  │ b\n  │ Postal: 1 / 2\n  │ Server 1";
        assert_eq!(text(&message, true, &names), expected);
    }
}
