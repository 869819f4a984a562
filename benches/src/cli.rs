//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use crate::row::Length;

/// What `--help` prints.
pub const HELP: &str = "\
Measures tower-breaker side by side with the physical limit and with its peers.

  --check           exit with 1 if a target is missed
  --quick           one process and few rounds: seconds, for a first look
  --filter TEXT     only rows whose \"scenario / subject\" contains TEXT
  --json FILE       write everything as JSON to FILE; to the standard output with -
  --processes N     how many processes take times, one after the other
  --rounds N        how many batches of each row a process runs
";

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Fail if a target is missed.
    pub check: bool,
    /// Only these rows.
    pub filter: Option<String>,
    /// Where the JSON goes.
    pub json: Option<PathBuf>,
    /// How many processes take times.
    pub processes: u32,
    /// How long each one is.
    pub length: Length,
    /// This is one of those processes.
    pub child: bool,
    /// Only print the help.
    pub help: bool,
}

impl Options {
    /// Reads the program's arguments.
    pub fn from_env() -> Result<Self, lexopt::Error> {
        Self::parse(lexopt::Parser::from_env())
    }

    fn parse(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let (mut processes, mut rounds, mut quick) = (None, None, false);
        let mut options = Self {
            check: false,
            filter: None,
            json: None,
            processes: 0,
            length: Length {
                rounds: 0,
                at_most: Duration::from_secs(25),
                batch: Duration::from_millis(1),
            },
            child: false,
            help: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("check") => options.check = true,
                Long("quick") => quick = true,
                Long("filter") => options.filter = Some(parser.value()?.string()?),
                Long("json") => options.json = Some(parser.value()?.into()),
                Long("processes") => processes = Some(parser.value()?.parse()?),
                Long("rounds") => rounds = Some(parser.value()?.parse()?),
                Long("child") => options.child = true,
                Short('h') | Long("help") => options.help = true,
                other => return Err(other.unexpected()),
            }
        }
        options.processes = processes.unwrap_or(if quick { 1 } else { 5 }).max(1);
        options.length.rounds = rounds.unwrap_or(if quick { 15 } else { 60 }).max(1);
        if options.check && options.filter.is_some() {
            return Err("--check needs every row: leave out --filter".into());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, lexopt::Error> {
        Options::parse(lexopt::Parser::from_args(arguments))
    }

    #[test]
    fn quick_is_one_process() {
        let options = parse(&["--quick", "--json", "-"]).unwrap();
        assert_eq!((options.processes, options.length.rounds), (1, 15));
        assert_eq!(options.json, Some(PathBuf::from("-")));
    }

    #[test]
    fn numbers_win_over_quick() {
        let options = parse(&["--processes", "3", "--quick", "--rounds=7"]).unwrap();
        assert_eq!((options.processes, options.length.rounds), (3, 7));
    }

    #[test]
    fn check_refuses_a_filter() {
        assert!(parse(&["--check", "--filter", "open"]).is_err());
    }
}
