//! Measures, prints, checks. See the README beside this crate.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use tower_breaker_bench::cli::{HELP, Options};
use tower_breaker_bench::report::Report;
use tower_breaker_bench::{process, scenario};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::from_env()?;
    if options.help {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    if options.child {
        let figures = scenario::all(options.filter).run(options.length);
        serde_json::to_writer(io::stdout(), &figures)?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("counting memory");
    let memory = process::memory(&options)?;
    let mut processes = Vec::new();
    for number in 1..=options.processes {
        eprintln!("taking times, process {number} of {}", options.processes);
        processes.push(process::times(&options)?);
    }
    let report = Report::new(&processes, memory, options.filter.is_some());
    let to_stdout = options.json.as_ref().is_some_and(|file| file.as_os_str() == "-");
    match &options.json {
        Some(_) if to_stdout => println!("{}", serde_json::to_string_pretty(&report)?),
        Some(file) => std::fs::write(file, serde_json::to_string_pretty(&report)?)?,
        None => {}
    }
    if !to_stdout {
        print!("{report}");
    }
    let missed = options.check && !report.all_met();
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
