//! Rules that the compiler doesn't check: which module may import which (the table in `ARCHITECTURE.md`), how long a file may be, and
//! some constructs that must not appear in the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

mod file_cycles;

/// Longest source file, in lines.
const MAX_LINES: usize = 800;

/// Module → modules it may import; `None` = all modules.
type Table = BTreeMap<String, Option<BTreeSet<String>>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders in `crates`.
fn crates() -> Vec<PathBuf> {
    std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Every source file below `src` and `crates/*/src`, by its path from the root, with `/` between parts.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name: Vec<_> = path.strip_prefix(root()).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
                found.insert(name.join("/"), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    for package in crates().into_iter().chain([root().to_owned()]) {
        walk(&package.join("src"), &mut found);
    }
    found
}

/// The words in backticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Reads the table between the two marks of `ARCHITECTURE.md`.
fn table(document: &str) -> Table {
    let (_, rest) = document.split_once("<!-- imports: begin -->").expect("ARCHITECTURE.md marks the beginning of the table");
    let (text, _) = rest.split_once("<!-- imports: end -->").expect("ARCHITECTURE.md marks the end of the table");
    let mut table = Table::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [modules, may, _job] = cells[..] else { panic!("a row of the table has three cells: {row}") };
        let rights = match may {
            "nothing" => Some(BTreeSet::new()),
            "everything" => None,
            _ => Some(quoted(may)),
        };
        assert!(may == "nothing" || rights.as_ref().is_none_or(|rights| !rights.is_empty()), "what may be imported is not readable: {row}");
        for module in quoted(modules) {
            assert!(table.insert(module.clone(), rights.clone()).is_none(), "{module} stands twice in the table");
        }
    }
    assert!(table.len() > 20, "the table was not read: {table:?}");
    table
}

/// The module of a path (`cad/rest/error`): its longest prefix in the table.
fn module_of<'t>(table: &'t Table, path: &str) -> Option<&'t str> {
    let is_in = |module: &&String| path == module.as_str() || path.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with('/'));
    table.keys().filter(is_in).max_by_key(|module| module.len()).map(String::as_str)
}

/// A module's path from its file's name: `src/cad/mod.rs` is `cad`, `crates/sim/src/cad/hub.rs` is `crates/sim/cad/hub`.
fn module_path(file: &str) -> String {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_prefix("src/").map_or_else(|| path.replacen("/src/", "/", 1), str::to_owned);
    path.strip_suffix("/mod").or_else(|| path.strip_suffix("/lib")).unwrap_or(&path).to_owned()
}

/// The crate of ours that a file belongs to: `crates/sim`; none for the bot itself.
fn crate_of(file: &str) -> Option<&str> {
    Some(file.split_once("/src/")?.0)
}

/// The code with comments, strings and characters blanked; line breaks stay where they were.
fn code_only(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    let blank = |out: &mut String, from: usize, to: usize| {
        out.extend(text[from..to.min(text.len())].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while at < text.len() {
        let next = |offset: usize| text.get(at + offset).copied().unwrap_or(' ');
        let before = out.chars().next_back().unwrap_or(' ');
        let raw = (text[at] == 'r' || text[at] == 'b' && next(1) == 'r') && !(before.is_alphanumeric() || before == '_');
        let hashes_at = at + if text[at] == 'b' { 2 } else { 1 };
        let hashes = text.get(hashes_at..).unwrap_or_default().iter().take_while(|c| **c == '#').count();
        let end = if text[at] == '/' && next(1) == '/' {
            text[at..].iter().position(|c| *c == '\n').map_or(text.len(), |length| at + length)
        } else if text[at] == '/' && next(1) == '*' {
            let mut depth = 0;
            let mut end = at;
            while end < text.len() {
                match (text[end], text.get(end + 1)) {
                    ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
                    ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            end
        } else if raw && text.get(hashes_at + hashes) == Some(&'"') {
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let from = hashes_at + hashes + 1;
            text[from..].windows(close.len()).position(|window| window == close).map_or(text.len(), |length| from + length + close.len())
        } else if text[at] == '"' {
            let mut end = at + 1;
            while end < text.len() && text[end] != '"' {
                end += if text[end] == '\\' { 2 } else { 1 };
            }
            end + 1
        } else if text[at] == '\'' && next(1) == '\\' {
            text[at + 3..].iter().position(|c| *c == '\'').map_or(text.len(), |length| at + 3 + length + 1)
        } else if text[at] == '\'' && next(2) == '\'' {
            at + 3
        } else {
            out.push(text[at]);
            at += 1;
            continue;
        };
        blank(&mut out, at, end);
        at = end;
    }
    out
}

/// Removes every item under `#[cfg(test)]`. Returns the rest and the names of the test modules that have their own files.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut left = code.to_owned();
    let mut files = Vec::new();
    while let Some(from) = left.find("#[cfg(test)]") {
        let rest = &left[from..];
        let end = rest.find(['{', ';']).expect("an item follows #[cfg(test)]");
        let length = if rest[end..].starts_with('{') {
            let mut depth = 0_i32;
            let close = rest[end..].find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            end + close.expect("brackets are closed") + 1
        } else {
            let name = rest[..end].split_whitespace().rev().take(2).collect::<Vec<_>>();
            if let [name, "mod"] = name[..] {
                files.push(name.to_owned());
            }
            end + 1
        };
        let blanked: String = rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        left.replace_range(from..from + length, &blanked);
    }
    (left, files)
}

/// The length of the name at the start of the text, in bytes.
fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Reads what follows `crate::` or the name of a crate: one path, or a group of them. Returns how much of `text` was read.
fn tree(text: &str, before: &str, found: &mut Vec<String>) -> usize {
    let skipped = text.len() - text.trim_start().len();
    let rest = &text[skipped..];
    if rest.starts_with('{') {
        let mut at = 1;
        while at < rest.len() {
            at += rest[at..].len() - rest[at..].trim_start().len();
            match rest[at..].chars().next() {
                Some('}') => return skipped + at + 1,
                Some(',') => at += 1,
                _ => {
                    at += tree(&rest[at..], before, found);
                    // `as name`, or whatever else follows a path.
                    at += rest[at..].find([',', '}']).unwrap_or(rest.len() - at);
                }
            }
        }
        return skipped + at;
    }
    let length = name_length(rest);
    if length == 0 {
        // `*`, `<`: nothing more is known than the path so far.
        found.push(before.to_owned());
        return skipped;
    }
    let path = if before.is_empty() { rest[..length].to_owned() } else { format!("{before}/{}", &rest[..length]) };
    match rest[length..].trim_start().strip_prefix("::") {
        Some(more) => {
            let used = rest.len() - more.len();
            skipped + used + tree(more, &path, found)
        }
        None => {
            found.push(path);
            skipped + length
        }
    }
}

/// Every path of ours in the code, as `module/item`, with its line: `crate::`, and the crates by their names. A `super::` that leaves
/// the file's module can't be judged without a compiler, so one that reaches the crate's root is returned as a path of its own.
fn imports(code: &str, file: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    let begins = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == ':');
    for (at, _) in code.match_indices("crate") {
        let rest = code[at + "crate".len()..].trim_start();
        if begins(at) && rest.starts_with("::") {
            let mut paths = Vec::new();
            tree(&rest[2..], crate_of(file).unwrap_or(""), &mut paths);
            found.extend(paths.into_iter().map(|path| (line(at), path)));
        }
    }
    for (at, prefix) in code.match_indices("tenfour").filter(|(at, _)| begins(*at)) {
        let rest = &code[at + prefix.len()..];
        let (name, rest) = rest.split_at(name_length(rest));
        let more = rest.trim_start().strip_prefix("::");
        let mut paths = Vec::new();
        match (name.strip_prefix('_').map(|name| format!("crates/{name}")), more) {
            (Some(name), Some(more)) => _ = tree(more, &name, &mut paths),
            (Some(name), None) => paths.push(name),
            // The bot by its own name: no module has it.
            (None, Some(_)) if name.is_empty() => paths.push("tenfour".to_owned()),
            (None, _) => {}
        }
        found.extend(paths.into_iter().map(|path| (line(at), path)));
    }
    if crate_of(file).is_some() {
        // A crate is one module: `super::` up to its root doesn't leave it.
        return found;
    }
    let depth = module_path(file).split('/').count();
    let climb = vec!["super"; depth].join("::");
    for (at, _) in code.match_indices(&climb).filter(|(at, _)| begins(*at)) {
        if code[at + climb.len()..].starts_with("::") {
            found.push((line(at), format!("{climb} (say crate:: so that the table can be held against it)")));
        }
    }
    found
}

/// Where the code and the table differ.
fn violations(table: &Table, sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    let stripped: BTreeMap<&str, (String, Vec<String>)> =
        sources.iter().map(|(file, source)| (file.as_str(), without_tests(&code_only(source)))).collect();
    let tests: BTreeSet<String> = stripped
        .iter()
        .flat_map(|(file, (_, names))| names.iter().map(|name| format!("{}/{name}", module_path(file).trim_start_matches("lib"))))
        .collect();
    for (file, (code, _)) in &stripped {
        if ["src/lib.rs", "src/main.rs"].contains(file) || tests.contains(&module_path(file)) {
            continue;
        }
        let Some(module) = module_of(table, &module_path(file)) else {
            found.push(format!("{file}: belongs to no module of the table"));
            continue;
        };
        for (line, path) in imports(code, file) {
            let Some(target) = module_of(table, &path) else {
                found.push(format!("{file}:{line}: {path} is in no module of the table"));
                continue;
            };
            used.insert((module.to_owned(), target.to_owned()));
            let allowed = table[module].as_ref().is_none_or(|rights| rights.contains(target));
            if target != module && !allowed {
                found.push(format!("{file}:{line}: {module} may not import {target}"));
            }
        }
    }
    for (module, rights) in table {
        if !sources.keys().any(|file| module_of(table, &module_path(file)) == Some(module)) {
            found.push(format!("the table names a module without files: {module}"));
        }
        for right in rights.iter().flatten() {
            if !table.contains_key(right) {
                found.push(format!("{module} may import {right}, which is not in the table"));
            } else if !used.contains(&(module.clone(), right.clone())) {
                found.push(format!("{module} may import {right}, but does not: take it out of the table"));
            }
        }
    }
    found
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table = table(&std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap());
    let found = violations(&table, &sources());
    assert!(found.is_empty(), "the code and the table of imports in ARCHITECTURE.md differ:\n{}", found.join("\n"));
}

#[test]
fn imports_go_one_way() {
    let table = table(&std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap());
    let mut open: BTreeMap<&str, BTreeSet<&str>> = table
        .iter()
        .filter_map(|(module, rights)| Some((module.as_str(), rights.as_ref()?.iter().map(String::as_str).collect())))
        .collect();
    // Repeatedly removes modules that import nothing that is left.
    loop {
        let left: BTreeSet<&str> = open.keys().copied().collect();
        let before = open.len();
        open.retain(|_, rights| rights.iter().any(|right| left.contains(right)));
        if open.len() == before {
            break;
        }
    }
    assert!(open.is_empty(), "these modules import each other in a circle: {open:?}");
}

#[test]
fn what_must_not_agree_with_our_mistakes_knows_nothing_of_ours() {
    let table = table(&std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap());
    for folder in crates() {
        let module = format!("crates/{}", folder.file_name().unwrap().to_str().unwrap());
        assert_eq!(table[&module], Some(BTreeSet::new()), "{module}");
        // Nor may its tests, and it uses the lints of the workspace.
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(!manifest.lines().any(|line| line.starts_with("tenfour")), "{module} depends on something of ours");
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{module} does not use the workspace's lints");
    }
    let pure: BTreeSet<String> = ["clock", "event", "ids", "json", "render", "route", "world"].map(str::to_owned).into();
    for module in &pure {
        assert!(
            table[module].as_ref().is_some_and(|rights| rights.is_subset(&pure)),
            "{module} must stay free of I/O: {:?}",
            table[module]
        );
    }
}

#[test]
fn files_stay_readable_and_the_process_ends_in_main_only() {
    for (file, source) in sources() {
        let lines = source.lines().count();
        assert!(lines <= MAX_LINES, "{file} has {lines} lines: split it by what it does, {MAX_LINES} are enough");
        let code = code_only(&source);
        for never in ["process::exit", "process::abort", "mem::forget", "unsafe "] {
            if let Some(at) = code.find(never) {
                panic!("{file}:{}: {never} has no place here", code[..at].matches('\n').count() + 1);
            }
        }
    }
}

/// Tests the reader itself: what it must see, and what it must not mistake for code.
#[test]
fn every_way_to_name_a_module_is_seen() {
    let source = r##"
use crate::store::Store;
use crate::{app, sim::{cad::CadSim, page}, event as e};
pub(in crate::route) fn f(x: crate::ids::CallId) -> &'static str { '"'; crate :: world::apply(); "crate::metrics" }
// crate::status, /* crate::ops
const RAW: &str = r#"crate::config " crate::cli"#; /* crate::check /* nested */ crate::demo */
fn g() { crate::render::*; $crate::intake; not_crate::telemetry; super::shutdown::Tasks; let c = '\''; crate::clock::X }
#[cfg(test)]
#[expect(dead_code)]
mod tests { use crate::discord; fn h() { if true { "}" } } }
#[cfg(test)]
mod more;
#[cfg(test)]
use crate::http_server;
use crate::outbox;
use tenfour_sim::{cad::CadSim, page}; use tenfour_chart as c; fn k(tenfour: u8, tenfours: u8) -> tenfour::A { not_tenfour_x::b() }
"##;
    let (code, files) = without_tests(&code_only(source));
    assert_eq!(files, ["more"]);
    let seen: Vec<(usize, String)> = imports(&code, "src/x.rs");
    let paths: Vec<&str> = seen.iter().map(|(_, path)| path.split(' ').next().unwrap()).collect();
    let wanted = [
        "store/Store",
        "app",
        "sim/cad/CadSim",
        "sim/page",
        "event",
        "route",
        "ids/CallId",
        "world/apply",
        "render",
        "clock/X",
        "outbox",
        "crates/sim/cad/CadSim",
        "crates/sim/page",
        "crates/chart",
        "tenfour",
        "super",
    ];
    assert_eq!(paths, wanted);
    let line = |wanted: &str| seen.iter().find(|(_, path)| path.starts_with(wanted)).unwrap().0;
    assert_eq!([line("store"), line("sim"), line("world"), line("clock"), line("outbox"), line("crates/chart")], [2, 3, 4, 7, 15, 16]);
}

#[test]
fn breaking_the_table_is_found_with_file_and_line() {
    let law = |rows: &[(&str, &[&str])]| -> Table {
        rows.iter().map(|(module, may)| ((*module).to_owned(), Some(may.iter().map(|may| (*may).to_owned()).collect()))).collect()
    };
    let files = |files: &[(&str, &str)]| files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let good = files(&[
        ("src/a.rs", "use crate::b::inner::X; use tenfour_k::f;"),
        ("src/b/mod.rs", "#[cfg(test)]\nmod tests;"),
        ("src/b/tests.rs", "use crate::a;"),
        ("crates/k/src/lib.rs", "mod m;\n#[cfg(test)]\nmod tests;\nuse crate::m::f;"),
        ("crates/k/src/m.rs", "use super::x;"),
        ("crates/k/src/tests.rs", "use tenfour::a;"),
    ]);
    assert_eq!(violations(&law(&[("a", &["b", "crates/k"]), ("b", &[]), ("crates/k", &[])]), &good), [""; 0]);
    let bad = files(&[
        ("src/a.rs", ""),
        ("src/b/mod.rs", "\n\nfn f() { crate::a::g() }"),
        ("src/c.rs", "use tenfour_k::f;"),
        ("src/b/x.rs", "use super::super::a;\nuse tenfour_k::f;"),
        ("crates/k/src/lib.rs", "use tenfour_j::b;"),
        ("crates/k/src/m.rs", "use tenfour::b;"),
    ]);
    let wanted = [
        "crates/k/src/lib.rs:1: crates/j/b is in no module of the table",
        "crates/k/src/m.rs:1: tenfour is in no module of the table",
        "src/b/mod.rs:3: b may not import a",
        "src/b/x.rs:2: b may not import crates/k",
        "src/b/x.rs:1: super::super (say crate:: so that the table can be held against it) is in no module of the table",
        "src/c.rs: belongs to no module of the table",
        "a may import b, but does not: take it out of the table",
        "the table names a module without files: d",
    ];
    assert_eq!(violations(&law(&[("a", &["b"]), ("b", &[]), ("crates/k", &[]), ("d", &[])]), &bad), wanted);
}

/// The compiler keeps other code from building a `Granted` and from changing the CAD without one (`src/authorization.rs`). But `authorize`
/// trusts the facts that it is given, so only `actions`, which gets them from the CAD, may call it.
#[test]
fn only_actions_authorize_changes_in_the_cad() {
    let callers: BTreeSet<String> = sources()
        .into_iter()
        .filter(|(file, source)| {
            let code = without_tests(&code_only(source)).0;
            file != "src/authorization.rs" && !file.contains("/tests") && code.contains("authorize(")
        })
        .map(|(file, _)| file)
        .collect();
    assert_eq!(callers, BTreeSet::from(["src/actions/mod.rs".to_owned()]));
}
