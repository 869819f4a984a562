//! How a check says what it found.

use std::{error::Error, fmt::Display, future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::store::StoreError;

/// The answer of a check.
pub(super) type Verdict = Result<(), Stop>;

/// Why a check ended before its end.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    Failed(String),
    Skipped(&'static str),
}

/// Ends a check unless something holds.
macro_rules! ensure {
    ($holds:expr, $($said:tt)+) => {
        if !$holds {
            return Err($crate::store::conformance::verdict::Stop::Failed(format!($($said)+)));
        }
    };
}
pub(super) use ensure;

/// Names what was asked of a store when it failed.
pub(super) trait Doing<T> {
    fn doing(self, what: impl Display) -> Result<T, Stop>;
}

impl<T> Doing<T> for Result<T, StoreError> {
    fn doing(self, what: impl Display) -> Result<T, Stop> {
        self.map_err(|error| {
            let mut said = format!("{what} failed: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                said = format!("{said}: {error}");
                source = error.source();
            }
            Stop::Failed(said)
        })
    }
}

/// How long a check waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Polls until there is an answer.
pub(super) async fn eventually<T, Fut>(what: &str, poll: impl Fn() -> Fut) -> Result<T, Stop>
where
    Fut: Future<Output = Result<Option<T>, Stop>>,
{
    let polls = async {
        loop {
            if let Some(answer) = poll().await? {
                return Ok(answer);
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, polls).await.unwrap_or_else(|_| {
        Err(Stop::Failed(format!("{what}: not within {} s", PATIENCE.as_secs())))
    })
}

/// Drops a future when it would be polled once more than that. Returns what it answered before.
pub(super) async fn polled<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Runs tasks side by side, and gives back what they return, in any order. The first that fails ends
/// the others, and so does whoever drops this.
pub(super) async fn side_by_side<T, Fut>(
    tasks: impl IntoIterator<Item = Fut>,
) -> Result<Vec<T>, Stop>
where
    T: Send + 'static,
    Fut: Future<Output = Result<T, Stop>> + Send + 'static,
{
    let mut tasks: JoinSet<Result<T, Stop>> = tasks.into_iter().collect();
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer.map_err(|error| Stop::Failed(format!("a task: {error}")))??);
    }
    Ok(answers)
}
