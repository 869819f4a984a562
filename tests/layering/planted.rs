//! A small tree that keeps to the table, and one breach of each sort planted in it.

use crate::check::check;
use crate::tree::Tree;

/// Every legal way to name something, so that none of them is reported.
const CLEAN: &[(&str, &str)] = &[
    (
        "lib.rs",
        "pub mod breaker;
         pub mod circuit;
         pub mod service;
         mod store;
         mod sync;
         pub use breaker::{Breaker, handle::Handle as BreakerHandle};
         pub use crate::circuit::State;
         pub use self::service::*;
         pub use store::*;
         pub struct Above;
         #[macro_export]
         macro_rules! above { () => {}; }",
    ),
    (
        "circuit/mod.rs",
        "mod state;
         mod window;
         pub use self::state::State;
         use std::time::{self, Duration};
         use crate as root;
         pub(crate) fn open_for() -> time::Duration { Duration::ZERO }
         pub(in crate::circuit) fn state() -> root::circuit::State { State }
         #[cfg(test)]
         mod tests {
             use super::*;
             #[test]
             fn starts() { assert_eq!(super::super::circuit::open_for(), Duration::ZERO); }
         }",
    ),
    ("circuit/state.rs", "#[derive(Debug, PartialEq)] pub struct State;"),
    (
        "circuit/window.rs",
        "mod time { pub struct Slices; }
         fn slices() -> time::Slices { let log = time::Slices; dbg!(log) }",
    ),
    (
        "breaker/mod.rs",
        "pub(crate) mod handle;
         use crate::{State, sync::Mutex};
         use std::time::Instant;
         pub struct Breaker { state: Mutex<State>, since: Instant }
         /// Unlike [`crate::registry::Registry`] it remembers nothing.
         pub fn breaker() { tracing::debug!(target: \"crate::registry\", state = ?crate::State); }",
    ),
    ("breaker/handle.rs", "pub struct Handle(super::Breaker);"),
    ("service/mod.rs", "pub struct Service(crate::Breaker, crate::BreakerHandle);"),
    (
        "store/mod.rs",
        "pub struct Store(crate::circuit::State);
         #[macro_export]
         macro_rules! stored { () => { $crate::store::Store }; }",
    ),
    ("sync.rs", "pub(crate) use std::sync::Mutex;"),
];

struct Planted {
    sort: &'static str,
    /// A file of the clean tree that the text is put behind, or a new one.
    file: &'static str,
    text: &'static str,
    /// The line of the text that must be named, counted from 1, and words from the report.
    line: usize,
    says: &'static str,
}

#[rustfmt::skip]
const PLANTED: &[Planted] = &[
    planted("import", "circuit/state.rs", "\nuse crate::breaker::Breaker;", 2, "`circuit` may not import `breaker`"),
    planted("service on store", "service/mod.rs", "use crate::store::Store;", 1, "`service` may not import `store`"),
    planted("inline path in an expression", "circuit/state.rs", "fn f() {\n crate::breaker::breaker()\n }", 2, "import `breaker`"),
    planted("inline path in a type", "circuit/state.rs", "struct S {\n a: Vec<Option<crate::sync::Mutex<u8>>> }", 2, "import `sync`"),
    planted("inline path in a bound", "circuit/state.rs", "fn f<T>() where\n T: crate::service::Layer {}", 2, "import `service`"),
    planted("qualified path", "circuit/state.rs", "fn f() { <u8 as crate::store::Get>::get() }", 1, "import `store`"),
    planted("pattern", "circuit/state.rs", "fn f(s: u8) { match s {\n crate::store::LEAST => {} _ => {} } }", 2, "import `store`"),
    planted("super chain", "circuit/state.rs", "use super::super::store::Store;", 1, "import `store`"),
    planted("super chain out of an inline module", "circuit/state.rs", "mod a { mod b {\n fn f() { super::super::super::super::store::get() } } }", 2, "import `store`"),
    planted("super after self", "circuit/mod.rs", "use self::super::store;", 1, "import `store`"),
    planted("re-export", "circuit/state.rs", "fn f(_: &crate::Breaker) {}", 1, "import `breaker`"),
    planted("renamed re-export", "circuit/state.rs", "use crate::BreakerHandle as H;", 1, "import `breaker`"),
    planted("re-export by a glob", "breaker/mod.rs", "fn f(_: crate::Service) {}", 1, "import `service`"),
    planted("re-export through super", "breaker/handle.rs", "use super::super::{Store};", 1, "import `store`"),
    planted("group", "breaker/mod.rs", "use crate::{circuit::State as S,\n store::{Store, self}};", 2, "import `store`"),
    planted("renamed group", "breaker/mod.rs", "use crate::{circuit::State as S,\n service::{self as above}};", 2, "import `service`"),
    planted("glob", "breaker/mod.rs", "use crate::service::*;", 1, "import `service`"),
    planted("glob of the root", "breaker/mod.rs", "use crate::*;", 1, "import all that lib.rs has"),
    planted("renamed root", "circuit/mod.rs", "use crate as all;\nfn f() { all::service::f() }", 2, "import `service`"),
    planted("root renamed further up", "circuit/state.rs", "use super::root::sync;", 1, "import `sync`"),
    planted("name of the parent got by a glob", "circuit/state.rs", "use super::*;\nfn f() { root::sync::f() }", 2, "import `sync`"),
    planted("the crate's own name", "circuit/mod.rs", "extern crate self as own;\nuse own::store::Store;\nuse ::tower_breaker::store::Other;", 2, "import `store`"),
    planted("the crate's own name, global", "circuit/mod.rs", "use ::tower_breaker::store::Store;", 1, "import `store`"),
    planted("import inside a function", "circuit/state.rs", "fn f() {\n use crate::store::get; }", 2, "import `store`"),
    planted("test", "circuit/state.rs", "#[cfg(test)] mod tests {\n use crate::store::Store; }", 2, "import `store`"),
    planted("macro call", "circuit/state.rs", "fn f() { assert!(ready\n&& crate::breaker::ok()); }", 2, "import `breaker`"),
    planted("group in a macro call", "circuit/state.rs", "wrap! { use crate::{circuit::State,\n breaker::{Breaker}}; }", 2, "import `breaker`"),
    planted("glob in a macro call", "circuit/state.rs", "wrap! { use crate::*; }", 1, "import all that lib.rs has"),
    planted("super in a macro call", "circuit/state.rs", "fn f() { vec![super::super::store::get()]; }", 1, "import `store`"),
    planted("macro definition", "circuit/state.rs", "macro_rules! m { ($t:ty) => {\n <$t>::of($crate::store::get()) } }", 2, "import `store`"),
    planted("exported macro", "circuit/state.rs", "fn f() { crate::stored!() }", 1, "import `store`"),
    planted("attribute", "circuit/state.rs", "#[derive(crate::store::Row)] struct S;", 1, "import `store`"),
    planted("path in a string of an attribute", "circuit/state.rs", "struct S { #[serde(with = \"crate::store::wire\")]\n a: u8 }", 1, "import `store`"),
    planted("item of lib.rs", "circuit/state.rs", "use crate::Above;", 1, "`Above`, which lib.rs defines or lacks"),
    planted("macro of lib.rs", "circuit/state.rs", "fn f() { crate::above!() }", 1, "`above`, which lib.rs defines or lacks"),
    planted("name that lib.rs lacks", "circuit/state.rs", "use crate::Unheard;", 1, "`Unheard`, which lib.rs defines or lacks"),
    planted("unknown module", "lib.rs", "\nmod sink;", 2, "`sink` has no row"),
    planted("unknown module with a file", "stray/mod.rs", "", 1, "lib.rs declares no module `stray`"),
    planted("unknown inline module", "lib.rs", "\nmod prelude { pub use crate::store::Store; }", 2, "`prelude` has no row"),
    planted("include", "circuit/state.rs", "include!(\"../store/get.rs\");", 1, "hide whose code"),
    planted("module with a path of its own", "circuit/state.rs", "\n#[path = \"../store/get.rs\"] mod get;", 2, "hide whose code"),
    planted("clock", "circuit/state.rs", "use std::time::{Duration,\n Instant};", 2, "`circuit` may not name `std::time::Instant`"),
    planted("wall clock, inline", "circuit/state.rs", "fn f() { std::time::SystemTime::now(); }", 1, "name `std::time::SystemTime`"),
    planted("clock through a renamed module", "circuit/state.rs", "use std::time as t;\nfn f(_: t::Instant) {}", 2, "name `std::time::Instant`"),
    planted("clock through the parent's import", "circuit/state.rs", "fn f(_: super::time::Instant) {}", 1, "name `std::time::Instant`"),
    planted("clock by a glob", "circuit/state.rs", "use std::time::*;", 1, "name `std::time::Instant`"),
    planted("clock in a macro call", "circuit/state.rs", "fn f() { dbg!(std::time::Instant::now()); }", 1, "name `std::time::Instant`"),
    planted("lock", "circuit/state.rs", "use std::{sync::{atomic::AtomicU8, Mutex}};", 1, "name `std::sync::Mutex`"),
    planted("read-write lock", "circuit/state.rs", "struct S(::std::sync::RwLock<u8>);", 1, "name `std::sync::RwLock`"),
    planted("runtime", "circuit/state.rs", "fn f() { tokio::spawn(async {}); }", 1, "name `tokio`"),
    planted("runtime, whole", "circuit/state.rs", "use tokio;", 1, "name `tokio`"),
    planted("runtime as an extern crate", "circuit/state.rs", "extern crate tokio as rt;", 1, "name `tokio`"),
    planted("log", "circuit/state.rs", "fn f() { tracing::info!(\"opened\"); }", 1, "name `tracing`"),
    planted("log macro named as its crate", "circuit/state.rs", "use log::log;", 1, "name `log`"),
    planted("attribute of a log", "circuit/state.rs", "#[tracing::instrument] fn f() {}", 1, "name `tracing`"),
];

const fn planted(
    sort: &'static str,
    file: &'static str,
    text: &'static str,
    line: usize,
    says: &'static str,
) -> Planted {
    Planted { sort, file, text, line, says }
}

#[test]
fn a_clean_tree_is_not_reported() {
    assert_eq!(check(&Tree::read(CLEAN.iter().copied())), []);
}

/// The alias reads as one of the module too, and a path through it as one without end.
#[test]
fn a_function_may_have_the_name_of_its_module() {
    let tree = Tree::read([
        ("lib.rs", "mod circuit;"),
        ("circuit/mod.rs", "mod judge; use self::judge::judge; pub use self::judge::Judge;"),
        ("circuit/judge.rs", "pub struct Judge; pub fn judge() {}"),
        ("circuit/state.rs", "use super::{Judge, judge};"),
    ]);
    assert_eq!(check(&tree), []);
}

#[test]
fn every_sort_of_breach_is_reported_where_it_stands() {
    for planted in PLANTED {
        let mut files = CLEAN.to_vec();
        let clean = files.iter().position(|(file, _)| *file == planted.file);
        let (text, above) = match clean.map(|at| files.remove(at)) {
            Some((_, text)) => (format!("{text}\n{}", planted.text), text.lines().count()),
            None => (planted.text.to_owned(), 0),
        };
        files.push((planted.file, &text));
        let violations = check(&Tree::read(files));
        let found = violations.iter().any(|violation| {
            violation.line == above + planted.line && violation.what.contains(planted.says)
        });
        let only = (violations.iter()).all(|violation| violation.file == planted.file);
        assert!(found && only, "{}: {violations:#?}", planted.sort);
    }
}

#[test]
fn a_glob_re_export_covers_every_sort_of_item() {
    let items = [
        "pub const NAME: u8 = 0;",
        "pub enum NAME {}",
        "pub fn NAME() {}",
        "pub mod NAME {}",
        "pub static NAME: u8 = 0;",
        "pub struct NAME;",
        "pub trait NAME {}",
        "pub type NAME = u8;",
        "pub union NAME { a: u8 }",
        "pub use other::NAME;",
        "macro_rules! NAME { () => {} }",
    ];
    for item in items {
        let violations = check(&Tree::read([
            ("lib.rs", "mod circuit; mod store; pub use store::*;"),
            ("circuit.rs", "use crate::NAME;"),
            ("store.rs", item),
        ]));
        let [violation] = violations.as_slice() else { panic!("{item}: {violations:#?}") };
        assert!(violation.what.contains("`circuit` may not import `store`"), "{item}: {violation}");
    }
}

/// One breach is one report: what was imported wrongly is not reported again at each use.
#[test]
fn a_breach_is_reported_once() {
    let mut files = CLEAN.to_vec();
    files.push((
        "service/layer.rs",
        "use crate::store::{self, Store};
         use std::time as t;
         fn f(a: Store, b: store::Store, now: t::Instant) -> Store { store::put(a, b) }",
    ));
    let reports: Vec<String> = check(&Tree::read(files)).iter().map(ToString::to_string).collect();
    assert_eq!(
        reports,
        [
            "src/service/layer.rs:1: `service` may not import `store`: `crate::store::Store`",
            "src/service/layer.rs:1: `service` may not import `store`: `crate::store`",
        ]
    );
}
