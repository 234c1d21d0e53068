//! Who changed which setting, and who did what in the CAD through the bot. Entries are written and pruned, never changed.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::{Store, StoreError, rows};
use crate::clock::UnixMs;
use crate::ids::{GuildId, UserId};

/// How long entries are kept.
pub const KEEP: Duration = Duration::from_secs(90 * 86_400);
/// Longest text of an entry, in characters; what is longer is cut.
pub const MAX_TEXT: usize = 300;
/// Entries on one page.
pub const PAGE: u32 = 15;
/// Most entries that are read in one go.
pub const MAX_ENTRIES: u32 = 20_000;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditKind {
    /// A setting of the bot was changed.
    Setting,
    /// Something was done, or tried, in the CAD.
    Cad,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Setting, Self::Cad];

    /// The word people type, and that of the row.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::Cad => "cad",
        }
    }

    /// Back from the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One entry. Its texts are raw: at most [`MAX_TEXT`] characters of each are kept, and who shows them passes them through `render::text`.
/// None may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub guild: GuildId,
    pub at: UnixMs,
    pub user: UserId,
    /// What it is about.
    pub kind: AuditKind,
    /// What was asked for: a command (`/alerts add`), a button (`Respond`).
    pub action: String,
    /// What it was done to: `route #3`, `dispatch 1204 on server 1`. May be empty.
    pub target: String,
    /// What was given: the options as people type them, a note's text. May be empty.
    pub detail: String,
    /// What came of it: `done`, or why not.
    pub outcome: String,
}

/// Which entries of a guild are asked for. The default is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this person only.
    pub user: Option<UserId>,
    /// Of this kind only.
    pub kind: Option<AuditKind>,
    /// Not older than this.
    pub since: UnixMs,
    /// Up to the entry of this number ([`Audited::newest`]), so that pages stay as they were while entries are added. `None` = up to the newest.
    pub upto: Option<i64>,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// How many fit the filter in all.
    pub total: u32,
    /// The number of the newest that fits; 0 = none does.
    pub newest: i64,
}

impl Store {
    /// Writes an entry down. It is on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.writer.run(move |connection| insert(connection, &entry)).await
    }

    /// Writes several down, all or none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_all(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.writer.run(move |connection| entries.iter().try_for_each(|entry| insert(connection, entry))).await
    }

    /// A page of a guild's entries, newest first; pages are counted from 0 and hold [`PAGE`] each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audited(&self, guild: GuildId, filter: AuditFilter, page: u32) -> Result<Audited, StoreError> {
        self.reader
            .run(move |connection| {
                let (total, newest) = connection
                    .prepare_cached(&format!("SELECT count(*), coalesce(max(id), 0) FROM audit {FITS}"))?
                    .query_row(params![rows::flake(guild.0), filter.user(), filter.kind(), filter.since.0, filter.upto], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?;
                let entries = select(connection, guild, &filter, PAGE, u64::from(page) * u64::from(PAGE))?;
                Ok(Audited { entries, total, newest })
            })
            .await
    }

    /// The newest entries of a guild since then, newest first: at most [`MAX_ENTRIES`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all_audited(&self, guild: GuildId, filter: AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        self.reader.run(move |connection| select(connection, guild, &filter, MAX_ENTRIES, 0)).await
    }
}

const FITS: &str =
    "WHERE guild = ?1 AND (?2 IS NULL OR user = ?2) AND (?3 IS NULL OR kind = ?3) AND at_ms >= ?4 AND (?5 IS NULL OR id <= ?5)";

impl AuditFilter {
    fn user(&self) -> Option<i64> {
        self.user.map(|user| rows::flake(user.0))
    }

    fn kind(&self) -> Option<&'static str> {
        self.kind.map(AuditKind::as_str)
    }
}

/// Also part of larger transactions.
pub(super) fn insert(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let [action, target, detail, outcome] = [&entry.action, &entry.target, &entry.detail, &entry.outcome].map(|text| cut(text));
    connection
        .prepare_cached("INSERT INTO audit (guild, at_ms, user, kind, action, target, detail, outcome) VALUES (?,?,?,?,?,?,?,?)")?
        .execute(params![
            rows::flake(entry.guild.0),
            entry.at.0,
            rows::flake(entry.user.0),
            entry.kind.as_str(),
            action,
            target,
            detail,
            outcome
        ])
        .map(|_| ())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_TEXT - 1).chain(['…']).collect(),
    }
}

fn select(connection: &Connection, guild: GuildId, filter: &AuditFilter, most: u32, skip: u64) -> rusqlite::Result<Vec<AuditEntry>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT guild, at_ms, user, kind, action, target, detail, outcome FROM audit {FITS} ORDER BY id DESC LIMIT ?6 OFFSET ?7"
    ))?;
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let found =
        select.query_map(params![rows::flake(guild.0), filter.user(), filter.kind(), filter.since.0, filter.upto, most, skip], entry)?;
    found.filter_map(Result::transpose).collect()
}

/// `None` for a kind that this version does not know.
fn entry(row: &Row<'_>) -> rusqlite::Result<Option<AuditEntry>> {
    let kind: String = row.get("kind")?;
    let Some(kind) = AuditKind::parse(&kind) else { return Ok(None) };
    Ok(Some(AuditEntry {
        guild: rows::guild(row, "guild")?,
        at: UnixMs(row.get("at_ms")?),
        user: rows::user(row, "user")?,
        kind,
        action: row.get("action")?,
        target: row.get("target")?,
        detail: row.get("detail")?,
        outcome: row.get("outcome")?,
    }))
}

/// Forgets what is too old: bounded, as all pruning is.
pub(super) fn prune(connection: &Connection, now: UnixMs) -> rusqlite::Result<usize> {
    connection
        .execute("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT 5000)", [now.minus(KEEP).0])
}

#[cfg(test)]
mod tests {
    use super::super::conformance::Folder;
    use super::*;
    use crate::clock::millis;

    const GUILD: GuildId = GuildId(1);
    const DAY: i64 = 86_400_000;

    fn entry(at: i64, user: u64, kind: AuditKind, action: &str) -> AuditEntry {
        AuditEntry {
            guild: GUILD,
            at: UnixMs(at),
            user: UserId(user),
            kind,
            action: action.into(),
            target: "route #1".into(),
            detail: "event:911".into(),
            outcome: "done".into(),
        }
    }

    #[tokio::test]
    async fn newest_first_by_page_person_kind_and_age() {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
        for n in 0..40 {
            let kind = if n % 4 == 0 { AuditKind::Cad } else { AuditKind::Setting };
            store.audit(entry(n * DAY, u64::try_from(n % 2).unwrap(), kind, &n.to_string())).await.unwrap();
        }
        store.audit(AuditEntry { guild: GuildId(2), ..entry(0, 0, AuditKind::Cad, "elsewhere") }).await.unwrap();
        let actions = |page: &Audited| page.entries.iter().map(|entry| entry.action.clone()).collect::<Vec<_>>();

        let first = store.audited(GUILD, AuditFilter::default(), 0).await.unwrap();
        assert_eq!((first.total, first.newest, first.entries.len()), (40, 40, 15));
        assert_eq!(first.entries[0], entry(39 * DAY, 1, AuditKind::Setting, "39"));
        // Entries that are added do not move what is being read.
        store.audit(entry(40 * DAY, 0, AuditKind::Setting, "40")).await.unwrap();
        let still = AuditFilter { upto: Some(first.newest), ..AuditFilter::default() };
        assert_eq!(actions(&store.audited(GUILD, still, 1).await.unwrap())[..2], ["24", "23"]);
        assert_eq!(store.audited(GUILD, still, 2).await.unwrap().entries.len(), 10);
        assert!(store.audited(GUILD, still, u32::MAX).await.unwrap().entries.is_empty());

        let cad = AuditFilter { user: Some(UserId(0)), kind: Some(AuditKind::Cad), since: UnixMs(20 * DAY), upto: None };
        assert_eq!(actions(&store.audited(GUILD, cad, 0).await.unwrap()), ["36", "32", "28", "24", "20"]);
        assert_eq!(store.all_audited(GUILD, cad).await.unwrap().len(), 5);
        let nobody = store.audited(GUILD, AuditFilter { user: Some(UserId(9)), ..AuditFilter::default() }, 0).await.unwrap();
        assert_eq!(nobody, Audited::default());
    }

    #[tokio::test]
    async fn entries_go_after_ninety_days_and_long_texts_are_cut() {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
        store.audit(entry(0, 1, AuditKind::Cad, "old")).await.unwrap();
        store.audit(AuditEntry { detail: "ä".repeat(5_000), ..entry(1, 1, AuditKind::Cad, "young") }).await.unwrap();
        let now = UnixMs(0).plus(KEEP);
        assert_eq!(store.prune(UnixMs(0), UnixMs(0), now).await.unwrap(), 0, "ninety days are kept whole");
        assert_eq!(store.prune(UnixMs(0), UnixMs(0), now.plus_ms(1)).await.unwrap(), 1);
        let left = store.audited(GUILD, AuditFilter::default(), 0).await.unwrap().entries;
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].action.as_str(), left[0].detail.chars().count()), ("young", MAX_TEXT));
        assert!(left[0].detail.ends_with("ä…"));
    }

    #[tokio::test]
    async fn an_import_waits_for_its_person_a_quarter_of_an_hour() {
        let folder = Folder::new();
        let store = Store::open(&folder.0.join("tenfour.db")).await.unwrap();
        let hold = |user: u64, body: &str, at: i64| store.hold_import(GUILD, UserId(user), body.into(), "+".into(), UnixMs(at));
        let first = hold(5, "one", 10).await.unwrap();
        let other = hold(6, "other", 10).await.unwrap();
        let second = hold(5, "two", 20).await.unwrap();
        assert!(second > other, "numbers are not used again");
        assert_eq!(store.held_import(first).await.unwrap(), None, "a newer one took its place");
        let held = store.held_import(second).await.unwrap().unwrap();
        assert_eq!((held.user, held.body.as_str(), held.shown.as_str(), held.since), (UserId(5), "two", "+", UnixMs(20)));
        let end = 20 + millis(super::super::settings::IMPORT_WAITS);
        assert!(!held.is_over(UnixMs(end - 1)) && held.is_over(UnixMs(end)));
        assert!(store.drop_import(other).await.unwrap());
        assert!(!store.drop_import(other).await.unwrap());
        assert_eq!(store.prune(UnixMs(0), UnixMs(0), UnixMs(end + 1)).await.unwrap(), 1);
        assert_eq!(store.held_import(second).await.unwrap(), None);
    }
}
