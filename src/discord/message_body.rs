//! Writes a message in Discord's own JSON (the resources Message, Embed, and Component), directly, without a tree in between.
//!
//! It never pings a role that isn't in [`Message::roles`].

use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::clock::UnixMs;
use crate::ids::MessageId;
use crate::render::text::SafeText;
use crate::render::{Button, Embed, Message, button};

/// Discord's limits on the buttons of a row and the options of a list.
const MAX_BUTTONS: usize = 5;
const MAX_OPTIONS: usize = 25;
/// Longest label of an option, in UTF-16 units.
const MAX_LABEL: usize = 100;
/// Discord's numbers of the components.
const ACTION_ROW: u8 = 1;
const BUTTON: u8 = 2;
const STRING_SELECT: u8 = 3;

/// A snowflake: a string in JSON, since its number is too large for JavaScript.
struct Snowflake<T>(T);

impl<T: Display> Serialize for Snowflake<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// Fields of new messages only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Create<'m> {
    /// At most 25 characters; `None` in a forum, where there are no nonces.
    pub(super) nonce: Option<&'m str>,
    /// The message it replies to.
    pub(super) reply_to: Option<MessageId>,
}

/// A message, as a request to create or edit it carries it.
#[derive(Serialize)]
pub(super) struct MessageBody<'m> {
    content: &'m str,
    embeds: Vec<EmbedBody<'m>>,
    allowed_mentions: AllowedMentions,
    /// Even if there are none: an edit removes the old ones.
    components: Vec<Component<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforce_nonce: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_reference: Option<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'m>>,
}

#[derive(Serialize)]
struct AllowedMentions {
    parse: [&'static str; 0],
    roles: Vec<Snowflake<crate::ids::RoleId>>,
    replied_user: bool,
}

#[derive(Serialize)]
struct EmbedBody<'m> {
    color: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'m str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldBody<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<Footer<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Snowflake<jiff::Timestamp>>,
}

#[derive(Serialize)]
struct FieldBody<'m> {
    name: &'m str,
    value: &'m str,
    inline: bool,
}

#[derive(Serialize)]
struct Footer<'m> {
    text: &'m str,
}

#[derive(Serialize)]
struct Reference {
    message_id: Snowflake<MessageId>,
    fail_if_not_exists: bool,
}

#[derive(Serialize)]
struct Attachment<'m> {
    id: Snowflake<usize>,
    filename: &'m str,
    description: &'m str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Component<'m> {
    Row {
        #[serde(rename = "type")]
        kind: u8,
        components: Vec<Component<'m>>,
    },
    Button {
        #[serde(rename = "type")]
        kind: u8,
        style: u8,
        label: &'static str,
        emoji: Emoji,
        custom_id: String,
    },
    List {
        #[serde(rename = "type")]
        kind: u8,
        custom_id: &'static str,
        placeholder: &'static str,
        options: Vec<Choosable<'m>>,
    },
}

#[derive(Serialize)]
struct Emoji {
    name: &'static str,
}

#[derive(Serialize)]
struct Choosable<'m> {
    label: SafeText,
    value: &'m str,
}

impl<'m> MessageBody<'m> {
    /// `create`: it is new; otherwise an edit.
    pub(super) fn new(message: &'m Message, create: Option<Create<'m>>) -> Self {
        let edit = Self {
            content: message.content.as_deref().unwrap_or_default(),
            embeds: message.embeds.iter().map(EmbedBody::of).collect(),
            allowed_mentions: AllowedMentions {
                parse: [],
                roles: message.roles.iter().copied().map(Snowflake).collect(),
                replied_user: false,
            },
            components: components(message),
            nonce: None,
            enforce_nonce: None,
            flags: None,
            message_reference: None,
            attachments: Vec::new(),
        };
        let Some(Create { nonce, reply_to }) = create else { return edit };
        let silent = serenity::model::channel::MessageFlags::SUPPRESS_NOTIFICATIONS.bits();
        let described = message.files.iter().enumerate();
        let described = described.map(|(at, file)| Attachment { id: Snowflake(at), filename: &file.name, description: &file.description });
        Self {
            nonce,
            enforce_nonce: nonce.map(|_| true),
            flags: message.silent.then_some(silent),
            // If that was deleted meanwhile, this is sent without a reference.
            message_reference: reply_to.map(|id| Reference { message_id: Snowflake(id), fail_if_not_exists: false }),
            attachments: described.collect(),
            ..edit
        }
    }
}

impl<'m> EmbedBody<'m> {
    fn of(embed: &'m Embed) -> Self {
        let Embed { title, description, color, fields, footer, timestamp } = embed;
        Self {
            color: *color,
            title: title.as_deref(),
            description: description.as_deref(),
            fields: fields.iter().map(|field| FieldBody { name: &field.name, value: &field.value, inline: field.inline }).collect(),
            footer: footer.as_deref().map(|text| Footer { text }),
            timestamp: timestamp.and_then(|UnixMs(ms)| jiff::Timestamp::from_millisecond(ms).ok()).map(Snowflake),
        }
    }
}

/// One row of buttons, or the list of the cards that share the message.
fn components(message: &Message) -> Vec<Component<'_>> {
    let parts: Vec<Component<'_>> = if message.choices.is_empty() {
        let button = |button: &Button| {
            let (name, label) = button.verb.face();
            let custom_id = button.id();
            Component::Button { kind: BUTTON, style: button.verb.style(), label, emoji: Emoji { name }, custom_id }
        };
        message.buttons.iter().take(MAX_BUTTONS).map(button).collect()
    } else {
        let options = message.choices.iter().take(MAX_OPTIONS);
        let options = options.map(|choice| Choosable { label: choice.label.cut(MAX_LABEL), value: &choice.on }).collect();
        vec![Component::List { kind: STRING_SELECT, custom_id: button::PICK, placeholder: "Act on one of these calls…", options }]
    };
    if parts.is_empty() { Vec::new() } else { vec![Component::Row { kind: ACTION_ROW, components: parts }] }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;
    use crate::ids::RoleId;

    fn written(message: &Message, create: Option<Create<'_>>) -> Value {
        to_value(MessageBody::new(message, create)).unwrap()
    }

    #[test]
    fn a_body_never_pings_what_was_not_configured() {
        let message = Message { content: Some("<@&5> @everyone".into()), roles: vec![RoleId(5)], silent: true, ..Message::default() };
        let create = written(&message, Some(Create { nonce: Some("n"), reply_to: Some(MessageId(9)) }));
        assert_eq!(create["allowed_mentions"], json!({ "parse": [], "roles": ["5"], "replied_user": false }));
        assert_eq!(
            (create["nonce"].as_str(), create["enforce_nonce"].as_bool(), create["flags"].as_u64()),
            (Some("n"), Some(true), Some(1 << 12))
        );
        assert_eq!(create["message_reference"]["message_id"], "9");
        let edit = written(&message, None);
        assert_eq!(edit["allowed_mentions"], create["allowed_mentions"]);
        assert_eq!(edit["components"], json!([]), "an edit takes away what stood there");
        assert!(edit.get("nonce").is_none() && edit.get("flags").is_none());
    }

    #[test]
    fn a_forums_post_has_no_nonce() {
        let post = written(&Message::default(), Some(Create { nonce: None, reply_to: None }));
        assert!(post.get("nonce").is_none() && post.get("enforce_nonce").is_none(), "{post}");
    }
}
