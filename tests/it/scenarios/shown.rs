//! Renders Discord's messages as text that people can read and machines can compare: no ids of Discord's, every time as a time.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenfour::clock::UnixMs;
use tenfour_sim::discord::DiscordSim;

use crate::stage::BEGIN;

/// Makes no sound (Discord's SUPPRESS_NOTIFICATIONS).
const SILENT: u64 = 1 << 12;

/// Everything seen so far, so that deleted messages keep their name.
pub(super) struct Seen {
    guild: String,
    roles: BTreeMap<String, String>,
    /// By number: its name, whether it is a forum. In order of creation.
    channels: BTreeMap<u64, (String, bool)>,
    /// By number: its channel and name.
    messages: BTreeMap<u64, (u64, String)>,
}

impl Seen {
    pub(super) fn new(guild: &str) -> Self {
        Self { guild: guild.to_owned(), roles: BTreeMap::new(), channels: BTreeMap::new(), messages: BTreeMap::new() }
    }

    pub(super) fn role(&mut self, id: &str, name: &str) {
        self.roles.insert(id.to_owned(), name.to_owned());
    }

    pub(super) fn channel(&mut self, id: &str, name: &str, forum: bool) {
        self.channels.entry(number(id)).or_insert((name.to_owned(), forum));
    }

    /// Channel and number of `#name/2`.
    pub(super) fn find(&self, name: &str) -> Option<(String, String)> {
        let found = self.messages.iter().find(|(_, (_, known))| known == name);
        found.map(|(id, (channel, _))| (channel.to_string(), id.to_string()))
    }

    /// Names new items: a thread after its message, and its messages after the thread.
    pub(super) fn look(&mut self, discord: &DiscordSim) {
        let snapshot = discord.snapshot();
        self.look_at_messages(&snapshot);
        for channel in snapshot["channels"].as_array().unwrap() {
            let (id, parent) = (number_of(&channel["id"]), number_of(&channel["parent_id"]));
            let Some((above, forum)) = self.channels.get(&parent).filter(|_| !self.channels.contains_key(&id)) else { continue };
            let name = if *forum {
                let posts = self.channels.values().filter(|(name, _)| name.starts_with(&format!("{above}/post"))).count();
                format!("{above}/post{}", posts + 1)
            } else {
                format!("{}/thread", self.messages.get(&id).map_or(above, |(_, name)| name))
            };
            self.channels.insert(id, (name, false));
        }
        self.look_at_messages(&snapshot);
    }

    fn look_at_messages(&mut self, snapshot: &Value) {
        for (channel, messages) in snapshot["messages"].as_object().unwrap() {
            let channel = number(channel);
            let Some((name, _)) = self.channels.get(&channel) else { continue };
            for message in messages.as_array().unwrap() {
                let id = number_of(&message["id"]);
                if !self.messages.contains_key(&id) {
                    let known = self.messages.values().filter(|(known, _)| *known == channel).count();
                    self.messages.insert(id, (channel, format!("{name}/{}", known + 1)));
                }
            }
        }
    }

    pub(super) fn shown(&self, discord: &DiscordSim) -> String {
        let mut out = Vec::new();
        let mut left: BTreeMap<u64, Value> = BTreeMap::new();
        for channel in self.channels.keys() {
            left.extend(discord.messages(&channel.to_string()).into_iter().map(|message| (number_of(&message["id"]), message)));
        }
        for (channel, (name, forum)) in &self.channels {
            let own: Vec<(&u64, &String)> =
                self.messages.iter().filter(|(_, (at, _))| at == channel).map(|(id, (_, name))| (id, name)).collect();
            if own.is_empty() && !forum {
                out.push(format!("{name}  nothing"));
            }
            for (id, name) in own {
                match left.get(id) {
                    Some(message) => self.message(name, message, &mut out),
                    None => out.push(format!("{name}  deleted")),
                }
            }
        }
        let requests: Vec<String> = discord.requests().iter().map(|request| self.request(request)).collect();
        if !requests.is_empty() {
            out.push("requests".into());
        }
        for (nth, request) in requests.iter().enumerate() {
            if nth == 0 || requests[nth - 1] != *request {
                out.push(format!("  {request}"));
            }
        }
        out.join("\n")
    }

    fn message(&self, name: &str, message: &Value, out: &mut Vec<String>) {
        let pinged: Vec<String> = message["pinged"].as_array().into_iter().flatten().map(|who| self.said(who.as_str().unwrap())).collect();
        let mut head = format!("{name}  {}", time(message["timestamp"].as_str().unwrap()));
        if !pinged.is_empty() {
            head.push_str(&format!("  pings {}", pinged.join(", ")));
        }
        if message["flags"].as_u64().unwrap_or(0) & SILENT != 0 {
            head.push_str("  silent");
        }
        if !message["message_reference"].is_null() {
            head.push_str(&format!("  answers {}", self.name_of(&message["message_reference"]["message_id"])));
        }
        out.push(head);
        let content = message["content"].as_str().unwrap_or_default();
        out.extend(self.said(content).lines().map(|line| format!("  > {line}")));
        for embed in message["embeds"].as_array().into_iter().flatten() {
            self.embed(embed, out);
        }
        for file in message["attachments"].as_array().into_iter().flatten() {
            out.push(format!("  file {}, {} bytes, {}", file["filename"].as_str().unwrap(), file["size"], file["description"]));
        }
    }

    fn embed(&self, embed: &Value, out: &mut Vec<String>) {
        let text = |name: &str| self.said(embed[name].as_str().unwrap_or_default());
        out.push(format!("  {:06X} {}", embed["color"].as_u64().unwrap_or(0), text("title")).trim_end().to_owned());
        out.extend(text("description").lines().map(|line| format!("    {line}").trim_end().to_owned()));
        let mut row: Vec<String> = Vec::new();
        for field in embed["fields"].as_array().into_iter().flatten() {
            let (name, value) = (self.said(field["name"].as_str().unwrap()), self.said(field["value"].as_str().unwrap()));
            if field["inline"] == json!(true) {
                row.push(format!("[{name}: {}]", value.replace('\n', " ⏎ ")));
                if row.len() < 3 {
                    continue;
                }
            }
            out.extend(line_of(&mut row));
            if field["inline"] != json!(true) {
                out.push(format!("    {name}:"));
                out.extend(value.lines().map(|line| format!("      {line}")));
            }
        }
        out.extend(line_of(&mut row));
        let at = embed["timestamp"].as_str().map(|stamp| format!(" · {}", time(stamp))).unwrap_or_default();
        let footer = self.said(embed["footer"]["text"].as_str().unwrap_or_default());
        if !footer.is_empty() || !at.is_empty() {
            out.push(format!("    — {footer}{at}"));
        }
    }

    fn request(&self, request: &Value) -> String {
        let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        let path = path.trim_start_matches("/api/v10").split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let place = match parts.as_slice() {
            ["channels", channel] | ["channels", channel, "messages" | "threads"] => self.channel_name(channel),
            ["channels", _, "messages", message] => self.name_of(&json!(message)),
            ["channels", _, "messages", message, "threads"] => format!("{}/thread", self.name_of(&json!(message))),
            _ => path.to_owned(),
        };
        let body = &request["body"];
        let message = if body["message"].is_object() { &body["message"] } else { body };
        let embed = &message["embeds"][0];
        let texts = [&body["name"], &embed["title"], &message["content"], &embed["description"]];
        let mut line = texts
            .into_iter()
            .filter_map(Value::as_str)
            .find(|text| !text.is_empty())
            .map(|text| format!(": {}", self.said(text)))
            .unwrap_or_default();
        if let Some(archived) = body["archived"].as_bool() {
            line = format!("{line}: {}", if archived { "put away" } else { "taken out" });
        }
        if (!message["content"].is_null() || message["embeds"].is_array()) && message["allowed_mentions"]["parse"] != json!([]) {
            line.push_str(", WITHOUT allowed_mentions");
        }
        let status = match request["status"].as_u64().unwrap() {
            200..300 => String::new(),
            0 => ", answer lost".into(),
            status => format!(" → {status}"),
        };
        format!("{} {method} {place}{line}{status}", clock(UnixMs(request["at_ms"].as_i64().unwrap()))).replace('\n', " ⏎ ")
    }

    fn channel_name(&self, id: &str) -> String {
        self.channels.get(&number(id)).map_or_else(|| "a channel".to_owned(), |(name, _)| name.clone())
    }

    fn name_of(&self, message: &Value) -> String {
        self.messages.get(&number_of(message)).map_or_else(|| "a message".to_owned(), |(_, name)| name.clone())
    }

    /// A text with names for numbers and times for seconds.
    fn said(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in &self.roles {
            text = text.replace(&format!("<@&{id}>"), &format!("@{name}"));
        }
        for (id, (channel, name)) in &self.messages {
            text = text.replace(&format!("https://discord.com/channels/{}/{channel}/{id}", self.guild), name);
        }
        for (id, (name, _)) in &self.channels {
            text = text.replace(&format!("<#{id}>"), name);
        }
        let mut parts = text.split("<t:");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let stamp = part.split_once('>').and_then(|(stamp, rest)| {
                let (seconds, form) = stamp.split_once(':')?;
                Some((seconds.parse::<i64>().ok()?, form, rest))
            });
            match stamp {
                Some((seconds, form, rest)) => out.push_str(&format!("<{form} {}>{rest}", clock(UnixMs(seconds * 1_000)))),
                None => out.push_str(&format!("<t:{part}")),
            }
        }
        out
    }
}

fn line_of(row: &mut Vec<String>) -> Option<String> {
    (!row.is_empty()).then(|| format!("    {}", std::mem::take(row).join(" ")))
}

fn number(id: &str) -> u64 {
    id.parse().unwrap_or(0)
}

fn number_of(id: &Value) -> u64 {
    number(id.as_str().unwrap_or_default())
}

fn time(stamp: &str) -> String {
    clock(UnixMs(stamp.parse::<jiff::Timestamp>().unwrap().as_millisecond()))
}

/// `20:00:00`, with the day before it if it isn't the scenarios' day.
fn clock(at: UnixMs) -> String {
    let day = |at: UnixMs| jiff::Timestamp::from_millisecond(at.0).unwrap().to_string();
    let (now, then) = (day(BEGIN), day(at));
    let (date, time) = then.trim_end_matches('Z').split_once('T').unwrap();
    let time = time.split('.').next().unwrap_or_default();
    if now.starts_with(date) { time.to_owned() } else { format!("{date} {time}") }
}
