//! Each documented operation, against the simulated CAD: its answer has the documented shape.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tenfour_sim::cad::{Account, CadSim, CallSpec, DispatchSpec, ServerOptions, UnitSpec};

use super::rest::rest;
use super::{options, start, unit};
use crate::rest_examples::{example, folder};

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// A CAD with everything that the examples name: account, unit 4101, 911s 301 and 302, dispatches 501 and 502, one closed call, a layout.
async fn stage() -> CadSim {
    let cad = start(tenfour_sim::cad::CadOptions { servers: vec![ServerOptions::new(1, "Main Server")], ..options() }).await;
    let player = Some("player-1234".to_owned());
    cad.add_account(Account {
        uuid: NOBODY.into(),
        username: "ExampleUser".into(),
        community_user_id: player.clone(),
        permissions: vec!["police".into(), "dispatch".into()],
        ..Account::default()
    });
    assert_eq!(cad.login(1, &UnitSpec { account: NOBODY.into(), community_user_id: player, ..unit("A-10", 0) }), Some(4101));
    for number in [301, 302] {
        assert_eq!(cad.place_911(1, &CallSpec { meta: json!({"postal": "9001"}), ..super::burglary() }), Some(number));
    }
    for number in [501, 502, 503] {
        let spec = DispatchSpec { idents: vec![4101], title: "Robbery".into(), priority: 1, status: 1, ..DispatchSpec::default() };
        assert_eq!(cad.dispatch_new(1, &DispatchSpec { meta: json!({"x": "1"}), ..spec }), Some(number));
        assert!(cad.note(1, number, "Sonoran CAD", "Caller is hiding."));
    }
    assert!(cad.close(1, &[503]));
    let mut record = example("lookup.page")["response"]["body"][0].clone();
    record["sections"][0]["fields"].as_array_mut().unwrap().push(json!({"label": "Last Name", "value": "Doe", "uid": "last_name"}));
    cad.add_record_for_lookup(&record);
    cad.add_template(&layout());
    cad
}

/// The documented layout, with the fields that the documented call of it fills in.
fn layout() -> Value {
    let mut layout = example("template.schema")["response"]["body"].clone();
    let fields = layout["sections"][0]["fields"].as_array_mut().unwrap();
    for (uid, binding) in [("status", "status"), ("description", "description"), ("code", "code")] {
        let mut field = fields[0].clone();
        (field["uid"], field["binding"]) = (uid.into(), binding.into());
        fields.push(field);
    }
    layout
}

/// How `found` differs in shape from what is documented.
fn differences(at: &str, documented: &Value, found: &Value, text: &mut Vec<String>) {
    match (documented, found) {
        (Value::Object(documented), Value::Object(found)) => {
            // Maps with free names: only the type of their values is documented.
            if ["metaData", "permissions", "values"].iter().any(|map| at.ends_with(map)) {
                let sample = documented.values().next();
                for (name, value) in found {
                    sample.into_iter().for_each(|sample| differences(&format!("{at}.{name}"), sample, value, text));
                }
                return;
            }
            // The pages show them in some places and not in others.
            let optional = |name: &str| name == "communityUserId" && at.ends_with(".data");
            let names: BTreeSet<&String> = documented.keys().chain(found.keys()).collect();
            for name in names.into_iter().filter(|name| !optional(name)) {
                match (documented.get(name), found.get(name)) {
                    // Its content is undocumented.
                    (Some(_), Some(value)) if name == "template" => assert!(value.is_object(), "{at}.{name}"),
                    (Some(documented), Some(found)) => differences(&format!("{at}.{name}"), documented, found, text),
                    (Some(_), None) => text.push(format!("{at}.{name} is missing")),
                    (None, _) => text.push(format!("{at}.{name} is not documented")),
                }
            }
        }
        (Value::Array(documented), Value::Array(found)) => {
            let Some(sample) = documented.first() else { return };
            if found.is_empty() {
                text.push(format!("{at} is empty"));
            }
            found.iter().for_each(|row| differences(&format!("{at}[]"), sample, row, text));
        }
        (Value::Bool(_), Value::Bool(_)) | (Value::Number(_), Value::Number(_)) | (Value::String(_), Value::String(_)) => {}
        (documented, found) => text.push(format!("{at}: {found} where {documented} is documented")),
    }
}

#[test]
fn every_kind_of_difference_is_reported() {
    for (documented, found) in [
        (json!({"a": 1}), json!({})),
        (json!({}), json!({"a": 1})),
        (json!({"a": 1}), json!({"a": "1"})),
        (json!({"a": 1}), json!({"A": 1})),
        (json!([1]), json!([])),
        (json!([1]), json!(1)),
        (json!({"x": {"metaData": {"a": "b"}}}), json!({"x": {"metaData": {"c": 1}}})),
        (json!({"a": ""}), json!({"a": null})),
    ] {
        let mut text = Vec::new();
        differences("", &documented, &found, &mut text);
        assert_eq!(text.len().min(1), 1, "{documented} {found}");
    }
}

#[tokio::test]
async fn answers_have_the_shape_of_the_documented_ones() {
    let cad = stage().await;
    // In an order in which each finds what it needs; with existing numbers in place of the documented ones.
    let walk: [(&str, Value); 25] = [
        ("version.page", Value::Null),
        ("servers.page", Value::Null),
        ("info.page", Value::Null),
        ("units.page", Value::Null),
        ("calls.page", Value::Null),
        ("account.page", Value::Null),
        ("account-units.page", Value::Null),
        ("identifiers.page", Value::Null),
        ("current-call.page", Value::Null),
        ("lookup.page", Value::Null),
        ("templates.page", Value::Null),
        ("template.schema", Value::Null),
        ("set-status.page", Value::Null),
        ("set-panic.page", Value::Null),
        ("detach.page", Value::Null),
        ("attach.page", Value::Null),
        ("add-note.page", Value::Null),
        ("edit-dispatch.page", Value::Null),
        ("set-postal.page", Value::Null),
        ("set-primary.page", json!({"identId": 4101})),
        ("create-dispatch.page", json!({"notes": [{"label": "Sonoran CAD", "content": "Caller is hiding."}]})),
        ("create-custom-dispatch.prose", Value::Null),
        ("create-911.page", Value::Null),
        ("remove-911.page", Value::Null),
        ("close.page", json!({"callIds": [501, 502]})),
    ];
    for (name, ours) in &walk {
        let example = example(name);
        let (asked, documented) = (&example["request"], &example["response"]);
        let mut body = asked["body"].clone();
        for (field, value) in ours.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        let query: Vec<String> =
            asked["query"].as_object().unwrap().iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
        let path = format!("{}?{}", asked["path"].as_str().unwrap().strip_prefix("/v2/").unwrap(), query.join("&"));
        let (status, answer) = rest(&cad, asked["method"].as_str().unwrap(), &path, body).await;
        assert_eq!(json!(status), documented["status"], "{name}: {answer}");
        let mut text = Vec::new();
        differences("", &documented["body"], &answer, &mut text);
        assert!(text.is_empty(), "{name}: {text:?}\n{answer}");
    }
    let walked: BTreeSet<String> = walk.iter().map(|(name, _)| (*name).to_owned()).collect();
    let documented: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().unwrap().strip_suffix(".json").map(str::to_owned))
        .filter(|name| !name.ends_with(".generated"))
        .collect();
    assert_eq!(walked, documented);
}
