//! Reads and writes the custom ids of everything that people press, choose from, or fill in. No other file does.
//!
//! An id holds all that its press or form needs, so that it survives a restart of the bot. The prefix is the family and its version; an id
//! with another prefix belongs to another version of the bot. Released forms never change: messages keep their buttons.
//!
//! ```text
//! c1:…                                     buttons under cards, and what their forms ask (`render::custom_id`)
//! t1:step:servers:preset:channel:role      the setup wizard; servers joined by `.`, at most five
//! t1:labels · t1:link                      forms: for the guild that they are submitted in
//! t1:unlink:guild                          the confirmation of /cad unlink
//! t2:audit:user:kind:days:upto:page        a page of the audit; kind s or c
//! t2:replace:import · t2:keep:import       the answers to an import
//! t2:restore:change                        undoes a change of routes
//! n1:server:attach:layout:version          the form of /call new; attach y or n
//! e1:server                                the form of /911
//! u1:panic:server · u1:calm:server         the confirmation of /unit panic
//! ```
//!
//! `-` means nothing chosen. Numbers are in base 36 in `c1`, `t1`, and `t2`, and in plain digits in `n1`, `e1`, and `u1`. Ids come back
//! from Discord, but people have seen them: their content is checked again, and an id that the bot would not have written is rejected.

use std::fmt;
use std::str::FromStr;

use crate::ids::{ChannelId, GuildId, RoleId, ServerId, UserId};
use crate::render::custom_id::{MAX_CUSTOM_ID, On, PICK, Verb, base36, card, from_base36, parse_card};
use crate::route::Preset;
use crate::store::audit::AuditKind;

/// Limit on servers chosen one by one in the wizard: more wouldn't fit.
pub const MAX_CHOSEN_SERVERS: usize = 5;

/// Every custom id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomId {
    /// A button under a card, or the form that it opens.
    Card(Verb, On),
    /// The list under a message of several cards.
    PickCard,
    /// A step of the setup wizard, with what was chosen so far.
    Setup(SetupStep, SetupChoice),
    /// The form of `/cad labels`.
    Labels,
    /// The form of `/cad link`.
    Link,
    /// Confirms unlinking this guild.
    Unlink(GuildId),
    /// Shows a page of the audit.
    Audit(AuditQuery),
    /// Apply the import of this number.
    ReplaceSettings(i64),
    /// Discard it.
    KeepSettings(i64),
    /// Restore routes to what they were before the change of this number.
    RestoreRoutes(i64),
    /// The form of `/call new`.
    NewCall(NewCallOptions),
    /// The form of `/911`. No server: the one on which the caller is on duty, else the first.
    PlaceEmergency(Option<ServerId>),
    /// Confirms beginning, or ending, one's own panic on this server.
    Panic {
        /// Whether it begins.
        on: bool,
        server: ServerId,
    },
}

/// A step of the setup wizard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupStep {
    /// Show the connection to the CAD.
    Connect,
    /// Show the servers.
    Servers,
    /// Servers were chosen.
    PickServers,
    /// Show the question of where events come from.
    Way,
    /// Show what to do on a FiveM server.
    Fivem,
    /// Show the hub session.
    Hub,
    /// Show the presets.
    Presets,
    /// A preset was chosen.
    PickPreset,
    /// Show channel and role.
    Place,
    /// A channel was chosen.
    PickChannel,
    /// A role was chosen, or none.
    PickRole,
    /// Create the routes.
    Make,
    /// Send a test alert.
    Test,
}

impl SetupStep {
    /// Every step, with its word in custom ids.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Connect, "connect"),
        (Self::Servers, "servers"),
        (Self::PickServers, "pick-servers"),
        (Self::Way, "way"),
        (Self::Fivem, "fivem"),
        (Self::Hub, "hub"),
        (Self::Presets, "presets"),
        (Self::PickPreset, "pick-preset"),
        (Self::Place, "place"),
        (Self::PickChannel, "pick-channel"),
        (Self::PickRole, "pick-role"),
        (Self::Make, "make"),
        (Self::Test, "test"),
    ];
}

/// What was chosen in the setup wizard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetupChoice {
    /// Empty = all of the community's; at most [`MAX_CHOSEN_SERVERS`].
    pub servers: Vec<ServerId>,
    /// Which routes to create.
    pub preset: Option<Preset>,
    pub channel: Option<ChannelId>,
    /// Whom to ping.
    pub role: Option<RoleId>,
}

/// Which page of which audit entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    pub user: Option<UserId>,
    pub kind: Option<AuditKind>,
    pub days: u32,
    /// The newest entry when the first page was shown; 0 = now.
    pub upto: i64,
    /// From 0.
    pub page: u32,
}

/// The options of `/call new`, kept until its form is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewCallOptions {
    pub server: Option<ServerId>,
    pub attach: Option<bool>,
    /// A layout and its version.
    pub layout: Option<(i64, i64)>,
}

/// `-`, or the value.
fn optional(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The value, unless it is `-`. `None` if it cannot be read.
fn from_optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { read(text).map(Some) }
}

fn from_digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

impl fmt::Display for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card(verb, on) => f.write_str(&card(*verb, on)),
            Self::PickCard => f.write_str(PICK),
            Self::Setup(step, SetupChoice { servers, preset, channel, role }) => {
                let word = SetupStep::ALL.iter().find(|(known, _)| known == step).map_or("connect", |(_, word)| word);
                let servers: Vec<String> = servers.iter().take(MAX_CHOSEN_SERVERS).map(|server| base36(server.0)).collect();
                let servers = optional(Some(servers.join(".")).filter(|servers| !servers.is_empty()));
                let preset = preset.and_then(|preset| Preset::ALL.iter().position(|known| *known == preset)).map(|at| base36(at as u64));
                let (channel, role) = (channel.map(|id| base36(id.0)), role.map(|id| base36(id.0)));
                write!(f, "t1:{word}:{servers}:{}:{}:{}", optional(preset), optional(channel), optional(role))
            }
            Self::Labels => f.write_str("t1:labels"),
            Self::Link => f.write_str("t1:link"),
            Self::Unlink(guild) => write!(f, "t1:unlink:{}", base36(guild.0)),
            Self::Audit(AuditQuery { user, kind, days, upto, page }) => {
                let user = optional(user.map(|user| base36(user.0)));
                let kind = optional(kind.map(|kind| match kind {
                    AuditKind::Setting => "s",
                    AuditKind::Cad => "c",
                }));
                write!(f, "t2:audit:{user}:{kind}:{}:{}:{}", base36(*days), base36(*upto), base36(*page))
            }
            Self::ReplaceSettings(import) => write!(f, "t2:replace:{}", base36(*import)),
            Self::KeepSettings(import) => write!(f, "t2:keep:{}", base36(*import)),
            Self::RestoreRoutes(change) => write!(f, "t2:restore:{}", base36(*change)),
            Self::NewCall(NewCallOptions { server, attach, layout }) => {
                let attach = optional(attach.map(|attach| if attach { "y" } else { "n" }));
                let (layout, version) = layout.unzip();
                write!(f, "n1:{}:{attach}:{}:{}", optional(*server), optional(layout), optional(version))
            }
            Self::PlaceEmergency(server) => write!(f, "e1:{}", optional(*server)),
            Self::Panic { on, server } => write!(f, "u1:{}:{server}", if *on { "panic" } else { "calm" }),
        }
    }
}

impl CustomId {
    /// Parses a custom id. `None` unless it would be written exactly so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_CUSTOM_ID {
            return None;
        }
        // Several spellings of a number can be parsed, but only one is written.
        Self::read(text).filter(|id| id.to_string() == text)
    }

    fn read(text: &str) -> Option<Self> {
        let (family, rest) = text.split_once(':')?;
        let fields: Vec<&str> = rest.split(':').collect();
        Some(match (family, fields.as_slice()) {
            ("c1", ["pick"]) => Self::PickCard,
            ("c1", _) => parse_card(text).map(|(verb, on)| Self::Card(verb, on))?,
            ("t1", ["labels"]) => Self::Labels,
            ("t1", ["link"]) => Self::Link,
            ("t1", ["unlink", guild]) => Self::Unlink(GuildId(from_base36(guild)?)),
            ("t1", [step, servers, preset, channel, role]) => {
                let (step, _) = SetupStep::ALL.iter().find(|(_, known)| known == step)?;
                let server = |text: &str| from_base36(text).map(ServerId);
                let servers = from_optional(servers, |all| all.split('.').map(server).collect::<Option<Vec<_>>>())?.unwrap_or_default();
                let preset = from_optional(preset, |at| Preset::ALL.get(from_base36::<usize>(at)?).copied())?;
                let channel = from_optional(channel, from_base36)?.map(ChannelId);
                let role = from_optional(role, from_base36)?.map(RoleId);
                Self::Setup(*step, SetupChoice { servers, preset, channel, role })
            }
            ("t2", ["audit", user, kind, days, upto, page]) => Self::Audit(AuditQuery {
                user: from_optional(user, from_base36)?.map(UserId),
                kind: from_optional(kind, |kind| match kind {
                    "s" => Some(AuditKind::Setting),
                    "c" => Some(AuditKind::Cad),
                    _ => None,
                })?,
                days: from_base36(days)?,
                upto: from_base36(upto)?,
                page: from_base36(page)?,
            }),
            ("t2", ["replace", import]) => Self::ReplaceSettings(from_base36(import)?),
            ("t2", ["keep", import]) => Self::KeepSettings(from_base36(import)?),
            ("t2", ["restore", change]) => Self::RestoreRoutes(from_base36(change)?),
            ("n1", [server, attach, layout, version]) => {
                let attach = from_optional(attach, |attach| match attach {
                    "y" => Some(true),
                    "n" => Some(false),
                    _ => None,
                })?;
                let (layout, version) = (from_optional(layout, from_digits)?, from_optional(version, from_digits)?);
                let server = from_optional(server, from_digits)?.map(ServerId);
                // One without the other isn't written, so it isn't accepted either.
                Self::NewCall(NewCallOptions { server, attach, layout: layout.zip(version) })
            }
            ("e1", [server]) => Self::PlaceEmergency(from_optional(server, from_digits)?.map(ServerId)),
            ("u1", [word, server]) => Self::Panic { on: *word == "panic", server: ServerId(from_digits(server)?) },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{CallId, Ident};
    use crate::world::Subject;

    fn ids() -> impl Strategy<Value = CustomId> {
        use prop::option::of;
        let server = || any::<u32>().prop_map(ServerId);
        let card = (prop::sample::select(Verb::ALL.to_vec()), server(), 0..4_u8, any::<i64>(), any::<i64>(), any::<u32>());
        let card = card.prop_map(|((verb, _), server, kind, one, other, nth)| {
            let subject = match kind {
                0 => Subject::Emergency(CallId(one), UnixMs(other)),
                1 => Subject::Dispatch(CallId(one), UnixMs(other)),
                2 => Subject::Panic(Ident(one), UnixMs(other)),
                _ => Subject::Event(one, nth),
            };
            CustomId::Card(verb, On { server, subject })
        });
        let choice = (
            prop::collection::vec(server(), 0..=MAX_CHOSEN_SERVERS),
            of(prop::sample::select(Preset::ALL.to_vec())),
            of(any::<u64>().prop_map(ChannelId)),
            of(any::<u64>().prop_map(RoleId)),
        );
        let choice = choice.prop_map(|(servers, preset, channel, role)| SetupChoice { servers, preset, channel, role });
        let query = (
            of(any::<u64>().prop_map(UserId)),
            of(prop::sample::select(AuditKind::ALL.to_vec())),
            any::<u32>(),
            any::<i64>(),
            any::<u32>(),
        );
        let query = query.prop_map(|(user, kind, days, upto, page)| AuditQuery { user, kind, days, upto, page });
        let call = (of(server()), of(any::<bool>()), of(any::<(i64, i64)>()));
        let call = call.prop_map(|(server, attach, layout)| NewCallOptions { server, attach, layout });
        prop_oneof![
            card,
            (prop::sample::select(SetupStep::ALL.to_vec()), choice).prop_map(|((step, _), choice)| CustomId::Setup(step, choice)),
            prop::sample::select(vec![CustomId::PickCard, CustomId::Labels, CustomId::Link]),
            any::<u64>().prop_map(|guild| CustomId::Unlink(GuildId(guild))),
            query.prop_map(CustomId::Audit),
            any::<i64>().prop_map(CustomId::ReplaceSettings),
            any::<i64>().prop_map(CustomId::KeepSettings),
            any::<i64>().prop_map(CustomId::RestoreRoutes),
            call.prop_map(CustomId::NewCall),
            of(server()).prop_map(CustomId::PlaceEmergency),
            (any::<bool>(), server()).prop_map(|(on, server)| CustomId::Panic { on, server }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back_and_fits(id in ids()) {
            let written = id.to_string();
            prop_assert!(written.len() <= MAX_CUSTOM_ID && written.is_ascii(), "{written}");
            prop_assert_eq!(CustomId::parse(&written), Some(id));
        }

        #[test]
        fn only_what_we_would_write_is_read(
            text in "(c1|t1|t2|n1|e1|u1):(pick|labels|link|unlink|make|audit|replace|keep|restore|panic|calm|[-a-z0-9]{0,4})(:[-+.ynscdpe0-9A-Za-z]{0,5}){0,6}"
        ) {
            prop_assert!(CustomId::parse(&text).is_none_or(|id| id.to_string() == text));
        }

        #[test]
        fn anything_else_is_nothing_and_does_no_harm(text in ".{0,120}") {
            prop_assert!(CustomId::parse(&text).is_none_or(|id| id.to_string() == text));
        }
    }

    /// Messages of released versions keep their buttons.
    #[test]
    fn released_forms_are_read_as_ever() {
        let on = On { server: ServerId(1), subject: Subject::Emergency(CallId(301), UnixMs(1_000)) };
        let choice = SetupChoice {
            servers: vec![ServerId(1), ServerId(36)],
            preset: Preset::ALL.first().copied(),
            channel: Some(ChannelId(35)),
            role: Some(RoleId(u64::MAX)),
        };
        let query = AuditQuery { user: Some(UserId(7)), kind: Some(AuditKind::Cad), days: 90, upto: 0, page: 1 };
        let new = NewCallOptions { server: Some(ServerId(2)), attach: Some(false), layout: Some((41, 3)) };
        for (text, id) in [
            ("c1:respond:1:9:8d:rs", CustomId::Card(Verb::Respond, on)),
            ("c1:pick", CustomId::PickCard),
            ("t1:make:-:-:-:-", CustomId::Setup(SetupStep::Make, SetupChoice::default())),
            ("t1:pick-role:1.10:0:z:3w5e11264sgsf", CustomId::Setup(SetupStep::PickRole, choice)),
            ("t1:labels", CustomId::Labels),
            ("t1:link", CustomId::Link),
            ("t1:unlink:10", CustomId::Unlink(GuildId(36))),
            ("t2:audit:7:c:2i:0:1", CustomId::Audit(query)),
            ("t2:replace:a", CustomId::ReplaceSettings(10)),
            ("t2:keep:a", CustomId::KeepSettings(10)),
            ("t2:restore:10", CustomId::RestoreRoutes(36)),
            ("n1:-:-:-:-", CustomId::NewCall(NewCallOptions { server: None, attach: None, layout: None })),
            ("n1:2:n:41:3", CustomId::NewCall(new)),
            ("e1:-", CustomId::PlaceEmergency(None)),
            ("e1:10", CustomId::PlaceEmergency(Some(ServerId(10)))),
            ("u1:panic:1", CustomId::Panic { on: true, server: ServerId(1) }),
            ("u1:calm:10", CustomId::Panic { on: false, server: ServerId(10) }),
        ] {
            assert_eq!(CustomId::parse(text).as_ref(), Some(&id), "{text}");
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_not_ours() {
        for text in [
            "",
            "t1",
            "c1",
            "c1:pick:1",
            "t1:make:-:-:-",
            "t2:make:-:-:-:-",
            "t1:make:-:-:-:-:-",
            "t1:fly:-:-:-:-",
            "t1:make:-:9:-:-",
            "t1:make:01:-:-:-",
            "t1:make:-:-:+1:-",
            "t1:make:-:-:-:-1",
            "t1:make:1.2.3.4.5.6:-:-:-",
            "t1:make::-:-:-",
            "t1:unlink:01",
            "t1:labels:",
            "t2:audit:-:x:0:0:0",
            "t2:restore:A",
            "n1",
            "n1:-:-:-",
            "n1:-:-:-:-:-",
            "n1:01:-:-:-",
            "n1:-:x:-:-",
            "n1:-:-:1:-",
            "n1:-1:-:-:-",
            "n2:-:-:-:-",
            "e1",
            "e1:",
            "e1:01",
            "e1:+1",
            "e1:1:1",
            "e2:1",
            "e1:4294967296",
            "u1",
            "u1:panic",
            "u1:panic:01",
            "u1:panic:+1",
            "u1:panic:1:1",
            "u2:panic:1",
            "u1:fly:1",
            "u1:panic:4294967296",
            "something else",
        ] {
            assert_eq!(CustomId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_step_has_a_word_of_its_own() {
        let mut words: Vec<&str> = SetupStep::ALL.iter().map(|(_, word)| *word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), SetupStep::ALL.len());
        // They would be read as forms.
        assert!(!words.contains(&"labels") && !words.contains(&"link") && !words.contains(&"unlink"));
    }
}
