//! The values of labels: closed sets, so that nothing from the network ever becomes a label.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, for closed label sets.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The label.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// The result of an arrival. `ingest` counts those that are committed, unusable or copies, for every source; the listener and the hub
    /// session count the others.
    Outcome {
        /// In the journal.
        Committed = "committed",
        /// The other source delivered the same event; not stored twice.
        Copy = "copy",
        /// A known type with data that cannot be used.
        Unusable = "unusable",
        /// The bot couldn't accept it now.
        Unavailable = "unavailable",
        /// Key missing or wrong.
        Unauthorised = "unauthorised",
        /// Not an event, or for a server that is not configured.
        Malformed = "malformed",
        /// Larger than accepted.
        TooLarge = "too_large",
        /// Its sender took too long.
        TooSlow = "too_slow",
    }
}

words! {
    /// The result of a member's action in the CAD.
    CadActionOutcome {
        /// The CAD did it.
        Done = "done",
        /// They may not.
        Refused = "refused",
        /// Nothing to do: it is over, or was done already.
        NothingToDo = "needless",
        /// The CAD refused, or couldn't be reached.
        Failed = "failed",
        /// The CAD didn't confirm it.
        OutcomeUnknown = "doubtful",
    }
}

words! {
    /// The result of one attempt to send a post to Discord.
    PostOutcome {
        /// It is on Discord.
        Delivered = "delivered",
        /// Failed, will be tried again.
        Retried = "retried",
        /// Discord will never accept it there.
        Refused = "refused",
        /// Discord said how long to wait.
        Waited = "waited",
    }
}

words! {
    /// Discord's answers to requests, by what they mean for the bot.
    AnswerClass {
        /// 2xx.
        Success = "success",
        /// 401.
        Unauthorised = "unauthorised",
        /// 403.
        Forbidden = "forbidden",
        /// 404.
        NotFound = "not_found",
        /// 429.
        RateLimited = "rate_limited",
        /// Any other below 500.
        Other = "other",
        /// 5xx.
        ServerError = "server_error",
        /// No answer at all.
        Network = "network",
    }
}

words! {
    /// The result of one read of the CAD's REST API.
    ReadOutcome {
        /// It matched the events.
        NothingNew = "nothing_new",
        /// It had changes without events.
        CaughtUp = "caught_up",
        /// Read, but the store couldn't store the result.
        NotStored = "not_stored",
        /// 429.
        RateLimited = "rate_limited",
        /// 401, 402, 403, or an unknown server.
        Refused = "refused",
        /// No answer, or an unusable one.
        Failed = "failed",
    }
}

impl AnswerClass {
    /// The class of an HTTP status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Success,
            401 => Self::Unauthorised,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            429 => Self::RateLimited,
            500.. => Self::ServerError,
            _ => Self::Other,
        }
    }
}

words! {
    /// Why a request to Discord waited before it was sent, or sent again.
    WaitCause {
        /// The bucket of its channel was empty.
        Channel = "channel",
        /// The bot's requests of this second were used up.
        Global = "global",
        /// Discord answered 429.
        RetryAfter = "told",
        /// Too many rejections recently: the bot slows down before Discord bans it.
        Guard = "guard",
        /// A short pause, so that more cards share the last messages of a window.
        Batching = "gather",
        /// The channel failed recently.
        OutagePause = "trouble",
        /// Its message is old, and edits of old messages are few (code 30046).
        Edits = "edits",
    }
}

words! {
    /// Whose limit a 429 was about (`X-RateLimit-Scope`).
    LimitScope {
        /// The bot's own, for one bucket.
        User = "user",
        /// The resource's, used up by anybody.
        Shared = "shared",
        /// The bot's own, for everything.
        Global = "global",
    }
}
