//! Where a post is posted.

/// Where a post is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    /// A message in the channel.
    #[default]
    Channel,
    /// A post of its own in a forum channel: a thread named by its title, and its first message. Both have the same id.
    Forum,
    /// A message in the thread of its parent's message; the thread is opened if there is none.
    Thread,
    /// No message: archives the thread of its parent's message, once nothing is left to be written there.
    Archive,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 4] = [Self::Channel, Self::Forum, Self::Thread, Self::Archive];

    /// The name in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Forum => "forum",
            Self::Thread => "thread",
            Self::Archive => "archive",
        }
    }

    /// Parses the name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.as_str() == word)
    }

    /// Whether it is written into another post's thread.
    #[must_use]
    pub fn is_in_thread(self) -> bool {
        matches!(self, Self::Thread | Self::Archive)
    }
}
