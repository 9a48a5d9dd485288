//! Breadth first through all states of a model: the first state that breaks a promise is one that the fewest actions lead to.
//! Knows nothing of fleets.

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// What is explored.
pub trait Model {
    type State: Clone;
    type Action: Copy + Debug;

    fn first(&self) -> Self::State;
    /// What may happen in a state.
    fn actions(&self, state: &Self::State) -> Vec<Self::Action>;
    fn after(&self, state: &Self::State, action: Self::Action) -> Self::State;
    /// The same for states of which nobody could tell one from the other.
    fn key(&self, state: &Self::State) -> u128;
    /// The promise that the state breaks.
    fn broken(&mut self, state: &Self::State) -> Option<String>;
}

/// What was explored.
#[derive(Debug)]
pub struct Explored<A> {
    pub states: usize,
    pub transitions: usize,
    /// The most actions that a state is away from the first one.
    pub depth: usize,
    pub took: Duration,
    /// All states were seen, not as many as were allowed.
    pub complete: bool,
    /// A promise that was broken, and the shortest way there.
    pub broken: Option<(String, Vec<A>)>,
}

/// A state's place in the tree of first ways.
struct Step<A> {
    from: usize,
    action: Option<A>,
}

/// Explores `model` until all is seen, a promise is broken, or `most` states were seen.
pub fn explore<M: Model>(model: &mut M, most: usize) -> Explored<M::Action> {
    #[allow(clippy::disallowed_methods)] // how long it takes is told, nothing depends on it
    let begun = Instant::now();
    let first = model.first();
    let mut seen = HashSet::from([model.key(&first)]);
    let mut steps = vec![Step { from: 0, action: None }];
    let mut explored = Explored { states: 0, transitions: 0, depth: 0, took: Duration::ZERO, complete: false, broken: None };
    let mut layer = vec![(0, first)];
    while !layer.is_empty() && steps.len() < most {
        let mut next = Vec::new();
        for (at, state) in layer {
            if let Some(promise) = model.broken(&state) {
                explored.broken = Some((promise, way(&steps, at)));
                return Explored { states: steps.len(), took: begun.elapsed(), ..explored };
            }
            for action in model.actions(&state) {
                let after = model.after(&state, action);
                explored.transitions += 1;
                if seen.insert(model.key(&after)) {
                    steps.push(Step { from: at, action: Some(action) });
                    next.push((steps.len() - 1, after));
                }
            }
        }
        explored.depth += usize::from(!next.is_empty());
        layer = next;
    }
    Explored { states: steps.len(), took: begun.elapsed(), complete: layer.is_empty(), ..explored }
}

fn way<A: Copy>(steps: &[Step<A>], mut at: usize) -> Vec<A> {
    let mut way = Vec::new();
    while let Some(action) = steps[at].action {
        way.push(action);
        at = steps[at].from;
    }
    way.reverse();
    way
}
