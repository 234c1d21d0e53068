//! Messages, in a form of our own that is stored, so that restarts and upgrades can read it.
//!
//! Every text is [`SafeText`]. Reading one from JSON is allowed here only, for messages that were stored: it was safe when it was written.

use serde::{Deserialize, Serialize};

use super::custom_id::{Verb, card};
use super::text::{self, SafeText};
use crate::clock::UnixMs;
use crate::ids::RoleId;

/// A message as it should be on Discord, in our own serializable form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// One plain sentence; the pings stand before it.
    #[serde(default, deserialize_with = "text::stored_option", skip_serializing_if = "Option::is_none")]
    pub content: Option<SafeText>,
    /// At most 10; all texts together at most 6,000 UTF-16 units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embeds: Vec<Embed>,
    /// The only roles that may be pinged, in their order in `content`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleId>,
    /// Its buttons: at most 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The cards to choose from, if several share the message: at most 25.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Makes no sound (Discord's SUPPRESS_NOTIFICATIONS).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

impl Message {
    /// Subjects of the cards that it names, without duplicates.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let all = self.embeds.iter().flat_map(|embed| &embed.fields).flat_map(|field| &field.links);
        let mut seen = std::collections::BTreeSet::new();
        all.map(|link| link.to.as_str()).filter(move |to| seen.insert(*to))
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        let text = |text: &Option<SafeText>| text.as_ref().map_or(0, |text| text.len());
        let field = |field: &Field| {
            let links: usize = field.links.iter().map(|link| size_of::<CardLink>() + link.text.len() + link.to.len()).sum();
            size_of::<Field>() + field.name.len() + field.value.len() + links
        };
        let embed = |embed: &Embed| {
            let texts = text(&embed.title) + text(&embed.description) + text(&embed.footer);
            size_of::<Embed>() + texts + embed.fields.iter().map(field).sum::<usize>()
        };
        size_of::<Self>()
            + text(&self.content)
            + self.embeds.iter().map(embed).sum::<usize>()
            + self.roles.len() * size_of::<RoleId>()
            + self.buttons.iter().map(|button| size_of::<Button>() + button.on.len()).sum::<usize>()
            + self.choices.iter().map(|choice| size_of::<Choice>() + choice.on.len() + choice.label.len()).sum::<usize>()
            + self.files.iter().map(|file| size_of::<File>() + file.name.len() + file.base64.len() + file.description.len()).sum::<usize>()
    }

    /// What a thread about it is called: its first title, at most 100 characters.
    #[must_use]
    pub fn title(&self) -> Option<SafeText> {
        let embed = self.embeds.first()?;
        let text = embed.title.as_ref().or(embed.description.as_ref())?;
        Some(text.cut(100)).filter(|title| !title.trim().is_empty())
    }
}

/// One embed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embed {
    /// At most 80 characters by our own rule (256 by Discord's).
    #[serde(default, deserialize_with = "text::stored_option", skip_serializing_if = "Option::is_none")]
    pub title: Option<SafeText>,
    /// At most 4,096 UTF-16 units.
    #[serde(default, deserialize_with = "text::stored_option", skip_serializing_if = "Option::is_none")]
    pub description: Option<SafeText>,
    /// 0xRRGGBB.
    pub color: u32,
    /// At most 25, none empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// At most 2,048 UTF-16 units.
    #[serde(default, deserialize_with = "text::stored_option", skip_serializing_if = "Option::is_none")]
    pub footer: Option<SafeText>,
    /// When the CAD said it, or when it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<UnixMs>,
}

/// One field of an embed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// At most 256 UTF-16 units, never empty.
    #[serde(deserialize_with = "text::stored")]
    pub name: SafeText,
    /// At most 1,024 UTF-16 units, never empty.
    #[serde(deserialize_with = "text::stored")]
    pub value: SafeText,
    /// Beside its neighbours, in threes.
    pub inline: bool,
    /// Parts of `value` that link to other cards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<CardLink>,
}

/// A part of a text that links to another card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardLink {
    /// The part, our own words: `Call #501`.
    #[serde(deserialize_with = "text::stored")]
    pub text: SafeText,
    /// The card's subject, as text.
    pub to: String,
}

/// A file to attach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Name shown.
    #[serde(deserialize_with = "text::stored")]
    pub name: SafeText,
    /// Content, base64 of the standard alphabet.
    pub base64: String,
    /// Alternative text.
    #[serde(deserialize_with = "text::stored")]
    pub description: SafeText,
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Its action.
    pub verb: Verb,
    /// The end of its custom id: server and subject.
    pub on: String,
}

impl Button {
    /// Its custom id.
    #[must_use]
    pub fn id(&self) -> String {
        card(self.verb, &self.on)
    }
}

/// One of several cards that share a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The end of its custom id.
    pub on: String,
    /// Its title; at most 100 UTF-16 units.
    #[serde(deserialize_with = "text::stored")]
    pub label: SafeText,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_message_is_read_back_as_it_was_written() {
        let stored = r##"{"content":"<@&7> 911: \\*fire\\*","embeds":[{"title":"🚨 911","description":"a\nb","color":1,"fields":[{"name":"Became","value":"Call #5","inline":true,"links":[{"text":"Call #5","to":"call:5@1"}]}],"footer":"Server 1","timestamp":9}],"roles":[7],"choices":[{"on":"1:9:5:1","label":"x"}],"files":[{"name":"a.png","base64":"","description":"d"}],"silent":true}"##;
        let message: Message = serde_json::from_str(stored).unwrap();
        assert_eq!(message.content.as_deref(), Some(r"<@&7> 911: \*fire\*"));
        assert_eq!(serde_json::to_string(&message).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Message>("{}").unwrap(), Message::default());
    }
}
