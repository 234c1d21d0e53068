//! The text of a post, which memory may leave to its row.

use std::ops::Deref;
use std::sync::Arc;

use crate::render::Message;

/// How much the texts of a community take in memory at most (bytes, about).
pub const MAX_BODIES: usize = 4 * 1_048_576;

/// How a post should look, if memory holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Here {
        message: Arc<Message>,
        /// About how many bytes it takes.
        weight: usize,
    },
    /// Only in its row. Posts of a claim never are.
    Stored,
}

impl Body {
    #[must_use]
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here { .. })
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Here { weight, .. } => *weight,
            Self::Stored => 0,
        }
    }
}

impl From<Message> for Body {
    fn from(message: Message) -> Self {
        let weight = message.weight();
        Self::Here { message: Arc::new(message), weight }
    }
}

/// The text, of posts that have it here: those of a claim, and those that were just drawn.
impl Deref for Body {
    type Target = Message;

    fn deref(&self) -> &Message {
        static NONE: Message = Message {
            content: None,
            embeds: Vec::new(),
            roles: Vec::new(),
            buttons: Vec::new(),
            choices: Vec::new(),
            files: Vec::new(),
            silent: false,
        };
        debug_assert!(self.is_here(), "a text is looked at that was not brought back");
        match self {
            Self::Here { message, .. } => message,
            Self::Stored => &NONE,
        }
    }
}
