//! Buttons and lists under the bot's answers: their custom ids, and what a press does first of all.
//!
//! All of a wizard's state stands in the custom id, so that a press survives a restart of the bot:
//!
//! ```text
//! t1:verb:servers:preset:channel:role      numbers in base 36, `-` for nothing chosen, servers joined by `.`
//! ```
//!
//! Ids come back from Discord, but were shown to people: they are parsed strictly, and everything in them is checked again.

use serenity::all::{
    ComponentInteraction, ComponentInteractionDataKind, Context, CreateAllowedMentions, CreateInteractionResponse,
    CreateInteractionResponseFollowup, CreateInteractionResponseMessage, EditInteractionResponse, Interaction, Message, MessageFlags,
    MessageInteractionMetadata, ModalInteraction, Permissions,
};

use super::errors::Error;
use super::make::Asker;
use super::{Desk, cad, cards, forms, settings::buttons, unit, wizard};
use crate::clock::UnixMs;
use crate::ids::{ChannelId, GuildId, RoleId, ServerId, UserId};
use crate::route::Preset;

/// Ids of another form belong to another version.
const VERSION: &str = "t1";
/// The form of `/cad labels`. It holds nothing: its guild is the one it is sent from.
pub(super) const LABELS: &str = "t1:labels";
/// Discord's limit of a custom id.
const LONGEST: usize = 100;
/// Most servers that are chosen one by one: more would not fit.
pub const MOST_SERVERS: usize = 5;

/// What a press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
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
    /// Make the routes.
    Make,
    /// Send a test alert.
    Test,
}

const VERBS: [(Verb, &str); 13] = [
    (Verb::Connect, "connect"),
    (Verb::Servers, "servers"),
    (Verb::PickServers, "pick-servers"),
    (Verb::Way, "way"),
    (Verb::Fivem, "fivem"),
    (Verb::Hub, "hub"),
    (Verb::Presets, "presets"),
    (Verb::PickPreset, "pick-preset"),
    (Verb::Place, "place"),
    (Verb::PickChannel, "pick-channel"),
    (Verb::PickRole, "pick-role"),
    (Verb::Make, "make"),
    (Verb::Test, "test"),
];

impl Verb {
    /// Every verb.
    pub fn all() -> impl Iterator<Item = Self> {
        VERBS.iter().map(|(verb, _)| *verb)
    }
}

/// What was chosen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Empty = all of the community's; at most [`MOST_SERVERS`].
    pub servers: Vec<ServerId>,
    /// Which routes to make.
    pub preset: Option<Preset>,
    pub channel: Option<ChannelId>,
    /// Whom to ping.
    pub role: Option<RoleId>,
}

/// The custom id of a press.
#[must_use]
pub fn id(verb: Verb, choice: &Choice) -> String {
    let word = VERBS.iter().find(|(known, _)| *known == verb).map_or("connect", |(_, word)| word);
    let servers: Vec<String> = choice.servers.iter().take(MOST_SERVERS).map(|server| to36(u64::from(server.0))).collect();
    let servers = if servers.is_empty() { "-".to_owned() } else { servers.join(".") };
    let preset = choice.preset.and_then(|preset| Preset::ALL.iter().position(|known| *known == preset)).map(|at| at as u64);
    let or_nothing = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), to36);
    format!(
        "{VERSION}:{word}:{servers}:{}:{}:{}",
        or_nothing(preset),
        or_nothing(choice.channel.map(|id| id.0)),
        or_nothing(choice.role.map(|id| id.0))
    )
}

/// Back from a custom id. `None` unless [`id`] would write exactly this.
#[must_use]
pub fn parse(custom_id: &str) -> Option<(Verb, Choice)> {
    if custom_id.len() > LONGEST {
        return None;
    }
    let mut parts = custom_id.split(':');
    let (version, word, servers, preset, channel, role) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != VERSION || parts.next().is_some() {
        return None;
    }
    let verb = VERBS.iter().find(|(_, known)| *known == word).map(|(verb, _)| *verb)?;
    let servers: Vec<ServerId> = match servers {
        "-" => Vec::new(),
        some => some.split('.').map(|one| u32::try_from(from36(one)?).ok().map(ServerId)).collect::<Option<_>>()?,
    };
    let optional = |text: &str| if text == "-" { Some(None) } else { from36(text).map(Some) };
    let preset = match optional(preset)? {
        None => None,
        Some(at) => Some(*Preset::ALL.get(usize::try_from(at).ok()?)?),
    };
    let (channel, role) = (optional(channel)?.map(ChannelId), optional(role)?.map(RoleId));
    (servers.len() <= MOST_SERVERS).then_some((verb, Choice { servers, preset, channel, role }))
}

pub(super) fn to36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit(u32::try_from(number % 36).unwrap_or(0), 36));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

pub(super) fn from36(text: &str) -> Option<u64> {
    let number = u64::from_str_radix(text, 36).ok()?;
    // One form only: no capital letters, no sign, no leading zeros.
    (to36(number) == text).then_some(number)
}

/// What was chosen from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Picked {
    Nothing,
    Words(Vec<String>),
    Role(Option<RoleId>),
    Channel(Option<ChannelId>),
}

/// One press.
#[derive(Clone, Debug)]
pub(super) struct Press {
    pub(super) verb: Verb,
    pub(super) choice: Choice,
    pub(super) picked: Picked,
    pub(super) asker: Asker,
    /// When the message with the button was made.
    pub(super) shown_at: UnixMs,
}

/// Answers an interaction that is no command.
pub(super) async fn dispatch(ctx: &Context, desk: &Desk, interaction: &Interaction) -> Result<(), Error> {
    match interaction {
        Interaction::Component(component) if cards::is_ours(&component.data.custom_id) => cards::press(ctx, desk, component).await,
        Interaction::Component(component) if buttons::is_ours(&component.data.custom_id) => buttons::press(ctx, desk, component).await,
        Interaction::Component(component) => {
            let custom_id = &component.data.custom_id;
            match (unit::panic::parse(custom_id), cad::unlink::parse(custom_id)) {
                (Some(answer), _) => unit::panic::press(ctx, desk, component, answer).await,
                (None, Some(guild)) => cad::unlink::pressed(ctx, desk, component, guild).await,
                (None, None) => press(ctx, desk, component).await,
            }
        }
        Interaction::Modal(modal) if cards::is_ours(&modal.data.custom_id) => cards::form(ctx, desk, modal).await,
        Interaction::Modal(modal) if forms::is_ours(&modal.data.custom_id) => forms::sent(ctx, desk, modal).await,
        Interaction::Modal(modal) if modal.data.custom_id == cad::link::FORM => cad::link::sent(ctx, desk, modal).await,
        Interaction::Modal(modal) => form(ctx, desk, modal).await,
        _ => Ok(()),
    }
}

pub(super) fn private(sentence: &str) -> CreateInteractionResponse {
    CreateInteractionResponse::Message(
        CreateInteractionResponseMessage::new().content(sentence).ephemeral(true).allowed_mentions(CreateAllowedMentions::new()),
    )
}

pub(super) const NOT_YOURS: &str =
    "Only whoever ran the command may use this, for an hour, and people with Manage Server: run the command yourself, or ask one of them.";

/// How long whoever ran a command may go on with its answer (ms): the permission to run it may be taken away.
pub(super) const GOES_ON: i64 = 3_600_000;

/// Manage Server, or everything.
pub(super) fn manages(permissions: Option<Permissions>) -> bool {
    permissions.unwrap_or_default().intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR)
}

/// Whether somebody may press what is under an answer of `/cad`: whoever was let run that command, or may manage the server.
pub(super) fn may_press(component: &ComponentInteraction) -> bool {
    let manages = manages(component.member.as_ref().and_then(|member| member.permissions));
    let age = component.id.created_at().unix_timestamp() - component.message.id.created_at().unix_timestamp();
    manages || (is_answer_to(&component.message, component.user.id) && age < GOES_ON / 1_000)
}

/// Whether a message is the private answer to a command of that person.
///
/// This is safe, though the guild may have allowed the command to anybody: who runs it was let by Discord, by the command's own permissions or
/// those that the guild set under Integrations. Such an answer is seen by that person alone, and Discord takes presses on it from nobody else.
/// The flag and whose command it was are written by Discord: no bot, webhook or person can put either on a message, and a press says only which
/// component of which message it is on. A button with the same custom id elsewhere is none of this.
fn is_answer_to(message: &Message, user: serenity::all::UserId) -> bool {
    let is_private = message.flags.is_some_and(|flags| flags.contains(MessageFlags::EPHEMERAL));
    let asked = message.interaction_metadata.as_deref();
    is_private && matches!(asked, Some(MessageInteractionMetadata::Command(command)) if command.user.id == user)
}

/// A form that was filled in. It is private from the beginning, whatever comes of it.
async fn form(ctx: &Context, desk: &Desk, modal: &ModalInteraction) -> Result<(), Error> {
    let Some(guild) = modal.guild_id.filter(|_| modal.data.custom_id == LABELS) else {
        return Ok(modal.create_response(ctx, private("This form is from another version of the bot: run the command again.")).await?);
    };
    let who = (GuildId(guild.get()), UserId(modal.user.id.get()));
    let may = manages(modal.member.as_ref().and_then(|member| member.permissions)) || desk.openings.has(who, desk.clock.now());
    let later = CreateInteractionResponseMessage::new().ephemeral(true);
    modal.create_response(ctx, CreateInteractionResponse::Defer(later)).await?;
    let answer = if may { cad::labels::submitted(desk, who, modal).await } else { Ok(cad::labels::refused(modal)) };
    let answer = match answer {
        Ok(page) => page.edit(),
        Err(error) => EditInteractionResponse::new().content(error.sentence("a form")).allowed_mentions(CreateAllowedMentions::new()),
    };
    modal.edit_response(ctx, answer).await?;
    Ok(())
}

async fn press(ctx: &Context, desk: &Desk, component: &ComponentInteraction) -> Result<(), Error> {
    let parsed = parse(&component.data.custom_id);
    let Some(((verb, choice), guild)) = parsed.zip(component.guild_id) else {
        let stale = private("This button is from another version of the bot: run `/cad setup` again.");
        return Ok(component.create_response(ctx, stale).await?);
    };
    if !may_press(component) {
        return Ok(component.create_response(ctx, private(NOT_YOURS)).await?);
    }
    // Discord waits three seconds, the CAD may take longer.
    component.create_response(ctx, CreateInteractionResponse::Acknowledge).await?;
    let press = Press {
        verb,
        choice,
        picked: picked(&component.data.kind),
        asker: Asker {
            guild: GuildId(guild.get()),
            user: UserId(component.user.id.get()),
            here: component.app_permissions.map(|permissions| (ChannelId(component.channel_id.get()), permissions)),
        },
        shown_at: UnixMs(component.message.id.created_at().unix_timestamp().saturating_mul(1_000)),
    };
    match wizard::turn(desk, press).await {
        Ok(page) => {
            component.edit_response(ctx, page.edit()).await?;
        }
        Err(error) => {
            let sentence = error.sentence("a button");
            let told =
                CreateInteractionResponseFollowup::new().content(sentence).ephemeral(true).allowed_mentions(CreateAllowedMentions::new());
            component.create_followup(ctx, told).await?;
        }
    }
    Ok(())
}

fn picked(kind: &ComponentInteractionDataKind) -> Picked {
    match kind {
        ComponentInteractionDataKind::StringSelect { values } => Picked::Words(values.clone()),
        ComponentInteractionDataKind::RoleSelect { values } => Picked::Role(values.first().map(|id| RoleId(id.get()))),
        ComponentInteractionDataKind::ChannelSelect { values } => Picked::Channel(values.first().map(|id| ChannelId(id.get()))),
        _ => Picked::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choices() -> impl Strategy<Value = Choice> {
        (
            prop::collection::vec(any::<u32>().prop_map(ServerId), 0..=MOST_SERVERS),
            prop::option::of(prop::sample::select(Preset::ALL.to_vec())),
            prop::option::of(any::<u64>().prop_map(ChannelId)),
            prop::option::of(any::<u64>().prop_map(RoleId)),
        )
            .prop_map(|(servers, preset, channel, role)| Choice { servers, preset, channel, role })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_fits(at in 0..VERBS.len(), choice in choices()) {
            let written = id(VERBS[at].0, &choice);
            prop_assert!(written.len() <= LONGEST, "{written}");
            prop_assert_eq!(parse(&written), Some((VERBS[at].0, choice)));
        }

        #[test]
        fn only_what_we_would_write_is_read(text in "t1:(make|test|[a-z-]{0,6}):[-0-9a-zA-Z.+]{0,9}:[-0-9a-z]{0,2}:[-0-9a-zA-Z+]{0,14}:[-0-9a-z:]{0,14}") {
            if let Some((verb, choice)) = parse(&text) {
                prop_assert_eq!(id(verb, &choice), text);
            }
        }

        #[test]
        fn anything_else_is_nothing_and_does_no_harm(text in ".{0,120}") {
            prop_assert!(parse(&text).is_none_or(|(verb, choice)| id(verb, &choice) == text));
        }
    }

    #[test]
    fn only_ones_own_private_answer_to_a_command_is_ones_own() {
        let me = serenity::all::UserId::new(7);
        let made = |flags: u64, kind: u8, user: &str| {
            let user = serde_json::json!({ "id": user, "username": "ann", "discriminator": "0", "avatar": null });
            let owners = serde_json::json!({ "0": "1" });
            let mut asked = serde_json::json!({ "id": "9", "type": kind, "user": user, "authorizing_integration_owners": owners });
            if kind == 3 {
                asked["interacted_message_id"] = "8".into();
            }
            let message = serde_json::json!({
                "id": "9", "channel_id": "1", "author": user, "content": "", "timestamp": "2026-11-21T18:00:00Z", "edited_timestamp": null,
                "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
                "pinned": false, "type": 20, "flags": flags, "interaction_metadata": asked
            });
            serde_json::from_value::<Message>(message).unwrap()
        };
        assert!(is_answer_to(&made(64, 2, "7"), me));
        assert!(!is_answer_to(&made(0, 2, "7"), me), "all see it");
        assert!(!is_answer_to(&made(64, 2, "6"), me), "somebody else's");
        assert!(!is_answer_to(&made(64, 3, "7"), me), "anybody may press a button somewhere");
        let mut unasked = made(64, 2, "7");
        unasked.interaction_metadata = None;
        assert!(!is_answer_to(&unasked, me), "nobody's command");
    }

    #[test]
    fn other_forms_are_not_ours() {
        for text in [
            "",
            "t1",
            "t1:make:-:-:-",
            "t2:make:-:-:-:-",
            "t1:make:-:-:-:-:-",
            "t1:fly:-:-:-:-",
            "t1:make:-:9:-:-",
            "t1:make:01:-:-:-",
            "t1:make:-:-:+1:-",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("t1:make:-:-:-:-"), Some((Verb::Make, Choice::default())));
    }

    #[test]
    fn every_verb_has_a_word_of_its_own() {
        let mut words: Vec<&str> = VERBS.iter().map(|(_, word)| *word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), VERBS.len());
    }
}
