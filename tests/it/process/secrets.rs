//! A secret pasted into the wrong line: whatever the setting and the command, no output repeats it.

use tenfour::config::VARIABLES;

use super::Stage;

const CANARY: &str = "c4n4ry-5ecret";

#[tokio::test]
async fn no_command_repeats_what_stands_in_a_setting() {
    let mut stage = Stage::new().await;
    stage.secrets.push(CANARY.to_owned());
    let good = stage.vars.clone();
    for variable in VARIABLES {
        let forms = match variable.name {
            "DISCORD_API_URL" | "SONORAN_API_URL" | "SONORAN_HUB_URL" => {
                vec![format!("https://x.invalid/?key={CANARY}"), format!("https://me:{CANARY}@x.invalid"), CANARY.to_owned()]
            }
            // Accepts any file name: here one that can't be created.
            "TENFOUR_RECORD" => vec![format!("no-folder/{CANARY}")],
            // Both look right, and are rejected by Discord and the CAD.
            "DISCORD_TOKEN" | "SONORAN_API_KEY" => vec![CANARY.to_owned(), format!("two {CANARY}")],
            "SONORAN_COMMUNITY_ID" => vec![CANARY.to_owned()],
            _ => vec![format!("1,{CANARY}=info")],
        };
        for form in forms {
            stage.vars = good.clone();
            stage.vars.insert(variable.name, form);
            // Log everything, unless the log setting is the wrong one.
            stage.vars.entry("TENFOUR_LOG").or_insert_with(|| "trace".to_owned());
            for command in ["check", "invite"] {
                let end = stage.run(&[command]).await;
                let said = format!("{}{}", end.stdout, end.stderr).to_ascii_lowercase();
                assert!(!said.contains(CANARY), "{} {command}: {end}", variable.name);
            }
            let bot = stage.start();
            // Some forms don't prevent the start.
            let wrong = tokio::time::timeout(std::time::Duration::from_millis(300), bot.ended(crate::test_bot::PATIENCE)).await;
            if let Ok(end) = wrong {
                let said = end.to_string();
                assert!(!said.to_ascii_lowercase().contains(CANARY), "{}: {end}", variable.name);
            }
        }
    }
}

#[tokio::test]
async fn no_line_of_the_env_file_is_repeated_and_each_is_named_by_its_number() {
    let mut stage = Stage::new().await;
    stage.secrets.push(CANARY.to_owned());
    for (text, number) in [
        (format!("\n\nA=1\n# it's\n\n{CANARY}\n"), 6),
        (format!("\r\nDISCORD_TOKEN {CANARY}\r\n"), 2),
        (format!("\u{feff}\n\nexport DISCORD_TOKEN='{CANARY}\n\nB=2\n"), 3),
    ] {
        std::fs::write(stage.folder.join(".env"), text).unwrap();
        for command in ["check", "invite", "run", "backup"] {
            let arguments: &[&str] = if command == "backup" { &["backup", "copy.db"] } else { &[command] };
            let end = stage.run(arguments).await;
            assert_eq!(end.code, Some(1), "{end}");
            let said = format!("{}{}", end.stdout, end.stderr);
            assert!(said.contains(&format!("at line {number}.")) && !said.contains(CANARY), "{command}: {end}");
        }
    }
}
