//! Counts allocations and bytes and prints them as JSON; `tower-breaker-bench` runs it.

use std::alloc::System;
use std::io;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tower_breaker_bench::memory;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> io::Result<()> {
    let counted = memory::count(std::env::args().nth(1));
    Ok(serde_json::to_writer(io::stdout(), &counted)?)
}
