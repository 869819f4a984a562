//! Workers in processes of their own: how they are started, heard, told and killed.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::{Error, line::Line};

/// How long a worker may be silent that has something to say.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A worker in a process of its own, which says lines of JSON. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker<L = Line> {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<L>,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl<L: DeserializeOwned + Send + 'static> Worker<L> {
    /// Starts the program with the arguments of a worker.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(program: &Path, arguments: &[String]) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.arg("worker").args(arguments);
        Self::spawn(command)
    }

    /// Starts a command that becomes a worker.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(mut command: Command) -> Result<Self, Error> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("{} cannot be started: {error}", command.get_program().display())
            })?;
        let (sender, lines) = mpsc::unbounded_channel();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let log = Arc::clone(&log);
            readers.push(thread::spawn(move || {
                for_each_line(stdout, |text| match serde_json::from_str(text) {
                    Ok(line) => drop(sender.send(line)),
                    Err(error) => lock(&log).push(format!("not a line ({error}): {text}")),
                });
            }));
        }
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            readers.push(thread::spawn(move || {
                for_each_line(stderr, |text| lock(&log).push(text.to_owned()));
            }));
        }
        Ok(Self { stdin: child.stdin.take(), child, lines, log, readers })
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next thing it says.
    ///
    /// # Errors
    ///
    /// If it says nothing for so long, or has ended.
    pub async fn next(&mut self, patience: Duration) -> Result<L, Error> {
        match tokio::time::timeout(patience, self.lines.recv()).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(self.complaint("a worker ended by itself")),
            Err(_) => Err(self.complaint(&format!("a worker said nothing for {patience:?}"))),
        }
    }

    /// What happened, and what it logged last.
    fn complaint(&self, what: &str) -> Error {
        let log = self.log();
        let last = log.get(log.len().saturating_sub(20)..).unwrap_or_default();
        format!("{what}:\n{}", last.join("\n")).into()
    }

    /// What it has said and nobody has heard, without waiting.
    pub fn said(&mut self) -> Vec<L> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    /// Gives it an order.
    ///
    /// # Errors
    ///
    /// If it has ended.
    pub fn tell(&mut self, order: &str) -> Result<(), Error> {
        let Some(stdin) = &mut self.stdin else {
            return Err("nothing can be told any more".into());
        };
        stdin.write_all(format!("{order}\n").as_bytes())?;
        Ok(stdin.flush()?)
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// Kills it, and returns all that it had still said.
    ///
    /// # Errors
    ///
    /// If it cannot be killed.
    pub fn kill(mut self) -> Result<Vec<L>, Error> {
        self.child.kill()?;
        self.end()
    }

    /// Waits for its end, and returns all that it had still said.
    ///
    /// # Errors
    ///
    /// If it ended otherwise than well.
    pub fn end_well(mut self) -> Result<Vec<L>, Error> {
        self.stdin = None;
        let lines = self.end()?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(self.complaint(&format!("a worker ended with {status}")));
        }
        Ok(lines)
    }

    fn end(&mut self) -> Result<Vec<L>, Error> {
        self.child.wait()?;
        for reader in self.readers.drain(..) {
            reader.join().map_err(|_| "a reader of a worker panicked")?;
        }
        Ok(self.said())
    }
}

impl<L> Drop for Worker<L> {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whole lines only: a process that is killed may leave a part of one.
fn for_each_line(from: impl Read, mut each: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut text = String::new();
    while from.read_line(&mut text).is_ok_and(|length| length > 0) {
        if let Some(line) = text.strip_suffix('\n') {
            each(line);
        }
        text.clear();
    }
}

fn lock(log: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
