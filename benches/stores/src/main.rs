//! Measures what a memory costs: calls with a store behind them, transitions, the journal, a start
//! with many circuits, a fleet. Each figure has another one of the same run beside it, since machines
//! differ.
//!
//! ```text
//! cargo run --release -p tower-breaker-bench-stores -- --check
//! ```
//!
//! Postgres and Redis are measured where `TOWER_BREAKER_POSTGRES_URL` and `TOWER_BREAKER_REDIS_URL`
//! lead; `scripts/bench-stores` starts both.

mod calls;
mod databases;
mod fleet;
mod journal;
mod raw;
mod redis;
mod report;
mod restart;
mod transitions;
mod watching;

use std::process::ExitCode;

use report::Report;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const HELP: &str = "\
Measures what the stores and the journal of tower-breaker cost.

  --check           exit with 1 if a target is missed
  --only TEXT       only the parts whose name contains TEXT:
                    calls, transitions, journal, restart, watching, redis,
                    fleet following, fleet calls, fleet idle (these three need both
                    servers)
  --no-postgres     leave Postgres out
  --no-redis        leave Redis out
";

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let (mut check, mut postgres, mut redis, mut only) = (false, true, true, String::new());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("check") => check = true,
            lexopt::Arg::Long("no-postgres") => postgres = false,
            lexopt::Arg::Long("no-redis") => redis = false,
            lexopt::Arg::Long("only") => only = arguments.value()?.to_string_lossy().into_owned(),
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let url = match (postgres, databases::postgres_url()) {
        (true, None) => {
            return Err("TOWER_BREAKER_POSTGRES_URL is not set: run scripts/bench-stores, which \
                        starts a server, or leave Postgres out with --no-postgres"
                .into());
        }
        (true, url) => url,
        (false, _) => None,
    };
    let mut report = Report::default();
    let wanted = |part: &str| part.contains(only.as_str());
    if wanted("calls") {
        calls::measure(&mut report, url.as_deref()).await?;
    }
    if wanted("transitions") {
        transitions::measure(&mut report, url.as_deref()).await?;
    }
    if wanted("journal") {
        journal::measure(&mut report, url.as_deref()).await?;
    }
    if wanted("restart") {
        restart::measure(&mut report).await?;
    }
    if redis && ["redis", "fleet following", "fleet calls", "fleet idle"].into_iter().any(wanted) {
        let redis = std::env::var("TOWER_BREAKER_REDIS_URL").map_err(|_| {
            "TOWER_BREAKER_REDIS_URL is not set: run scripts/bench-stores, which starts a server, or \
             leave Redis out with --no-redis"
        })?;
        if wanted("redis") {
            redis::measure(&mut report, &redis).await?;
        }
        if let Some(url) = url.as_deref() {
            if wanted("fleet following") {
                fleet::following(&mut report, url, &redis).await?;
            }
            if wanted("fleet calls") {
                fleet::calls(&mut report, url, &redis).await?;
            }
            if wanted("fleet idle") {
                fleet::idle(&mut report, url, &redis).await?;
            }
        }
    }
    if wanted("watching") {
        watching::measure(&mut report).await?;
    }
    print!("{report}");
    Ok(if check && !report.all_met() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
