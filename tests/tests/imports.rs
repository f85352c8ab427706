//! The imports between the modules of a crate: no circle, and none from a lower layer to a higher one.
//!
//! Modules of one folder are compared, each with all that is below it. A module may use what its own folder's `mod.rs`
//! defines, and the other way round. What a module passes on with `use` counts as an import of where it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Module = Vec<String>;
type Arrows = BTreeMap<Module, BTreeMap<String, BTreeSet<String>>>;

/// What a module's file imports: full paths, and the name of each in the module.
type Imports = BTreeMap<Module, Vec<(Module, String)>>;

/// The layers of core, the lowest first. Modules of one layer do not import each other.
const CORE: &[&[&str]] = &[
    &["bytes", "limits", "time"],
    &["uevent", "netlink", "rcvbuf"],
    &["selection"],
    &["filter", "stream"],
    &["protocol"],
];

/// The same of board.
const BOARD: &[&[&str]] = &[
    &["file", "signals", "sys", "thread", "time"],
    &["cause", "client", "doorbell", "process_policy"],
    &["sysfs"],
    &["socket"],
    &["intake", "profile"],
    &["diag", "report"],
    &["engine"],
    &["service", "daemon", "watcher"],
    &["cli"],
];

fn path(text: &str) -> Module {
    text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Without comments, texts and tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let lines = lines.map(|line| line.split('"').step_by(2).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

/// Splits at commas that are in no brace.
fn branches(tree: &str) -> Vec<&str> {
    let (mut depth, mut start, mut all) = (0, 0, Vec::new());
    for (at, byte) in tree.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                all.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    all.push(&tree[start..]);
    all
}

/// All paths of a `use`, without `as`.
fn expand(above: &Module, tree: &str, all: &mut Vec<(Module, String)>) {
    if let Some((before, inner)) = tree.split_once('{') {
        let above = [above.clone(), path(before)].concat();
        let inner = inner.trim_end().strip_suffix('}').expect("a brace");
        for branch in branches(inner) {
            expand(&above, branch, all);
        }
    } else if !tree.trim().is_empty() {
        let (tree, name) = tree.split_once(" as ").unwrap_or((tree, tree));
        let mut full = [above.clone(), path(tree)].concat();
        if full.last().is_some_and(|last| last == "self") {
            full.pop();
        }
        let name = path(name).pop().filter(|name| name != "self").or_else(|| full.last().cloned());
        all.push((full, name.unwrap_or_default()));
    }
}

/// Makes a path begin at the root; `None` for one of another crate.
fn absolute(module: &Module, path: Module) -> Option<Module> {
    let mut base = match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" | "super" => module.clone(),
        _ => return Some([module.clone(), path].concat()),
    };
    let mut rest = &path[..];
    while let Some((first, behind)) =
        rest.split_first().filter(|(first, _)| ["self", "super"].contains(&first.as_str()))
    {
        if first == "super" {
            base.pop()?;
        }
        rest = behind;
    }
    Some([base, rest.to_vec()].concat())
}

fn read(folder: &Path, module: &Module, all: &mut Imports) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let file = entry.expect("a file").path();
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let below = [&module[..], std::slice::from_ref(&name)].concat();
        if file.is_dir() {
            read(&file, &below, all);
        } else if name != "main" {
            let module = if name == "mod" || name == "lib" { module } else { &below };
            let found = imports(module, &fs::read_to_string(&file).expect("a text"));
            all.entry(module.clone()).or_default().extend(found);
        }
    }
}

fn imports(module: &Module, text: &str) -> Vec<(Module, String)> {
    let code = code(text);
    let mut found = Vec::new();
    let (mut rest, mut others) = (&code[..], String::new());
    while let Some(at) = rest.find("use ") {
        let is_word = !rest[..at]
            .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '<' || c == ' ')
            || rest[..at].ends_with(") ")
            || rest[..at].ends_with("pub ");
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        if is_word {
            expand(&Vec::new(), &rest[at + 4..end].replace('\n', " "), &mut found);
            others += &rest[..at];
            rest = &rest[end..];
        } else {
            others += &rest[..at + 4];
            rest = &rest[at + 4..];
        }
    }
    others += rest;
    for start in ["crate::", "super::"] {
        for (at, _) in others.match_indices(start) {
            let end = others[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            let full = path(&others[at..end.map_or(others.len(), |end| at + end)]);
            found.push((full, String::new()));
        }
    }
    found.into_iter().filter_map(|(full, name)| Some((absolute(module, full)?, name))).collect()
}

/// The module that a path leads to, through what others pass on.
fn resolve(path: &Module, all: &Imports, seen: &mut BTreeSet<Module>) -> Option<Module> {
    let depth = (0..=path.len()).rev().find(|&depth| all.contains_key(&path[..depth]))?;
    let module = path[..depth].to_vec();
    let Some(item) = path.get(depth) else { return Some(module) };
    let passed_on = all[&module].iter().find(|(full, name)| name == item && full != path);
    match passed_on {
        Some((full, _)) if seen.insert(full.clone()) => {
            resolve(full, all, seen).filter(|to| !to.is_empty()).or(Some(module))
        }
        _ => Some(module),
    }
}

/// For each folder, which of its modules import which.
fn arrows(folder: &str) -> Arrows {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("src");
    let mut all = Imports::new();
    read(&source, &Vec::new(), &mut all);
    let mut arrows = Arrows::new();
    for (from, imports) in &all {
        for (to, _) in imports {
            let Some(to) = resolve(to, &all, &mut BTreeSet::new()) else { continue };
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(common), to.get(common)) {
                let folder = arrows.entry(from[..common].to_vec()).or_default();
                folder.entry(a.clone()).or_default().insert(b.clone());
            }
        }
    }
    arrows
}

/// A circle of a folder, if there is one.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut left: BTreeMap<_, BTreeSet<_>> = arrows.clone();
    // What imports nothing that is left is in no circle.
    loop {
        let names: BTreeSet<_> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, to| to.iter().any(|to| names.contains(to)));
        if left.len() == before {
            break;
        }
    }
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?].iter().find(|to| left.contains_key(*to))?.clone();
        if let Some(at) = way.iter().position(|name| *name == next) {
            return Some([&way[at..], &[next]].concat());
        }
        way.push(next);
    }
}

fn upward(arrows: &BTreeMap<String, BTreeSet<String>>, layers: &[&[&str]]) -> Vec<String> {
    let layer = |name: &str| layers.iter().position(|layer| layer.contains(&name));
    let pairs = arrows.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    let wrong =
        pairs.filter(|(from, to)| layer(from).is_none() || layer(to).is_none() || layer(to) >= layer(from));
    wrong.map(|(from, to)| format!("{from} imports {to}")).collect()
}

#[test]
fn core_has_no_circle_and_no_upward_import() {
    let all = arrows("core");
    assert!(all[&Vec::new()]["protocol"].contains("stream"), "the imports are not found: {all:?}");
    for (folder, arrows) in &all {
        assert_eq!(circle(arrows), None, "in core/src/{}", folder.join("/"));
    }
    assert_eq!(upward(&all[&Vec::new()], CORE), [""; 0]);
}

#[test]
fn circles_and_upward_imports_are_found() {
    let arrows = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "a")];
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for (from, to) in arrows {
        graph.entry(from.to_owned()).or_default().insert(to.to_owned());
    }
    assert_eq!(circle(&graph).expect("a circle"), ["b", "c", "b"]);
    assert_eq!(upward(&graph, &[&["b"], &["c"], &["a"], &["d"]]), ["b imports c"]);
    let mut found = Vec::new();
    expand(&path("crate"), "a::{self, b::{C, D as E}, f}", &mut found);
    let found: Vec<_> = found.into_iter().map(|(full, name)| (full.join("::"), name)).collect();
    let wanted = [("crate::a", "a"), ("crate::a::b::C", "C"), ("crate::a::b::D", "E"), ("crate::a::f", "f")];
    assert_eq!(found, wanted.map(|(full, name)| (full.to_owned(), name.to_owned())));
}

#[test]
fn board_has_no_circle_and_no_upward_import() {
    let all = arrows("board");
    for (folder, arrows) in &all {
        assert_eq!(circle(arrows), None, "in board/src/{}", folder.join("/"));
    }
    assert_eq!(upward(&all[&Vec::new()], BOARD), [""; 0]);
}
