//! The people's half of interactions: they run commands, type into options, press buttons, choose from lists, submit modals.

use std::time::Duration;

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::commands::lookup;
use super::handle::DiscordSim;
use super::model::{Id, Interaction, intent, kind};
use super::permissions::{self, ADMINISTRATOR};
use super::state::State;
use super::validate::units;
use super::values::{list, text};

/// An interaction that was sent to the bot.
#[derive(Clone, Debug)]
pub struct Pending {
    sim: DiscordSim,
    id: Id,
}

impl Pending {
    /// The interaction's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// The first thing the person sees: a message (a deferred one once it has content), a modal, or choices (`{"choices": […]}`).
    ///
    /// # Errors
    /// If nothing came in time.
    pub async fn reply(&self, limit: Duration) -> Result<Value, String> {
        self.wait_reply_where(limit, |_| true).await
    }

    /// The first thing the person sees that `fits`.
    ///
    /// # Errors
    /// If none came in time; the error lists what was seen.
    pub async fn wait_reply_where(&self, limit: Duration, fits: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let id = self.id;
        let look = |state: &State| state.interactions.get(&id).and_then(|i| i.visible.iter().find(|v| fits(v)).cloned());
        let found = self.sim.core().wait(limit, look).await;
        found.ok_or_else(|| {
            let (acknowledged, seen) =
                self.sim.core().read(|state| state.interactions.get(&id).map_or((None, json!([])), |i| (i.acknowledged, json!(i.visible))));
            format!("no fitting answer to interaction {id} in time: callback {acknowledged:?}, seen {seen}")
        })
    }

    /// The type of the first callback (4 message, 5 deferred, 6 deferred update, 7 update, 8 choices, 9 modal), waiting for it.
    ///
    /// # Errors
    /// If none came in time.
    pub async fn acknowledged(&self, limit: Duration) -> Result<u64, String> {
        let id = self.id;
        let found = self.sim.core().wait(limit, |state| state.interactions.get(&id).and_then(|i| i.acknowledged)).await;
        found.ok_or_else(|| format!("interaction {id} was not acknowledged in time"))
    }
}

/// Who acts, and where.
#[derive(Clone, Copy)]
struct Actor {
    guild: Id,
    channel: Id,
    user: Id,
}

impl DiscordSim {
    /// One action of a person, as JSON (the demo's page sends these):
    ///
    /// - `{"do":"slash","channel_id","user_id"?,"name":"alerts","path":["add"],"options":{…}}` gives `{"interaction_id"}`
    /// - `{"do":"autocomplete", … as slash, "focused":"route"}` waits and gives `{"interaction_id","choices":[…]}`
    /// - `{"do":"click","channel_id","message_id","custom_id","user_id"?}`
    /// - `{"do":"select", … as click, "values":[…]}`
    /// - `{"do":"modal","interaction_id" or "custom_id","fields":{custom_id: value},"user_id"?}`
    /// - `{"do":"menu","channel_id","name","target_id","user_id"?}`: a user or message menu command
    /// - `{"do":"say","channel_id","user_id"?,"content"}` gives `{"message_id"}`
    ///
    /// Without `user_id` it is the guild's owner (for a private reply, the person it was for). `locale` is `en-US` unless given.
    /// Options of type channel, role and user accept an id or a name; those of type attachment `{"name", "content"}` (text) or
    /// `{"name", "base64"}`.
    ///
    /// # Errors
    /// If Discord's client wouldn't have let the person do it, or no bot is connected; the error says why.
    pub async fn interact(&self, action: Value) -> Result<Value, String> {
        match text(&action, "do") {
            "say" => {
                let actor = self.core().read(|state| actor(state, &action, None))?;
                let message = self.say(&actor.channel.to_string(), &actor.user.to_string(), text(&action, "content"))?;
                Ok(json!({"message_id": message}))
            }
            "autocomplete" => {
                let pending = self.send(&action)?;
                let limit = self.core().read(|state| state.options.first_answer_ms);
                let limit = Duration::from_millis(u64::try_from(limit).unwrap_or(3_000));
                let answer = pending.wait_reply_where(limit, |v| v.get("choices").is_some()).await?;
                Ok(json!({"interaction_id": pending.id(), "choices": answer.get("choices")}))
            }
            _ => self.send(&action).map(|pending| json!({"interaction_id": pending.id()})),
        }
    }

    /// Sends any interacting action without waiting; see [`DiscordSim::interact`] for its JSON.
    ///
    /// # Errors
    /// As [`DiscordSim::interact`].
    pub fn send(&self, action: &Value) -> Result<Pending, String> {
        let id = self.core().with(|state| match text(action, "do") {
            "slash" => command(state, action, false),
            "autocomplete" => command(state, action, true),
            "menu" => menu(state, action),
            "click" => component(state, action, false),
            "select" => component(state, action, true),
            "modal" => modal(state, action),
            other => Err(format!("\"do\" is {other:?}; known are slash, autocomplete, menu, click, select, modal, say")),
        })?;
        Ok(Pending { sim: self.clone(), id })
    }

    /// Runs a slash command: `path` names its groups and sub-commands.
    ///
    /// # Errors
    /// As [`DiscordSim::interact`].
    pub fn slash(&self, channel: &str, user: Option<&str>, name: &str, path: &[&str], options: Value) -> Result<Pending, String> {
        self.send(&json!({"do": "slash", "channel_id": channel, "user_id": user, "name": name, "path": path, "options": options}))
    }

    /// Types into an option; the reply holds `choices`.
    ///
    /// # Errors
    /// As [`DiscordSim::interact`].
    pub fn autocomplete(
        &self,
        channel: &str,
        user: Option<&str>,
        name: &str,
        path: &[&str],
        options: Value,
        focused: &str,
    ) -> Result<Pending, String> {
        let action = json!({
            "do": "autocomplete", "channel_id": channel, "user_id": user, "name": name, "path": path, "options": options, "focused": focused
        });
        self.send(&action)
    }

    /// Presses a button.
    ///
    /// # Errors
    /// As [`DiscordSim::interact`].
    pub fn click(&self, message: &str, user: Option<&str>, custom_id: &str) -> Result<Pending, String> {
        self.send(&json!({"do": "click", "message_id": message, "user_id": user, "custom_id": custom_id}))
    }

    /// Chooses from a list: option values, or ids (or names) of users, roles, channels.
    ///
    /// # Errors
    /// As [`DiscordSim::interact`].
    pub fn select(&self, message: &str, user: Option<&str>, custom_id: &str, values: &[&str]) -> Result<Pending, String> {
        self.send(&json!({"do": "select", "message_id": message, "user_id": user, "custom_id": custom_id, "values": values}))
    }

    /// Submits the modal that an interaction opened.
    ///
    /// # Errors
    /// As [`DiscordSim::interact`].
    pub fn submit(&self, opened_by: &Pending, fields: Value) -> Result<Pending, String> {
        self.send(&json!({"do": "modal", "interaction_id": opened_by.id(), "fields": fields}))
    }
}

fn id_of(action: &Value, key: &str) -> Option<Id> {
    action.get(key).and_then(|v| v.as_str().map_or_else(|| v.as_u64(), |s| s.parse().ok()))
}

/// Who acts; `fallback` is used if the action names nobody.
fn actor(state: &State, action: &Value, fallback: Option<Id>) -> Result<Actor, String> {
    let channel = id_of(action, "channel_id").ok_or("channel_id is missing")?;
    let guild = state.channels.get(&channel).map(|c| c.guild).ok_or_else(|| format!("there is no channel {channel}"))?;
    let known = state.guilds.get(&guild).ok_or_else(|| format!("there is no guild {guild}"))?;
    if id_of(action, "guild_id").is_some_and(|g| g != guild) {
        return Err(format!("channel {channel} is not in that guild"));
    }
    let user = id_of(action, "user_id").or(fallback).unwrap_or(known.owner);
    if !known.members.contains_key(&user) {
        return Err(format!("user {user} is not a member of the guild"));
    }
    if state.permissions(user, channel) & permissions::VIEW_CHANNEL == 0 {
        return Err(format!("user {user} does not see channel {channel}"));
    }
    Ok(Actor { guild, channel, user })
}

// ---- slash commands ----

fn allowed(state: &State, actor: Actor, command: &Value) -> Result<(), String> {
    let Some(wanted) = command.get("default_member_permissions").and_then(Value::as_str).and_then(|p| p.parse::<u64>().ok()) else {
        return Ok(());
    };
    let have = state.permissions(actor.user, actor.channel);
    // "0" means administrators only.
    let fits = have & ADMINISTRATOR != 0 || (wanted != 0 && have & wanted == wanted);
    if fits { Ok(()) } else { Err(format!("user {} may not use /{}: it needs permissions {wanted}", actor.user, text(command, "name"))) }
}

fn command(state: &mut State, action: &Value, completing: bool) -> Result<Id, String> {
    let actor = actor(state, action, None)?;
    let name = text(action, "name");
    let known = lookup(state, actor.guild, name, 1).ok_or_else(|| format!("no command /{name} is registered"))?;
    allowed(state, actor, &known)?;
    if known.get("contexts").and_then(Value::as_array).is_some_and(|all| !all.contains(&json!(0))) {
        return Err(format!("/{name} is not for guilds"));
    }
    let mut at = &known;
    let mut steps = Vec::new();
    for step in list(action, "path").iter().filter_map(Value::as_str) {
        at = list(at, "options")
            .iter()
            .find(|o| text(o, "name") == step && matches!(o.get("type").and_then(Value::as_u64), Some(1 | 2)))
            .ok_or_else(|| format!("/{name} has no sub-command {step}"))?;
        steps.push((step.to_owned(), at.get("type").cloned().unwrap_or_default()));
    }
    if list(at, "options").iter().any(|o| matches!(o.get("type").and_then(Value::as_u64), Some(1 | 2))) {
        return Err(format!("/{name} needs a sub-command: path stops too early"));
    }
    let empty = Map::new();
    let given = action.get("options").and_then(Value::as_object).unwrap_or(&empty);
    let focused = completing.then(|| text(action, "focused"));
    let mut resolved = Resolved::default();
    let mut options = fill(state, actor, at, given, focused, &mut resolved)?;
    for (step, of_kind) in steps.into_iter().rev() {
        options = vec![json!({"name": step, "type": of_kind, "options": options})];
    }
    let mut data = json!({"id": known.get("id"), "name": name, "type": 1, "options": options});
    if let Some(map) = data.as_object_mut() {
        if known.get("guild_id").is_some() {
            map.insert("guild_id".into(), json!(actor.guild.to_string()));
        }
        resolved.put_into(map);
    }
    let of_kind = if completing { kind::AUTOCOMPLETE } else { kind::COMMAND };
    begin(state, actor, of_kind, data, None, action)
}

/// The given options in the registration's order and types. Rejects unknown, missing, and out-of-range values.
fn fill(
    state: &mut State,
    actor: Actor,
    owner: &Value,
    given: &Map<String, Value>,
    focused: Option<&str>,
    resolved: &mut Resolved,
) -> Result<Vec<Value>, String> {
    let known = list(owner, "options");
    if let Some(name) = given.keys().find(|name| !known.iter().any(|o| text(o, "name") == name.as_str())) {
        return Err(format!("there is no option {name}"));
    }
    let mut filled = Vec::new();
    for option in known {
        let name = text(option, "name");
        let is_focused = focused == Some(name);
        if is_focused && option.get("autocomplete").and_then(Value::as_bool) != Some(true) {
            return Err(format!("option {name} has no autocompletion"));
        }
        let value = match given.get(name).filter(|v| !v.is_null()) {
            Some(value) => value.clone(),
            None if is_focused => json!(""),
            None if focused.is_none() && option.get("required").and_then(Value::as_bool) == Some(true) => {
                return Err(format!("option {name} is required"));
            }
            None => continue,
        };
        let of_kind = option.get("type").and_then(Value::as_u64).unwrap_or(0);
        // While it is being typed, the value is text, whatever the option's type.
        let value = if is_focused { as_text(&value) } else { convert(state, actor, option, of_kind, &value, resolved)? };
        let mut one = json!({"name": name, "type": of_kind, "value": value});
        if let Some(map) = one.as_object_mut()
            && is_focused
        {
            map.insert("focused".into(), json!(true));
        }
        filled.push(one);
    }
    if let Some(name) = focused.filter(|f| !known.iter().any(|o| text(o, "name") == *f)) {
        return Err(format!("there is no option {name} to complete"));
    }
    Ok(filled)
}

fn as_text(value: &Value) -> Value {
    value.as_str().map_or_else(|| json!(value.to_string()), |s| json!(s))
}

fn convert(state: &mut State, actor: Actor, option: &Value, of_kind: u64, value: &Value, resolved: &mut Resolved) -> Result<Value, String> {
    let name = text(option, "name");
    let wrong = |what: &str| format!("option {name}: {value} is not {what}");
    let choices = list(option, "choices");
    if !choices.is_empty() {
        let chosen = choices.iter().find(|c| c.get("value") == Some(value) || c.get("name") == Some(value));
        return chosen.and_then(|c| c.get("value")).cloned().ok_or_else(|| wrong("one of the choices"));
    }
    let within = |n: f64| {
        let limit = |key: &str| option.get(key).and_then(Value::as_f64);
        limit("min_value").is_none_or(|min| n >= min) && limit("max_value").is_none_or(|max| n <= max)
    };
    let typed = value.as_str().map(str::trim);
    match of_kind {
        3 => {
            let words = value.as_str().ok_or_else(|| wrong("a text"))?;
            let length = units(words) as u64;
            let limit = |key: &str| option.get(key).and_then(Value::as_u64);
            if limit("min_length").is_some_and(|min| length < min) || length > limit("max_length").unwrap_or(6000) {
                return Err(wrong("of an allowed length"));
            }
            Ok(value.clone())
        }
        4 => {
            let number = value.as_i64().or_else(|| typed?.parse().ok()).ok_or_else(|| wrong("a whole number"))?;
            if within(number as f64) { Ok(json!(number)) } else { Err(wrong("in range")) }
        }
        5 => value.as_bool().or_else(|| typed?.parse().ok()).map(|b| json!(b)).ok_or_else(|| wrong("true or false")),
        6..=9 => {
            resolved.add(state, actor, of_kind, value, list(option, "channel_types")).map(|id| json!(id)).ok_or_else(|| wrong("known here"))
        }
        10 => {
            let number = value.as_f64().or_else(|| typed?.parse().ok()).ok_or_else(|| wrong("a number"))?;
            if within(number) { Ok(json!(number)) } else { Err(wrong("in range")) }
        }
        11 => resolved.upload(state, value).map(|id| json!(id)).map_err(|why| format!("option {name}: {why}")),
        _ => Err(format!("option {name}: its type {of_kind} cannot be given here")),
    }
}

/// The objects behind ids, as Discord sends them beside the ids.
#[derive(Default)]
struct Resolved {
    users: Map<String, Value>,
    members: Map<String, Value>,
    roles: Map<String, Value>,
    channels: Map<String, Value>,
    attachments: Map<String, Value>,
}

/// Discord's limit for an upload without boosts, in bytes.
const MAX_UPLOAD: usize = 10 * 1024 * 1024;

impl Resolved {
    /// Reads a file from `{"name", "content"}` (text) or `{"name", "base64"}`, stores it where the CDN would, and returns its id.
    fn upload(&mut self, state: &mut State, value: &Value) -> Result<String, String> {
        let name = text(value, "name");
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if name.is_empty() || name.len() > 200 || !plain {
            return Err(format!("a file is {{\"name\", \"content\"}} with a plain name, not {name:?}"));
        }
        let bytes = match (value.get("content").and_then(Value::as_str), value.get("base64").and_then(Value::as_str)) {
            (Some(content), None) => content.as_bytes().to_vec(),
            (None, Some(coded)) => {
                base64::engine::general_purpose::STANDARD.decode(coded).map_err(|error| format!("its base64 is none: {error}"))?
            }
            _ => return Err("a file has either content or base64".to_owned()),
        };
        if bytes.len() > MAX_UPLOAD {
            return Err("the file is too large".to_owned());
        }
        let id = state.new_id();
        let url = format!("{}/ephemeral-attachments/{}/{id}/{name}", state.base, state.app);
        let kind = if name.ends_with(".json") { "application/json; charset=utf-8" } else { "application/octet-stream" };
        self.attachments.insert(
            id.to_string(),
            json!({
                "id": id.to_string(), "filename": name, "size": bytes.len(), "url": url, "proxy_url": url, "content_type": kind,
                "ephemeral": true
            }),
        );
        state.keep_file(id, kind.to_owned(), bytes.into());
        Ok(id.to_string())
    }

    /// Finds a user (6), channel (7), role (8) or either of user and role (9) by id or name, and returns its id.
    fn add(&mut self, state: &State, actor: Actor, of_kind: u64, value: &Value, channel_types: &[Value]) -> Option<String> {
        let typed = value.as_str().map_or_else(|| value.to_string(), |s| s.trim().trim_start_matches(['#', '@']).to_owned());
        let wanted = typed.parse::<Id>().ok();
        let guild = state.guilds.get(&actor.guild)?;
        if of_kind == 7 {
            let fits = |c: &&super::model::Channel| {
                c.guild == actor.guild
                    && (Some(c.id) == wanted || c.name == typed)
                    && (channel_types.is_empty() || channel_types.contains(&json!(c.kind)))
            };
            let channel = state.channels.values().find(fits)?;
            self.channels.insert(channel.id.to_string(), partial_channel(state, channel.id, actor.user));
            return Some(channel.id.to_string());
        }
        if matches!(of_kind, 6 | 9)
            && let Some(user) = guild.members.keys().find(|u| Some(**u) == wanted || state.users.get(u).is_some_and(|x| x.name == typed))
        {
            let mut member = state.member_json(actor.guild, *user)?;
            if let Some(map) = member.as_object_mut() {
                map.remove("user");
                map.insert("permissions".into(), json!(state.permissions(*user, actor.channel).to_string()));
            }
            self.users.insert(user.to_string(), state.user_json(*user));
            self.members.insert(user.to_string(), member);
            return Some(user.to_string());
        }
        if matches!(of_kind, 8 | 9) {
            let (at, role) = guild.roles.iter().enumerate().find(|(_, r)| Some(r.id) == wanted || r.name == typed)?;
            self.roles.insert(role.id.to_string(), State::role_json(role, at));
            return Some(role.id.to_string());
        }
        None
    }

    fn put_into(self, data: &mut Map<String, Value>) {
        let mut all = Map::new();
        let all_of_them = [
            ("users", self.users),
            ("members", self.members),
            ("roles", self.roles),
            ("channels", self.channels),
            ("attachments", self.attachments),
        ];
        for (key, map) in all_of_them {
            if !map.is_empty() {
                all.insert(key.to_owned(), Value::Object(map));
            }
        }
        if !all.is_empty() {
            data.insert("resolved".into(), Value::Object(all));
        }
    }
}

fn partial_channel(state: &State, channel: Id, user: Id) -> Value {
    let mut value = state.channels.get(&channel).map(|c| state.channel_json(c)).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.remove("permission_overwrites");
        map.insert("permissions".into(), json!(state.permissions(user, channel).to_string()));
    }
    value
}

fn menu(state: &mut State, action: &Value) -> Result<Id, String> {
    let actor = actor(state, action, None)?;
    let (name, target) = (text(action, "name"), id_of(action, "target_id").ok_or("target_id is missing")?);
    let mut resolved = Map::new();
    let of_kind = if let Some(message) = state.messages.get(&target).filter(|m| m.ephemeral_for.is_none()) {
        resolved.insert("messages".into(), json!({target.to_string(): message.value}));
        3
    } else {
        let mut people = Resolved::default();
        people.add(state, actor, 6, &json!(target.to_string()), &[]).ok_or_else(|| format!("there is no message or member {target}"))?;
        let mut holder = Map::new();
        people.put_into(&mut holder);
        resolved = holder.remove("resolved").and_then(|r| r.as_object().cloned()).unwrap_or_default();
        2
    };
    let known = lookup(state, actor.guild, name, of_kind).ok_or_else(|| format!("no menu command {name} is registered for that"))?;
    allowed(state, actor, &known)?;
    let data = json!({"id": known.get("id"), "name": name, "type": of_kind, "target_id": target.to_string(), "resolved": resolved});
    begin(state, actor, kind::COMMAND, data, None, action)
}

// ---- components and modals ----

fn component(state: &mut State, action: &Value, selecting: bool) -> Result<Id, String> {
    let message_id = id_of(action, "message_id").ok_or("message_id is missing")?;
    let message = state.messages.get(&message_id).ok_or_else(|| format!("there is no message {message_id}"))?;
    let private_to = message.ephemeral_for;
    let mut place = action.clone();
    if let Some(map) = place.as_object_mut() {
        map.insert("channel_id".into(), json!(message.channel.to_string()));
    }
    let actor = actor(state, &place, private_to)?;
    if private_to.is_some_and(|owner| owner != actor.user) {
        return Err(format!("user {} does not see that message", actor.user));
    }
    let custom_id = text(action, "custom_id");
    let found = find_component(list(&message.value, "components"), custom_id, 0);
    let found = found.ok_or_else(|| format!("message {message_id} has no component {custom_id}"))?.clone();
    if found.get("disabled").and_then(Value::as_bool) == Some(true) {
        return Err(format!("component {custom_id} is disabled"));
    }
    let of_kind = found.get("type").and_then(Value::as_u64).unwrap_or(0);
    if (of_kind == 2) == selecting {
        return Err(format!("component {custom_id} is {}", if selecting { "a button: click it" } else { "a list: select from it" }));
    }
    let mut data = json!({"custom_id": custom_id, "component_type": of_kind, "id": found.get("id")});
    if selecting && let Some(map) = data.as_object_mut() {
        let (values, resolved) = chosen(state, actor, &found, of_kind, list(action, "values"))?;
        map.insert("values".into(), json!(values));
        resolved.put_into(map);
    }
    begin(state, actor, kind::COMPONENT, data, Some(message_id), action)
}

fn find_component<'a>(all: &'a [Value], custom_id: &str, depth: usize) -> Option<&'a Value> {
    all.iter().find_map(|one| {
        if text(one, "custom_id") == custom_id && !custom_id.is_empty() {
            return Some(one);
        }
        let accessory = one.get("accessory").filter(|a| text(a, "custom_id") == custom_id);
        accessory.or_else(|| if depth < 4 { find_component(list(one, "components"), custom_id, depth + 1) } else { None })
    })
}

fn chosen(state: &State, actor: Actor, select: &Value, of_kind: u64, values: &[Value]) -> Result<(Vec<String>, Resolved), String> {
    let limit = |key: &str| select.get(key).and_then(Value::as_u64).unwrap_or(1);
    let count = values.len() as u64;
    if count < limit("min_values") || count > limit("max_values") {
        return Err(format!("{count} chosen, allowed are {} to {}", limit("min_values"), limit("max_values")));
    }
    let mut resolved = Resolved::default();
    let mut ids = Vec::new();
    for value in values {
        let id = match of_kind {
            3 => list(select, "options").iter().find(|o| o.get("value") == Some(value)).map(|o| text(o, "value").to_owned()),
            // 5 user, 6 role, 7 mentionable, 8 channel; as options these are 6, 8, 9, 7.
            5 => resolved.add(state, actor, 6, value, &[]),
            6 => resolved.add(state, actor, 8, value, &[]),
            7 => resolved.add(state, actor, 9, value, &[]),
            8 => resolved.add(state, actor, 7, value, list(select, "channel_types")),
            _ => None,
        };
        ids.push(id.ok_or_else(|| format!("{value} cannot be chosen"))?);
    }
    Ok((ids, resolved))
}

fn modal(state: &mut State, action: &Value) -> Result<Id, String> {
    let custom_id = text(action, "custom_id");
    let opened = match id_of(action, "interaction_id") {
        Some(id) => state.interactions.get(&id),
        None => state.interactions.values().rev().find(|i| i.modal.as_ref().is_some_and(|m| text(m, "custom_id") == custom_id)),
    };
    let opened = opened.ok_or("no such interaction opened a modal")?;
    let form = opened.modal.clone().ok_or("that interaction opened no modal")?;
    let (channel, user, source) = (opened.channel, opened.user, opened.source);
    let place = json!({"channel_id": channel.to_string(), "user_id": id_of(action, "user_id").unwrap_or(user).to_string()});
    let actor = actor(state, &place, Some(user))?;
    let empty = Map::new();
    let fields = action.get("fields").and_then(Value::as_object).unwrap_or(&empty);
    let mut used = Vec::new();
    let mut rows = Vec::new();
    for row in list(&form, "components") {
        if let Some(inner) = row.get("component") {
            let filled = field(inner, fields, &mut used)?;
            rows.push(json!({"type": 18, "id": rows.len() + 1, "component": filled}));
        } else if let Some(inner) = list(row, "components").first() {
            let filled = field(inner, fields, &mut used)?;
            rows.push(json!({"type": 1, "id": rows.len() + 1, "components": [filled]}));
        }
    }
    if let Some(unknown) = fields.keys().find(|k| !used.contains(*k)) {
        return Err(format!("the modal has no field {unknown}"));
    }
    let data = json!({"custom_id": form.get("custom_id"), "components": rows});
    begin(state, actor, kind::MODAL, data, source, action)
}

/// One field of a modal as the person leaves it: the given value, or the preset one.
fn field(input: &Value, fields: &Map<String, Value>, used: &mut Vec<String>) -> Result<Value, String> {
    let custom_id = text(input, "custom_id");
    used.push(custom_id.to_owned());
    let of_kind = input.get("type").and_then(Value::as_u64).unwrap_or(4);
    if of_kind != 4 {
        let values = fields.get(custom_id).cloned().unwrap_or_else(|| json!([]));
        return Ok(json!({"type": of_kind, "custom_id": custom_id, "values": values}));
    }
    let value = fields.get(custom_id).and_then(Value::as_str).unwrap_or_else(|| text(input, "value"));
    let required = input.get("required").and_then(Value::as_bool).unwrap_or(true);
    let limit = |key: &str, default: u64| input.get(key).and_then(Value::as_u64).unwrap_or(default);
    let length = units(value) as u64;
    if value.is_empty() && required {
        return Err(format!("field {custom_id} is required"));
    }
    if !value.is_empty() && (length < limit("min_length", 0) || length > limit("max_length", 4000)) {
        return Err(format!("field {custom_id} has {length} characters, which is too few or too many"));
    }
    Ok(json!({"type": 4, "custom_id": custom_id, "value": value}))
}

// ---- the event ----

/// Builds INTERACTION_CREATE with every field a library may insist on, and sends it.
fn begin(state: &mut State, actor: Actor, of_kind: u64, data: Value, source: Option<Id>, action: &Value) -> Result<Id, String> {
    if state.connected() == 0 {
        return Err("the application did not respond: no bot is connected".to_owned());
    }
    let id = state.new_id();
    let token: String = std::iter::repeat_with(fastrand::alphanumeric).take(200).collect();
    let locale = action.get("locale").and_then(Value::as_str).unwrap_or("en-US");
    let mut member = state.member_json(actor.guild, actor.user).unwrap_or_default();
    if let Some(map) = member.as_object_mut() {
        map.insert("permissions".into(), json!(state.permissions(actor.user, actor.channel).to_string()));
    }
    let owners = json!({"0": actor.guild.to_string()});
    let mut event = json!({
        "id": id.to_string(), "application_id": state.app.to_string(), "type": of_kind, "token": token, "version": 1,
        "guild_id": actor.guild.to_string(), "guild": {"id": actor.guild.to_string(), "locale": "en-US", "features": []},
        "guild_locale": "en-US", "locale": locale, "channel_id": actor.channel.to_string(),
        "channel": partial_channel(state, actor.channel, actor.user), "member": member,
        "app_permissions": state.permissions(state.bot, actor.channel).to_string(), "entitlements": [], "entitlement_sku_ids": [],
        "authorizing_integration_owners": owners, "context": 0, "attachment_size_limit": 10_485_760, "data": data
    });
    if let (Some(map), Some(message)) = (event.as_object_mut(), source.and_then(|s| state.messages.get(&s))) {
        map.insert("message".into(), message.value.clone());
    }
    let mut metadata = json!({
        "id": id.to_string(), "type": of_kind, "user": state.user_json(actor.user), "authorizing_integration_owners": owners,
        "original_response_message_id": null
    });
    // For a component, Discord says which message it is on; for a form, which interaction opened it.
    if let (Some(map), kind::COMPONENT, Some(source)) = (metadata.as_object_mut(), of_kind, source) {
        map.insert("interacted_message_id".into(), json!(source.to_string()));
    }
    if let (Some(map), kind::MODAL) = (metadata.as_object_mut(), of_kind) {
        let opened_by = id_of(action, "interaction_id").and_then(|opener| state.interactions.get(&opener));
        let plain = json!({"id": id.to_string(), "type": kind::COMMAND, "authorizing_integration_owners": owners});
        map.insert("triggering_interaction_metadata".into(), opened_by.map_or(plain, |opener| opener.metadata.clone()));
    }
    let interaction = Interaction {
        id,
        token,
        kind: of_kind,
        channel: actor.channel,
        user: actor.user,
        created_ms: state.now(),
        metadata,
        source,
        acknowledged: None,
        original: None,
        visible: Vec::new(),
        modal: None,
    };
    state.add_interaction(interaction);
    state.dispatch("INTERACTION_CREATE", actor.guild, intent::ALWAYS, &event);
    Ok(id)
}
