//! Runs checks, each on a fresh store.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{
    report::{Checked, Outcome, Report},
    subject::Subject,
    verdict::{Stop, Verdict},
};
use crate::name::ServiceName;

/// How long one check may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A fact, and how it is checked.
pub(super) struct Check<B> {
    name: &'static str,
    run: Box<dyn Fn(B) -> BoxFuture<'static, Verdict> + Send + Sync>,
}

impl<B> Check<B> {
    pub(super) fn new<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn(B) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Verdict> + Send + 'static,
    {
        Self { name, run: Box::new(move |bench| Box::pin(run(bench))) }
    }
}

/// A list of checks, each of which has the name of its function.
macro_rules! checks {
    ($($module:ident: $($check:ident),+ $(,)?);+ $(;)?) => {
        vec![$($($crate::store::conformance::runner::Check::new(
            stringify!($check),
            $module::$check,
        )),+),+]
    };
}
pub(super) use checks;

/// A fresh store as a check meets it: two handles, and a way to damage it.
pub(super) struct Opened<S> {
    pub(super) one: Arc<S>,
    pub(super) other: Arc<S>,
    pub(super) damage: Damage,
}

/// Damages the record of a service; answers whether it can.
pub(super) type Damage = Arc<dyn Fn(ServiceName) -> BoxFuture<'static, bool> + Send + Sync>;

/// Runs checks on fresh stores of a subject.
pub(super) async fn run<P: Subject, B>(
    subject: &Arc<P>,
    bench: impl Fn(Opened<P::Store>) -> B,
    checks: Vec<Check<B>>,
) -> Report {
    let mut report = Report::default();
    for check in checks {
        let one = Arc::new(subject.fresh().await);
        let again = subject.connect_again(&one).await;
        let other = again.map_or_else(|| Arc::clone(&one), Arc::new);
        let damage: Damage = {
            let (subject, one) = (Arc::clone(subject), Arc::clone(&one));
            Arc::new(move |service| {
                let (subject, one) = (Arc::clone(&subject), Arc::clone(&one));
                Box::pin(async move { subject.damage(&one, &service).await })
            })
        };
        // In a task of its own, so that a store that panics fails the check.
        let task = tokio::spawn(timeout(LIMIT, (check.run)(bench(Opened { one, other, damage }))));
        let outcome = match task.await {
            Ok(Ok(Ok(()))) => Outcome::Passed,
            Ok(Ok(Err(Stop::Skipped(why)))) => Outcome::Skipped(why),
            Ok(Ok(Err(Stop::Failed(how)))) => Outcome::Failed(how),
            Ok(Err(_)) => Outcome::Failed(format!("no end within {} s", LIMIT.as_secs())),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        report.checks.push(Checked { name: check.name, outcome });
    }
    report
}
