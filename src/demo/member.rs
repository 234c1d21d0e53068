//! Makes the person at the demo's page a member of the simulated community: linked, on duty, free to press every button.

use serde_json::json;

use tenfour_sim::cad::{Account, CadSim, UnitSpec};
use tenfour_sim::discord::DiscordSim;

/// The callsign of the person at the page.
pub(super) const CALLSIGN: &str = "A-1";
/// The plate that a lookup finds.
pub(super) const PLATE: &str = "46EEK572";

/// Gives the guild's owner an account, and the CAD some data for commands. Returns the account's id.
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

/// Puts the member on duty. The scenario never dispatches them or sends them home.
pub(super) fn on_duty(cad: &CadSim, account: &str) {
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
    for server in cad.servers() {
        cad.login(server, &spec);
    }
}
