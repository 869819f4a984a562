//! Holds what the sources name against the table.

use std::fmt;

use crate::rules::{self, Layer};
use crate::scan::{Kind, Mention};
use crate::tree::{At, Place, Tree};

/// A breach of the table, and where it stands.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Everything in the tree that breaks the table, in the order of files and lines.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| *file != "lib.rs") {
        let top = file.split('/').next().unwrap_or(file).trim_end_matches(".rs");
        let declared = |(_, mention): &(_, Mention)| {
            mention.kind == Kind::Declaration && mention.path == [top]
        };
        if !tree.mentions.iter().any(declared) {
            violations.push(Violation {
                file: file.clone(),
                line: 1,
                what: format!("lib.rs declares no module `{top}`"),
            });
        }
    }
    for (file, mention) in &tree.mentions {
        violations.extend(judge(tree, mention).into_iter().map(|what| Violation {
            file: file.clone(),
            line: mention.line,
            what,
        }));
    }
    violations.sort();
    violations.dedup();
    violations
}

fn judge(tree: &Tree, mention: &Mention) -> Vec<String> {
    match (mention.kind, mention.path.as_slice()) {
        (Kind::Hidden, _) => {
            return vec!["`include!` and `#[path]` hide whose code this is".to_owned()];
        }
        (Kind::Declaration, [top]) if rules::find(top).is_none() => {
            return vec![format!("module `{top}` has no row in the table of layers")];
        }
        _ => {}
    }
    let Some(layer) = mention.module.first().and_then(|top| rules::find(top)) else {
        return Vec::new();
    };
    let written = mention.path.join("::").replacen("::::", "::", 1);
    tree.follow(mention)
        .iter()
        .filter_map(|place| judge_place(tree, layer, mention, place))
        .map(|what| format!("`{}` {what}: `{written}`", layer.name))
        .collect()
}

fn judge_place(tree: &Tree, layer: &Layer, mention: &Mention, place: &Place) -> Option<String> {
    match &place.at {
        At::Inside(path) => {
            let Some(top) = path.first() else {
                return (mention.kind == Kind::Glob)
                    .then(|| "may not import all that lib.rs has".to_owned());
            };
            if top == layer.name || layer.imports.contains(&top.as_str()) {
                None
            } else if tree.is_module(&path[..1]) {
                (place.own >= path.len()).then(|| format!("may not import `{top}`"))
            } else if tree.reexports(top) {
                None
            } else {
                Some(format!("may not name `{top}`, which lib.rs defines or lacks"))
            }
        }
        At::Outside(path) => {
            let bare = mention.kind == Kind::Inline && path.len() == 1;
            let wide = mention.kind == Kind::Glob;
            let mut barred = layer.barred.iter().filter(|_| !bare);
            barred
                .find(|barred| is_barred(barred, path, place.own, wide))
                .map(|barred| format!("may not name `{barred}`"))
        }
    }
}

/// Whether `path` leads to `barred` or beneath it, or, being a glob, opens a module that has it.
fn is_barred(barred: &str, path: &[String], own: usize, wide: bool) -> bool {
    let mut pairs = barred.split("::").zip(path);
    let depth = barred.split("::").count();
    let reaches = path.len() >= depth && path.len() - depth < own;
    pairs.all(|(barred, name)| barred == name) && (reaches || (wide && path.len() < depth))
}
