//! Who may do what in the CAD from Discord. Pure: facts in, yes or a sentence out.
//!
//! The community's API key may do everything, and the CAD does not check for whom it is used (docs/cad-contract.md#r8). So this is the only
//! check there is, and it comes before anything is sent:
//!
//! ```text
//! role of the guild's rule ─▶ account linked ─▶ validated ─▶ permission that the action needs ─▶ on duty, if it needs that
//! ```

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{CommunityId, RoleId, ServerId};
use crate::render::text::{SafeText, safe};

/// How a guild lets its members act in the CAD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionRule {
    /// Only members with this role.
    pub role: Option<RoleId>,
    /// Cards have buttons.
    pub buttons: bool,
    /// `/911` is on.
    pub emergency: bool,
    /// Only members with this role may use `/911`; `role` has no part in that.
    pub emergency_role: Option<RoleId>,
}

impl Default for ActionRule {
    fn default() -> Self {
        Self { role: None, buttons: true, emergency: false, emergency_role: None }
    }
}

/// A member's CAD account, as far as it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The account's UUID.
    pub account: String,
    /// Its name in the CAD.
    pub name: String,
    /// 0 pending, 1 validated, 2 expired, 3 removed, 4 banned (docs/cad-contract.md#n7).
    pub status: i64,
    /// Names of the permissions that are on, in lower case.
    pub permissions: BTreeSet<String>,
}

/// A permission of the CAD that an action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// None: a validated account is enough.
    Account,
    /// `dispatch`.
    Dispatch,
    /// `dispatch` or `selfDispatch`.
    SelfDispatch,
    /// Any of the services that may look things up.
    Lookup,
    /// `police` or `dispatch`: what the police wrote.
    PoliceRecords,
    /// None, to place a call with `/911`: a validated account is enough, and a role of its own may be needed.
    PlaceCall,
}

impl Permission {
    fn held_by(self, member: &Member) -> bool {
        let any = |names: &[&str]| names.iter().any(|name| member.permissions.contains(*name));
        match self {
            Self::Account | Self::PlaceCall => true,
            Self::Dispatch => any(&["dispatch"]),
            Self::SelfDispatch => any(&["dispatch", "selfdispatch"]),
            Self::Lookup => any(&["dispatch", "police", "fire", "ems"]),
            Self::PoliceRecords => any(&["dispatch", "police"]),
        }
    }

    /// As the CAD's admin pages call it.
    fn named(self) -> &'static str {
        match self {
            Self::Account | Self::PlaceCall => "an account",
            Self::Dispatch => "Dispatch",
            Self::SelfDispatch => "Self-Dispatch or Dispatch",
            Self::Lookup => "Police, Fire, EMS or Dispatch",
            Self::PoliceRecords => "Police or Dispatch",
        }
    }
}

/// What an action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Need {
    pub permission: Permission,
    /// A unit of one's own on duty, on this server.
    pub on_duty: Option<ServerId>,
}

/// What is known of who wants to do it.
#[derive(Clone, Copy, Debug)]
pub struct MemberFacts<'a> {
    /// Discord roles.
    pub roles: &'a [RoleId],
    /// The linked account, if there is one.
    pub member: Option<&'a Member>,
    /// Units of that account on duty on the server.
    pub units: usize,
}

/// Why not: a sentence for the person, with its fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The guild's rule.
    Role { role: RoleId },
    /// The guild's rule for `/911`.
    EmergencyRole { role: RoleId },
    /// The community's rule, from another Discord server than the one it belongs to: a role of that one has no name here.
    RoleElsewhere { role: RoleId },
    /// No account.
    NotLinked,
    /// An account that may not be used.
    NotValidated { status: i64 },
    /// The CAD would not let them do it.
    NoPermission {
        /// Which is missing.
        permission: Permission,
    },
    /// Nobody to act as.
    NotOnDuty { server: ServerId },
}

impl Refusal {
    /// What the person reads.
    #[must_use]
    pub fn sentence(&self) -> SafeText {
        match self {
            Self::Role { role } => safe!("Only members with <@&{}> may act in the CAD from here: ask this server's staff for that role.", role),
            Self::EmergencyRole { role } => safe!("Only members with <@&{}> may place calls from here: ask this server's staff for that role.", role),
            Self::RoleElsewhere { .. } => "Only members with a certain role on the community's main Discord server may act in the CAD: ask its staff for that role.".into(),
            Self::NotLinked => "Your Discord account is not linked to an account of this community's CAD: `/unit link` says what is missing and where to do it; a new link is noticed within a minute.".into(),
            Self::NotValidated { status } => safe!("Your CAD account {}, then try again.", state(*status)),
            Self::NoPermission { permission } => safe!("Your CAD account lacks the permission {}: ask your community's staff for it, then try again.", permission.named()),
            Self::NotOnDuty { server } => safe!("You are not on duty on server {}: open the CAD, choose your identifier and go on duty there, then try again.", server),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentence().fmt(f)
    }
}

impl std::error::Error for Refusal {}

fn state(status: i64) -> &'static str {
    match status {
        0 => "still waits for approval: ask your community's staff to validate it in the CAD (Admin > Accounts)",
        2 => "has expired: ask your community's staff to renew it in the CAD (Admin > Accounts)",
        3 => "was removed from this community: ask your community's staff to let you in again",
        4 => "is banned from this community: ask your community's staff whether they lift it",
        _ => "is not validated: ask your community's staff to validate it in the CAD (Admin > Accounts)",
    }
}

/// The validated status (docs/cad-contract.md#n7).
pub const VALIDATED: i64 = 1;

impl Refusal {
    /// What the CAD says may have changed since it was asked: worth asking again. A role is Discord's.
    #[must_use]
    pub fn may_be_outdated(self) -> bool {
        !matches!(self, Self::Role { .. } | Self::EmergencyRole { .. } | Self::RoleElsewhere { .. })
    }
}

/// The role that a rule asks for: `/911` has one of its own.
#[must_use]
pub fn role_for(rule: &ActionRule, permission: Permission) -> Option<RoleId> {
    match permission {
        Permission::PlaceCall => rule.emergency_role,
        _ => rule.role,
    }
}

/// The role alone: needs no question to the CAD.
///
/// # Errors
/// [`Refusal::Role`], [`Refusal::EmergencyRole`].
pub fn by_role_for(rule: &ActionRule, roles: &[RoleId], permission: Permission) -> Result<(), Refusal> {
    match role_for(rule, permission).filter(|role| !roles.contains(role)) {
        None => Ok(()),
        Some(role) if permission == Permission::PlaceCall => Err(Refusal::EmergencyRole { role }),
        Some(role) => Err(Refusal::Role { role }),
    }
}

/// Whether somebody may do what needs `need`.
///
/// # Errors
/// The first reason why not.
pub fn check(rule: &ActionRule, facts: MemberFacts<'_>, need: Need) -> Result<(), Refusal> {
    by_role_for(rule, facts.roles, need.permission)?;
    let member = facts.member.ok_or(Refusal::NotLinked)?;
    if member.status != VALIDATED {
        return Err(Refusal::NotValidated { status: member.status });
    }
    if !need.permission.held_by(member) {
        return Err(Refusal::NoPermission { permission: need.permission });
    }
    match need.on_duty {
        Some(server) if facts.units == 0 => Err(Refusal::NotOnDuty { server }),
        _ => Ok(()),
    }
}

/// Proof that somebody may do something in a community's CAD, on one server. The methods that change the CAD demand it, and [`authorize`] alone
/// creates it: its fields are private, it can't be cloned, and it is never stored.
///
/// ```compile_fail,E0451
/// # use tenfour::authorization::{Granted, Permission};
/// # use tenfour::ids::{CommunityId, ServerId};
/// let community = CommunityId::new("c");
/// let forged = Granted { community, server: ServerId(1), account: String::new(), permission: Permission::Dispatch };
/// ```
///
/// ```compile_fail,E0277
/// # use tenfour::authorization::Granted;
/// fn copies<T: Clone>() {}
/// copies::<Granted>();
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Granted {
    community: CommunityId,
    server: ServerId,
    /// UUID of the member's account.
    account: String,
    permission: Permission,
}

impl Granted {
    /// Whether it counts for this community's CAD and this server of it.
    #[must_use]
    pub fn is_for(&self, community: &CommunityId, server: ServerId) -> bool {
        self.community == *community && self.server == server
    }

    /// UUID of the account of the member who may.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    #[must_use]
    pub fn permission(&self) -> Permission {
        self.permission
    }
}

/// As [`check`], for what changes the CAD of `community`, on `server`.
///
/// # Errors
/// The first reason why not.
pub fn authorize(
    community: &CommunityId,
    server: ServerId,
    rule: &ActionRule,
    facts: MemberFacts<'_>,
    need: Need,
) -> Result<Granted, Refusal> {
    check(rule, facts, need)?;
    let member = facts.member.ok_or(Refusal::NotLinked)?;
    Ok(Granted { community: community.clone(), server, account: member.account.clone(), permission: need.permission })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: RoleId = RoleId(7);

    fn member(status: i64, permissions: &[&str]) -> Member {
        Member { status, permissions: permissions.iter().map(|p| (*p).to_owned()).collect(), ..Member::default() }
    }

    fn checked(rule: &ActionRule, roles: &[RoleId], member: Option<&Member>, units: usize, permission: Permission) -> Result<(), Refusal> {
        check(rule, MemberFacts { roles, member, units }, Need { permission, on_duty: Some(ServerId(1)) })
    }

    #[test]
    fn each_reason_in_its_order() {
        let rule = ActionRule { role: Some(ROLE), ..ActionRule::default() };
        let officer = member(1, &["police", "selfdispatch"]);
        let needs = Permission::SelfDispatch;
        assert_eq!(checked(&rule, &[], Some(&officer), 1, needs), Err(Refusal::Role { role: ROLE }));
        assert_eq!(checked(&rule, &[ROLE], None, 1, needs), Err(Refusal::NotLinked));
        for status in [0, 2, 3, 4, 9] {
            assert_eq!(checked(&rule, &[ROLE], Some(&member(status, &["dispatch"])), 1, needs), Err(Refusal::NotValidated { status }));
        }
        let none = member(1, &["police"]);
        assert_eq!(checked(&rule, &[ROLE], Some(&none), 1, needs), Err(Refusal::NoPermission { permission: needs }));
        assert_eq!(checked(&rule, &[ROLE], Some(&officer), 0, needs), Err(Refusal::NotOnDuty { server: ServerId(1) }));
        assert_eq!(checked(&rule, &[ROLE], Some(&officer), 1, needs), Ok(()));
        assert_eq!(checked(&ActionRule::default(), &[], Some(&officer), 2, needs), Ok(()));
    }

    #[test]
    fn the_officers_role_does_not_restrict_911_which_has_a_role_of_its_own() {
        let known = member(1, &[]);
        let placed = |rule: &ActionRule, roles: &[RoleId]| {
            check(rule, MemberFacts { roles, member: Some(&known), units: 0 }, Need { permission: Permission::PlaceCall, on_duty: None })
        };
        let officers = ActionRule { role: Some(ROLE), ..ActionRule::default() };
        assert_eq!(placed(&officers, &[]), Ok(()));
        let callers = ActionRule { emergency_role: Some(RoleId(8)), ..officers };
        assert_eq!(placed(&callers, &[ROLE]), Err(Refusal::EmergencyRole { role: RoleId(8) }));
        assert_eq!(placed(&callers, &[RoleId(8)]), Ok(()));
        assert_eq!(
            checked(&callers, &[ROLE], Some(&member(1, &["dispatch"])), 1, Permission::Dispatch),
            Ok(()),
            "it restricts nothing else"
        );
    }

    #[test]
    fn dispatchers_may_what_officers_may_and_not_the_other_way_round() {
        let rule = ActionRule::default();
        let of = |permissions: &[&str], needs| checked(&rule, &[], Some(&member(1, permissions)), 1, needs).is_ok();
        for (permissions, expected) in [
            (&["dispatch"][..], [true, true, true, true, true]),
            (&["selfdispatch"], [true, false, true, false, false]),
            (&["police"], [true, false, false, true, true]),
            (&["ems"], [true, false, false, true, false]),
            (&["fire"], [true, false, false, true, false]),
            (&[], [true, false, false, false, false]),
        ] {
            let all = [Permission::Account, Permission::Dispatch, Permission::SelfDispatch, Permission::Lookup, Permission::PoliceRecords];
            assert_eq!(all.map(|needs| of(permissions, needs)), expected, "{permissions:?}");
        }
    }

    #[test]
    fn what_needs_no_unit_asks_for_none() {
        let need = Need { permission: Permission::Account, on_duty: None };
        let known = member(1, &[]);
        assert_eq!(check(&ActionRule::default(), MemberFacts { roles: &[], member: Some(&known), units: 0 }, need), Ok(()));
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let refusals = [
            Refusal::Role { role: ROLE },
            Refusal::RoleElsewhere { role: ROLE },
            Refusal::NotLinked,
            Refusal::NotValidated { status: 0 },
            Refusal::NoPermission { permission: Permission::Dispatch },
            Refusal::NotOnDuty { server: ServerId(2) },
        ];
        for refusal in refusals {
            let sentence = refusal.to_string();
            assert!(["ask", "/unit link", "go on duty"].iter().any(|fix| sentence.contains(fix)) && sentence.ends_with('.'), "{sentence}");
        }
    }

    #[test]
    fn a_rule_that_was_never_set_is_the_default_one() {
        assert_eq!(serde_json::from_str::<ActionRule>("{}").unwrap(), ActionRule::default());
        assert!(ActionRule::default().buttons && !ActionRule::default().emergency);
    }

    #[test]
    fn who_may_not_gets_no_grant_and_a_grant_is_for_one_server_of_one_community() {
        let (ours, theirs) = (CommunityId::new("ours"), CommunityId::new("theirs"));
        let known = Member { account: "uuid".to_owned(), ..member(1, &["dispatch"]) };
        let need = Need { permission: Permission::Dispatch, on_duty: Some(ServerId(1)) };
        let granted =
            |units| authorize(&ours, ServerId(1), &ActionRule::default(), MemberFacts { roles: &[], member: Some(&known), units }, need);
        assert_eq!(granted(0), Err(Refusal::NotOnDuty { server: ServerId(1) }));
        let granted = granted(1).unwrap();
        assert_eq!((granted.account(), granted.permission()), ("uuid", Permission::Dispatch));
        assert!(granted.is_for(&ours, ServerId(1)));
        assert!(!granted.is_for(&ours, ServerId(2)) && !granted.is_for(&theirs, ServerId(1)));
    }
}
