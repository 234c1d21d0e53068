//! Finds out who a Discord member is in the CAD. Their account is stored for good; its permissions are trusted for ten minutes, and read
//! again before anybody is refused.
//!
//! ```text
//! never seen ─▶ requested by Discord id, one request each ─▶ linked: stored │ not linked: trusted for a minute
//! known      ─▶ facts older than 10 min: one page of the list of accounts refreshes everybody on it
//! refused    ─▶ requested by Discord id once more, so that nobody is refused on outdated facts
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::coalesce::SingleFlight;
use crate::authorization::Member;
use crate::cad::rest::{Account, AccountStatus, CadReader, Object, Phase, Rank, RestError, Selector, Turn};
use crate::clock::{Clock, UnixMs};
use crate::ids::{CommunityId, ServerId, UserId};
use crate::store::Store;

/// How long the CAD's answer is trusted.
pub(super) const BELIEVED: Duration = Duration::from_secs(600);
/// How long it is trusted that somebody has no account: one request a minute each.
const UNLINKED: Duration = Duration::from_secs(60);
/// Facts of members on duty are refreshed at this age: then they are known when many people press a card.
const REFRESHED_AFTER: Duration = Duration::from_secs(420);
/// A refusal younger than this isn't checked again: pressing faster changes nothing.
const JUST_ASKED: Duration = Duration::from_secs(5);
/// How many requests one person with an account may cause in `ASKED_WITHIN`: the CAD answers ten account requests a minute, for
/// everybody.
const ASKED_AT_MOST: u32 = 3;
/// See [`ASKED_AT_MOST`].
const ASKED_WITHIN: Duration = Duration::from_secs(60);
/// Members held in memory; beyond it those read longest ago are dropped. The store keeps them all.
const MAX_MEMBERS_IN_MEMORY: usize = 5_000;
/// Pages of the list of accounts read for one member: beyond it one request for them is cheaper.
const MAX_LIST_PAGES: usize = 3;

/// What is known about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownMember {
    /// `None`: not linked.
    pub(super) member: Option<Member>,
    /// When the CAD said so.
    pub(super) asked_at: UnixMs,
    /// When the CAD was last asked whose account it is.
    pub(super) linked_at: UnixMs,
}

impl KnownMember {
    /// Whether the facts may have changed, so that a refusal must not rest on them.
    pub(super) fn is_old(&self, now: UnixMs) -> bool {
        match self.member {
            Some(_) => now.since(self.linked_at) >= JUST_ASKED,
            None => now.since(self.asked_at) >= UNLINKED,
        }
    }

    fn is_believed(&self, now: UnixMs) -> bool {
        now.since(self.asked_at) < if self.member.is_some() { BELIEVED } else { UNLINKED }
    }
}

/// The community's members, as far as they were requested.
#[derive(Debug)]
pub(super) struct Members {
    cad: CadReader,
    store: Store,
    clock: Clock,
    community: CommunityId,
    known: Mutex<HashMap<UserId, KnownMember>>,
    /// By rank too: a member on duty doesn't wait behind the same request of somebody off duty.
    asking: SingleFlight<(UserId, Rank), Result<KnownMember, RestError>>,
    /// Pages of the list of accounts being read, by start.
    paging: SingleFlight<(usize, Rank), Result<Page, RestError>>,
    pages: Mutex<Pages>,
    /// Accounts that are on duty.
    on_duty: Mutex<HashSet<String>>,
    /// For each person: since when requests are counted, and how many there were.
    counted: Mutex<HashMap<UserId, (UnixMs, u32)>>,
    /// Accounts that have no unit on duty, and when the CAD said so.
    off_duty: Mutex<HashMap<(ServerId, String), UnixMs>>,
    asking_units: SingleFlight<(ServerId, String), Result<Vec<Object>, RestError>>,
}

impl Members {
    pub(super) fn new(cad: CadReader, store: Store, clock: Clock, community: CommunityId) -> Self {
        Self {
            cad,
            store,
            clock,
            community,
            known: Mutex::default(),
            asking: SingleFlight::default(),
            paging: SingleFlight::default(),
            pages: Mutex::default(),
            on_duty: Mutex::default(),
            counted: Mutex::default(),
            off_duty: Mutex::default(),
            asking_units: SingleFlight::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, KnownMember>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads whose account is whose.
    pub(super) async fn restore(&self) {
        match self.store.members(&self.community, MAX_MEMBERS_IN_MEMORY).await {
            Ok(found) => self.lock().extend(found.into_iter().map(|(user, member, asked_at)| {
                let known = KnownMember { member: Some(member), asked_at, linked_at: asked_at };
                (user, known)
            })),
            Err(error) => tracing::warn!(%error, "the members' accounts could not be read back; the CAD is asked again"),
        }
    }

    /// What is known about a member, if it is still trusted.
    pub(super) fn remembered(&self, user: UserId) -> Option<KnownMember> {
        let now = self.clock.now();
        self.lock().get(&user).filter(|known| known.is_believed(now)).cloned()
    }

    /// Accounts on duty go first when they have to wait.
    pub(super) fn set_on_duty(&self, accounts: HashSet<String>) {
        *self.on_duty.lock().unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    fn rank_of(&self, account: &str) -> Rank {
        let on_duty = self.on_duty.lock().unwrap_or_else(PoisonError::into_inner);
        if on_duty.contains(&account.to_ascii_lowercase()) { Rank::OnDuty } else { Rank::Known }
    }

    /// The last known account, however old.
    async fn mapped(&self, user: UserId) -> Option<KnownMember> {
        let known = self.lock().get(&user).cloned();
        if let Some(known) = known {
            return known.member.is_some().then_some(known);
        }
        match self.store.member(&self.community, user).await {
            Ok(found) => found.map(|(member, asked_at)| KnownMember { member: Some(member), asked_at, linked_at: asked_at }),
            Err(error) => {
                tracing::warn!(%error, "a member's account could not be read back");
                None
            }
        }
    }

    /// Who somebody is: the cached answer, else the CAD's.
    pub(super) async fn known(&self, user: UserId) -> Result<KnownMember, RestError> {
        match self.remembered(user) {
            Some(known) => Ok(known),
            None => Turn::during(Phase::Account, self.found_out(user)).await,
        }
    }

    /// As [`Members::known`], without waiting for a turn.
    pub(super) async fn known_at_once(&self, user: UserId) -> Result<KnownMember, RestError> {
        match (self.remembered(user), self.mapped(user).await) {
            (Some(known), _) => Ok(known),
            (None, Some(mapped)) => self.refreshed(user, mapped, Rank::Background).await,
            (None, None) => self.ask(user, Rank::Background).await,
        }
    }

    async fn found_out(&self, user: UserId) -> Result<KnownMember, RestError> {
        match self.mapped(user).await {
            Some(mapped) => {
                let rank = self.rank_of(mapped.member.as_ref().map_or("", |member| &member.account));
                self.refreshed(user, mapped, rank).await
            }
            None => self.ask(user, Rank::Stranger).await,
        }
    }

    /// The CAD's current answer, but not so often that one person uses up the shared limit: then the last one.
    pub(super) async fn ask_again(&self, user: UserId) -> Result<KnownMember, RestError> {
        let now = self.clock.now();
        let last = self.remembered(user);
        if let Some(unlinked) = last.as_ref().filter(|known| known.member.is_none()) {
            return Ok(unlinked.clone());
        }
        let often = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.retain(|_, (since, _)| now.since(*since) < ASKED_WITHIN);
            let (_, count) = counted.entry(user).or_insert((now, 0));
            *count = count.saturating_add(1);
            *count > ASKED_AT_MOST
        };
        match last {
            Some(known) if often => Ok(known),
            known => {
                let account = match known.and_then(|known| known.member) {
                    Some(member) => Some(member.account),
                    None => self.mapped(user).await.and_then(|known| known.member).map(|member| member.account),
                };
                let rank = account.map_or(Rank::Stranger, |account| self.rank_of(&account));
                Turn::during(Phase::Account, self.ask(user, rank)).await
            }
        }
    }

    /// The CAD's current answer for a Discord id. Simultaneous requests for one member are combined.
    async fn ask(&self, user: UserId, rank: Rank) -> Result<KnownMember, RestError> {
        self.asking
            .run_while(Self::comes_again, (user, rank), || async {
                let account = self.cad.account_of(&Selector::Discord(user.0), rank).await?;
                // Not before the answer: the wait for a turn may have been long.
                let asked_at = self.clock.now();
                let known = KnownMember { member: account.map(member), asked_at, linked_at: asked_at };
                self.remember(user, known.clone());
                let kept = match &known.member {
                    Some(member) => self.store.put_members(&self.community, vec![(user, member.clone(), asked_at)]).await,
                    None => self.store.forget_member(&self.community, user).await,
                };
                if let Err(error) = kept {
                    tracing::warn!(%error, "a member's account could not be kept");
                }
                Ok(known)
            })
            .await
    }

    /// A known member, refreshed from the list of accounts. If they aren't on it, they are requested alone.
    async fn refreshed(&self, user: UserId, mapped: KnownMember, rank: Rank) -> Result<KnownMember, RestError> {
        let Some(account) = mapped.member.as_ref().map(|member| member.account.to_ascii_lowercase()) else {
            return self.ask(user, rank).await;
        };
        // In memory from here on, so that the page that is read finds them.
        let held = self.lock().contains_key(&user);
        if !held {
            self.remember(user, mapped);
        }
        let mut next = self.pages().of(&account);
        let mut looked_at: Vec<usize> = Vec::new();
        while let Some(offset) = next.filter(|offset| looked_at.len() < MAX_LIST_PAGES && !looked_at.contains(offset)) {
            looked_at.push(offset);
            let page = match self.page(offset, rank).await {
                Ok(page) => page,
                // The list fails: one request for them may work.
                Err(
                    RestError::NotThere { .. }
                    | RestError::NotFound
                    | RestError::PlanTooLow
                    | RestError::Unreadable
                    | RestError::Rejected { .. }
                    | RestError::Suspended { .. },
                ) => break,
                Err(error) => return Err(error),
            };
            if page.found.contains(&account)
                && let Some(known) = self.remembered(user)
            {
                return Ok(known);
            }
            next = page.next.or(Some(0));
        }
        if !looked_at.is_empty() {
            self.pages().missed(account, next);
        }
        self.ask(user, rank).await
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a failed shared request is repeated: its initiator had reached the time limit, and we haven't.
    fn comes_again<T>(outcome: &Result<T, RestError>) -> bool {
        matches!(outcome, Err(RestError::NoTurn)) && Turn::current().is_some_and(|turn| turn.has_time())
    }

    /// Reads a page of the list of accounts, and refreshes everybody on it.
    async fn page(&self, offset: usize, rank: Rank) -> Result<Page, RestError> {
        self.paging
            .run_while(Self::comes_again, (offset, rank), || async {
                let page = self.cad.accounts(offset, rank).await?;
                let asked_at = self.clock.now();
                let told: HashMap<String, Member> =
                    page.accounts.into_iter().map(|account| (account.uuid.to_ascii_lowercase(), member(account))).collect();
                let mut kept = Vec::new();
                for (user, known) in self.lock().iter_mut() {
                    let Some(member) = known.member.as_mut() else { continue };
                    if let Some(now) = told.get(&member.account.to_ascii_lowercase()) {
                        *member = now.clone();
                        known.asked_at = asked_at;
                        kept.push((*user, now.clone(), asked_at));
                    }
                }
                // Only of members: others are never needed.
                self.pages().seen(kept.iter().map(|(_, member, _)| member.account.to_ascii_lowercase()), offset);
                if let Err(error) = self.store.put_members(&self.community, kept).await {
                    tracing::warn!(%error, "members' accounts could not be kept");
                }
                Ok(Page { found: told.into_keys().collect(), next: page.next })
            })
            .await
    }

    /// Refreshes a member in the background.
    pub(super) async fn keep_known(&self, user: UserId) -> Result<(), RestError> {
        match self.mapped(user).await {
            Some(mapped) if self.clock.now().since(mapped.asked_at) >= REFRESHED_AFTER => {
                self.refreshed(user, mapped, Rank::Background).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The units of an account on duty, from the CAD's list. An account without units isn't requested again for a moment: its login would
    /// come as an event, and the limit is ten a minute for everybody.
    pub(super) async fn units(&self, server: ServerId, account: &str) -> Result<Vec<Object>, RestError> {
        let (key, now) = ((server, account.to_owned()), self.clock.now());
        {
            let mut off_duty = self.off_duty.lock().unwrap_or_else(PoisonError::into_inner);
            off_duty.retain(|_, asked_at| now.since(*asked_at) < JUST_ASKED);
            if off_duty.contains_key(&key) {
                return Ok(Vec::new());
            }
        }
        self.asking_units
            .run(key.clone(), || async {
                let listed = match self.cad.account_units(server, account).await {
                    Ok(listed) => listed,
                    Err(RestError::NotThere { .. }) => Vec::new(),
                    Err(error) => return Err(error),
                };
                if listed.is_empty() {
                    self.off_duty.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now);
                }
                Ok(listed)
            })
            .await
    }

    fn remember(&self, user: UserId, known: KnownMember) {
        let mut all = self.lock();
        if all.len() >= MAX_MEMBERS_IN_MEMORY
            && !all.contains_key(&user)
            && let Some(oldest) = all.iter().min_by_key(|(_, known)| known.asked_at).map(|(user, _)| *user)
        {
            all.remove(&oldest);
        }
        all.insert(user, known);
    }

    /// Members among `accounts` (UUIDs on duty) whose facts are getting old, the oldest first.
    pub(super) fn growing_old(&self, on_duty: impl Fn(&str) -> bool) -> Vec<UserId> {
        let now = self.clock.now();
        let mut old: Vec<(UnixMs, UserId)> = (self.lock().iter())
            .filter(|(_, known)| now.since(known.asked_at) >= REFRESHED_AFTER)
            .filter(|(_, known)| known.member.as_ref().is_some_and(|member| on_duty(&member.account)))
            .map(|(user, known)| (known.asked_at, *user))
            .collect();
        old.sort_unstable();
        old.into_iter().map(|(_, user)| user).collect()
    }
}

/// The position of members in the list of accounts.
#[derive(Debug, Default)]
struct Pages {
    /// The page on which an account was last seen; `None`: it was searched for and not found, and is requested by Discord id from then on.
    of: HashMap<String, Option<usize>>,
    /// Where the next search begins. Searches continue from each other, so that a few members find all pages of a long list.
    search: usize,
}

impl Pages {
    /// The page to read first; `None`: the list doesn't help.
    fn of(&self, account: &str) -> Option<usize> {
        self.of.get(account).copied().unwrap_or(Some(self.search))
    }

    fn seen(&mut self, accounts: impl Iterator<Item = String>, offset: usize) {
        if self.of.len() > MAX_MEMBERS_IN_MEMORY {
            self.of.clear();
        }
        self.of.extend(accounts.map(|account| (account, Some(offset))));
    }

    /// An account wasn't found. `next` follows the pages read.
    fn missed(&mut self, account: String, next: Option<usize>) {
        // It was seen before and isn't any more: it has moved, and may be searched for.
        if self.of.get(&account).is_some_and(Option::is_some) {
            self.of.remove(&account);
        } else {
            self.of.insert(account, None);
        }
        self.search = next.unwrap_or(0);
    }
}

/// The content of a page of the list of accounts.
#[derive(Clone, Debug)]
struct Page {
    /// The accounts on it, in lower case.
    found: HashSet<String>,
    next: Option<usize>,
}

fn member(account: Account) -> Member {
    Member {
        account: account.uuid,
        name: account.username.unwrap_or_default(),
        status: match account.status {
            AccountStatus::Pending => 0,
            AccountStatus::Validated => 1,
            AccountStatus::Expired => 2,
            AccountStatus::Removed => 3,
            AccountStatus::Banned => 4,
            AccountStatus::Other(number) => number,
        },
        permissions: account.permissions.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::millis;
    use std::future::Future;

    use futures_util::future::join_all;
    use secrecy::SecretString;
    use tenfour_sim::cad::{Account as CadAccount, CadOptions, CadSim, Seen};
    use tokio::time::Instant;

    use super::*;
    use crate::cad::rest::CadRest;

    /// The simulated CAD with its limits, and members with accounts. Time passes only by [`Stage::while_time_passes`].
    struct Stage {
        cad: CadSim,
        store: Store,
        clock: Clock,
        folder: std::path::PathBuf,
    }

    impl Stage {
        async fn new(members: u64) -> Self {
            let cad = CadSim::start(CadOptions::default()).await.unwrap();
            for user in 1..=members {
                let account = CadAccount { username: format!("m{user}"), discord: Some(user.to_string()), ..CadAccount::default() };
                cad.add_account(CadAccount { permissions: vec!["police".into()], ..account });
            }
            let folder = std::env::temp_dir().join(format!("tenfour-members-{:016x}", fastrand::u64(..)));
            let store = Store::open(&folder.join("t.db")).await.unwrap();
            Self { cad, store, clock: Clock::manual(UnixMs(1_000_000_000)), folder }
        }

        async fn members(&self) -> Members {
            let rest =
                CadRest::new(&self.cad.api_url(), SecretString::from(CadOptions::default().api_key), reqwest::Client::new()).reader();
            let members = Members::new(rest, self.store.clone(), self.clock.clone(), CommunityId::new(self.cad.community()));
            members.restore().await;
            members
        }

        fn asked(&self, end: &str) -> usize {
            self.cad.count(|seen| matches!(seen, Seen::Rest { path, .. } if path.ends_with(end)))
        }

        /// Paused time would jump while a socket is waited for: so it is advanced by hand, a little at a time.
        async fn while_time_passes<T>(&self, work: impl Future<Output = T>) -> T {
            self.in_steps_of(50, work).await
        }

        /// As [`Stage::while_time_passes`]; the clock moves by so many ms at a time.
        async fn in_steps_of<T>(&self, step: u32, work: impl Future<Output = T>) -> T {
            let time = async {
                loop {
                    for _ in 0..200 {
                        tokio::task::yield_now().await;
                    }
                    std::thread::sleep(std::time::Duration::from_micros(300));
                    tokio::time::advance(std::time::Duration::from_millis(step.into())).await;
                    self.clock.advance(step.into());
                }
            };
            tokio::select! {
                done = work => done,
                () = time => unreachable!("time never ends"),
            }
        }

        async fn end(self) {
            self.cad.stop().await;
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_never_seen_members_who_press_within_a_minute_all_get_an_answer() {
        let stage = Stage::new(20).await;
        let members = stage.while_time_passes(stage.members()).await;
        let began = Instant::now();
        let known = stage.while_time_passes(join_all((1..=20).map(|user| members.known(UserId(user))))).await;
        assert!(known.iter().all(|known| known.as_ref().is_ok_and(|known| known.member.is_some())), "{known:?}");
        let took = began.elapsed().as_secs();
        assert!((119..180).contains(&took), "{took} s: seven a minute");
        assert_eq!(stage.asked("/accounts/account"), 20, "no question was asked twice, and none was refused by the CAD");
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_keeps_whose_account_is_whose_and_one_list_refreshes_everybody() {
        let stage = Stage::new(7).await;
        let members = stage.while_time_passes(stage.members()).await;
        stage.while_time_passes(join_all((1..=7).map(|user| members.known(UserId(user))))).await;
        drop(members);
        // A month later, after a restart.
        stage.clock.advance(30 * 86_400_000);
        let members = stage.while_time_passes(stage.members()).await;
        let known = stage.while_time_passes(join_all((1..=7).map(|user| members.known(UserId(user))))).await;
        assert!(
            known.iter().all(|known| known.as_ref().is_ok_and(|known| stage.clock.now().since(known.asked_at) < BELIEVED)),
            "{known:?}"
        );
        assert_eq!((stage.asked("/accounts/account"), stage.asked("/general/accounts")), (7, 1));
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_is_not_in_the_list_any_more_is_asked_about_and_forgotten() {
        let stage = Stage::new(1).await;
        let members = stage.while_time_passes(stage.members()).await;
        // Linked to an account that the CAD does not have.
        let gone = Member { account: "gone".into(), name: "x".into(), status: 1, permissions: ["dispatch".to_owned()].into() };
        let community = CommunityId::new(stage.cad.community());
        stage.while_time_passes(stage.store.put_member(&community, UserId(9), &gone, UnixMs(0))).await.unwrap();
        let known = stage.while_time_passes(members.known(UserId(9))).await.unwrap();
        assert_eq!(known.member, None);
        assert_eq!(stage.while_time_passes(stage.store.member(&community, UserId(9))).await.unwrap(), None);
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn members_far_down_a_long_list_are_found_once_and_share_a_page_from_then_on() {
        let stage = Stage::new(1_000).await;
        let members = stage.while_time_passes(stage.members()).await;
        let far: Vec<UserId> = (951..=958).map(UserId).collect();
        stage.while_time_passes(join_all(far.iter().map(|user| members.known(*user)))).await;
        let mut costs = Vec::new();
        for _ in 0..3 {
            stage.clock.advance(millis(BELIEVED));
            let before = (stage.asked("/accounts/account"), stage.asked("/general/accounts"));
            for user in &far {
                let known = stage.while_time_passes(members.known(*user)).await.unwrap();
                assert!(known.member.is_some() && known.is_believed(stage.clock.now()), "{known:?}");
            }
            costs.push((stage.asked("/accounts/account") - before.0, stage.asked("/general/accounts") - before.1));
        }
        assert_eq!(costs, [(3, 10), (0, 1), (0, 1)], "questions by id and pages, a round each");
        // A member who has left the list costs one request, not a search each time.
        let gone = Member { account: "gone".into(), name: "x".into(), status: 1, permissions: ["dispatch".to_owned()].into() };
        let community = CommunityId::new(stage.cad.community());
        let mut pages = Vec::new();
        for _ in 0..2 {
            stage.while_time_passes(stage.store.put_member(&community, UserId(5_000), &gone, UnixMs(0))).await.unwrap();
            members.lock().remove(&UserId(5_000));
            let before = stage.asked("/general/accounts");
            assert_eq!(stage.while_time_passes(members.known(UserId(5_000))).await.unwrap().member, None);
            pages.push(stage.asked("/general/accounts") - before);
        }
        assert_eq!(pages, [MAX_LIST_PAGES, 0]);
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_shares_a_question_keeps_their_own_rank_and_their_own_time() {
        let stage = Stage::new(20).await;
        let members = stage.while_time_passes(stage.members()).await;
        // The budget is used up; somebody who has waited for long, somebody who has just come, and an officer on duty need one account.
        stage.while_time_passes(join_all((1..=7).map(|user| members.known(UserId(user))))).await;
        let began = Instant::now();
        let after = |wait: u64, rank: Rank| {
            let members = &members;
            async move {
                tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
                let answer = Turn::new(20).0.scope(members.ask(UserId(20), rank)).await;
                (answer.map(|known| known.member.is_some()), began.elapsed().as_secs())
            }
        };
        let crowd = join_all((0..20).map(|n| Turn::new(1_000 + n).0.scope(members.ask(UserId(1_000 + n), Rank::Known))));
        let people = async { tokio::join!(after(0, Rank::Stranger), after(100, Rank::Stranger), after(20, Rank::OnDuty), crowd) };
        let (first, second, officer, _) = stage.in_steps_of(500, people).await;
        assert_eq!(first.0, Err(RestError::NoTurn), "{first:?}");
        assert!(second.0 == Ok(true) && second.1 > first.1, "{second:?}");
        assert!(officer.0 == Ok(true) && officer.1 < 70, "{officer:?}");
        stage.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn unlinked_members_cost_one_question_a_minute_each_and_delay_nobody_who_is_known() {
        let stage = Stage::new(1).await;
        let members = stage.while_time_passes(stage.members()).await;
        stage.while_time_passes(members.known(UserId(1))).await.unwrap();
        stage.clock.advance(millis(BELIEVED));
        let flood = async {
            let strangers = join_all((100..140).flat_map(|user| [members.known(UserId(user)), members.known(UserId(user))]));
            let officer = async {
                let began = Instant::now();
                let known = members.known(UserId(1)).await.unwrap();
                (known.member.is_some(), began.elapsed())
            };
            // Nobody waits for the strangers to the end.
            tokio::select! {
                biased;
                officer = officer => officer,
                _ = strangers => panic!("all strangers were answered first"),
            }
        };
        let (is_known, took) = stage.while_time_passes(flood).await;
        assert!(is_known && took < std::time::Duration::from_secs(5), "{took:?}");
        stage.while_time_passes(members.known(UserId(500))).await.unwrap();
        let asked = stage.asked("/accounts/account");
        for _ in 0..5 {
            let again = stage.while_time_passes(members.ask_again(UserId(500))).await.unwrap();
            assert_eq!(again.member, None);
        }
        assert_eq!(stage.asked("/accounts/account"), asked, "a press within the minute is answered from what was said");
        stage.end().await;
    }
}
