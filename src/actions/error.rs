//! Why an action was not done: one sentence for the person, who may be neither operator nor staff. It says what happened, what to do, and
//! who can fix it; the CAD's and the operator's details are for the log and for `/cad status`.

use std::fmt;
use std::time::Duration;

use crate::authorization::Refusal;
use crate::cad::rest::RestError;
use crate::ids::CallId;
use crate::render::text::{self, SafeText, safe};
use crate::store::StoreError;

/// Why not.
#[derive(Clone, Debug)]
pub enum ActionError {
    /// They may not.
    NotPermitted(Refusal),
    /// It is over, or unknown by now: there is nothing to act on.
    Over {
        /// `Call #501`, capitalised.
        what: SafeText,
        /// Its cards are sent again with their current state; false if the bot knows of none.
        redrawn: bool,
    },
    /// There is nothing to do, and nothing was sent: a sentence.
    NothingToDo(SafeText),
    /// The CAD was asked, and changed nothing: a sentence.
    NoEffect(SafeText),
    /// The outcome of an earlier request isn't known yet.
    PreviousOutcomeUnknown {
        /// `call #302`.
        what: SafeText,
    },
    /// The bot has just started: the outcome of earlier requests isn't known yet.
    NotReadYet {
        /// `call #302`.
        what: SafeText,
    },
    /// The CAD refused or failed.
    Cad(RestError),
    /// A read was needed, and the CAD didn't answer it.
    Unread(RestError),
    /// The CAD doesn't know the call or the unit.
    NobodyToAttach { call: CallId },
    /// The CAD may not be used at all.
    NoCad,
    /// This guild watches another community's CAD than the one that the bot has a key for.
    NotConnected,
    /// The community's tasks do not run: why, for people.
    Stopped(&'static str),
    /// Discord does not say which roles somebody has where the rule belongs: nobody may on a guess.
    RolesUnknown,
    /// The bot is stopping: nothing was started.
    Stopping,
    /// The bot can't do it now.
    Busy,
    /// The bot's own database.
    Store,
}

impl ActionError {
    /// What the person reads.
    #[must_use]
    pub fn sentence(&self) -> SafeText {
        match self {
            Self::NotPermitted(refusal) => refusal.sentence(),
            Self::Over { what, .. } => {
                safe!("{} is over: nothing was changed in the CAD, so look at its card, which is brought up to date.", what)
            }
            Self::NothingToDo(sentence) | Self::NoEffect(sentence) => sentence.clone(),
            Self::PreviousOutcomeUnknown { what } => safe!("The CAD has not confirmed yet what was sent a moment ago for {}: the bot is looking, so nothing was sent; try again in a minute.", what),
            Self::NotReadYet { what } => {
                safe!("The bot has just been started and still reads the CAD, so nothing was sent for {}: try again in a minute.", what)
            }
            Self::Cad(error) => of_the_cad(error),
            Self::Unread(error) => of_a_question(error),
            Self::NobodyToAttach { call } => safe!("The CAD no longer knows call #{} or your unit, so nothing was changed: look whether you are still on duty there, then press again.", call),
            Self::NoCad => "This bot cannot act in the CAD: tell its operator to set SONORAN_API_KEY and SONORAN_COMMUNITY_ID.".into(),
            Self::NotConnected => "This Discord server is not connected to a CAD yet: somebody with Manage Server can do that with `/cad setup`.".into(),
            Self::RolesUnknown => "Discord didn't say which roles you have on the community's main Discord server, so nothing was sent: try again in a minute.".into(),
            Self::Stopping => "The bot is being restarted, so nothing was sent: try again in a minute.".into(),
            Self::Busy => "The bot is busy or stopping, and cannot say whether this was done: look at the card in a minute, then try again.".into(),
            Self::Store => "The bot's database did not answer: try again, and tell this bot's operator if it stays.".into(),
            Self::Stopped(why) => SafeText::constant(why),
        }
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentence().fmt(f)
    }
}

impl std::error::Error for ActionError {}

impl From<Refusal> for ActionError {
    fn from(refusal: Refusal) -> Self {
        Self::NotPermitted(refusal)
    }
}

impl From<RestError> for ActionError {
    fn from(error: RestError) -> Self {
        Self::Cad(error)
    }
}

impl From<StoreError> for ActionError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "actions: the store");
        Self::Store
    }
}

/// Longest words of the CAD in a sentence (UTF-16 units).
const MAX_DETAIL: usize = 200;

/// Rounded up: a person who comes back then finds it available.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)
}

fn of_the_cad(error: &RestError) -> SafeText {
    const KEY: &str = "tell this bot's operator that SONORAN_API_KEY";
    match error {
        RestError::Unauthorised => safe!("The CAD does not accept this bot, so nothing was changed: {} is wrong.", KEY),
        RestError::Forbidden => {
            safe!("The CAD does not let this bot in, so nothing was changed: {} is not let in, or the API is switched off there.", KEY)
        }
        RestError::UnknownServer { server } => safe!("The CAD has no server {}, so nothing was changed: tell this bot's operator that SONORAN_SERVER_IDS does not fit.", server),
        RestError::NotFound => {
            "The CAD was not found, so nothing was changed: tell this bot's operator that SONORAN_API_URL does not fit.".into()
        }
        RestError::PlanTooLow => "The CAD's plan does not let a bot do this, so nothing was changed: do it in the CAD, and tell this bot's \
                                  operator that the plan of SONORAN_COMMUNITY_ID is too low.".into(),
        RestError::RateLimited { retry_after } => {
            let wait = seconds(retry_after.unwrap_or(Duration::from_secs(60)));
            safe!("What the CAD allows in a minute is used up, so nothing was changed: try again in {} s, or do it in the CAD.", wait)
        }
        RestError::BudgetSpent { wait } => safe!("The bot has made all the requests that it may make in a minute, so nothing was sent: try again in {} s, or do it in the CAD.", seconds(*wait)),
        RestError::QueueFull => {
            "Too many people wait for Sonoran CAD right now, so nothing was sent: try again in a minute, or do it in the CAD.".into()
        }
        RestError::NoTurn => {
            "Your turn at Sonoran CAD didn't come within 3 minutes, so nothing was sent: try again in a minute, or do it in the CAD.".into()
        }
        RestError::Stopping => ActionError::Stopping.sentence(),
        RestError::Suspended { operation, until, .. } => safe!("Sonoran CAD rejected two \"{}\" requests as malformed, so nothing is sent until <t:{}:t>: do it in the CAD until then.", operation, until.secs()),
        RestError::NotThere { .. } => {
            "The CAD does not know this any more, so nothing was changed: look at the newest card, or in the CAD.".into()
        }
        RestError::Rejected { detail } => {
            let words = if detail.is_empty() { SafeText::default() } else { safe!(" (\"{}\")", text::line(detail, MAX_DETAIL)) };
            safe!("The CAD does not accept this{}, so nothing was changed: enter something else, or do it in the CAD.", words)
        }
        RestError::OutcomeUnknown { .. } => {
            "The CAD did not confirm this, so it may or may not have been done: look in the CAD, or at the card in a minute, before you try again.".into()
        }
        error if error.is_silence() => {
            "Sonoran CAD didn't answer within 10 s, so nothing was changed: try again in a minute, or do it in the CAD.".into()
        }
        RestError::Server { .. } | RestError::Network { .. } => {
            "The CAD could not be reached, so nothing was changed: try again in a minute, and tell this bot's operator if it stays.".into()
        }
        RestError::Unreadable => {
            "The CAD's answer made no sense, so nothing was changed: tell this bot's operator to look whether SONORAN_API_URL is the CAD.".into()
        }
    }
}

/// As [`of_the_cad`], for a read: nothing was to be changed.
fn of_a_question(error: &RestError) -> SafeText {
    match error {
        error if error.is_silence() => "Sonoran CAD didn't answer within 10 s: try again in a minute.".into(),
        RestError::Server { .. } | RestError::Network { .. } | RestError::OutcomeUnknown { .. } => {
            "Sonoran CAD can't be reached: try again in a minute, and tell this bot's operator if it stays.".into()
        }
        RestError::QueueFull => "Too many people wait for Sonoran CAD right now: try again in a minute, or look in the CAD.".into(),
        RestError::NoTurn => "Your turn at Sonoran CAD didn't come within 3 minutes: try again in a minute, or look in the CAD.".into(),
        RestError::Stopping => "The bot is being restarted: try again in a minute.".into(),
        RestError::Suspended { operation, until, .. } => safe!("Sonoran CAD rejected two \"{}\" requests as malformed, so it isn't asked until <t:{}:t>: look in the CAD until then.", operation, until.secs()),
        RestError::NotThere { .. } => "Sonoran CAD doesn't know this: look in the CAD.".into(),
        RestError::PlanTooLow => {
            "The CAD's plan doesn't include this: look in the CAD, and tell this bot's operator that the plan of SONORAN_COMMUNITY_ID is too low.".into()
        }
        other => [", so nothing was changed", ", so nothing was sent"]
            .into_iter()
            .fold(of_the_cad(other), |sentence, words| sentence.replacing(&words.into(), &SafeText::default())),
    }
}

impl ActionError {
    /// For a read.
    pub(super) fn of_a_question(self) -> Self {
        match self {
            Self::Cad(error) => Self::Unread(error),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::Permission;
    use crate::clock::UnixMs;
    use crate::ids::{RoleId, ServerId};

    /// Every sentence, in one place for review.
    fn all() -> Vec<ActionError> {
        let wait = Duration::from_millis(11_200);
        let cad = [
            RestError::Unauthorised,
            RestError::Forbidden,
            RestError::UnknownServer { server: ServerId(2) },
            RestError::NotFound,
            RestError::PlanTooLow,
            RestError::RateLimited { retry_after: Some(wait) },
            RestError::RateLimited { retry_after: None },
            RestError::BudgetSpent { wait },
            RestError::QueueFull,
            RestError::NoTurn,
            RestError::Suspended { operation: "note", wait, until: UnixMs(1_763_700_000_000) },
            RestError::NotThere { detail: "No such call".into() },
            RestError::Rejected { detail: "postal is too long".into() },
            RestError::Rejected { detail: String::new() },
            RestError::OutcomeUnknown { cause: "status 503".into() },
            RestError::Server { status: 500, trace: Some("abc".into()) },
            RestError::Network { cause: "no connection" },
            RestError::Network { cause: "no answer within 10 s" },
            RestError::Unreadable,
        ];
        let refusals = [
            Refusal::Role { role: RoleId(7) },
            Refusal::RoleElsewhere { role: RoleId(7) },
            Refusal::NotLinked,
            Refusal::NotValidated { status: 0 },
            Refusal::NotValidated { status: 2 },
            Refusal::NotValidated { status: 3 },
            Refusal::NotValidated { status: 4 },
            Refusal::NotValidated { status: 9 },
            Refusal::NoPermission { permission: Permission::Dispatch },
            Refusal::NoPermission { permission: Permission::SelfDispatch },
            Refusal::NoPermission { permission: Permission::Lookup },
            Refusal::NotOnDuty { server: ServerId(1) },
        ];
        let own = [
            ActionError::Over { what: "Call #501".into(), redrawn: true },
            ActionError::NobodyToAttach { call: CallId(501) },
            ActionError::PreviousOutcomeUnknown { what: "call #302".into() },
            ActionError::NotReadYet { what: "call #302".into() },
            ActionError::NoCad,
            ActionError::NotConnected,
            ActionError::RolesUnknown,
            ActionError::Stopping,
            ActionError::Busy,
            ActionError::Store,
        ];
        let asked = cad.clone().into_iter().map(ActionError::Unread);
        refusals.into_iter().map(ActionError::from).chain(cad.into_iter().map(ActionError::from)).chain(own).chain(asked).collect()
    }

    #[test]
    fn words_of_the_cad_ping_nobody_and_imitate_nothing() {
        let detail = "@everyone <@1> **[x](https://evil.example)**".to_owned();
        let sentence = ActionError::from(RestError::Rejected { detail }).sentence();
        assert_eq!(
            sentence,
            "The CAD does not accept this (\"@\u{200B}everyone <\u{200B}@\u{200B}1> \\*\\*\\[x\\](https:\u{200B}//evil.\u{200B}example)\\*\\*\"), so nothing \
             was changed: enter something else, or do it in the CAD."
        );
    }

    #[test]
    fn what_people_read() {
        let sentences: Vec<String> = all().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(sentences.join("\n"), @r#"
        Only members with <@&7> may act in the CAD from here: ask this server's staff for that role.
        Only members with a certain role on the community's main Discord server may act in the CAD: ask its staff for that role.
        Your Discord account is not linked to an account of this community's CAD: `/unit link` says what is missing and where to do it; a new link is noticed within a minute.
        Your CAD account still waits for approval: ask your community's staff to validate it in the CAD (Admin > Accounts), then try again.
        Your CAD account has expired: ask your community's staff to renew it in the CAD (Admin > Accounts), then try again.
        Your CAD account was removed from this community: ask your community's staff to let you in again, then try again.
        Your CAD account is banned from this community: ask your community's staff whether they lift it, then try again.
        Your CAD account is not validated: ask your community's staff to validate it in the CAD (Admin > Accounts), then try again.
        Your CAD account lacks the permission Dispatch: ask your community's staff for it, then try again.
        Your CAD account lacks the permission Self-Dispatch or Dispatch: ask your community's staff for it, then try again.
        Your CAD account lacks the permission Police, Fire, EMS or Dispatch: ask your community's staff for it, then try again.
        You are not on duty on server 1: open the CAD, choose your identifier and go on duty there, then try again.
        The CAD does not accept this bot, so nothing was changed: tell this bot's operator that SONORAN_API_KEY is wrong.
        The CAD does not let this bot in, so nothing was changed: tell this bot's operator that SONORAN_API_KEY is not let in, or the API is switched off there.
        The CAD has no server 2, so nothing was changed: tell this bot's operator that SONORAN_SERVER_IDS does not fit.
        The CAD was not found, so nothing was changed: tell this bot's operator that SONORAN_API_URL does not fit.
        The CAD's plan does not let a bot do this, so nothing was changed: do it in the CAD, and tell this bot's operator that the plan of SONORAN_COMMUNITY_ID is too low.
        What the CAD allows in a minute is used up, so nothing was changed: try again in 12 s, or do it in the CAD.
        What the CAD allows in a minute is used up, so nothing was changed: try again in 60 s, or do it in the CAD.
        The bot has made all the requests that it may make in a minute, so nothing was sent: try again in 12 s, or do it in the CAD.
        Too many people wait for Sonoran CAD right now, so nothing was sent: try again in a minute, or do it in the CAD.
        Your turn at Sonoran CAD didn't come within 3 minutes, so nothing was sent: try again in a minute, or do it in the CAD.
        Sonoran CAD rejected two "note" requests as malformed, so nothing is sent until <t:1763700000:t>: do it in the CAD until then.
        The CAD does not know this any more, so nothing was changed: look at the newest card, or in the CAD.
        The CAD does not accept this ("postal is too long"), so nothing was changed: enter something else, or do it in the CAD.
        The CAD does not accept this, so nothing was changed: enter something else, or do it in the CAD.
        The CAD did not confirm this, so it may or may not have been done: look in the CAD, or at the card in a minute, before you try again.
        The CAD could not be reached, so nothing was changed: try again in a minute, and tell this bot's operator if it stays.
        The CAD could not be reached, so nothing was changed: try again in a minute, and tell this bot's operator if it stays.
        Sonoran CAD didn't answer within 10 s, so nothing was changed: try again in a minute, or do it in the CAD.
        The CAD's answer made no sense, so nothing was changed: tell this bot's operator to look whether SONORAN_API_URL is the CAD.
        Call #501 is over: nothing was changed in the CAD, so look at its card, which is brought up to date.
        The CAD no longer knows call #501 or your unit, so nothing was changed: look whether you are still on duty there, then press again.
        The CAD has not confirmed yet what was sent a moment ago for call #302: the bot is looking, so nothing was sent; try again in a minute.
        The bot has just been started and still reads the CAD, so nothing was sent for call #302: try again in a minute.
        This bot cannot act in the CAD: tell its operator to set SONORAN_API_KEY and SONORAN_COMMUNITY_ID.
        This Discord server is not connected to a CAD yet: somebody with Manage Server can do that with `/cad setup`.
        Discord didn't say which roles you have on the community's main Discord server, so nothing was sent: try again in a minute.
        The bot is being restarted, so nothing was sent: try again in a minute.
        The bot is busy or stopping, and cannot say whether this was done: look at the card in a minute, then try again.
        The bot's database did not answer: try again, and tell this bot's operator if it stays.
        The CAD does not accept this bot: tell this bot's operator that SONORAN_API_KEY is wrong.
        The CAD does not let this bot in: tell this bot's operator that SONORAN_API_KEY is not let in, or the API is switched off there.
        The CAD has no server 2: tell this bot's operator that SONORAN_SERVER_IDS does not fit.
        The CAD was not found: tell this bot's operator that SONORAN_API_URL does not fit.
        The CAD's plan doesn't include this: look in the CAD, and tell this bot's operator that the plan of SONORAN_COMMUNITY_ID is too low.
        What the CAD allows in a minute is used up: try again in 12 s, or do it in the CAD.
        What the CAD allows in a minute is used up: try again in 60 s, or do it in the CAD.
        The bot has made all the requests that it may make in a minute: try again in 12 s, or do it in the CAD.
        Too many people wait for Sonoran CAD right now: try again in a minute, or look in the CAD.
        Your turn at Sonoran CAD didn't come within 3 minutes: try again in a minute, or look in the CAD.
        Sonoran CAD rejected two "note" requests as malformed, so it isn't asked until <t:1763700000:t>: look in the CAD until then.
        Sonoran CAD doesn't know this: look in the CAD.
        The CAD does not accept this ("postal is too long"): enter something else, or do it in the CAD.
        The CAD does not accept this: enter something else, or do it in the CAD.
        Sonoran CAD can't be reached: try again in a minute, and tell this bot's operator if it stays.
        Sonoran CAD can't be reached: try again in a minute, and tell this bot's operator if it stays.
        Sonoran CAD can't be reached: try again in a minute, and tell this bot's operator if it stays.
        Sonoran CAD didn't answer within 10 s: try again in a minute.
        The CAD's answer made no sense: tell this bot's operator to look whether SONORAN_API_URL is the CAD.
        "#);
    }

    #[test]
    fn a_sentence_says_what_to_do_and_nothing_that_must_be_explained() {
        let fixes =
            ["ask ", "look ", "try again", "tell ", "do it in the CAD", "go on duty", "/unit link", "/cad setup", "enter something else"];
        for sentence in all().iter().map(ToString::to_string) {
            let fix = sentence.split_once(": ").map_or("", |(_, fix)| fix);
            assert!(fixes.iter().any(|word| fix.contains(word)), "no fix: {sentence}");
            assert!(sentence.ends_with('.') && sentence.matches(". ").count() <= 1 && sentence.chars().count() <= 220, "{sentence}");
            for word in ["HTTP", "status", "JSON", "REST", "detail", "null", "abc"] {
                assert!(!sentence.contains(word), "{word}: {sentence}");
            }
        }
    }

    #[test]
    fn a_question_never_says_that_nothing_was_changed() {
        for refused in all().iter().filter(|refused| matches!(refused, ActionError::Unread(_))) {
            let sentence = refused.to_string();
            assert!(!sentence.contains("nothing was") && !sentence.contains("not changed"), "{sentence}");
        }
        let silence = ActionError::Unread(RestError::Network { cause: "no answer within 10 s" }).to_string();
        assert_eq!(silence, "Sonoran CAD didn't answer within 10 s: try again in a minute.");
    }

    /// Problems that only the operator can fix don't ask the person to do anything.
    #[test]
    fn the_operators_problems_are_for_the_operator() {
        for error in [
            RestError::Unauthorised,
            RestError::Forbidden,
            RestError::UnknownServer { server: ServerId(2) },
            RestError::NotFound,
            RestError::PlanTooLow,
            RestError::Unreadable,
        ] {
            let sentence = ActionError::from(error).to_string();
            assert!(sentence.contains("tell this bot's operator") && sentence.contains("SONORAN_"), "{sentence}");
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!([0, 1, 999, 1_000, 1_001].map(|ms| seconds(Duration::from_millis(ms))), [1, 1, 1, 1, 2]);
    }
}
