//! Creates, changes and deletes messages, for REST and interactions alike. Callers check permissions.

use std::collections::VecDeque;

use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use super::answer::ApiError;
use super::body::{Body, Upload};
use super::mentions::{self, Found};
use super::model::{Channel, Id, Message, intent};
use super::permissions::MENTION_EVERYONE;
use super::state::State;
use super::validate;
use super::values::{list, text, timestamp};

/// No link previews.
const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// The message has a thread.
const HAS_THREAD: u64 = 1 << 5;
/// Only one person sees it.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// "… is thinking".
pub(super) const LOADING: u64 = 1 << 7;
/// No push notification.
const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
/// Flags that a bot may set when it creates a message.
const SETTABLE: u64 = SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | (1 << 13) | validate::V2;

/// Discord's limit for one upload without boosts, in bytes.
const MAX_UPLOAD: usize = 10 * 1024 * 1024;
/// Edits of messages older than this are limited.
const OLD_MS: i64 = 3_600_000;

/// How an interaction's reply differs from a bot's message.
#[derive(Default)]
pub(super) struct Origin {
    /// Discord's `interaction_metadata`.
    pub(super) interaction: Option<Value>,
    pub(super) ephemeral_for: Option<Id>,
    /// The reply is only "thinking": it has no content yet.
    pub(super) loading: bool,
    /// The id to use instead of a new one.
    pub(super) id: Option<Id>,
}

/// Creates a message and sends the event. With `enforce_nonce`, returns the earlier message instead.
pub(super) fn create(state: &mut State, channel: Id, author: Id, body: Body, origin: Origin) -> Result<Id, ApiError> {
    let draft = &body.json;
    if !origin.loading {
        check(draft, &body.files)?;
    }
    let nonce = draft.get("nonce").and_then(|n| n.as_str().map(str::to_owned).or_else(|| n.as_i64().map(|n| n.to_string())));
    if let Some(nonce) = &nonce
        && draft.get("enforce_nonce").and_then(Value::as_bool) == Some(true)
        && let Some(known) = state.by_nonce(channel, author, nonce)
    {
        return Ok(known);
    }
    let id = origin.id.unwrap_or_else(|| state.new_id());
    let now = state.now();
    let content = text(draft, "content").trim().to_owned();
    let wanted = draft.get("flags").and_then(Value::as_u64).unwrap_or(0);
    let mut flags = wanted & SETTABLE;
    if origin.ephemeral_for.is_some() {
        flags |= EPHEMERAL;
    }
    if origin.loading {
        flags |= LOADING;
    }
    let reference = resolve_reference(state, channel, draft)?;
    let attachments = attach(state, channel, draft, body.files, &[]);
    let mut value = json!({
        "id": id.to_string(), "type": 0, "channel_id": channel.to_string(), "author": state.user_json(author), "content": content,
        "timestamp": timestamp(now), "edited_timestamp": null, "tts": draft.get("tts").and_then(Value::as_bool).unwrap_or(false),
        "embeds": embeds(draft, &attachments), "components": components(draft), "attachments": attachments, "pinned": false,
        "flags": flags,
    });
    let found = mentioned(&value, draft);
    let (found, mut pinged) = notify(state, channel, author, found);
    set_mentions(state, &mut value, &found);
    if let Some(map) = value.as_object_mut() {
        if let Some(nonce) = draft.get("nonce").filter(|n| !n.is_null()) {
            map.insert("nonce".into(), nonce.clone());
        }
        if let Some(meta) = &origin.interaction {
            map.insert("interaction_metadata".into(), meta.clone());
            map.insert("application_id".into(), json!(state.app.to_string()));
            map.insert("webhook_id".into(), json!(state.app.to_string()));
            if origin.loading {
                map.insert("type".into(), json!(20));
            }
        }
        if let Some(original) = reference {
            if replied_user(draft)
                && let Some(Value::Array(all)) = map.get_mut("mentions")
                && let Some(who) = original.get("author").filter(|who| !all.contains(who))
            {
                pinged.push(format!("<@{}>", text(who, "id")));
                all.push(who.clone());
            }
            map.insert("type".into(), json!(19));
            let guild = state.channels.get(&channel).map(|c| c.guild.to_string());
            let reference = json!({"type": 0, "channel_id": channel.to_string(), "message_id": original.get("id"), "guild_id": guild});
            map.insert("message_reference".into(), reference);
            map.insert("referenced_message".into(), original);
        }
    }
    if flags & (SUPPRESS_NOTIFICATIONS | EPHEMERAL | LOADING) != 0 {
        pinged.clear();
    }
    let message = Message {
        id,
        channel,
        author,
        created_ms: now,
        value,
        pinged,
        edits: Vec::new(),
        nonce,
        ephemeral_for: origin.ephemeral_for,
        old_edits_ms: VecDeque::new(),
    };
    announce(state, message);
    Ok(id)
}

fn announce(state: &mut State, message: Message) {
    let (id, channel_id, hidden) = (message.id, message.channel, message.ephemeral_for.is_some());
    let (event, observed) = (state.message_event(&message), State::observed(&message));
    state.insert_message(message);
    if hidden {
        return;
    }
    let mut opened = None;
    let guild = state.channels.get_mut(&channel_id).map_or(0, |channel| {
        channel.last_message = Some(id);
        channel.sent += 1;
        // Writing into an archived thread reopens it.
        let archived = channel.thread_flag("archived");
        if let Some(Value::Object(thread)) = &mut channel.thread {
            thread.insert("archived".into(), json!(false));
        }
        opened = archived.then(|| super::model::page_channel(channel));
        channel.guild
    });
    if let Some(page) = opened {
        state.publish(json!({"type": "CHANNEL_UPDATE", "channel": page}));
    }
    state.dispatch("MESSAGE_CREATE", guild, intent::GUILD_MESSAGES, &event);
    state.publish(json!({"type": "MESSAGE_CREATE", "channel_id": channel_id.to_string(), "message": observed}));
}

/// Changes only the given keys of a message. Never notifies anybody.
pub(super) fn edit(state: &mut State, id: Id, body: Body) -> Result<(), ApiError> {
    let draft = &body.json;
    check_limits(draft, &body.files)?;
    let Some(old) = state.messages.get(&id) else { return Err(ApiError::unknown_message()) };
    let (channel, author, now) = (old.channel, old.author, state.now());
    let mut value = old.value.clone();
    let kept = list(&value, "attachments").to_vec();
    let attachments =
        if draft.get("attachments").is_some() || !body.files.is_empty() { attach(state, channel, draft, body.files, &kept) } else { kept };
    let Some(map) = value.as_object_mut() else { return Err(ApiError::unknown_message()) };
    if let Some(content) = draft.get("content") {
        map.insert("content".into(), json!(content.as_str().unwrap_or_default().trim()));
    }
    if draft.get("embeds").is_some() {
        map.insert("embeds".into(), embeds(draft, &attachments));
    }
    if draft.get("components").is_some() {
        map.insert("components".into(), components(draft));
    }
    let before = map.get("flags").and_then(Value::as_u64).unwrap_or(0);
    let mut flags = before & !LOADING;
    if let Some(wanted) = draft.get("flags").and_then(Value::as_u64) {
        flags = (flags & !SUPPRESS_EMBEDS) | (wanted & (SUPPRESS_EMBEDS | validate::V2));
    }
    map.insert("flags".into(), json!(flags));
    map.insert("attachments".into(), json!(attachments));
    map.insert("edited_timestamp".into(), json!(timestamp(now)));
    if is_empty(&value, attachments.len()) {
        return Err(ApiError::empty_message());
    }
    let first_content = before & LOADING != 0;
    if first_content || draft.get("content").is_some() || draft.get("allowed_mentions").is_some() {
        let found = mentioned(&value, draft);
        let (found, _) = notify(state, channel, author, found);
        set_mentions(state, &mut value, &found);
    }
    let Some(message) = state.messages.get_mut(&id) else { return Err(ApiError::unknown_message()) };
    let old = std::mem::replace(&mut message.value, value);
    message.edits.push(old);
    updated(state, id);
    Ok(())
}

/// Sends the event about a changed message.
pub(super) fn updated(state: &mut State, id: Id) {
    let Some(message) = state.messages.get(&id) else { return };
    if message.ephemeral_for.is_some() {
        return;
    }
    let (channel, event, observed) = (message.channel, state.message_event(message), State::observed(message));
    let guild = state.channels.get(&channel).map_or(0, |c| c.guild);
    state.dispatch("MESSAGE_UPDATE", guild, intent::GUILD_MESSAGES, &event);
    state.publish(json!({"type": "MESSAGE_UPDATE", "channel_id": channel.to_string(), "message": observed}));
}

/// Removes a message. False if there was none.
pub(super) fn delete(state: &mut State, id: Id) -> bool {
    let Some(message) = state.remove_message(id) else { return false };
    let guild = state.channels.get(&message.channel).map_or(0, |c| c.guild);
    if message.ephemeral_for.is_none() {
        let event = json!({"id": id.to_string(), "channel_id": message.channel.to_string(), "guild_id": guild.to_string()});
        state.dispatch("MESSAGE_DELETE", guild, intent::GUILD_MESSAGES, &event);
    }
    state.publish(json!({"type": "MESSAGE_DELETE", "channel_id": message.channel.to_string(), "message_id": id.to_string()}));
    true
}

/// Whether one more edit of an old message is over the limit (code 30046); counts it if not.
pub(super) fn too_many_old_edits(state: &mut State, id: Id) -> bool {
    let (limit, now) = (state.options.old_edit_limit, state.now());
    let (Some((count, window_ms)), Some(message)) = (limit, state.messages.get_mut(&id)) else { return false };
    if now.saturating_sub(message.created_ms) < OLD_MS {
        return false;
    }
    while message.old_edits_ms.front().is_some_and(|at| now.saturating_sub(*at) >= window_ms) {
        message.old_edits_ms.pop_front();
    }
    if message.old_edits_ms.len() >= usize::try_from(count).unwrap_or(usize::MAX) {
        return true;
    }
    message.old_edits_ms.push_back(now);
    false
}

/// Opens a thread and sends the event. Its id is that of its starter message, if there is one.
pub(super) fn open_thread(state: &mut State, parent: Id, id: Id, kind: u8, body: &Value) -> Option<Value> {
    let home = state.channels.get(&parent)?;
    let now = state.now();
    let archive = body.get("auto_archive_duration").and_then(Value::as_u64).unwrap_or(1440);
    let thread = Channel {
        id,
        guild: home.guild,
        name: text(body, "name").trim().to_owned(),
        kind,
        parent: Some(parent),
        topic: None,
        position: 0,
        overwrites: Vec::new(),
        last_message: None,
        thread: Some(json!({
            "archived": false, "auto_archive_duration": archive, "archive_timestamp": timestamp(now), "create_timestamp": timestamp(now),
            "locked": false
        })),
        owner: Some(state.bot),
        applied_tags: body.get("applied_tags").cloned().unwrap_or_else(|| json!([])),
        available_tags: json!([]),
        flags: 0,
        sent: 0,
    };
    let (guild, value, page) = (thread.guild, state.channel_json(&thread), super::model::page_channel(&thread));
    state.channels.insert(id, thread);
    if let Some(message) = state.messages.get_mut(&id) {
        let flags = message.value.get("flags").and_then(Value::as_u64).unwrap_or(0) | HAS_THREAD;
        if let Some(map) = message.value.as_object_mut() {
            map.insert("flags".into(), json!(flags));
            map.insert("thread".into(), value.clone());
        }
        updated(state, id);
    }
    let mut event = value.clone();
    if let Some(map) = event.as_object_mut() {
        map.insert("newly_created".into(), json!(true));
    }
    state.dispatch("THREAD_CREATE", guild, intent::GUILDS, &event);
    state.publish(json!({"type": "CHANNEL_CREATE", "channel": page}));
    Some(value)
}

// ---- parts ----

/// Rejects messages that break a limit, and empty ones.
pub(super) fn check(draft: &Value, files: &[Upload]) -> Result<(), ApiError> {
    check_limits(draft, files)?;
    if is_empty(draft, files.len()) { Err(ApiError::empty_message()) } else { Ok(()) }
}

fn check_limits(draft: &Value, files: &[Upload]) -> Result<(), ApiError> {
    let mut problems = validate::message(draft);
    if files.len() > 10 {
        problems.add("attachments", "BASE_TYPE_BAD_LENGTH", "Must be between 0 and 10 in length.");
    }
    if !problems.is_empty() {
        return Err(ApiError::form(problems));
    }
    if files.iter().any(|f| f.bytes.len() > MAX_UPLOAD) { Err(ApiError::new(413, 40005, "Request entity too large")) } else { Ok(()) }
}

fn is_empty(value: &Value, attachments: usize) -> bool {
    let v2 = value.get("flags").and_then(Value::as_u64).unwrap_or(0) & validate::V2 != 0 && !list(value, "components").is_empty();
    let has_embed = list(value, "embeds").iter().any(|e| {
        let parts = ["title", "description", "fields", "image", "thumbnail", "author", "footer", "video", "timestamp", "url"];
        parts.iter().any(|key| e.get(key).is_some_and(|v| !v.is_null() && *v != json!("") && *v != json!([])))
    });
    text(value, "content").trim().is_empty()
        && !has_embed
        && attachments == 0
        && !v2
        && value.get("poll").is_none_or(Value::is_null)
        && list(value, "sticker_ids").is_empty()
}

fn resolve_reference(state: &State, channel: Id, draft: &Value) -> Result<Option<Value>, ApiError> {
    let Some(reference) = draft.get("message_reference").filter(|r| !r.is_null()) else { return Ok(None) };
    let id = text(reference, "message_id").parse::<Id>().unwrap_or(0);
    match state.messages.get(&id).filter(|m| m.channel == channel && m.ephemeral_for.is_none()) {
        Some(message) => {
            let mut value = message.value.clone();
            if let Some(map) = value.as_object_mut() {
                map.remove("referenced_message");
            }
            Ok(Some(value))
        }
        None if reference.get("fail_if_not_exists").and_then(Value::as_bool) == Some(false) => Ok(None),
        None => {
            let mut problems = validate::Problems::default();
            problems.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
            Err(ApiError::form(problems))
        }
    }
}

fn replied_user(draft: &Value) -> bool {
    match draft.get("allowed_mentions").filter(|a| !a.is_null()) {
        Some(allowed) => allowed.get("replied_user").and_then(Value::as_bool).unwrap_or(false),
        None => true,
    }
}

/// Mentions in the content and in V2 text components; embeds never count.
fn mentioned(value: &Value, draft: &Value) -> Found {
    let mut all = text(value, "content").to_owned();
    for component in list(value, "components") {
        collect_text(component, 0, &mut all);
    }
    mentions::filter(mentions::scan(&all), draft.get("allowed_mentions"))
}

fn collect_text(component: &Value, depth: usize, into: &mut String) {
    if component.get("type").and_then(Value::as_u64) == Some(10) {
        into.push('\n');
        into.push_str(text(component, "content"));
    }
    if depth < 4 {
        for child in list(component, "components") {
            collect_text(child, depth + 1, into);
        }
    }
}

/// Drops mentions of what doesn't exist, and returns who is notified.
fn notify(state: &State, channel: Id, author: Id, mut found: Found) -> (Found, Vec<String>) {
    let guild = state.channels.get(&channel).and_then(|c| state.guilds.get(&c.guild));
    let may_ping_all = state.permissions(author, channel) & MENTION_EVERYONE != 0;
    found.users.retain(|u| state.users.contains_key(u));
    found.roles.retain(|r| guild.is_some_and(|g| g.roles.iter().any(|role| role.id == *r && role.id != g.id)));
    found.everyone &= may_ping_all;
    found.here &= may_ping_all;
    let mentionable = |id: &&Id| may_ping_all || guild.is_some_and(|g| g.roles.iter().any(|r| r.id == **id && r.mentionable));
    let mut pinged: Vec<String> = found.users.iter().map(|u| format!("<@{u}>")).collect();
    pinged.extend(found.roles.iter().filter(mentionable).map(|r| format!("<@&{r}>")));
    if found.everyone {
        pinged.push("@everyone".to_owned());
    }
    if found.here {
        pinged.push("@here".to_owned());
    }
    (found, pinged)
}

fn set_mentions(state: &State, value: &mut Value, found: &Found) {
    let users: Vec<Value> = found.users.iter().map(|u| state.user_json(*u)).collect();
    if let Some(map) = value.as_object_mut() {
        map.insert("mentions".into(), json!(users));
        map.insert("mention_roles".into(), json!(found.roles.iter().map(ToString::to_string).collect::<Vec<_>>()));
        map.insert("mention_everyone".into(), json!(found.everyone || found.here));
    }
}

/// The attachments of a message: those kept, and the uploads with the names and descriptions from the body.
fn attach(state: &mut State, channel: Id, draft: &Value, files: Vec<Upload>, kept: &[Value]) -> Vec<Value> {
    let described = draft.get("attachments").and_then(Value::as_array);
    let entry = |id: &str| described.and_then(|all| all.iter().find(|a| id_text(a) == id));
    // Without `attachments` in an edit, all of them stay.
    let mut all: Vec<Value> = kept.iter().filter(|k| described.is_none() || entry(text(k, "id")).is_some()).cloned().collect();
    for file in files {
        let about = entry(&file.index.to_string());
        let id = state.new_id();
        let name = about.map(|a| text(a, "filename")).filter(|n| !n.is_empty()).unwrap_or(&file.filename);
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).take(200).collect();
        let url = format!("{}/attachments/{channel}/{id}/{name}", state.base);
        all.push(json!({
            "id": id.to_string(), "filename": name, "size": file.bytes.len(), "url": url, "proxy_url": url,
            "content_type": file.content_type, "description": about.and_then(|a| a.get("description")),
            "content_scan_version": 0, "placeholder_version": 1
        }));
        state.keep_file(id, file.content_type, file.bytes);
    }
    all
}

fn id_text(value: &Value) -> String {
    value.get("id").map_or_else(String::new, |id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

/// Embeds as Discord returns them: typed, trimmed, without nulls, `attachment://` resolved.
fn embeds(draft: &Value, attachments: &[Value]) -> Value {
    let all = list(draft, "embeds").iter().map(|embed| {
        let mut value = tidy(embed);
        if let Some(map) = value.as_object_mut() {
            map.insert("type".into(), json!("rich"));
            resolve_files(map, attachments);
            let stamp = map.get("timestamp").and_then(Value::as_str).and_then(|t| t.parse::<jiff::Timestamp>().ok());
            if let Some(stamp) = stamp {
                map.insert("timestamp".into(), json!(timestamp(stamp.as_millisecond())));
            }
            for field in map.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(field) = field.as_object_mut() {
                    field.entry("inline").or_insert(json!(false));
                }
            }
        }
        value
    });
    json!(all.collect::<Vec<_>>())
}

fn resolve_files(embed: &mut Map<String, Value>, attachments: &[Value]) {
    for (part, key) in [("image", "url"), ("thumbnail", "url"), ("footer", "icon_url"), ("author", "icon_url")] {
        let Some(Value::Object(inner)) = embed.get_mut(part) else { continue };
        let Some(name) = inner.get(key).and_then(Value::as_str).and_then(|u| u.strip_prefix("attachment://")) else { continue };
        if let Some(file) = attachments.iter().find(|a| text(a, "filename") == name) {
            let url = file.get("url").cloned().unwrap_or_default();
            inner.insert(key.to_owned(), url);
        }
    }
}

fn tidy(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.trim()),
        Value::Array(items) => Value::Array(items.iter().map(tidy).collect()),
        Value::Object(map) => Value::Object(map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), tidy(v))).collect()),
        other => other.clone(),
    }
}

/// Components as Discord returns them: each with a number.
fn components(draft: &Value) -> Value {
    fn number(value: &Value, next: &mut u64) -> Value {
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.retain(|_, v| !v.is_null());
            *next += 1;
            let id = *next;
            map.entry("id").or_insert(json!(id));
            for one in map.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten() {
                *one = number(one, next);
            }
        }
        value
    }
    let mut next = 0;
    json!(list(draft, "components").iter().map(|c| number(c, &mut next)).collect::<Vec<_>>())
}

/// Bytes and type of an attachment, by its URL's path.
pub(super) fn file(state: &State, parts: &[&str]) -> Option<(String, Bytes)> {
    match parts {
        ["attachments" | "ephemeral-attachments", _, id, _] => state.file(id.parse().ok()?),
        _ => None,
    }
}
