//! Compares the documents with the code: names, defaults, commands and files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory as _;
use tenfour::config::VARIABLES;
use tenfour::event::Topic;
use tenfour::route::Preset;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Text in single backticks on one line, outside fenced blocks.
fn quoted(document: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn the_book_lists_every_setting_with_its_default() {
    let page = read("docs/configuration.md");
    let mut listed = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (name, rest) = (cells[0].trim_matches('`'), &cells[1..]);
        if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') && rest.len() == 2 {
            assert!(listed.insert(name.to_owned(), rest[1].to_owned()).is_none(), "{name} is listed twice");
        }
    }
    let known: BTreeMap<String, Option<&str>> = VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.default)).collect();
    assert_eq!(listed.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
    for (name, shown) in &listed {
        match known[name] {
            Some(default) => assert_eq!(*shown, format!("`{default}`"), "{name}"),
            None if ["DISCORD_TOKEN", "SONORAN_COMMUNITY_ID", "SONORAN_API_KEY"].contains(&name.as_str()) => {
                assert_eq!(shown, "required", "{name}");
            }
            // A default that depends on another setting is described in words.
            None => assert!(shown == "none" || shown.contains("`SONORAN_API_URL`"), "{name}: {shown}"),
        }
    }
    assert!(page.contains("`.env.example`"));
}

#[test]
fn the_book_lists_every_command_of_the_program() {
    let page = read("docs/configuration.md");
    let listed: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `tenfour ")?.split_once('`'))
        .filter_map(|(command, _)| command.split(' ').next())
        .collect();
    let program = tenfour::cli::Cli::command();
    let visible = program.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name());
    // It is the default, and listed as such.
    assert_eq!(listed, visible.filter(|name| *name != "run").collect());
    assert!(page.contains("(the same as `tenfour run`)"));
}

#[test]
fn the_book_names_every_command_and_no_other() {
    // Each command's file lists its subcommands: `subcommands("setup::setup", "status::status")`.
    let there: BTreeSet<String> = std::fs::read_dir(root().join("src/commands"))
        .unwrap()
        .filter_map(|entry| {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let command = file.strip_suffix(".rs")?.to_owned();
            let source = read(&format!("src/commands/{file}"));
            let (listed, _) = source.split_once("subcommands(")?.1.split_once(')')?;
            let names = listed.split('"').skip(1).step_by(2).filter_map(|path| path.rsplit("::").next());
            Some(names.map(|name| format!("/{command} {name}")).collect::<Vec<_>>())
        })
        .flatten()
        .collect();
    assert!(there.contains("/cad setup"), "{there:?}");
    let others = ["README.md", "CHANGELOG.md", "ARCHITECTURE.md"].map(str::to_owned);
    for document in pages().into_iter().chain(others) {
        let named: BTreeSet<String> = quoted(&read(&document))
            .iter()
            .filter(|text| {
                let commands = ["/cad ", "/alerts ", "/board ", "/duty ", "/unit ", "/call ", "/lookup "];
                commands.iter().any(|command| text.starts_with(command))
            })
            .flat_map(|text| {
                // `/cad a|b` means two commands.
                let mut words = text.split_whitespace();
                let (command, subs) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                subs.split('|').map(|sub| format!("{command} {sub}")).collect::<Vec<_>>()
            })
            .collect();
        let unknown: Vec<_> = named.difference(&there).collect();
        assert!(unknown.is_empty(), "{document} names commands that do not exist: {unknown:?}");
        if document == "docs/commands.md" {
            assert_eq!(named, there, "{document} leaves commands out");
        }
    }
}

#[test]
fn the_book_names_every_event_and_preset() {
    let words = quoted(&read("docs/routes.md"));
    for word in Topic::ALL.map(Topic::as_str).into_iter().chain(Preset::ALL.map(Preset::as_str)) {
        assert!(words.contains(word), "`{word}` is not in docs/routes.md");
    }
}

#[test]
fn the_commands_people_copy_are_the_ones_that_are_tested() {
    let (readme, gate) = (read("README.md"), read(".ci/run"));
    for command in ["cargo run --release -- demo", "cargo test --locked"] {
        assert!(readme.lines().any(|line| line == command), "README.md lacks the line {command}");
    }
    assert!(gate.contains("cargo test --locked") && gate.contains("demo --once"));
    for document in [&readme, &read("docs/setup.md")] {
        assert!(document.contains("\"enablePushEventForwarding\": true") && document.contains("\"pushEventForwardUrl\""));
    }
}

/// What it is, why to use it, and how to start; everything else is in the book.
#[test]
fn the_readme_stays_short() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 1_200, "README.md has {words} words: move details to a page of the book in `docs/`");
}

#[test]
fn the_gate_holds_the_dependencies_against_deny_toml() {
    let gate = read(".ci/run");
    assert!(gate.lines().any(|line| line.trim() == "step 'dependencies' dependencies"), "the gate never checks the dependencies");
    // Always, and the advisories if they are available; a skip is reported, never silent.
    for words in ["--locked check licenses bans sources", "check advisories", "ADVISORIES WERE NOT CHECKED"] {
        assert!(gate.contains(words), ".ci/run lacks {words}");
    }
    let rules = read("deny.toml");
    for section in ["[advisories]", "[licenses]", "[bans]", "[sources]"] {
        assert!(rules.contains(section), "deny.toml lacks {section}");
    }
}

/// Every document gives the same backup command.
#[test]
fn every_document_about_backups_uses_the_command() {
    for document in ["docs/backup.md", "deploy/README.md", "compose.yaml", "Dockerfile"] {
        assert!(read(document).contains("tenfour backup "), "{document} does not mention `tenfour backup`");
    }
    for document in pages() {
        let text = read(&document);
        for line in text.lines().filter(|line| line.contains("docker compose exec tenfour tenfour backup")) {
            assert!(line.contains(" /data/"), "the container can write to /data only: {line}");
        }
        assert!(!text.contains(".backup copy.db"), "{document} copies the database with another tool");
    }
}

/// The pages of the book.
fn pages() -> Vec<String> {
    sources_and_documents().into_keys().filter(|name| name.starts_with("docs/") && name != SUMMARY).collect()
}

const SUMMARY: &str = "docs/SUMMARY.md";

/// The targets of the links and pictures in a document, outside code.
fn links(document: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
            found.extend(prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
        }
    }
    found
}

/// The anchors of a document: its headings, as GitHub and mdBook name them, and explicit ones.
fn anchors(document: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) {
            let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            found.insert(kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect());
        }
    }
    found.extend(document.split("<a id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    found
}

/// Joins a relative link with the folder of the document that has it; `None` if it leaves the repository.
fn resolved(document: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut checked = 0;
    for (document, text) in sources_and_documents().into_iter().filter(|(name, _)| name.ends_with(".md")) {
        for link in links(&text).into_iter().filter(|link| !link.contains(':')) {
            let (path, anchor) = link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { Some(document.clone()) } else { resolved(&document, path) };
            let target = target.filter(|target| root().join(target).exists());
            let target = target.unwrap_or_else(|| panic!("{document} links to {link}, which does not exist"));
            assert!(
                !document.starts_with("docs/") || target.starts_with("docs/"),
                "{document} links to {link}, which is not in the book: name the file in backticks instead"
            );
            if let Some(anchor) = anchor {
                assert!(anchors(&read(&target)).contains(anchor), "{document} links to {link}, but {target} has no such heading");
            }
            checked += 1;
        }
    }
    assert!(checked > 80, "the links were not read: {checked}");
    assert_eq!(links("[a](b.md#c) `[x](y)` ![d](e.png)\n```\n[f](g)\n```"), ["b.md#c", "e.png"]);
    assert_eq!(anchors("# What isn't `on`?\n```\n# no\n```\n<a id=\"e2\"></a>"), ["e2", "what-isnt-on"].map(str::to_owned).into());
    assert_eq!((resolved("docs/a/b.md", "../c.md"), resolved("a.md", "../c.md")), (Some("docs/c.md".to_owned()), None));
}

#[test]
fn every_page_of_the_book_is_in_its_summary_once() {
    let mut listed: Vec<String> = links(&read(SUMMARY)).iter().filter_map(|link| resolved(SUMMARY, link)).collect();
    listed.sort();
    let mut there = pages();
    there.sort();
    assert_eq!(listed, there);
    let gate = read(".ci/run");
    assert!(gate.lines().any(|line| line == "step 'book' book"), "the gate never builds the book");
}

/// A file that moved must not be named in the documents any more.
#[test]
fn every_file_that_the_documents_name_exists() {
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md", "fuzz/README.md"];
    for (document, text) in sources_and_documents() {
        if !documents.contains(&document.as_str()) && !document.starts_with("docs/") {
            continue;
        }
        let named = quoted(&text).into_iter().filter(|name| {
            ["src/", "crates/", "tests/", "benches/", "docs/", "migrations/", ".ci/", "deploy/", "fuzz/"]
                .iter()
                .any(|top| name.starts_with(top))
        });
        for name in named {
            if name.contains(['*', '<', ' ']) {
                continue;
            }
            let file = name.split_once('#').map_or(name.as_str(), |(file, _)| file);
            assert!(root().join(file).exists(), "{document} names {name}, which does not exist");
        }
    }
}

#[test]
fn the_container_is_built_with_the_compiler_that_the_package_asks_for() {
    let (manifest, dockerfile) = (read("Cargo.toml"), read("Dockerfile"));
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{version}-slim")), "Dockerfile and rust-version differ");
    assert!(dockerfile.contains("EXPOSE 3232") && read("compose.yaml").contains("3232:3232"));
    // Secrets and build output must not get into an image's layers.
    let ignored = read(".dockerignore");
    for name in [".env", "target", "data", ".git"] {
        assert!(ignored.lines().any(|line| line == name), ".dockerignore lacks {name}");
    }
}

/// The text of every source file and document of ours, by its path.
fn sources_and_documents() -> BTreeMap<String, String> {
    fn walk(path: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() {
                if !hidden && !path.ends_with("target") && !path.ends_with("node_modules") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root(), &mut found);
    found
}

/// The facts that a text cites as `#e2` or `#e3, #e4` after the contract's name, and whether each citation names one.
fn cited_facts(text: &str, contract: &str) -> Vec<Option<String>> {
    let mut facts = Vec::new();
    for mut rest in text.split(contract).skip(1) {
        let Some(first) = rest.strip_prefix('#') else {
            facts.push(None);
            continue;
        };
        rest = first;
        loop {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            facts.push(Some(rest[..end].to_owned()).filter(|id| !id.is_empty()));
            match rest[end..].strip_prefix(", #") {
                Some(more) => rest = more,
                None => break,
            }
        }
    }
    facts
}

/// It must be readable in ten minutes.
#[test]
fn the_architecture_stays_short() {
    let words = read("ARCHITECTURE.md").split_whitespace().count();
    assert!(words <= 2_500, "ARCHITECTURE.md has {words} words: move details to `docs/` or a module's documentation");
}

#[test]
fn every_cad_fact_that_the_code_cites_is_in_the_contract() {
    let contract = ["docs/", "cad-contract.md"].concat();
    let text = read(&contract);
    let known: Vec<&str> = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id).collect();
    let unique: BTreeSet<&str> = known.iter().copied().collect();
    assert_eq!(known.len(), unique.len(), "an id is there twice: {known:?}");
    let mut cited = BTreeSet::new();
    for (file, text) in sources_and_documents() {
        if file == contract {
            continue;
        }
        for fact in cited_facts(&text, &contract) {
            // A document may name the whole file; a comment in the code cites one fact.
            assert!(fact.is_some() || file.ends_with(".md"), "{file} cites {contract} without a fact, such as #e2");
            if let Some(id) = fact {
                assert!(unique.contains(id.as_str()), "{file} cites {contract}#{id}, which does not exist");
                cited.insert(id);
            }
        }
    }
    assert!(cited.len() > 20, "the citations were not read: {cited:?}");
    assert_eq!(
        cited_facts("(X#e2, #e11) X#h1, #2. X", "X"),
        [Some("e2"), Some("e11"), Some("h1"), Some("2"), None].map(|id| id.map(str::to_owned))
    );
}
