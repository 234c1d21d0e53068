//! Sets up the simulated guild and its routes, with the slash commands that people use.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Value, json};

use tenfour_sim::discord::DiscordSim;

/// Long enough for a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the commands are run.
const FROM: &str = "bot-notices";
/// Kinds of channels.
const TEXT: u8 = 0;
const CATEGORY: u8 = 4;
const FORUM: u8 = 15;

/// Roles of the simulated guild, and their colors.
const ROLES: [(&str, u32); 3] = [("Dispatch", 0xE0_A3_3C), ("Patrol", 0x4F_8E_F7), ("Fire-EMS", 0xE8_5D_4A)];

/// A channel of the simulated guild.
struct Place {
    name: &'static str,
    kind: u8,
    topic: &'static str,
    commands: &'static [Typed],
}

/// One slash command of the set-up. Roles and choices are typed by name.
enum Typed {
    /// `/alerts preset`, with a role.
    Preset(&'static str, Option<&'static str>),
    /// `/alerts add`: event, style, role.
    Add(&'static str, &'static str, Option<&'static str>),
    /// A command on the route of this event in this channel, and its options.
    On(&'static str, &'static str, &'static [(&'static str, &'static str)]),
    /// `/board create`.
    Board(&'static str),
    /// `/cad notices`.
    Notices,
    /// `/cad actions`: members may place 911 calls.
    Calls,
}

use Typed::{Add, Board, Calls, Notices, On, Preset};

/// Categories with their channels, in the order of the page.
const GUILD: [(&str, &[Place]); 3] = [
    (
        "Control room",
        &[
            Place {
                name: "dispatch",
                kind: TEXT,
                topic: "911, panics and dispatches, each one card until it is over. You are A-1, on duty: press Respond. What nobody takes in two minutes calls Patrol.",
                commands: &[
                    Preset("essentials", Some("Dispatch")),
                    On("dispatch", "thread", &[("mode", "always")]),
                    On("911", "escalate", &[("minutes", "2"), ("role", "Patrol")]),
                ],
            },
            Place { name: "board", kind: TEXT, topic: "One message that keeps itself up to date.", commands: &[Board("both")] },
            Place {
                name: "priority-1",
                kind: TEXT,
                topic: "A filter: only dispatches of priority 1.",
                commands: &[
                    Add("dispatch", "card", Some("Patrol")),
                    On("dispatch", "filter", &[("priority", "1")]),
                    On("dispatch", "ping", &[("role", "Patrol"), ("when", "priority-1"), ("cooldown", "60")]),
                ],
            },
            Place {
                name: "case-files",
                kind: FORUM,
                topic: "A forum: each dispatch is a post of its own, its notes are written into it.",
                commands: &[Add("dispatch", "card", None), On("dispatch", "thread", &[("mode", "always")])],
            },
        ],
    ),
    (
        "Units",
        &[
            Place {
                name: "patrol",
                kind: TEXT,
                topic: "Panics ping always, 911 calls only while no dispatcher is on duty.",
                commands: &[
                    Add("panic", "card", Some("Patrol")),
                    Add("911", "compact", Some("Patrol")),
                    On("911", "ping", &[("role", "Patrol"), ("when", "no-dispatcher")]),
                    Add("dispatch", "compact", None),
                ],
            },
            Place {
                name: "fire-ems",
                kind: TEXT,
                topic: "Stations and pages ping; tones are muted.",
                commands: &[
                    Add("station", "card", Some("Fire-EMS")),
                    Add("pager", "card", Some("Fire-EMS")),
                    Add("tone", "compact", Some("Fire-EMS")),
                    On("tone", "mute", &[("for", "1d")]),
                ],
            },
            Place {
                name: "duty-log",
                kind: TEXT,
                topic: "Lines of units on and off duty, gathered.",
                commands: &[Add("duty", "log", None), Add("status", "log", None)],
            },
            Place { name: "bolos", kind: TEXT, topic: "Records, BOLOs and warrants.", commands: &[Preset("records", None)] },
        ],
    ),
    (
        "Everybody",
        &[
            Place {
                name: "city-scanner",
                kind: TEXT,
                topic: "For the public: no names, plates or units.",
                commands: &[Preset("public", None)],
            },
            Place { name: FROM, kind: TEXT, topic: "What the bot has to say about itself.", commands: &[Notices, Calls] },
        ],
    ),
];

/// Number of channels that can have messages.
pub(super) fn channels() -> usize {
    GUILD.iter().map(|(_, places)| places.len()).sum()
}

/// Creates the guild with its roles and channels. Returns its id.
pub(super) fn guild(discord: &DiscordSim) -> String {
    let guild = discord.add_guild("Harbour City Roleplay");
    for (name, color) in ROLES {
        let role = discord.add_role(&guild, name, color);
        discord.set_mentionable(&guild, &role, true);
    }
    for (category, places) in GUILD {
        let category = discord.add_channel(&guild, category, CATEGORY);
        for place in places {
            let channel = discord.add_channel_in(&guild, place.name, place.kind, Some(&category));
            discord.set_topic(&channel, place.topic);
        }
    }
    guild
}

/// Creates the bot's routes, once its commands are there.
pub(super) async fn routes(discord: &DiscordSim) -> anyhow::Result<()> {
    for command in ["alerts", "board", "cad"] {
        discord.wait_command(command, PATIENCE).await.map_err(|error| anyhow!("{error}"))?;
    }
    for place in GUILD.iter().flat_map(|(_, places)| places.iter()) {
        let mut routes = HashMap::new();
        for typed in place.commands {
            let (command, path, options) = match *typed {
                Preset(preset, role) => ("alerts", "preset", with_role(json!({ "name": preset, "channel": place.name }), role)),
                Add(event, style, role) => {
                    ("alerts", "add", with_role(json!({ "event": event, "channel": place.name, "style": style }), role))
                }
                On(event, path, typed) => {
                    let route = routes.get(event).with_context(|| format!("#{} has no route for {event}", place.name))?;
                    let mut options = json!({ "route": route });
                    for (name, value) in typed {
                        if let Some(options) = options.as_object_mut() {
                            options.insert((*name).to_owned(), (*value).into());
                        }
                    }
                    ("alerts", path, options)
                }
                Board(kind) => ("board", "create", json!({ "kind": kind, "channel": place.name })),
                Notices => ("cad", "notices", json!({ "channel": place.name })),
                Calls => ("cad", "actions", json!({ "emergency": "on" })),
            };
            // No person types this fast.
            discord.forget_limits();
            let answer = run(discord, command, path, options).await?;
            routes.extend(made(&answer));
        }
    }
    Ok(())
}

/// The answer to `/cad status`: every text of it.
pub(super) async fn status(discord: &DiscordSim) -> anyhow::Result<Value> {
    answer(discord, "cad", "status", json!({})).await
}

fn with_role(mut options: Value, role: Option<&str>) -> Value {
    if let (Some(role), Some(options)) = (role, options.as_object_mut()) {
        options.insert("role".to_owned(), role.into());
    }
    options
}

async fn answer(discord: &DiscordSim, command: &str, path: &str, options: Value) -> anyhow::Result<Value> {
    let snapshot = discord.snapshot();
    let channels = snapshot.get("channels").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let from = channels.iter().find(|channel| channel.get("name").and_then(Value::as_str) == Some(FROM));
    let from = from.and_then(|channel| channel.get("id")).and_then(Value::as_str).with_context(|| format!("there is no channel {FROM}"))?;
    let pending = discord.slash(from, None, command, &[path], options).map_err(|error| anyhow!("/{command} {path}: {error}"))?;
    pending.reply(PATIENCE).await.map_err(|error| anyhow!("/{command} {path}: {error}"))
}

/// Runs a command that must succeed; returns its answer.
async fn run(discord: &DiscordSim, command: &str, path: &str, options: Value) -> anyhow::Result<String> {
    let reply = answer(discord, command, path, options.clone()).await?;
    let said = ["/content", "/embeds/0/title"].into_iter().filter_map(|at| reply.pointer(at)?.as_str()).find(|said| !said.is_empty());
    let said = said.unwrap_or_default();
    // Successful answers begin with an emoji; a refusal is a plain sentence.
    if !said.starts_with(|first: char| !first.is_ascii() && first != '⚠') {
        bail!("/{command} {path} {options}: {reply}");
    }
    Ok(said.to_owned())
}

/// Events and numbers of the routes in a reply: `Route #4 added: dispatch → …`.
fn made(said: &str) -> Vec<(String, u64)> {
    let one = |line: &str| {
        let (number, rest) = line.split_once("Route #")?.1.split_once(" added: ")?;
        Some((rest.split_once(" →")?.0.to_owned(), number.parse().ok()?))
    };
    said.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_name_the_routes_they_made() {
        let said = "✅ Route #4 added: 911 → <#1>, pinging <@&2>, as card. Undo it with `/alerts remove route:4`.\n✅ Route #5 added: panic → <#1>, as card.\nTry it.";
        assert_eq!(made(said), [("911".to_owned(), 4), ("panic".to_owned(), 5)]);
    }
}
