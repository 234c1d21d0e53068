//! Why something was not done: one sentence for the person.

use crate::cad::rest::RestError;
use crate::permit::Refusal;
use crate::store::StoreError;

/// Why not.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// They may not.
    #[error(transparent)]
    NotPermitted(#[from] Refusal),
    /// It is over, or nobody knows it any more: there is nothing to do it to.
    #[error("{what} is over: nothing was sent to the CAD, and the card is brought up to date.")]
    Over {
        /// `Call #501`, capitalised.
        what: String,
        /// Its cards are sent again as they should be; false if the bot knows of none.
        redrawn: bool,
    },
    /// There is nothing to be done: a sentence.
    #[error("{0}")]
    Needless(String),
    /// What was asked before is not known yet.
    #[error("The CAD has not confirmed yet what was sent a moment ago for {what}: the bot is looking, so try again in a minute.")]
    Unsure {
        /// `911 #302`.
        what: String,
    },
    /// The CAD did not.
    #[error(transparent)]
    Cad(#[from] RestError),
    /// The CAD is not to be asked at all.
    #[error("This bot cannot act in the CAD: its operator must set SONORAN_API_KEY and SONORAN_API_URL.")]
    NoCad,
    /// This guild watches another community's CAD than the one that the bot has a key for.
    #[error("This Discord server is not connected to a CAD yet: somebody with Manage Server can do that with `/cad setup`.")]
    NotConnected,
    /// The bot cannot do it now.
    #[error("The bot is busy or stopping: try again in a moment.")]
    Busy,
    /// The bot's own store.
    #[error("The bot's database did not answer: try again, and tell the bot's operator if it stays.")]
    Store,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "acting: the store");
        Self::Store
    }
}
