//! What players do in the game: its resource writes to the CAD through the API, which raises no events
//! (docs/cad-contract.md#e2). Only reading the CAD shows it.

use serde_json::{Value, json};

use super::cast::{Case, Place, page};
use super::stage::Stage;
use crate::cad::DispatchSpec;

impl Stage<'_> {
    /// Somebody responds to a waiting 911: the game creates the dispatch call, attaches them and removes the 911, which raises an event.
    pub(super) fn take_911(&mut self) -> Option<String> {
        let (case, place, emergency) = self.waiting_911()?;
        let (number, num) = self.take_case(case, place, emergency)?;
        Some(format!(
            "In game, {num} took 911 call {emergency}. The only event: the 911 was removed. The next poll of the CAD finds dispatch {number}."
        ))
    }

    /// The number of the new call, and who responds.
    pub(super) fn take_case(&mut self, case: &Case, place: &Place, emergency: i64) -> Option<(i64, String)> {
        let free = self.free(case.page, 1).first().copied();
        let ident = free.or_else(|| self.somebody(|_| true).map(|unit| unit.ident))?;
        let spec = DispatchSpec {
            origin: 0,
            status: 1,
            priority: case.priority,
            title: case.title.to_owned(),
            code: case.code.to_owned(),
            block: place.block.to_owned(),
            address: place.address.to_owned(),
            postal: place.postal.to_owned(),
            description: case.report.to_owned(),
            idents: vec![ident],
            origin_911: Some(emergency),
            meta: json!({"createdFromId": emergency.to_string()}),
        };
        let api = self.cad.through_api();
        let number = api.dispatch_new(self.server, &spec)?;
        api.status(self.server, &spec.idents, 3);
        self.cad.remove_911(self.server, &[emergency]);
        Some((number, self.num_of(ident)?))
    }

    /// Somebody presses the game's panic key.
    pub(super) fn panic_key(&mut self) -> Option<String> {
        let unit = match self.somebody(|unit| !unit.panic) {
            Some(unit) => unit,
            None => {
                let unit = self.somebody(|unit| unit.panic)?;
                self.cad.panic(self.server, &[unit.ident], false);
                unit
            }
        };
        self.panic_key_of(unit.ident)?;
        Some(format!("{} pressed the panic key in the game. There is no event for this, but the next poll of the CAD finds it.", unit.num))
    }

    pub(super) fn panic_key_of(&mut self, ident: i64) -> Option<()> {
        let (place, api) = (self.place(), self.cad.through_api());
        api.update_unit(self.server, ident, &json!({"location": place.address}));
        api.panic(self.server, &[ident], true).then_some(())
    }

    /// A call gets a note, one more unit and a better description.
    pub(super) fn change_through_api(&mut self) -> Option<String> {
        let number = self.open_call()?;
        let there = self.idents_of(number);
        let unit = self.somebody(|unit| !there.contains(&unit.ident))?;
        let api = self.cad.through_api();
        api.attach(self.server, number, &[unit.ident]);
        api.status(self.server, &[unit.ident], 3);
        api.note(self.server, number, &unit.num, "En route, two minutes out.");
        let open = self.cad.open_state(self.server);
        let calls = open.get("activeCalls").and_then(Value::as_array).cloned().unwrap_or_default();
        let call = calls.iter().find(|call| call.get("callId").and_then(Value::as_i64) == Some(number))?;
        if call.get("priority").and_then(Value::as_i64) == Some(3) {
            api.dispatch_edit(self.server, number, &json!({"priority": 2}));
        }
        Some(format!(
            "In game, {} joined dispatch {number} and wrote a note. There is no event for this, but the next poll of the CAD finds it.",
            unit.num
        ))
    }

    /// A call is closed.
    pub(super) fn close_through_api(&mut self) -> Option<String> {
        let number = self.open_call()?;
        let (crew, api) = (self.idents_of(number), self.cad.through_api());
        api.close(self.server, &[number]).then_some(())?;
        api.status(self.server, &crew, 2);
        Some(format!("In game, dispatch {number} was closed. There is no event for this, but the next poll of the CAD finds it."))
    }

    /// A police unit that does nothing else from now on.
    pub(super) fn reserve(&mut self, num: &str) -> Option<i64> {
        let ident = self.units().into_iter().find(|unit| unit.num == num && unit.page == page::POLICE)?.ident;
        self.cad.status(self.server, &[ident], 1).then_some(ident)
    }
}
