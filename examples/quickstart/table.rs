//! What it came to.

use std::{iter, time::Duration};

/// What became of the calls of a phase, and how long each took.
#[derive(Default)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) good: Vec<Duration>,
    pub(crate) failed: Vec<Duration>,
    pub(crate) rejected: Vec<Duration>,
    pub(crate) reached: usize,
}

/// Prints a row for each phase, and how long calls and rejections took.
pub(crate) fn print(phases: &[Phase]) {
    let row = |name: &str, counts: [usize; 5]| {
        let [calls, reached, good, failed, rejected] = counts;
        println!("{name:<16}{calls:>7}{reached:>20}{good:>7}{failed:>7}{rejected:>12}");
    };
    println!(
        "\n{:<16}{:>7}{:>20}{:>7}{:>7}{:>12}",
        "", "calls", "reached the server", "200", "503", "rejected"
    );
    let mut total = [0; 5];
    for phase in phases {
        let (good, failed) = (phase.good.len(), phase.failed.len());
        let rejected = phase.rejected.len();
        let counts = [good + failed + rejected, phase.reached, good, failed, rejected];
        row(phase.name, counts);
        iter::zip(&mut total, counts).for_each(|(sum, count)| *sum += count);
    }
    row("total", total);

    let served = median(phases.iter().flat_map(|it| it.good.iter().chain(&it.failed)));
    let rejected = median(phases.iter().flat_map(|it| &it.rejected));
    println!(
        "\nA call that reached the server took {served:.1?}, a rejection {rejected:.1?} (medians)."
    );
    assert!(rejected < served);
}

fn median<'a>(times: impl Iterator<Item = &'a Duration>) -> Duration {
    let mut times: Vec<_> = times.copied().collect();
    times.sort_unstable();
    times[times.len() / 2]
}
