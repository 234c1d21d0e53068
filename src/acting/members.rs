//! Who a Discord member is in the CAD: asked once in ten minutes, kept over restarts, asked again before anybody is refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::together::Flights;
use crate::cad::rest::{Account, AccountStatus, CadRest, Object, RestError, Selector};
use crate::clock::{Clock, UnixMs};
use crate::ids::{CommunityId, ServerId, UserId};
use crate::permit::Member;
use crate::store::Store;

/// What the CAD said is believed for so long (ms).
pub(super) const BELIEVED: i64 = 600_000;
/// Facts of members on duty are asked anew when they are so old (ms): a rush on a card then finds them known.
const WARMED: i64 = 420_000;
/// A refusal that is so young is not asked again (ms): pressing faster changes nothing.
const JUST_ASKED: i64 = 5_000;
/// A person makes the bot ask so often in `ASKED_WITHIN` at most: the CAD answers ten questions about accounts a minute, for everybody.
const ASKED_AT_MOST: u32 = 3;
/// See [`ASKED_AT_MOST`] (ms).
const ASKED_WITHIN: i64 = 60_000;
/// Members remembered; beyond it those asked about longest ago go.
const MOST: usize = 5_000;

/// What is known of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// `None`: not linked.
    pub(super) member: Option<Member>,
    /// When the CAD said so.
    pub(super) asked_at: UnixMs,
}

impl Known {
    /// Whether what was said may be different by now, so that a refusal must not rest on it.
    pub(super) fn is_old(&self, now: UnixMs) -> bool {
        now.since(self.asked_at) >= JUST_ASKED
    }
}

/// The community's members, as far as they were asked about.
#[derive(Debug)]
pub(super) struct Members {
    cad: CadRest,
    store: Store,
    clock: Clock,
    community: CommunityId,
    known: Mutex<HashMap<UserId, Known>>,
    asking: Flights<UserId, Result<Known, RestError>>,
    /// Since when each person's questions are counted, and how many there were.
    counted: Mutex<HashMap<UserId, (UnixMs, u32)>>,
    /// Accounts that have no unit on duty, and when the CAD said so.
    off_duty: Mutex<HashMap<(ServerId, String), UnixMs>>,
    asking_units: Flights<(ServerId, String), Result<Vec<Object>, RestError>>,
}

impl Members {
    pub(super) fn new(cad: CadRest, store: Store, clock: Clock, community: CommunityId) -> Self {
        Self {
            cad,
            store,
            clock,
            community,
            known: Mutex::default(),
            asking: Flights::default(),
            counted: Mutex::default(),
            off_duty: Mutex::default(),
            asking_units: Flights::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads back what was known before the restart.
    pub(super) async fn restore(&self) {
        let since = self.clock.now().plus(-BELIEVED);
        match self.store.members_since(&self.community, since).await {
            Ok(found) => self.lock().extend(found.into_iter().take(MOST).map(|(user, member, asked_at)| {
                let known = Known { member: Some(member), asked_at };
                (user, known)
            })),
            Err(error) => tracing::warn!(%error, "the members' accounts could not be read back; the CAD is asked anew"),
        }
    }

    /// What is known of a member, if it is still believed.
    pub(super) fn remembered(&self, user: UserId) -> Option<Known> {
        let now = self.clock.now();
        self.lock().get(&user).filter(|known| now.since(known.asked_at) < BELIEVED).cloned()
    }

    /// As [`Members::ask`], but not so often that one person uses up what is there for everybody: then it is what was said last.
    pub(super) async fn ask_again(&self, user: UserId) -> Result<Known, RestError> {
        let now = self.clock.now();
        let often = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.retain(|_, (since, _)| now.since(*since) < ASKED_WITHIN);
            let (_, count) = counted.entry(user).or_insert((now, 0));
            *count = count.saturating_add(1);
            *count > ASKED_AT_MOST
        };
        match self.remembered(user) {
            Some(known) if often => Ok(known),
            _ => self.ask(user).await,
        }
    }

    /// What the CAD says now. Several who ask about one member at once ask together.
    pub(super) async fn ask(&self, user: UserId) -> Result<Known, RestError> {
        self.asking
            .fly(user, || async {
                let asked_at = self.clock.now();
                let member = self.cad.account(&Selector::Discord(user.0)).await?.map(member);
                let known = Known { member, asked_at };
                self.remember(user, known.clone());
                let kept = match &known.member {
                    Some(member) => self.store.put_member(&self.community, user, member, asked_at).await,
                    None => self.store.forget_member(&self.community, user).await,
                };
                if let Err(error) = kept {
                    tracing::warn!(%error, "a member's account could not be kept");
                }
                Ok(known)
            })
            .await
    }

    /// The units of an account on duty, as the CAD lists them. Who has none is not asked about again for a moment: whoever goes on duty
    /// meanwhile is heard of by the event, and the question has ten a minute for everybody.
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
            .fly(key.clone(), || async {
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

    fn remember(&self, user: UserId, known: Known) {
        let mut all = self.lock();
        if all.len() >= MOST
            && !all.contains_key(&user)
            && let Some(oldest) = all.iter().min_by_key(|(_, known)| known.asked_at).map(|(user, _)| *user)
        {
            all.remove(&oldest);
        }
        all.insert(user, known);
    }

    /// Members among `accounts` (UUIDs on duty) whose facts grow old, the oldest first.
    pub(super) fn growing_old(&self, on_duty: impl Fn(&str) -> bool) -> Vec<UserId> {
        let now = self.clock.now();
        let mut old: Vec<(UnixMs, UserId)> = (self.lock().iter())
            .filter(|(_, known)| now.since(known.asked_at) >= WARMED)
            .filter(|(_, known)| known.member.as_ref().is_some_and(|member| on_duty(&member.account)))
            .map(|(user, known)| (known.asked_at, *user))
            .collect();
        old.sort_unstable();
        old.into_iter().map(|(_, user)| user).collect()
    }
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
