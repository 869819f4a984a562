//! The program.
#![cfg(feature = "cli")]

use std::{
    path::PathBuf,
    process::{Command, Output},
    thread,
};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tower-breaker-migration"))
        .args(arguments)
        .env_remove("DATABASE_URL")
        .output()
        .expect("the program runs")
}

/// A file in a folder for tests that does not exist yet.
fn new_file(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("{name}-{}.db", std::process::id()));
    let _ = std::fs::remove_file(&file);
    format!("sqlite://{}", file.display())
}

#[test]
fn it_creates_the_file_and_the_tables_and_takes_them_back() {
    let url = new_file("program");
    for (command, status) in
        [("up", "applied"), ("status", "applied"), ("fresh", "applied"), ("down", "pending")]
    {
        let output = run(&["-u", &url, command]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {output:?}");
        assert_eq!(said, format!("m20261122_000001_create: {status}\n"), "{command}");
    }
}

#[test]
fn many_processes_may_run_at_once() {
    let url = new_file("many");
    let running: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            thread::spawn(move || run(&["-u", &url, "up"]))
        })
        .collect();
    for process in running {
        let output = process.join().expect("it ran");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_is_wrong_is_said_without_the_password() {
    for (arguments, said) in [
        (&["-u", "postgres://u:hunter2@h:notaport/d", "up"][..], "not one of Postgres"),
        (&["-u", "mysql://u:hunter2@h/d", "up"], "must begin with sqlite: or postgres:"),
        (&["-u", "hunter2", "up"], "must begin with sqlite: or postgres:"),
        (&["-u", "sqlite:///no/such/folder/a.db", "up"], "unable to open database file"),
        (&["up"], "no database"),
        (&["sideways"], "no command `sideways`"),
        (&["up", "--far"], "--far"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert!(!error.contains("hunter2"), "{arguments:?}: {error}");
    }
}
