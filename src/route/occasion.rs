//! The input of routes: something that may be posted.

use crate::event::{Priority, Topic};
use crate::ids::{CommunityId, ServerId};

/// Something that may be posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Occasion<'a> {
    pub community: &'a CommunityId,
    pub server: ServerId,
    /// What kind.
    pub topic: Topic,
    /// A dispatch call's priority, or that of an emergency call whose `metaData` has one.
    pub priority: Option<&'a Priority>,
    /// A page that says it is an emergency.
    pub urgent: bool,
}
