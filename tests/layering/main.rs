//! The imports of the crate run one way. `rules` has the table, `planted` shows that a breach of
//! it does not slip through.

mod check;
mod planted;
mod rules;
mod scan;
mod tokens;
mod tree;

use std::fs;
use std::path::Path;

use crate::check::check;
use crate::tree::{At, Place, Tree};

#[test]
fn imports_run_one_way() {
    let tree = sources();
    let violations = check(&tree);
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

/// A scan that found nothing would break no rule either.
#[test]
fn the_scan_sees_what_the_breaker_takes_from_the_circuit() {
    let tree = sources();
    let in_circuit = |place: &Place| match &place.at {
        At::Inside(path) => path.first().is_some_and(|top| top == "circuit"),
        At::Outside(_) => false,
    };
    let mut taken = tree.mentions.iter().filter(|(file, _)| file.starts_with("breaker"));
    assert!(taken.any(|(_, mention)| tree.follow(mention).iter().any(in_circuit)));
}

fn sources() -> Tree {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, "", &mut files);
    files.sort();
    Tree::read(files.iter().map(|(path, text)| (path.as_str(), text.as_str())))
}

/// Collects the Rust files under `folder` as (path relative to `src`, text).
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let entry = entry.expect("an entry");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source file in UTF-8");
            files.push((path, text));
        }
    }
}
