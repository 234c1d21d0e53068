//! The REST side below `/api/v10`: which route does what, and Discord's errors. Every request is one step under the state's lock.

use serde_json::{Value, json};

use super::answer::{Answer, ApiError, id};
use super::body::{Body, query};
use super::model::{Id, REQUIRE_TAG, intent};
use super::permissions::{
    ADD_REACTIONS, ATTACH_FILES, CREATE_PUBLIC_THREADS, EMBED_LINKS, MANAGE_CHANNELS, MANAGE_MESSAGES, MANAGE_THREADS,
    READ_MESSAGE_HISTORY, SEND_MESSAGES, SEND_MESSAGES_IN_THREADS, VIEW_CHANNEL,
};
use super::state::State;
use super::validate::Problems;
use super::values::{list, text};
use super::{commands, interaction, messages};

/// Whether a route needs the bot's token: interaction tokens are their own proof, and `/gateway` is public.
pub(super) fn needs_token(parts: &[&str]) -> bool {
    !matches!(parts, ["gateway"] | ["interactions", ..] | ["webhooks", _, _, ..])
}

/// Whether an Authorization header is the bot's.
pub(super) fn is_authorized(state: &State, header: Option<&str>) -> bool {
    header.and_then(|h| h.strip_prefix("Bot ")).is_some_and(|token| token == state.options.token)
}

/// Serves one request. `parts` is the path below `/api/v10`.
pub(super) fn route(state: &mut State, method: &str, parts: &[&str], search: &str, body: Body) -> Result<Answer, ApiError> {
    match (method, parts) {
        ("GET", ["gateway"]) => Ok(Answer::ok(json!({"url": gateway_url(state)}))),
        ("GET", ["gateway", "bot"]) => Ok(Answer::ok(json!({
            "url": gateway_url(state), "shards": 1,
            "session_start_limit": {
                "total": state.starts.0, "remaining": state.starts.1, "reset_after": 86_400_000, "max_concurrency": 1
            }
        }))),
        ("GET", ["users", "@me"]) => {
            let mut me = state.user_json(state.bot);
            if let Some(map) = me.as_object_mut() {
                map.extend([
                    ("verified".to_owned(), json!(true)),
                    ("mfa_enabled".to_owned(), json!(true)),
                    ("email".to_owned(), Value::Null),
                    ("locale".to_owned(), json!("en-US")),
                ]);
            }
            Ok(Answer::ok(me))
        }
        ("GET", ["users", "@me", "guilds"]) => {
            let all = state.guilds.values().map(|g| {
                let bits = super::permissions::in_guild(g, state.bot).to_string();
                json!({"id": g.id.to_string(), "name": g.name, "icon": null, "owner": false, "permissions": bits, "features": []})
            });
            Ok(Answer::ok(json!(all.collect::<Vec<_>>())))
        }
        ("GET", ["users", user]) => {
            let user = id(user)?;
            if state.users.contains_key(&user) {
                Ok(Answer::ok(state.user_json(user)))
            } else {
                Err(ApiError::new(404, 10013, "Unknown User"))
            }
        }
        ("GET", ["applications", "@me"] | ["oauth2", "applications", "@me"]) => Ok(Answer::ok(application(state))),
        (_, ["applications", app, "commands", rest @ ..]) => {
            own_application(state, app)?;
            commands::serve(state, method, None, rest, &body.json)
        }
        (_, ["applications", app, "guilds", guild, "commands", rest @ ..]) => {
            own_application(state, app)?;
            let guild = known_guild(state, guild)?;
            commands::serve(state, method, Some(guild), rest, &body.json)
        }
        ("GET", ["guilds", guild, rest @ ..]) => guilds(state, guild, rest),
        (_, ["channels", channel, rest @ ..]) => {
            let channel = id(channel)?;
            channels(state, method, channel, rest, search, body)
        }
        ("POST", ["interactions", interaction, token, "callback"]) => interaction::callback(state, interaction, token, search, body),
        (_, ["webhooks", app, token, rest @ ..]) => interaction::webhook(state, method, app, token, rest, body),
        _ => Err(ApiError::not_found()),
    }
}

fn gateway_url(state: &State) -> String {
    state.gateway_elsewhere.clone().unwrap_or_else(|| format!("{}/gateway-ws", state.base.replacen("http://", "ws://", 1)))
}

fn own_application(state: &State, app: &str) -> Result<(), ApiError> {
    if id(app)? == state.app {
        Ok(())
    } else {
        Err(ApiError::new(403, 20012, "You are not authorized to perform this action on this application"))
    }
}

/// The application's flags: whether a verified bot or one in fewer than 100 servers may read messages. Ours is the latter.
pub(super) fn application_flags(state: &State) -> u64 {
    const MESSAGE_CONTENT: u64 = 1 << 15;
    const GATEWAY_MESSAGE_CONTENT_LIMITED: u64 = 1 << 19;
    if state.options.denied_intents & MESSAGE_CONTENT == 0 { GATEWAY_MESSAGE_CONTENT_LIMITED } else { 0 }
}

fn application(state: &State) -> Value {
    let owner = state.guilds.values().next().map_or(state.bot, |g| g.owner);
    json!({
        "id": state.app.to_string(), "name": state.options.bot_name, "icon": null, "description": "", "summary": "", "type": null,
        "rpc_origins": [], "bot_public": state.options.bot_public, "bot_require_code_grant": false, "verify_key": "0".repeat(64), "owner": state.user_json(owner),
        "team": null, "flags": application_flags(state), "tags": [], "redirect_uris": [], "interactions_endpoint_url": null, "role_connections_verification_url": null,
        "bot": state.user_json(state.bot), "approximate_guild_count": state.guilds.len()
    })
}

fn known_guild(state: &State, segment: &str) -> Result<Id, ApiError> {
    let guild = id(segment)?;
    if state.guilds.contains_key(&guild) {
        Ok(guild)
    } else if state.without_bot.contains_key(&guild) {
        Err(ApiError::missing_access())
    } else {
        Err(ApiError::new(404, 10004, "Unknown Guild"))
    }
}

fn guilds(state: &State, guild: &str, rest: &[&str]) -> Result<Answer, ApiError> {
    let guild = known_guild(state, guild)?;
    let Some(known) = state.guilds.get(&guild) else { return Err(ApiError::not_found()) };
    match rest {
        [] => Ok(Answer::ok(State::guild_json(known))),
        ["channels"] => {
            let all = state.channels.values().filter(|c| c.guild == guild && !c.is_thread());
            Ok(Answer::ok(json!(all.map(|c| state.channel_json(c)).collect::<Vec<_>>())))
        }
        ["threads", "active"] => {
            let all = state.channels.values().filter(|c| c.guild == guild && c.is_thread() && !c.thread_flag("archived"));
            Ok(Answer::ok(json!({"threads": all.map(|c| state.channel_json(c)).collect::<Vec<_>>(), "members": []})))
        }
        ["roles"] => Ok(Answer::ok(json!(State::roles_json(known)))),
        ["members"] => Ok(Answer::ok(json!(known.members.keys().filter_map(|u| state.member_json(guild, *u)).collect::<Vec<_>>()))),
        ["members", user] => {
            let user = if *user == "@me" { state.bot } else { id(user)? };
            state.member_json(guild, user).map(Answer::ok).ok_or_else(|| ApiError::new(404, 10007, "Unknown Member"))
        }
        _ => Err(ApiError::not_found()),
    }
}

/// The bot must see the channel and have all of `bits` in it.
fn need(state: &State, channel: Id, bits: u64) -> Result<(), ApiError> {
    if !state.channels.contains_key(&channel) {
        // The bot gets nothing about a guild that it was removed from, not even the error of a missing permission.
        let elsewhere = state.without_bot.values().any(|(_, channels)| channels.iter().any(|known| known.id == channel));
        return Err(if elsewhere { ApiError::missing_access() } else { ApiError::new(404, 10003, "Unknown Channel") });
    }
    let have = state.permissions(state.bot, channel);
    if have & VIEW_CHANNEL == 0 {
        return Err(ApiError::missing_access());
    }
    if have & bits == bits { Ok(()) } else { Err(ApiError::missing_permissions()) }
}

fn channels(state: &mut State, method: &str, channel: Id, rest: &[&str], search: &str, body: Body) -> Result<Answer, ApiError> {
    need(state, channel, 0)?;
    match (method, rest) {
        ("GET", []) => Ok(Answer::ok(state.channels.get(&channel).map(|c| state.channel_json(c)).unwrap_or_default())),
        ("PATCH", []) => patch_channel(state, channel, &body.json),
        ("DELETE", []) => {
            let thread = state.channels.get(&channel).is_some_and(super::model::Channel::is_thread);
            need(state, channel, if thread { MANAGE_THREADS } else { MANAGE_CHANNELS })?;
            let value = state.channels.get(&channel).map(|c| state.channel_json(c)).unwrap_or_default();
            remove_channel(state, channel);
            Ok(Answer::ok(value))
        }
        ("POST", ["messages"]) => {
            may_write(state, channel, &body)?;
            let id = messages::create(state, channel, state.bot, body, messages::Origin::default())?;
            Ok(Answer::ok(state.message_value(id)))
        }
        ("GET", ["messages"]) => history(state, channel, search),
        ("POST", ["threads"]) => thread_without_message(state, channel, body),
        ("POST", ["typing"]) => need(state, channel, SEND_MESSAGES).map(|()| Answer::none()),
        (_, ["messages", message, rest @ ..]) => {
            let message = id(message)?;
            let here = state.messages.get(&message).is_some_and(|m| m.channel == channel && m.ephemeral_for.is_none());
            if !here {
                return Err(ApiError::unknown_message());
            }
            one_message(state, method, channel, message, rest, body)
        }
        _ => Err(ApiError::not_found()),
    }
}

fn may_write(state: &State, channel: Id, body: &Body) -> Result<(), ApiError> {
    let Some(place) = state.channels.get(&channel) else { return Err(ApiError::new(404, 10003, "Unknown Channel")) };
    let mut bits = if place.is_thread() { SEND_MESSAGES_IN_THREADS } else { SEND_MESSAGES };
    if !list(&body.json, "embeds").is_empty() {
        bits |= EMBED_LINKS;
    }
    if !body.files.is_empty() {
        bits |= ATTACH_FILES;
    }
    if body.json.get("message_reference").is_some_and(|r| !r.is_null()) {
        bits |= READ_MESSAGE_HISTORY;
    }
    need(state, channel, bits)?;
    if !place.is_text() {
        return Err(ApiError::new(400, 50008, "Cannot send messages in a non-text channel"));
    }
    if place.thread_flag("locked") && state.permissions(state.bot, channel) & MANAGE_THREADS == 0 {
        let archived = place.thread_flag("archived");
        return Err(if archived {
            ApiError::new(400, 50083, "Thread is archived")
        } else {
            ApiError::new(403, 160_005, "Thread is locked")
        });
    }
    Ok(())
}

fn one_message(state: &mut State, method: &str, channel: Id, message: Id, rest: &[&str], body: Body) -> Result<Answer, ApiError> {
    let own = state.messages.get(&message).is_some_and(|m| m.author == state.bot);
    let archived = state.channels.get(&channel).is_some_and(|c| c.thread_flag("archived"));
    match (method, rest) {
        ("GET", []) => {
            need(state, channel, READ_MESSAGE_HISTORY)?;
            Ok(Answer::ok(state.message_value(message)))
        }
        ("PATCH", []) => {
            if !own {
                return Err(ApiError::new(403, 50005, "Cannot edit a message authored by another user"));
            }
            if archived {
                return Err(ApiError::new(400, 50083, "Thread is archived"));
            }
            if messages::too_many_old_edits(state, message) {
                return Err(ApiError::new(429, 30046, "Maximum number of edits to messages older than 1 hour reached. Try again later."));
            }
            messages::edit(state, message, body)?;
            Ok(Answer::ok(state.message_value(message)))
        }
        ("DELETE", []) => {
            if !own {
                need(state, channel, MANAGE_MESSAGES)?;
            }
            if archived {
                return Err(ApiError::new(400, 50083, "Thread is archived"));
            }
            messages::delete(state, message);
            Ok(Answer::none())
        }
        ("POST", ["threads"]) => {
            need(state, channel, CREATE_PUBLIC_THREADS)?;
            let kind = match state.channels.get(&channel).map(|c| c.kind) {
                Some(0) => 11,
                Some(5) => 10,
                _ => return Err(ApiError::new(400, 50024, "Cannot execute action on this channel type")),
            };
            if state.channels.contains_key(&message) {
                return Err(ApiError::new(400, 160_004, "A thread has already been created for this message"));
            }
            check_thread(&body.json)?;
            check_thread_limit(state, channel)?;
            let made = messages::open_thread(state, channel, message, kind, &body.json);
            Ok(Answer { status: 201, body: made })
        }
        ("POST", ["crosspost"]) => {
            if state.channels.get(&channel).is_none_or(|c| c.kind != 5) {
                return Err(ApiError::new(400, 50024, "Cannot execute action on this channel type"));
            }
            need(state, channel, if own { SEND_MESSAGES } else { MANAGE_MESSAGES })?;
            let Some(known) = state.messages.get_mut(&message) else { return Err(ApiError::unknown_message()) };
            let flags = known.value.get("flags").and_then(Value::as_u64).unwrap_or(0);
            if flags & 1 != 0 {
                return Err(ApiError::new(400, 40033, "This message has already been crossposted."));
            }
            if let Some(map) = known.value.as_object_mut() {
                map.insert("flags".into(), json!(flags | 1));
            }
            messages::updated(state, message);
            Ok(Answer::ok(state.message_value(message)))
        }
        ("PUT", ["reactions", emoji, "@me"]) => react(state, channel, message, emoji),
        _ => Err(ApiError::not_found()),
    }
}

/// The bot's own reaction with a standard emoji; repeating it changes nothing.
fn react(state: &mut State, channel: Id, message: Id, emoji: &str) -> Result<Answer, ApiError> {
    let emoji = percent_encoding(emoji).filter(|emoji| !emoji.is_empty() && !emoji.is_ascii());
    let emoji = emoji.ok_or_else(|| ApiError::new(400, 10014, "Unknown Emoji"))?;
    let Some(known) = state.messages.get(&message) else { return Err(ApiError::unknown_message()) };
    let mut reactions = list(&known.value, "reactions").to_vec();
    let is_it = |one: &Value| one.pointer("/emoji/name").and_then(Value::as_str) == Some(emoji.as_str());
    // Joining an existing reaction needs fewer permissions.
    let bits = if reactions.iter().any(is_it) { READ_MESSAGE_HISTORY } else { READ_MESSAGE_HISTORY | ADD_REACTIONS };
    need(state, channel, bits)?;
    if state.channels.get(&channel).is_some_and(|c| c.thread_flag("archived")) {
        return Err(ApiError::new(400, 50083, "Thread is archived"));
    }
    if !reactions.iter().any(is_it) {
        let details = json!({"burst": 0, "normal": 1});
        reactions.push(json!({"emoji": {"id": null, "name": emoji}, "count": 1, "count_details": details, "me": true, "me_burst": false, "burst_colors": []}));
        if let Some(map) = state.messages.get_mut(&message).and_then(|known| known.value.as_object_mut()) {
            map.insert("reactions".into(), json!(reactions));
        }
        // People see it; the bot hasn't asked for reaction events.
        let shown = state.message_value(message);
        state.publish(json!({"type": "MESSAGE_UPDATE", "channel_id": channel.to_string(), "message": shown}));
    }
    Ok(Answer::none())
}

/// Decodes `%F0%9F%93%9D`. `None` if it isn't text.
fn percent_encoding(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                after
            }
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

fn check_thread(body: &Value) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    problems.string(body, "", "name", 100, true);
    let archive = body.get("auto_archive_duration").filter(|d| !d.is_null());
    if archive.is_some_and(|d| !matches!(d.as_u64(), Some(60 | 1440 | 4320 | 10080))) {
        problems.add("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of {60, 1440, 4320, 10080}.");
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::form(problems)) }
}

/// Whether the guild may have one more open thread.
fn check_thread_limit(state: &State, channel: Id) -> Result<(), ApiError> {
    let guild = state.channels.get(&channel).map(|c| c.guild);
    let open = state.channels.values().filter(|c| Some(c.guild) == guild && c.is_thread() && !c.thread_flag("archived")).count();
    if open < state.options.most_threads { Ok(()) } else { Err(ApiError::new(400, 160_006, "Maximum number of active threads reached")) }
}

/// A forum post, or a thread beside the messages of a text channel.
fn thread_without_message(state: &mut State, channel: Id, body: Body) -> Result<Answer, ApiError> {
    check_thread(&body.json)?;
    let Some(place) = state.channels.get(&channel) else { return Err(ApiError::new(404, 10003, "Unknown Channel")) };
    if !matches!(place.kind, 15 | 16) {
        if !matches!(place.kind, 0 | 5) {
            return Err(ApiError::new(400, 50024, "Cannot execute action on this channel type"));
        }
        let kind = if place.kind == 5 { 10 } else { 11 };
        need(state, channel, CREATE_PUBLIC_THREADS)?;
        check_thread_limit(state, channel)?;
        let thread = state.new_id();
        let made = messages::open_thread(state, channel, thread, kind, &body.json);
        return Ok(Answer { status: 201, body: made });
    }
    need(state, channel, SEND_MESSAGES)?;
    let tags = list(&body.json, "applied_tags");
    let known = place.available_tags.as_array().map_or(&[][..], Vec::as_slice);
    if tags.len() > 5 || tags.iter().any(|t| !known.iter().any(|k| k.get("id") == Some(t))) {
        let mut problems = Problems::default();
        problems.add("applied_tags", "FORUM_TAG_UNKNOWN", "Unknown tag, or more than 5 of them");
        return Err(ApiError::form(problems));
    }
    if tags.is_empty() && place.flags & REQUIRE_TAG != 0 {
        return Err(ApiError::new(400, 40_067, "A tag is required to create a forum post in this channel"));
    }
    check_thread_limit(state, channel)?;
    let head = body.json.clone();
    let Some(first) = head.get("message").filter(|m| m.is_object()) else {
        let mut problems = Problems::default();
        problems.required("message");
        return Err(ApiError::form(problems));
    };
    messages::check(first, &body.files)?;
    let thread = state.new_id();
    let Some(mut made) = messages::open_thread(state, channel, thread, 11, &head) else { return Err(ApiError::not_found()) };
    // The first message of a post has the post's own id.
    let origin = messages::Origin { id: Some(thread), ..messages::Origin::default() };
    let message = messages::create(state, thread, state.bot, Body { json: first.clone(), files: body.files }, origin)?;
    if let Some(map) = made.as_object_mut() {
        map.insert("message".into(), state.message_value(message));
    }
    Ok(Answer { status: 201, body: Some(made) })
}

/// Newest first; at most one of `before`, `after`, `around`.
fn history(state: &State, channel: Id, search: &str) -> Result<Answer, ApiError> {
    let limit = query(search, "limit").map_or(Some(50), |l| l.parse::<usize>().ok());
    let Some(limit) = limit.filter(|l| (1..=100).contains(l)) else {
        let mut problems = Problems::default();
        problems.add("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
        return Err(ApiError::form(problems));
    };
    // Without the permission the channel looks empty; Discord returns no error here.
    if state.permissions(state.bot, channel) & READ_MESSAGE_HISTORY == 0 {
        return Ok(Answer::ok(json!([])));
    }
    let here: Vec<Id> = state.messages.values().filter(|m| m.channel == channel && m.ephemeral_for.is_none()).map(|m| m.id).collect();
    let point = |name: &str| query(search, name).map(id).transpose();
    let chosen: Vec<Id> = if let Some(before) = point("before")? {
        here.iter().rev().filter(|m| **m < before).take(limit).copied().collect()
    } else if let Some(after) = point("after")? {
        let mut oldest: Vec<Id> = here.iter().filter(|m| **m > after).take(limit).copied().collect();
        oldest.reverse();
        oldest
    } else if let Some(around) = point("around")? {
        let older = here.iter().rev().filter(|m| **m < around).take(limit / 2).count();
        let at = here.iter().filter(|m| **m < around).count();
        let mut near: Vec<Id> = here.iter().skip(at - older).take(limit).copied().collect();
        near.reverse();
        near
    } else {
        here.iter().rev().take(limit).copied().collect()
    };
    Ok(Answer::ok(json!(chosen.into_iter().map(|m| state.message_value(m)).collect::<Vec<_>>())))
}

/// Archives, locks, renames or re-tags a thread; renames another channel or changes its topic.
fn patch_channel(state: &mut State, channel: Id, body: &Value) -> Result<Answer, ApiError> {
    let mut problems = Problems::default();
    if body.get("name").is_some() {
        problems.string(body, "", "name", 100, true);
    }
    problems.string(body, "", "topic", 1024, false);
    if !problems.is_empty() {
        return Err(ApiError::form(problems));
    }
    let Some(place) = state.channels.get(&channel) else { return Err(ApiError::new(404, 10003, "Unknown Channel")) };
    if place.is_thread() {
        // The thread's owner may do everything except lock it; everybody who may write may reopen it.
        // Only moderators may change a locked thread, even one's own.
        let own = place.owner == Some(state.bot) && body.get("locked").is_none() && !place.thread_flag("locked");
        let only_opens =
            body.as_object().is_some_and(|o| o.len() == 1) && body.get("archived") == Some(&json!(false)) && !place.thread_flag("locked");
        need(state, channel, if own || only_opens { SEND_MESSAGES_IN_THREADS } else { MANAGE_THREADS })?;
    } else {
        need(state, channel, MANAGE_CHANNELS)?;
    }
    let now = state.now();
    let Some(place) = state.channels.get_mut(&channel) else { return Err(ApiError::new(404, 10003, "Unknown Channel")) };
    if body.get("name").is_some() {
        text(body, "name").trim().clone_into(&mut place.name);
    }
    if let Some(topic) = body.get("topic") {
        place.topic = topic.as_str().map(str::to_owned);
    }
    if let Some(tags) = body.get("applied_tags").filter(|t| t.is_array()) {
        place.applied_tags = tags.clone();
    }
    if let Some(tags) = body.get("available_tags").filter(|t| t.is_array()) {
        place.available_tags = tags.clone();
    }
    if let Some(Value::Object(thread)) = &mut place.thread {
        for key in ["archived", "locked", "auto_archive_duration"] {
            if let Some(value) = body.get(key) {
                thread.insert(key.to_owned(), value.clone());
            }
        }
        if body.get("archived").is_some() {
            thread.insert("archive_timestamp".into(), json!(super::values::timestamp(now)));
        }
    }
    let (guild, thread) = (place.guild, place.is_thread());
    let page = super::model::page_channel(place);
    let value = state.channels.get(&channel).map(|c| state.channel_json(c)).unwrap_or_default();
    state.dispatch(if thread { "THREAD_UPDATE" } else { "CHANNEL_UPDATE" }, guild, intent::GUILDS, &value);
    state.publish(json!({"type": "CHANNEL_UPDATE", "channel": page}));
    Ok(Answer::ok(value))
}

/// Removes a channel, its threads and their messages, and sends the events. False if there was none.
pub(super) fn remove_channel(state: &mut State, channel: Id) -> bool {
    let Some(place) = state.channels.get(&channel) else { return false };
    let (guild, thread, value) = (place.guild, place.is_thread(), state.channel_json(place));
    state.channels.retain(|_, c| c.id != channel && !(c.is_thread() && c.parent == Some(channel)));
    let State { messages, channels, .. } = state;
    messages.retain(|_, m| channels.contains_key(&m.channel));
    state.dispatch(if thread { "THREAD_DELETE" } else { "CHANNEL_DELETE" }, guild, intent::GUILDS, &value);
    state.publish(json!({"type": "CHANNEL_DELETE", "channel_id": channel.to_string()}));
    true
}
