//! The table: which top-level module may import which, and what is barred from the pure core.

/// A top-level module of the crate, and what it may name.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    /// The other layers it may import from: only ones that stand above it in the table.
    pub(crate) imports: &'static [&'static str],
    /// Paths outside the crate that it may not name, nor anything under them.
    pub(crate) barred: &'static [&'static str],
}

/// Lowest first; a module's unit tests count as the module. `lib.rs` is above them all: it
/// re-exports, and no layer may name what it defines.
pub(crate) const LAYERS: &[Layer] = &[
    layer("name", &[]),
    layer("sync", &[]),
    layer("explore", &[]),
    Layer { name: "circuit", imports: &[], barred: IMPURE },
    layer("breaker", &["name", "sync", "circuit"]),
    layer("error", &["name", "circuit", "breaker"]),
    layer("classify", &["circuit", "breaker", "error"]),
    layer("retry", &["error"]),
    layer("service", &["circuit", "breaker", "error", "classify"]),
    layer("http", &["breaker", "classify", "service"]),
    layer("grpc", &["breaker", "classify", "service"]),
    layer("store", &["name", "circuit"]),
    layer("journal", &["name", "circuit", "breaker", "store"]),
    layer("fleet", &["name", "explore", "circuit", "breaker", "store"]),
    layer("analysis", &["name", "circuit", "store"]),
    layer("alert", &["name", "circuit", "breaker"]),
    layer(
        "registry",
        &[
            "name", "sync", "circuit", "breaker", "error", "classify", "retry", "service", "http",
            "grpc", "store", "journal", "fleet", "analysis", "alert",
        ],
    ),
];

/// What the pure state machine may not name: clocks, locks, threads, runtimes and logs.
const IMPURE: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "chrono",
    "quanta",
    "time",
    "std::sync::Condvar",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "parking_lot",
    "std::thread",
    "futures",
    "tokio",
    "log",
    "tracing",
];

const fn layer(name: &'static str, imports: &'static [&'static str]) -> Layer {
    Layer { name, imports, barred: &[] }
}

pub(crate) fn find(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// Calls never depend on what remembers them, nor anything on what puts all together.
#[test]
fn what_stands_above_is_not_known_below() {
    let remembers = ["store", "journal", "registry"];
    for layer in LAYERS {
        let knows = |name: &&str| layer.imports.contains(name);
        match layer.name {
            "breaker" | "service" => assert!(!remembers.iter().any(knows), "{}", layer.name),
            name => assert!(!knows(&"registry"), "{name}"),
        }
    }
}

/// One order for all of them is what makes a cycle of imports impossible.
#[test]
fn the_table_only_looks_up() {
    for (row, layer) in LAYERS.iter().enumerate() {
        for import in layer.imports {
            assert!(
                LAYERS[..row].iter().any(|lower| lower.name == *import),
                "`{}` imports `{import}`, which is not above it in the table",
                layer.name
            );
        }
    }
}
