//! The official npm client against the simulated hub.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tenfour_sim::cad::{CadOptions, PayloadAs, Seen};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use super::{KEY, LONG, burglary, options, start};

/// Microsoft's npm client agrees that this is a hub, with and without negotiation, for both payload forms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_signalr_client_agrees() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official");
    let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let missing = if !node.is_ok_and(|status| status.success()) {
        Some("node is not installed")
    } else if !folder.join("node_modules/@microsoft/signalr").exists() {
        Some("run `npm ci` in tests/official")
    } else {
        None
    };
    if let Some(missing) = missing {
        assert!(std::env::var("TENFOUR_REQUIRE_NODE").is_err(), "official_signalr_client_agrees cannot run: {missing}");
        println!("skipped: official_signalr_client_agrees ({missing})");
        return;
    }
    for payload_as in [PayloadAs::String, PayloadAs::Object] {
        let cad = start(CadOptions { payload_as, affinity_cookie: true, ..options() }).await;
        let mut child = tokio::process::Command::new("node")
            .arg("hub.mjs")
            .current_dir(&folder)
            .env("HUB_URL", cad.hub_url())
            .env("COMMUNITY", cad.community())
            .env("KEY", KEY)
            .env("SERVER", "1")
            .env("EXPECT", burglary().description)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let talk = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("ready ") {
                    assert!(cad.wait_session(1, LONG).await);
                    cad.place_911(1, &burglary()).unwrap();
                } else if line.starts_with("ask ") {
                    let id = cad.call_client(1, "addOne", &json!(41)).unwrap();
                    let wanted = Seen::Completion { id, result: Some(json!(42)), error: None };
                    assert!(cad.wait_seen(LONG, |seen| *seen == wanted).await.is_some(), "{:?}", cad.log());
                } else if line.starts_with("close ") {
                    cad.close_all(Some("maintenance"), false);
                    assert!(cad.wait_no_session(1, LONG).await);
                }
                said.push(line);
            }
        };
        timeout(6 * LONG, talk).await.expect("the official client hangs");
        let output = timeout(LONG, child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}\n{}", said.join("\n"), String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.last().map(String::as_str), Some("done"));
        let tokens: Vec<bool> = cad
            .log()
            .iter()
            .filter_map(|seen| if let Seen::Upgrade { status: 101, with_token } = seen { Some(*with_token) } else { None })
            .collect();
        assert_eq!(tokens, [true, false], "once negotiated, once not");
    }
}
