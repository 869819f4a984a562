//! Goes through all states of a model, breadth first, so that what breaks an invariant is shown by
//! one of the shortest ways to it.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    fmt::Debug,
    hash::{BuildHasher, Hash, RandomState},
};

/// What comes of a step, or the name of the invariant that it breaks.
pub type Outcome<S> = Result<S, &'static str>;

/// What can happen, one step at a time.
pub trait Model {
    /// What can be told apart.
    type State: Clone + Debug + Eq + Hash;
    /// One thing that can happen.
    type Step: Copy + Debug;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// The steps that can be taken from a state.
    fn steps(&self, state: &Self::State) -> Vec<(Self::Step, Outcome<Self::State>)>;

    /// Looks at a state from which there is no step.
    fn end(&self, state: &Self::State) -> Outcome<()>;
}

/// What was found.
#[derive(Debug)]
pub struct Explored {
    /// The states that were come to.
    pub states: usize,
    /// The steps between them.
    pub steps: usize,
    /// The states from which there is no step.
    pub ends: usize,
    /// The invariant that was broken, and how it came to that.
    pub broken: Option<(&'static str, String)>,
}

/// Goes through all states, or until an invariant is broken.
///
/// States are told apart by 64 bits of a hash, so that millions of them fit into memory.
pub fn explore<M: Model>(model: &M) -> Explored {
    let hasher = RandomState::new();
    let start = model.start();
    let mut from: HashMap<u64, Option<(u64, M::Step)>> = HashMap::new();
    from.insert(hasher.hash_one(&start), None);
    let mut next = VecDeque::from([start]);
    let mut found = Explored { states: 1, steps: 0, ends: 0, broken: None };
    while let Some(state) = next.pop_front() {
        let here = hasher.hash_one(&state);
        let steps = model.steps(&state);
        if steps.is_empty() {
            found.ends += 1;
            if let Err(broken) = model.end(&state) {
                found.broken = Some((broken, way(&from, here, None, &state)));
                return found;
            }
        }
        for (step, outcome) in steps {
            found.steps += 1;
            match outcome {
                Err(broken) => {
                    found.broken = Some((broken, way(&from, here, Some(step), &state)));
                    return found;
                }
                Ok(after) => {
                    let there = hasher.hash_one(&after);
                    if let Entry::Vacant(entry) = from.entry(there) {
                        entry.insert(Some((here, step)));
                        found.states += 1;
                        next.push_back(after);
                    }
                }
            }
        }
    }
    found
}

fn way<S: Copy + Debug>(
    from: &HashMap<u64, Option<(u64, S)>>,
    to: u64,
    last: Option<S>,
    state: &impl Debug,
) -> String {
    let mut steps: Vec<S> = last.into_iter().collect();
    let mut at = to;
    while let Some(Some((before, step))) = from.get(&at) {
        steps.push(*step);
        at = *before;
    }
    let steps: Vec<String> = steps.iter().rev().map(|step| format!("  {step:?}")).collect();
    format!("{}\nbefore the last step: {state:?}", steps.join("\n"))
}
