//! Where a post stands.

/// Where a post stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    /// A message in the channel.
    #[default]
    Channel,
    /// A post of its own in a forum channel: a thread named by its title, whose first message it is. Both have one number.
    Forum,
    /// A message in the thread of its parent's message; the thread is opened if there is none.
    Thread,
    /// No message: the thread of its parent's message is put away, once nothing is left to be written there.
    Archive,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 4] = [Self::Channel, Self::Forum, Self::Thread, Self::Archive];

    /// The word in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Forum => "forum",
            Self::Thread => "thread",
            Self::Archive => "archive",
        }
    }

    /// Back from the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.as_str() == word)
    }

    /// Whether it is written into a thread of another post.
    #[must_use]
    pub fn is_in_thread(self) -> bool {
        matches!(self, Self::Thread | Self::Archive)
    }
}
