//! A member's account in the CAD.

/// A member's account in the CAD. The default one is validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Account UUID; generated if empty.
    pub uuid: String,
    /// Login name.
    pub username: String,
    /// Discord user id, if the member linked one.
    pub discord: Option<String>,
    /// The community's own id for the member, such as a game license.
    pub community_user_id: Option<String>,
    /// 0 pending, 1 validated, 2 expired, 3 removed, 4 banned.
    pub status: i64,
    /// Names of the permissions that are on, such as `dispatch` or `selfDispatch`.
    pub permissions: Vec<String>,
}

impl Default for Account {
    fn default() -> Self {
        Self { uuid: String::new(), username: String::new(), discord: None, community_user_id: None, status: 1, permissions: Vec::new() }
    }
}
