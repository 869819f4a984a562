//! The scripts that run on the server: every change is one of them.

use std::sync::LazyLock;

use redis::{Cmd, Script};

/// A script, known to the server by its digest once it has run there.
#[derive(Debug)]
pub(super) struct Lua {
    source: String,
    digest: String,
}

impl Lua {
    fn new(source: &str) -> Self {
        let source = format!("{}\n{source}", include_str!("lua/common.lua"));
        let digest = Script::new(&source).get_hash().to_owned();
        Self { source, digest }
    }

    /// Runs it where the server knows it.
    pub(super) fn by_digest(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.digest);
        command
    }

    /// Runs it, and makes the server know it.
    pub(super) fn by_source(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.source);
        command
    }
}

macro_rules! scripts {
    ($($name:ident: $file:literal),+ $(,)?) => {$(
        pub(super) static $name: LazyLock<Lua> =
            LazyLock::new(|| Lua::new(include_str!(concat!("lua/", $file))));
    )+};
}

scripts! {
    LOAD: "load.lua",
    LOAD_ALL: "load_all.lua",
    SWAP: "swap.lua",
    REMOVE: "remove.lua",
    FORGET_TOMBSTONES: "forget_tombstones.lua",
    LEASE: "lease.lua",
    RENEW: "renew.lua",
    RELEASE: "release.lua",
    PUBLISH: "publish.lua",
    INSTANCES: "instances.lua",
    RETIRE: "retire.lua",
    FORGET_INSTANCES: "forget_instances.lua",
}
