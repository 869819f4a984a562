//! What the processes of a fleet say: one line of JSON each.

use std::{
    fmt,
    io::Write as _,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use serde::{Deserialize, Serialize};
use tower_breaker::{
    State,
    circuit::Version,
    store::{ChangeId, RunId},
};
use tower_breaker_torture::line::Attempt;

use crate::clock::boot;

/// A process of a fleet: the place that it has, and how many had it before.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Who {
    /// The place.
    pub slot: usize,
    /// How many processes had it before.
    pub life: u32,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}.{}", self.slot, self.life)
    }
}

/// A line with its place among those of its process, and its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Said {
    /// Its place.
    pub sequence: u64,
    /// When, in nanoseconds of the clock that all processes share.
    pub at: u64,
    /// What.
    pub line: Line,
}

/// What a process says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Its load begins.
    Ready {
        /// Who it is to the store.
        run: RunId,
    },
    /// A write is about to be handed to the store.
    Try(Write),
    /// The store answered a write.
    Answer {
        /// The place of the line that told of the write.
        of: u64,
        /// What the store said.
        answer: Answer,
    },
    /// A circuit of this process changed.
    Turn(Turn),
    /// The result of a call came after its generation had ended, and decided nothing.
    Late {
        /// The circuit.
        service: String,
        /// The generation that the call was admitted under.
        generation: u64,
    },
    /// The store answers again, or does not any more.
    Store {
        /// It answers.
        up: bool,
        /// What it said if not.
        error: Option<String>,
    },
    /// Where its circuits are, as it was asked.
    States {
        /// One of each circuit.
        circuits: Vec<Standing>,
        /// How many circuits have something to commit.
        uncommitted: usize,
        /// Whether the store answers.
        up: bool,
    },
    /// What it did since it started.
    Stats(Stats),
    /// How long it took to be admitted or rejected, in nanoseconds.
    Speed {
        /// Of the circuits of the registry.
        ours: Vec<u32>,
        /// Of one without a store.
        control: Vec<u32>,
    },
}

/// A write of a lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// What is written.
    pub attempt: Attempt,
    /// The version that is expected; none if nothing is.
    pub expected: Option<Version>,
    /// The lease in the state lane.
    pub lease: Option<Leased>,
    /// Why, in one word.
    pub reason: String,
    /// The leases in a row that saw no call, if the write says so.
    pub unused: Option<u64>,
}

/// A lease in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leased {
    /// Which.
    pub token: u64,
    /// Whose.
    pub owner: RunId,
    /// How often it was renewed.
    pub renewals: u32,
    /// How many probes it permits.
    pub budget: u32,
}

/// What a store said to a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It has it, under this version.
    Taken {
        /// The version.
        version: Version,
    },
    /// Another write was first, which may be an earlier try of this one.
    Conflict {
        /// The version of what is there.
        version: Option<Version>,
        /// The write that made it.
        change: Option<ChangeId>,
    },
    /// It said something else, and may have taken it.
    Failed {
        /// What.
        error: String,
    },
}

/// A change of a circuit in a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The circuit.
    pub service: String,
    /// The state before.
    pub from: State,
    /// The state from then on.
    pub to: State,
    /// The generation that began.
    pub generation: u64,
    /// The version.
    pub version: Version,
    /// Why, in one word.
    pub reason: String,
}

/// Where a circuit is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The circuit.
    pub service: String,
    /// The state in force here, overrides included.
    pub state: State,
    /// The version of the store's state as far as this process knows.
    pub version: Option<Version>,
}

/// What a process did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Leases that it took.
    pub leases: u64,
    /// Leases that it took over.
    pub takeovers: u64,
    /// Results that changed nothing since the lease was lost.
    pub fenced: u64,
    /// Leases that it gave back unused.
    pub unused: u64,
    /// Writes that met another one.
    pub conflicts: u64,
    /// Times that a tier was given up.
    pub fail_overs: u64,
    /// Lanes that were written to a tier that had lost them.
    pub reseeds: u64,
    /// Lanes that were written to a tier that was behind.
    pub brought_up: u64,
    /// Lanes of which the tiers had different writes, one of which gave way.
    pub gave_way: u64,
}

static SEQUENCE: AtomicU64 = AtomicU64::new(1);
static LATER: LazyLock<mpsc::Sender<Said>> = LazyLock::new(|| {
    let (sender, lines) = mpsc::channel::<Said>();
    std::thread::spawn(move || lines.into_iter().for_each(|said| said.print()));
    sender
});

impl Said {
    fn print(&self) {
        // What is no line is reported by whoever hears it.
        let mut text = serde_json::to_string(self).unwrap_or_else(|error| error.to_string());
        text.push('\n');
        let mut out = std::io::stdout().lock();
        // Nobody hears it if the parent is gone: the worker ends by itself then.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Line {
    /// Prints it, and returns its place. The line is out of the process before this returns, so that
    /// it is told of even if the process is killed at once.
    pub fn say(self) -> u64 {
        let said = self.now();
        said.print();
        said.sequence
    }

    /// Has it printed by a thread of its own, with its place and time as of now: for code that runs
    /// inside the calls whose time is taken.
    pub fn say_later(self) {
        // The thread ends with the process.
        let _ = LATER.send(self.now());
    }

    fn now(self) -> Said {
        Said { sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed), at: boot(), line: self }
    }
}
