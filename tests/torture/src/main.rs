//! Kills, races and starves processes that share a store, and checks what they leave.

use std::{io::stderr, process::ExitCode};

use tower_breaker_torture::{
    Error,
    kill::{self, KillOptions},
    line::Point,
    race::{self, RaceOptions},
    witness::Hold,
    worker::{self, Load, WorkerOptions},
};

const HELP: &str = "\
Kills, races and starves processes that share a store, and checks what they leave.

Usage: torture COMMAND [OPTIONS]

Commands:
  kill     kills a worker again and again, and starts it anew
  race     lets processes fight over the same circuits
  worker   is such a process

Options:
  --store STORE     sqlite, postgres (a new database on the server that is named by
                    TOWER_BREAKER_POSTGRES_URL; scripts/servers starts one), or the URL
                    of a database that may be written to; kill and race do both unless set
  --kills N         how many kills on each store; 100 unless set
  --seed N          what chance is begun with
  --conflicts N     how many conflicts have to be met on each store; 1000 unless set
  --processes N     how many processes fight; 4 unless set
  --load LOAD       worker: flapping, fighting or gentle
  --hold POINT:N    worker: stops for ever before, during or after its Nth write
  -h, --help        prints this";

#[derive(Debug, Default)]
struct Arguments {
    command: Option<String>,
    store: Option<String>,
    kills: Option<u32>,
    seed: Option<u64>,
    conflicts: Option<u64>,
    processes: Option<usize>,
    load: Option<Load>,
    hold: Option<Hold>,
    help: bool,
}

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
    let arguments = parse()?;
    if arguments.help {
        println!("{HELP}");
        return Ok(true);
    }
    let both = ["sqlite".to_owned(), "postgres".to_owned()];
    let stores = arguments.store.as_ref().map_or(&both[..], std::slice::from_ref);
    let program = std::env::current_exe()?;
    match arguments.command.as_deref() {
        Some("worker") => {
            tracing_subscriber::fmt().with_writer(stderr).with_ansi(false).init();
            let url = arguments.store.ok_or("a worker needs --store URL")?;
            let load = arguments.load.ok_or("a worker needs --load")?;
            worker::work(WorkerOptions { url, load, hold: arguments.hold }).await?;
            Ok(true)
        }
        Some("kill") => {
            let mut good = true;
            for store in stores {
                let report = kill::run(&KillOptions {
                    program: program.clone(),
                    store: store.clone(),
                    kills: arguments.kills.unwrap_or(100),
                    seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
                })
                .await?;
                println!("{report}");
                good &= report.is_good();
            }
            Ok(good)
        }
        Some("race") => {
            let mut good = true;
            for store in stores {
                let report = race::run(&RaceOptions {
                    program: program.clone(),
                    store: store.clone(),
                    processes: arguments.processes.unwrap_or(4),
                    conflicts: arguments.conflicts.unwrap_or(1000),
                })
                .await?;
                println!("{report}");
                good &= report.is_good();
            }
            Ok(good)
        }
        Some(other) => Err(format!("there is no command `{other}`; see --help").into()),
        None => Err("no command; see --help".into()),
    }
}

fn parse() -> Result<Arguments, Error> {
    use lexopt::prelude::*;

    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("store") => arguments.store = Some(parser.value()?.string()?),
            Long("kills") => arguments.kills = Some(parser.value()?.parse()?),
            Long("seed") => arguments.seed = Some(parser.value()?.parse()?),
            Long("conflicts") => arguments.conflicts = Some(parser.value()?.parse()?),
            Long("processes") => arguments.processes = Some(parser.value()?.parse()?),
            Long("load") => {
                let name = parser.value()?.string()?;
                let load = Load::from_name(&name).ok_or_else(|| format!("no load `{name}`"))?;
                arguments.load = Some(load);
            }
            Long("hold") => arguments.hold = Some(hold(&parser.value()?.string()?)?),
            Short('h') | Long("help") => arguments.help = true,
            Value(word) if arguments.command.is_none() => arguments.command = Some(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(arguments)
}

fn hold(text: &str) -> Result<Hold, Error> {
    let (point, at) = text.split_once(':').ok_or("--hold takes POINT:N")?;
    let point = Point::from_name(point).ok_or_else(|| format!("no point `{point}`"))?;
    Ok(Hold { at: at.parse()?, point })
}
