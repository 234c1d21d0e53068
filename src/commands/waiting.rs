//! Shows a person what their command waits for while it waits for the CAD. Never the answer itself.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serenity::all::{CommandInteraction, ComponentInteraction, Context, CreateAllowedMentions, EditInteractionResponse, ModalInteraction};
use tokio::sync::watch;

use crate::cad::rest::{Phase, Turn};
use crate::ids::UserId;

/// Shorter waits aren't shown.
const SHOWN_AFTER: Duration = Duration::from_millis(1_500);
const ACCOUNT: &str = "Checking your CAD account…";
const QUEUED: &str = "Waiting for a turn at Sonoran CAD: this goes through within 3 minutes.";

/// A deferred answer, as the person sees it.
pub(super) trait Screen: Sync {
    fn show<'a>(&'a self, words: &'static str) -> BoxFuture<'a, ()>;
}

macro_rules! screens {
    ($($interaction:ty),*) => {
        $(impl Screen for (&Context, &$interaction) {
            fn show<'a>(&'a self, words: &'static str) -> BoxFuture<'a, ()> {
                let answer = EditInteractionResponse::new().content(words).allowed_mentions(CreateAllowedMentions::new());
                async move { log(self.1.edit_response(self.0, answer).await.map(drop)) }.boxed()
            }
        })*
    };
}

screens!(CommandInteraction, ComponentInteraction, ModalInteraction);

/// Runs `work` in this person's turn, and shows a text for each thing it waits for.
pub(super) async fn shown<T>(user: UserId, work: impl Future<Output = T>, screen: &impl Screen) -> T {
    watched(user, work, screen).await.0
}

/// As [`shown`]; also whether anything was shown.
pub(super) async fn watched<T>(user: UserId, work: impl Future<Output = T>, screen: &impl Screen) -> (T, bool) {
    let (turn, mut phase) = Turn::new(user.0);
    let work = turn.scope(work);
    tokio::pin!(work);
    let mut told = None;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return (done, told.is_some()),
            words = next(&mut phase, told) => {
                told = Some(words);
                screen.show(words).await;
            }
        }
    }
}

/// The text for the current wait, once it takes long; not if it is shown already.
async fn next(phase: &mut watch::Receiver<Phase>, told: Option<&'static str>) -> &'static str {
    loop {
        let words = match *phase.borrow_and_update() {
            Phase::Working => None,
            Phase::Account => Some(ACCOUNT),
            Phase::Queued => Some(QUEUED),
        };
        let changed = match words.filter(|words| Some(*words) != told) {
            None => phase.changed().await,
            Some(words) => tokio::select! {
                changed = phase.changed() => changed,
                () = tokio::time::sleep(SHOWN_AFTER) => return words,
            },
        };
        if changed.is_err() {
            // Nothing more will be shown.
            std::future::pending::<()>().await;
        }
    }
}

/// A failed progress message doesn't hold up the answer.
pub(super) fn log(shown: Result<(), serenity::Error>) {
    if let Err(error) = shown {
        tracing::debug!(%error, "how a request waits could not be shown");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<&'static str>>);

    impl Screen for Seen {
        fn show<'a>(&'a self, words: &'static str) -> BoxFuture<'a, ()> {
            self.0.lock().unwrap().push(words);
            async {}.boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_shown_once_and_a_short_one_never() {
        let seen = Seen::default();
        let work = async {
            Turn::during(Phase::Account, tokio::time::sleep(Duration::from_secs(1))).await;
            Turn::during(Phase::Account, tokio::time::sleep(Duration::from_secs(90))).await;
            Turn::during(Phase::Account, tokio::time::sleep(Duration::from_secs(90))).await;
            Turn::during(Phase::Queued, tokio::time::sleep(Duration::from_secs(60))).await;
            7
        };
        let done = watched(UserId(1), work, &seen).await;
        assert_eq!((done, seen.0.into_inner().unwrap()), ((7, true), vec![ACCOUNT, QUEUED]));
    }
}
