//! Options with a fixed set of words: the words themselves are what Discord sends, so that people and scripts may type them.

use serenity::all::{CommandInteraction, CommandOptionType, Context, CreateCommandOption, ResolvedValue};
use serenity::async_trait;

use crate::event::Topic;
use crate::render::{BoardKind, Style};
use crate::route::{Listens, Preset, Threads, When};
use crate::store::audit::AuditKind;

/// `event:` of a route: everything, or a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event(pub(super) Listens);

/// `event:` of a test: a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct TestEvent(pub(super) Topic);

/// `style:`.
#[derive(Clone, Copy, Debug)]
pub(super) struct StyleChoice(pub(super) Style);

/// `name:` of a preset.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresetChoice(pub(super) Preset);

/// `when:` of a ping.
#[derive(Clone, Copy, Debug)]
pub(super) struct WhenChoice(pub(super) When);

/// `mode:` of threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadsChoice(pub(super) Threads);

/// `clear:` of an edit: Discord can't send an option without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clearing {
    /// Ping nobody.
    Role,
    /// Of all servers.
    Server,
}

/// `clear:`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clear(pub(super) Clearing);

/// `kind:` of a board.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindChoice(pub(super) BoardKind);

/// Whose hours are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Each member's.
    Member,
    /// Each department's.
    Department,
}

/// `by:` of a leaderboard.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByChoice(pub(super) By);
/// `kind:` of audit entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryKind(pub(super) AuditKind);

/// `on` or `off`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch(pub(super) bool);

/// Words for Discord: what is shown, what is sent.
type Words = Vec<(String, &'static str)>;

fn topics() -> Words {
    Topic::ALL.into_iter().map(|topic| (said(topic.as_str(), topic.label()), topic.as_str())).collect()
}

fn said(word: &str, label: &str) -> String {
    format!("{word}: {}", label.to_lowercase())
}

/// Every style with what it is good for.
pub(super) const STYLES: [(Style, &str, &str); 4] = [
    (Style::Card, "card", "everything, kept up to date"),
    (Style::Compact, "compact", "one line and a colour"),
    (Style::Log, "log", "lines gathered into one message"),
    (Style::Public, "public", "kind, street and state: no names"),
];

/// The word of a style.
pub(super) fn style_word(style: Style) -> &'static str {
    STYLES.iter().find(|(known, ..)| *known == style).map_or("card", |(_, word, _)| word)
}

macro_rules! words {
    ($name:ident, $words:expr, $parse:expr) => {
        #[async_trait]
        impl poise::SlashArgument for $name {
            async fn extract(_: &Context, _: &CommandInteraction, value: &ResolvedValue<'_>) -> Result<Self, poise::SlashArgError> {
                let ResolvedValue::String(word) = *value else {
                    return Err(poise::SlashArgError::new_command_structure_mismatch("expected a word"));
                };
                let parse = $parse;
                parse(word).map(Self).ok_or_else(|| poise::SlashArgError::new_parse("it is none of the choices".into(), word.to_owned()))
            }

            fn create(builder: CreateCommandOption) -> CreateCommandOption {
                let words: Words = $words;
                words
                    .into_iter()
                    .fold(builder.kind(CommandOptionType::String), |builder, (name, word)| builder.add_string_choice(name, word))
            }
        }
    };
}

words!(Event, [("all: everything that is posted".to_owned(), "all")].into_iter().chain(topics()).collect(), Listens::parse);
words!(TestEvent, topics(), Topic::parse);
words!(StyleChoice, STYLES.iter().map(|(_, word, what)| (said(word, what), *word)).collect(), |word: &str| STYLES
    .iter()
    .find(|(_, known, _)| *known == word)
    .map(|(style, ..)| *style));
words!(
    KindChoice,
    BoardKind::ALL.into_iter().map(|kind| (said(kind.as_str(), kind.describe()), kind.as_str())).collect(),
    BoardKind::parse
);
words!(
    PresetChoice,
    Preset::ALL.into_iter().map(|preset| (said(preset.as_str(), preset.describe()), preset.as_str())).collect(),
    Preset::parse
);

words!(
    WhenChoice,
    When::ALL
        .into_iter()
        .map(|when| {
            let what = match when {
                When::Always => "for everything new",
                When::Priority1 => "only for what has priority 1",
                When::NoDispatcher => "only while no dispatcher is on duty",
                When::Never => "not at all",
            };
            (said(when.as_str(), what), when.as_str())
        })
        .collect(),
    When::parse
);
words!(
    ThreadsChoice,
    Threads::ALL
        .into_iter()
        .map(|mode| {
            let what = match mode {
                Threads::Off => "no threads",
                Threads::OnFirstNote => "with a call's first note",
                Threads::Always => "with every new call",
            };
            (said(mode.as_str(), what), mode.as_str())
        })
        .collect(),
    Threads::parse
);
words!(Clear, vec![(said("role", "ping nobody"), "role"), (said("server", "events of all servers"), "server")], |word: &str| match word {
    "role" => Some(Clearing::Role),
    "server" => Some(Clearing::Server),
    _ => None,
});
words!(
    ByChoice,
    vec![(said("member", "each member's hours"), "member"), (said("department", "each department's hours"), "department")],
    |word: &str| match word {
        "member" => Some(By::Member),
        "department" => Some(By::Department),
        _ => None,
    }
);

words!(
    EntryKind,
    AuditKind::ALL
        .into_iter()
        .map(|kind| {
            let what = match kind {
                AuditKind::Setting => "changes of settings",
                AuditKind::Cad => "what was done in the CAD",
            };
            (said(kind.as_str(), what), kind.as_str())
        })
        .collect(),
    AuditKind::parse
);

words!(Switch, vec![("on".to_owned(), "on"), ("off".to_owned(), "off")], |word: &str| match word {
    "on" => Some(true),
    "off" => Some(false),
    _ => None,
});
