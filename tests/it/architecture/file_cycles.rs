//! Files in `src` and in each crate of ours don't import each other in a circle, so each can be read, tested, and moved after the files that it needs.
//!
//! A file imports the files that define the names in its paths: in `use`, in the code, and in the `subcommands` of a command. Re-exports are
//! followed to the definition, and neither `mod` nor `pub use` is an import by itself: a folder's `mod.rs` may list what its files offer.
//! Test modules don't count.

use std::collections::{BTreeMap, BTreeSet};

use super::{code_only, module_path, name_length, sources, without_tests};

/// A name that a `use` brings into a file.
#[derive(Debug)]
struct Use {
    path: Vec<String>,
    name: String,
    is_reexport: bool,
}

/// The names in one file.
#[derive(Debug, Default)]
struct File {
    uses: Vec<Use>,
    /// Modules that it declares in files of their own.
    children: BTreeSet<String>,
    /// Names of everything that it defines.
    items: BTreeSet<String>,
    /// Every path in its code outside `use`.
    paths: Vec<Vec<String>>,
}

/// Every file by its module path, such as `cad/rest/error` or `crates/sim/cad/hub`.
struct Files(BTreeMap<String, File>);

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The parts of a path.
fn parts(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Takes a `use` apart: `a::{b, c as d}` is `a::b` called `b`, and `a::c` called `d`.
fn expand(text: &str, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let text = text.trim();
    if let Some((prefix, rest)) = text.split_once('{') {
        let before: Vec<String> = before.iter().cloned().chain(parts(prefix)).collect();
        let inner = rest.trim_end().strip_suffix('}').expect("brackets are closed");
        let (mut depth, mut from) = (0_i32, 0);
        for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if c == ',' && depth == 0 {
                if !inner[from..at].trim().is_empty() {
                    expand(&inner[from..at], &before, found);
                }
                from = at + 1;
            }
        }
        return;
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias.trim().to_owned())));
    let mut path: Vec<String> = before.iter().cloned().chain(parts(path)).collect();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
    found.push((path, name));
}

/// Every name in the code with where it begins. What follows a dot is no path.
fn names(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += code[at..].find(is_name)?;
            let (from, length) = (at, name_length(&code[at..]));
            at += length;
            if !code[..from].ends_with(['.', '$', '\'']) {
                return Some((from, &code[from..from + length]));
            }
        }
    })
}

impl File {
    fn read(source: &str) -> Self {
        const DEFINING: [&str; 9] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union", "mod"];
        let (mut code, _) = without_tests(&code_only(source));
        let mut file = Self::default();
        loop {
            // `use<'a>` says what a type captures.
            let is_use = |at: usize, name: &str| name == "use" && code[at + 3..].starts_with(char::is_whitespace);
            let Some(at) = names(&code).find(|(at, name)| is_use(*at, name)).map(|(at, _)| at) else { break };
            let end = at + code[at..].find(';').expect("a use ends");
            let mut found = Vec::new();
            expand(&code[at + 3..end], &[], &mut found);
            let before = code[..at].trim_end();
            let is_reexport =
                before.ends_with("pub") || before.rsplit_once("pub(").is_some_and(|(_, scope)| scope.find(')') == Some(scope.len() - 1));
            file.uses.extend(found.into_iter().map(|(path, name)| Use { path, name, is_reexport }));
            code.replace_range(at..end, &" ".repeat(end - at));
        }
        let all: Vec<(usize, &str)> = names(&code).collect();
        for pair in all.windows(2) {
            let [(_, keyword), (at, name)] = pair else { continue };
            if DEFINING.contains(keyword) {
                file.items.insert((*name).to_owned());
                if *keyword == "mod" && code[at + name.len()..].trim_start().starts_with(';') {
                    file.children.insert((*name).to_owned());
                }
            }
        }
        let mut read_to = 0;
        for (at, name) in all {
            if at < read_to {
                continue;
            }
            let mut path = vec![name.to_owned()];
            let mut end = at + name.len();
            while let Some(rest) = code[end..].strip_prefix("::")
                && name_length(rest) > 0
            {
                let length = name_length(rest);
                path.push(rest[..length].to_owned());
                end += 2 + length;
            }
            read_to = end;
            if path.len() > 1 {
                file.paths.push(path);
            }
        }
        // The framework's macro takes paths as text.
        for list in source.split("subcommands(").skip(1) {
            let list = list.split(')').next().unwrap_or_default();
            file.paths.extend(list.split('"').skip(1).step_by(2).map(parts));
        }
        file
    }
}

/// What `crate` stands for in a file: `crates/sim` in `crates/sim/cad/hub`, nothing in the bot.
fn own_crate(module: &str) -> Vec<String> {
    let length = if module.starts_with("crates/") { 2 } else { 0 };
    module.split('/').take(length).map(str::to_owned).collect()
}

impl Files {
    fn read(sources: &BTreeMap<String, String>) -> Self {
        let mut files = BTreeMap::new();
        let mut tests = BTreeSet::new();
        for (file, source) in sources.iter().filter(|(file, _)| *file != "src/lib.rs" && *file != "src/main.rs") {
            let name = module_path(file);
            let (_, own) = without_tests(&code_only(source));
            tests.extend(own.into_iter().map(|test| format!("{name}/{test}")));
            files.insert(name, File::read(source));
        }
        files.retain(|name: &String, _| {
            !tests.iter().any(|test| name == test || name.strip_prefix(test.as_str()).is_some_and(|rest| rest.starts_with('/')))
        });
        Self(files)
    }

    /// The file that defines what a path in `from` names; `None` if it is none of ours.
    fn definition(&self, from: &str, path: &[String], seen: &mut BTreeSet<(String, String)>) -> Option<String> {
        let (first, rest) = path.split_first()?;
        let here: Vec<String> = from.split('/').map(str::to_owned).collect();
        let absolute: Vec<String> = match first.as_str() {
            "crate" => own_crate(from).into_iter().chain(rest.iter().cloned()).collect(),
            "self" => here.into_iter().chain(rest.iter().cloned()).collect(),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                here[..here.len().checked_sub(up)?].iter().chain(&path[up..]).cloned().collect()
            }
            child if self.0[from].children.contains(child) => here.into_iter().chain(path.iter().cloned()).collect(),
            name => {
                let known =
                    self.0[from].uses.iter().find(|known| known.name == name && known.path.first().is_some_and(|first| first != name))?;
                if !seen.insert((from.to_owned(), name.to_owned())) {
                    return None;
                }
                return self.definition(from, &known.path.iter().chain(rest).cloned().collect::<Vec<_>>(), seen);
            }
        };
        let length = (1..=absolute.len()).rev().find(|length| self.0.contains_key(&absolute[..*length].join("/")))?;
        let (file, rest) = (absolute[..length].join("/"), &absolute[length..]);
        let Some((name, more)) = rest.split_first() else { return Some(file) };
        let known = &self.0[&file];
        if known.items.contains(name) || !seen.insert((file.clone(), name.clone())) {
            return Some(file);
        }
        let follow = |path: &[String], seen: &mut _| self.definition(&file, &path.iter().chain(more).cloned().collect::<Vec<_>>(), seen);
        if let Some(named) = known.uses.iter().find(|known| known.name == *name) {
            return follow(&named.path, seen);
        }
        let everything = known.uses.iter().filter(|known| known.name == "*");
        let found = everything.filter_map(|all| self.definition(&file, &all.path[..all.path.len() - 1], seen));
        found.into_iter().find(|other| self.0[other].items.contains(name)).or(Some(file))
    }

    /// Which files each file imports, each with the path that does.
    fn imports(&self) -> BTreeMap<&str, BTreeMap<String, String>> {
        let of = |from: &str, file: &File| {
            let used = file.uses.iter().filter(|known| !known.is_reexport).map(|known| &known.path);
            let mut found = BTreeMap::new();
            for path in used.chain(&file.paths) {
                let stem = if path.last().is_some_and(|last| last == "*") { &path[..path.len() - 1] } else { &path[..] };
                if let Some(target) = self.definition(from, stem, &mut BTreeSet::new()).filter(|target| target != from) {
                    found.entry(target).or_insert_with(|| path.join("::"));
                }
            }
            found
        };
        self.0.iter().map(|(name, file)| (name.as_str(), of(name, file))).collect()
    }
}

/// Every import that is part of a circle: from the imported file, a chain of imports leads back.
fn circles<'a>(imports: &'a BTreeMap<&'a str, BTreeMap<String, String>>) -> Vec<(&'a str, &'a str, &'a str)> {
    let reached = |from: &'a str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            open.extend(imports[file].keys().map(String::as_str).filter(|next| seen.insert(*next)));
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports.keys().map(|file| (*file, reached(file))).collect();
    let all = imports.iter().flat_map(|(from, targets)| targets.iter().map(move |(to, path)| (*from, to.as_str(), path.as_str())));
    all.filter(|(from, to, _)| reached[to].contains(from)).collect()
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let sources = sources();
    let files = Files::read(&sources);
    let imports = files.imports();
    assert!(imports.values().map(BTreeMap::len).sum::<usize>() > 1_000, "the imports were not read");
    let circles = circles(&imports);
    let answer: Vec<String> = circles.iter().map(|(from, to, path)| format!("{from} imports {to} ({path})")).collect();
    assert!(answer.is_empty(), "these files import each other in a circle:\n{}", answer.join("\n"));
}

/// Tests the reader itself: which ways of naming something it must see, and which are not imports.
#[test]
fn imports_are_followed_to_the_file_that_defines_what_is_named() {
    let sources: BTreeMap<String, String> = [
        ("src/a/mod.rs", "mod one; mod two; pub(crate) use one::{Item, other as renamed}; pub use two::*; pub fn own() {}"),
        ("src/a/one.rs", "use super::own; pub struct Item; pub fn other() { super::Wild::new() }"),
        ("src/a/two.rs", "pub struct Wild;"),
        (
            "src/b.rs",
            "mod c;\nuse crate::a::{self as x, Item};\nfn f() -> impl Sized + use<> { x::renamed(); c::g(); \"crate::d\" }\n// crate::d",
        ),
        ("src/b/c.rs", "use super::Item; use std::fmt; #[cfg(test)] mod tests { use crate::d::E; }"),
        ("src/d.rs", "#[poise::command(subcommands(\"e::run\"))] mod e; pub struct E;\n#[cfg(test)]\nmod tests;"),
        ("src/d/e.rs", "use crate::d::E; use crate::a::*;"),
        ("src/d/tests.rs", "use crate::b;"),
        ("crates/e/src/lib.rs", "mod f; pub struct G;"),
        ("crates/e/src/f.rs", "use crate::G; use std::fmt;"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let files = Files::read(&sources);
    let imports = files.imports();
    let of = |file: &str| imports[file].keys().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(["a", "a/one", "a/two", "b", "b/c", "d", "d/e"].map(of), ["", "a a/two", "", "a a/one b/c", "a/one", "d/e", "a d"]);
    assert!(!imports.contains_key("d/tests"));
    // `crate` is the crate that a file is in.
    assert_eq!((of("crates/e"), of("crates/e/f")), (String::new(), "crates/e".to_owned()));
    let circle: Vec<(&str, &str)> = circles(&imports).into_iter().map(|(from, to, _)| (from, to)).collect();
    assert_eq!(circle, [("d", "d/e"), ("d/e", "d")]);
}
