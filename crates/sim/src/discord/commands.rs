//! Registers application commands: what Discord accepts, and the form in which it returns them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{Answer, ApiError};
use super::model::Id;
use super::state::State;
use super::validate::{Problems, units};
use super::values::{list, text};

/// Limit on chat-input commands per application and place.
const MAX_COMMANDS: usize = 100;
/// Limit on all names, descriptions and values of one command together.
const MAX_TOTAL: usize = 8000;

/// Serves `/applications/{app}/commands…` and `/applications/{app}/guilds/{guild}/commands…`.
pub(super) fn serve(state: &mut State, method: &str, guild: Option<Id>, rest: &[&str], body: &Value) -> Result<Answer, ApiError> {
    match (method, rest) {
        ("GET", []) => Ok(Answer::ok(json!(of(state, guild)))),
        ("PUT", []) => replace_all(state, guild, body),
        ("POST", []) => {
            let mut problems = Problems::default();
            check(body, "", &mut problems);
            if !problems.is_empty() {
                return Err(ApiError::form(problems));
            }
            let known = find(state, guild, text(body, "name"), kind(body));
            if known.is_none() && of(state, guild).len() >= MAX_COMMANDS {
                return Err(too_many());
            }
            let value = put(state, guild, body, known);
            announce(state);
            Ok(Answer { status: if known.is_some() { 200 } else { 201 }, body: Some(value) })
        }
        (_, [id]) => {
            let id = id.parse::<Id>().ok().filter(|id| state.commands.get(id).is_some_and(|c| belongs(c, guild)));
            let Some(id) = id else { return Err(ApiError::new(404, 10063, "Unknown application command")) };
            match method {
                "GET" => Ok(Answer::ok(state.commands.get(&id).cloned().unwrap_or_default())),
                "DELETE" => {
                    state.commands.remove(&id);
                    announce(state);
                    Ok(Answer::none())
                }
                "PATCH" => {
                    let mut merged = state.commands.get(&id).cloned().unwrap_or_default();
                    if let (Some(old), Some(new)) = (merged.as_object_mut(), body.as_object()) {
                        old.extend(new.clone());
                    }
                    let mut problems = Problems::default();
                    check(&merged, "", &mut problems);
                    if !problems.is_empty() {
                        return Err(ApiError::form(problems));
                    }
                    let value = put(state, guild, &merged, Some(id));
                    announce(state);
                    Ok(Answer::ok(value))
                }
                _ => Err(ApiError::method()),
            }
        }
        _ => Err(ApiError::method()),
    }
}

fn replace_all(state: &mut State, guild: Option<Id>, body: &Value) -> Result<Answer, ApiError> {
    let Some(wanted) = body.as_array() else {
        let mut problems = Problems::default();
        problems.add("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        return Err(ApiError::form(problems));
    };
    if wanted.iter().filter(|c| kind(c) == 1).count() > MAX_COMMANDS {
        return Err(too_many());
    }
    let mut problems = Problems::default();
    let mut seen = BTreeSet::new();
    for (at, command) in wanted.iter().enumerate() {
        check(command, &at.to_string(), &mut problems);
        if !seen.insert((kind(command), text(command, "name").to_owned())) {
            problems.add(&at.to_string(), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique");
        }
    }
    if !problems.is_empty() {
        return Err(ApiError::form(problems));
    }
    // A command of the same name and type keeps its id.
    let kept: Vec<Option<Id>> = wanted.iter().map(|c| find(state, guild, text(c, "name"), kind(c))).collect();
    state.commands.retain(|id, command| !belongs(command, guild) || kept.contains(&Some(*id)));
    let values: Vec<Value> = wanted.iter().zip(kept).map(|(command, id)| put(state, guild, command, id)).collect();
    announce(state);
    Ok(Answer::ok(json!(values)))
}

fn too_many() -> ApiError {
    ApiError::new(400, 30032, "Maximum number of application commands reached (100).")
}

fn announce(state: &mut State) {
    let commands = state.commands_json();
    state.publish(json!({"type": "COMMANDS", "commands": commands}));
}

/// 1 slash, 2 user menu, 3 message menu.
fn kind(command: &Value) -> u64 {
    command.get("type").and_then(Value::as_u64).unwrap_or(1)
}

fn belongs(command: &Value, guild: Option<Id>) -> bool {
    command.get("guild_id").and_then(Value::as_str).map(str::to_owned) == guild.map(|g| g.to_string())
}

fn of(state: &State, guild: Option<Id>) -> Vec<Value> {
    state.commands.values().filter(|c| belongs(c, guild)).cloned().collect()
}

fn find(state: &State, guild: Option<Id>, name: &str, of_kind: u64) -> Option<Id> {
    state.commands.iter().find(|(_, c)| belongs(c, guild) && text(c, "name") == name && kind(c) == of_kind).map(|(id, _)| *id)
}

/// The command a person in `guild` would run: the guild's own before the global one.
pub(super) fn lookup(state: &State, guild: Id, name: &str, of_kind: u64) -> Option<Value> {
    let id = find(state, Some(guild), name, of_kind).or_else(|| find(state, None, name, of_kind))?;
    state.commands.get(&id).cloned()
}

fn put(state: &mut State, guild: Option<Id>, body: &Value, known: Option<Id>) -> Value {
    let id = known.unwrap_or_else(|| state.new_id());
    let version = state.new_id();
    let mut value = json!({
        "id": id.to_string(), "application_id": state.app.to_string(), "version": version.to_string(), "type": kind(body),
        "default_member_permissions": null, "name_localizations": null, "description_localizations": null, "nsfw": false,
        "dm_permission": true, "contexts": null, "integration_types": [0], "description": ""
    });
    if let (Some(map), Some(given)) = (value.as_object_mut(), body.as_object()) {
        for (key, given) in given {
            let ours = ["id", "application_id", "version", "guild_id", "type"].contains(&key.as_str());
            // Discord omits an empty list of options.
            let no_options = key == "options" && given.as_array().is_none_or(Vec::is_empty);
            if !ours && !no_options {
                map.insert(key.clone(), given.clone());
            }
        }
        if let Some(permissions) = map.get("default_member_permissions").and_then(Value::as_u64) {
            map.insert("default_member_permissions".into(), json!(permissions.to_string()));
        }
        if let Some(guild) = guild {
            map.insert("guild_id".into(), json!(guild.to_string()));
            map.remove("dm_permission");
        }
    }
    state.commands.insert(id, value.clone());
    value
}

// ---- validation ----

fn check(command: &Value, path: &str, problems: &mut Problems) {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let mut total = 0;
    match kind(command) {
        1 => {
            name(command, path, problems);
            description(command, path, problems);
            options(command, path, 0, problems, &mut total);
        }
        2 | 3 => {
            problems.string(command, path, "name", 32, true);
            if !text(command, "description").is_empty() {
                problems.add(
                    &at("description"),
                    "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION",
                    "Context menu commands cannot have a description",
                );
            }
        }
        _ => problems.add(&at("type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4}."),
    }
    total += units(text(command, "name")) + units(text(command, "description"));
    if total > MAX_TOTAL {
        problems.add(path, "APPLICATION_COMMAND_TOO_LARGE", format!("Command exceeds maximum size ({MAX_TOTAL})"));
    }
    let permissions = command.get("default_member_permissions").filter(|p| !p.is_null());
    if permissions.is_some_and(|p| p.as_str().map_or_else(|| p.as_u64(), |p| p.parse::<u64>().ok()).is_none()) {
        problems.add(&at("default_member_permissions"), "NUMBER_TYPE_COERCE", "Value is not a permission set.");
    }
    for key in ["contexts", "integration_types"] {
        let max = if key == "contexts" { 2 } else { 1 };
        if list(command, key).iter().any(|v| v.as_u64().is_none_or(|v| v > max)) {
            problems.add(&at(key), "BASE_TYPE_CHOICES", "Unknown value.");
        }
    }
}

/// `^[-_'\p{L}\p{N}]{1,32}$`, in lower case; the same for each translation.
fn name(owner: &Value, path: &str, problems: &mut Problems) {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let fits = |name: &str| {
        (1..=32).contains(&name.chars().count())
            && name.chars().all(|c| (c.is_alphanumeric() || "-_'".contains(c)) && c.to_lowercase().eq(std::iter::once(c)))
    };
    problems.string(owner, path, "name", 32, true);
    if !text(owner, "name").is_empty() && !fits(text(owner, "name")) {
        problems.add(&at("name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
    for (locale, translated) in owner.get("name_localizations").and_then(Value::as_object).into_iter().flatten() {
        if !translated.is_null() && !translated.as_str().is_some_and(fits) {
            problems.add(&at(&format!("name_localizations.{locale}")), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
        }
    }
    for key in ["name_localizations", "description_localizations"] {
        for (locale, _) in owner.get(key).and_then(Value::as_object).into_iter().flatten() {
            if !LOCALES.contains(&locale.as_str()) {
                problems.add(&at(key), "ENUM_TYPE_COERCE", format!("Value \"{locale}\" is not a valid enum value."));
            }
        }
    }
}

fn description(owner: &Value, path: &str, problems: &mut Problems) {
    problems.string(owner, path, "description", 100, true);
    for (locale, translated) in owner.get("description_localizations").and_then(Value::as_object).into_iter().flatten() {
        if translated.as_str().is_some_and(|t| units(t) > 100 || t.trim().is_empty()) {
            let at = if path.is_empty() { String::new() } else { format!("{path}.") };
            problems.add(
                &format!("{at}description_localizations.{locale}"),
                "BASE_TYPE_BAD_LENGTH",
                "Must be between 1 and 100 in length.",
            );
        }
    }
}

fn options(owner: &Value, path: &str, depth: usize, problems: &mut Problems, total: &mut usize) {
    let mut names = BTreeSet::new();
    let mut optional_seen = false;
    let base = if path.is_empty() { "options".to_owned() } else { format!("{path}.options") };
    let all = problems.array(owner, path, "options", 0, 25);
    let nested = |o: &Value| matches!(kind_of(o), 1 | 2);
    if all.iter().any(nested) && !all.iter().all(nested) {
        problems.add(
            &base,
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        );
    }
    for (at, option) in all.iter().enumerate() {
        let at = format!("{base}.{at}");
        name(option, &at, problems);
        description(option, &at, problems);
        *total += units(text(option, "name")) + units(text(option, "description"));
        if !names.insert(text(option, "name").to_owned()) {
            problems.add(&at, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists");
        }
        match kind_of(option) {
            1 if depth < 2 => options(option, &at, 2, problems, total),
            2 if depth == 0 => {
                if list(option, "options").iter().any(|o| kind_of(o) != 1) {
                    problems.add(&at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "A group holds sub-commands only");
                }
                options(option, &at, 1, problems, total);
            }
            3..=11 => {
                let required = option.get("required").and_then(Value::as_bool).unwrap_or(false);
                if required && optional_seen {
                    problems.add(
                        &at,
                        "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                        "Required options must be placed before non-required options",
                    );
                }
                optional_seen |= !required;
                choices(option, &at, problems, total);
            }
            _ => problems.add(&format!("{at}.type"), "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}."),
        }
    }
}

fn choices(option: &Value, path: &str, problems: &mut Problems, total: &mut usize) {
    let all = problems.array(option, path, "choices", 0, 25);
    if !all.is_empty() && option.get("autocomplete").and_then(Value::as_bool) == Some(true) {
        problems.add(path, "APPLICATION_COMMAND_OPTIONS_CHOICES_AUTOCOMPLETE", "Choices and autocomplete are mutually exclusive");
    }
    for (at, choice) in all.iter().enumerate() {
        let at = format!("{path}.choices.{at}");
        problems.string(choice, &at, "name", 100, true);
        *total += units(text(choice, "name")) + units(text(choice, "value"));
        match choice.get("value") {
            Some(Value::String(value)) if kind_of(option) == 3 && units(value) <= 100 => {}
            Some(Value::Number(_)) if matches!(kind_of(option), 4 | 10) => {}
            _ => problems.add(&format!("{at}.value"), "BASE_TYPE_BAD_TYPE", "The value does not fit the option's type, or is too long."),
        }
    }
}

fn kind_of(option: &Value) -> u64 {
    option.get("type").and_then(Value::as_u64).unwrap_or(0)
}

/// The locales Discord knows.
const LOCALES: [&str; 32] = [
    "id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl", "pt-BR", "ro", "fi", "sv-SE",
    "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja", "zh-TW", "ko",
];
