//! Breaks the processes of a fleet, their stores and their network, and checks what they did.

use std::{
    io::stderr,
    process::ExitCode,
    time::{Duration, Instant},
};

use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use tower_breaker_fleet::{
    Error,
    check::Verdict,
    quiet, quorum,
    storm::{self, StormOptions},
    worker,
};

const HELP: &str = "\
Breaks the processes of a fleet, their stores and their network, and checks what they did by their
logs. Starts its own servers: Postgres and Redis have to be installed.

Usage: fleet [OPTIONS]

Options:
  --only NAME   storm, tiered, quorum or quiet
  --minutes N   goes on for so long; once unless set
  -h, --help    prints this";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, Error> {
    use lexopt::prelude::*;

    let (mut only, mut lasting) = (None, Duration::ZERO);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if word == "worker" => {
                // Transitions are said otherwise, and outside the calls whose time is taken.
                let filter = Targets::new()
                    .with_default(LevelFilter::INFO)
                    .with_target("tower_breaker::breaker", LevelFilter::OFF);
                let log = fmt::layer().with_writer(stderr).with_ansi(false).with_filter(filter);
                tracing_subscriber::registry().with(log).init();
                let options = serde_json::from_str(&parser.value()?.string()?)?;
                worker::work(options).await?;
                return Ok(true);
            }
            Long("minutes") => lasting = Duration::from_secs(parser.value()?.parse::<u64>()? * 60),
            Long("only") => only = Some(parser.value()?.string()?),
            Short('h') | Long("help") => {
                println!("{HELP}");
                return Ok(true);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let program = std::env::current_exe()?;
    let began = Instant::now();
    let mut all = Verdict::default();
    let mut runs = 0;
    loop {
        for name in ["storm", "tiered", "quorum", "quiet"] {
            if only.as_ref().is_some_and(|only| only != name) {
                continue;
            }
            let verdict = match name {
                "storm" | "tiered" => {
                    let (program, tiered) = (program.clone(), name == "tiered");
                    storm::run(&StormOptions { program, tiered }).await?
                }
                "quorum" => quorum::run(&program).await?,
                _ => quiet::run(&program).await?,
            };
            println!("{name}:\n{verdict}");
            all.add(verdict);
            runs += 1;
        }
        if began.elapsed() >= lasting {
            break;
        }
    }
    println!("{runs} runs in {} s, times at their longest:\n{all}", began.elapsed().as_secs());
    Ok(runs > 0 && all.is_good())
}
