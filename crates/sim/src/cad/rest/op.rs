//! Maps a request to its operation and limit.

/// Requests a minute where the documentation names no limit, as for most operations.
const UNDOCUMENTED: u32 = 10;

/// The operation. The numbers are a server and a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op<'a> {
    Version,
    Info,
    LoginPage,
    Servers,
    Account,
    Accounts,
    Lookup,
    Templates,
    Template(i64),
    CurrentCall(&'a str),
    Identifiers(&'a str),
    Units(i64),
    AccountUnits(i64, &'a str),
    Status(i64),
    Panic(i64),
    Kick(i64),
    Calls(i64),
    Create911(i64),
    Remove911(i64, i64),
    CreateDispatch(i64),
    CreateCustomDispatch(i64),
    EditDispatch(i64, i64),
    Attach(i64, i64),
    Detach(i64),
    Note(i64, i64),
    Close(i64),
    Postal(i64, i64),
    Primary(i64, i64),
}

impl<'a> Op<'a> {
    pub(super) fn find(method: &str, path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/v2/")?.trim_end_matches('/').split('/').collect();
        let number = |text: &str| text.parse::<i64>().ok();
        Some(match (method, parts.as_slice()) {
            ("GET", ["general", "version"]) => Op::Version,
            ("GET", ["general", "info"]) => Op::Info,
            ("GET", ["general", "login-page"]) => Op::LoginPage,
            ("GET", ["general", "servers"]) => Op::Servers,
            ("GET", ["general", "accounts", "account"]) => Op::Account,
            ("GET", ["general", "accounts"]) => Op::Accounts,
            ("POST", ["general", "lookups"]) => Op::Lookup,
            ("GET", ["emergency", "dispatch-templates"]) => Op::Templates,
            ("GET", ["emergency", "dispatch-templates", template]) => Op::Template(number(template)?),
            ("GET", ["emergency", "accounts", uuid, "current-call"]) => Op::CurrentCall(uuid),
            ("GET", ["emergency", "accounts", uuid, "identifiers"]) => Op::Identifiers(uuid),
            (method, ["emergency", "servers", server, rest @ ..]) => {
                let server = number(server)?;
                match (method, rest) {
                    ("GET", ["units"]) => Op::Units(server),
                    ("GET", ["accounts", uuid, "units"]) => Op::AccountUnits(server, uuid),
                    ("PATCH", ["units", "status"]) => Op::Status(server),
                    ("PATCH", ["units", "panic"]) => Op::Panic(server),
                    ("POST" | "DELETE", ["units", "kick"]) => Op::Kick(server),
                    ("GET", ["calls"]) => Op::Calls(server),
                    ("POST", ["calls", "911"]) => Op::Create911(server),
                    ("DELETE", ["calls", "911", call]) => Op::Remove911(server, number(call)?),
                    ("POST", ["dispatch-calls"]) => Op::CreateDispatch(server),
                    ("POST", ["custom-dispatch-calls"]) => Op::CreateCustomDispatch(server),
                    ("POST", ["dispatch-calls", "close"]) => Op::Close(server),
                    ("DELETE", ["dispatch-calls", "attachments"]) => Op::Detach(server),
                    ("PATCH", ["dispatch-calls", call]) => Op::EditDispatch(server, number(call)?),
                    ("POST", ["dispatch-calls", call, "attachments"]) => Op::Attach(server, number(call)?),
                    ("POST", ["dispatch-calls", call, "notes"]) => Op::Note(server, number(call)?),
                    ("PATCH", ["dispatch-calls", call, "postal"]) => Op::Postal(server, number(call)?),
                    ("PATCH", ["dispatch-calls", call, "primary"]) => Op::Primary(server, number(call)?),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    /// Name and requests per minute (docs/cad-contract.md#r10).
    pub(super) fn limit(self) -> (&'static str, u32) {
        match self {
            Op::Version => ("version", 10),
            Op::Info => ("info", 10),
            Op::LoginPage => ("login-page", 10),
            Op::Servers => ("servers", 10),
            Op::Account => ("account", 10),
            Op::Accounts => ("accounts", 10),
            Op::Lookup => ("lookup", 30),
            Op::Templates => ("templates", UNDOCUMENTED),
            Op::Template(_) => ("template", UNDOCUMENTED),
            Op::CurrentCall(_) => ("current-call", 10),
            Op::Identifiers(_) => ("identifiers", 10),
            Op::Units(_) => ("units", 3),
            Op::AccountUnits(..) => ("account-units", 10),
            Op::Status(_) => ("status", 30),
            Op::Panic(_) => ("panic", 20),
            Op::Kick(_) => ("kick", 20),
            Op::Calls(_) => ("calls", 5),
            Op::Create911(_) => ("create-911", 10),
            Op::Remove911(..) => ("remove-911", 10),
            Op::CreateDispatch(_) => ("create-dispatch", 20),
            Op::CreateCustomDispatch(_) => ("create-custom-dispatch", UNDOCUMENTED),
            Op::EditDispatch(..) => ("edit-dispatch", 10),
            Op::Attach(..) => ("attach", 10),
            Op::Detach(_) => ("detach", 10),
            Op::Note(..) => ("note", 60),
            Op::Close(_) => ("close", 20),
            Op::Postal(..) => ("postal", 20),
            Op::Primary(..) => ("primary", 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_operations() {
        let base = "/v2/emergency/servers/3";
        assert_eq!(Op::find("GET", "/v2/general/version"), Some(Op::Version));
        assert_eq!(Op::find("GET", "/v2/emergency/dispatch-templates/4"), Some(Op::Template(4)));
        assert_eq!(Op::find("POST", &format!("{base}/dispatch-calls/close")), Some(Op::Close(3)));
        assert_eq!(Op::find("PATCH", &format!("{base}/dispatch-calls/7")), Some(Op::EditDispatch(3, 7)));
        assert_eq!(Op::find("DELETE", &format!("{base}/dispatch-calls/attachments")), Some(Op::Detach(3)));
        assert_eq!(Op::find("GET", &format!("{base}/dispatch-calls/7")), None);
        assert_eq!(Op::find("GET", "/v2/emergency/servers/x/units"), None);
        assert_eq!(Op::find("GET", "/general/version"), None);
    }
}
