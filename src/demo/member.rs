//! Whoever looks at the demo's page is a member of the pretend community too: linked, on duty, free to press every button.

use std::time::Duration;

use serde_json::json;

use crate::shutdown::Tasks;
use crate::sim::cad::{Account, CadSim, UnitSpec};
use crate::sim::discord::DiscordSim;

/// The callsign of whoever looks at the page.
pub(super) const CALLSIGN: &str = "A-1";
/// The plate that a lookup finds.
pub(super) const PLATE: &str = "46EEK572";
/// The scenario sends everybody home now and then: the member comes back so soon.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Gives the owner of the guild an account, and the CAD what commands can ask it for. The account's id.
pub(super) fn account(cad: &CadSim, discord: &DiscordSim, guild: &str) -> String {
    cad.add_record_for_lookup(&json!({
        "recordTypeId": 5, "name": "Harbour City registration", "type": 5,
        "sections": [{ "category": 0, "label": "Vehicle", "fields": [
            { "type": "text", "label": "Plate", "value": PLATE, "uid": "plate" },
            { "type": "text", "label": "Model", "value": "Karin Sultan, blue", "uid": "model" },
            { "type": "text", "label": "Owner", "value": "Nadia Brandt", "uid": "owner" },
        ]}],
    }));
    let permissions = ["police", "dispatch", "selfDispatch"].map(str::to_owned).into();
    let owner = discord.owner_id(guild);
    cad.add_account(Account { username: "you".to_owned(), discord: Some(owner), permissions, ..Account::default() })
}

/// Keeps the member on duty until the demo ends.
pub(super) fn on_duty(cad: &CadSim, tasks: &Tasks, account: &str) {
    let (cad, drain) = (cad.clone(), tasks.drain_token());
    let spec = UnitSpec {
        num: CALLSIGN.to_owned(),
        name: "You".to_owned(),
        department: "LSPD".to_owned(),
        subdivision: "Patrol".to_owned(),
        rank: "Officer".to_owned(),
        status: 2,
        account: account.to_owned(),
        ..UnitSpec::default()
    };
    drop(tasks.spawn(async move {
        loop {
            for server in cad.servers() {
                let open = cad.open_state(server);
                let units = open.get("units").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let here = units.iter().any(|unit| unit.pointer("/data/unitNum").and_then(serde_json::Value::as_str) == Some(CALLSIGN));
                if !here {
                    cad.login(server, &spec);
                }
            }
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }));
}
