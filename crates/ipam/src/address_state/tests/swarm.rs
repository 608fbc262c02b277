//! A Swarm's addresses, held to a model of managers, nodes and tasks: whatever is lost, late or
//! out of order, nobody has an address that another one has, and in the end all are free.

use proptest::prelude::*;

use super::*;

const ADDRESSES: usize = 4;
const TASKS: [&str; 4] = ["t0", "t1", "t2", "t3"];

#[derive(Clone, Debug)]
enum Step {
    /// The manager wants an address: any, or this one.
    Take(Option<usize>),
    /// A service or task is removed at the manager.
    Free(usize),
    /// The manager is another one, or starts again: it asks for all that it has.
    Lead,
    /// A node asks for the address of a task, and makes an endpoint of it.
    Start(usize, usize),
    /// A node asks, and the task never starts.
    Fail(usize),
    /// The task's endpoint is gone: it ended, or its host is lost.
    End(usize),
    /// A lost host is back, with a task that had the address last.
    Return(usize, usize),
    /// A task gives its address to one that comes in its place.
    HandOn(usize, usize),
    /// The hosts have dropped the flows of what was here.
    Settle(usize),
    /// The engine of a node releases, whatever runs.
    Hint(usize),
    /// An engine's own container wants the address.
    Own(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..ADDRESSES;
    prop_oneof![
        4 => prop::option::of(at()).prop_map(Step::Take),
        3 => at().prop_map(Step::Free),
        1 => Just(Step::Lead),
        5 => (at(), 0..TASKS.len()).prop_map(|(at, task)| Step::Start(at, task)),
        2 => at().prop_map(Step::Fail),
        3 => at().prop_map(Step::End),
        3 => (at(), 0..TASKS.len()).prop_map(|(at, task)| Step::Return(at, task)),
        2 => (at(), 0..TASKS.len()).prop_map(|(at, task)| Step::HandOn(at, task)),
        3 => at().prop_map(Step::Settle),
        2 => at().prop_map(Step::Hint),
        2 => at().prop_map(Step::Own),
    ]
}

#[derive(Debug, Default)]
struct Fabric {
    states: [Option<AddressState>; ADDRESSES],
    life: u64,
    /// What the manager has, in its own words.
    manager: BTreeSet<usize>,
    /// What runs, by its address.
    running: BTreeMap<usize, String>,
    /// What ran last at an address that nobody has had since but the manager.
    last: BTreeMap<usize, String>,
}

impl Fabric {
    fn wish(&self) -> Reservation {
        let life = self.life.to_string();
        Reservation {
            life,
            since: 7,
            was: None,
        }
    }

    fn reserve(&mut self, at: usize) -> bool {
        let (wish, now) = (self.wish(), self.life.to_string());
        let asked = AddressState::reserve(self.states[at].as_ref(), wish, |life| life == now);
        let granted = asked.is_ok();
        if let Ok(state) = asked {
            self.states[at] = Some(state);
        }
        granted
    }

    fn bind(&mut self, at: usize, id: &str, whom: For) {
        let host = "h1";
        let asked = AddressState::request(self.states[at].as_ref(), host, whom, 7)
            .and_then(|state| AddressState::bind(Some(&state), id, host, whom));
        if let Ok(state) = asked {
            let before = self.running.insert(at, id.to_owned());
            assert!(before.is_none_or(|before| before == id), "two have {at}");
            self.states[at] = Some(state);
            self.last.remove(&at);
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Take(Some(at)) => {
                // Only what nobody has, be it a service that nothing serves.
                let had = self.manager.contains(&at) || self.running.contains_key(&at);
                if self.reserve(at) {
                    assert!(!had, "{at} is given twice");
                    self.manager.insert(at);
                }
            }
            Step::Take(None) => {
                if let Some(at) = (0..ADDRESSES).find(|at| self.states[*at].is_none()) {
                    assert!(!self.manager.contains(&at) && !self.running.contains_key(&at));
                    assert!(self.reserve(at));
                    self.manager.insert(at);
                }
            }
            Step::Free(at) => {
                if self.manager.remove(&at) {
                    self.last.remove(&at);
                    let life = self.life.to_string();
                    let state = self.states[at].take();
                    self.states[at] = AddressState::unreserve(state, |r| r.life == life);
                }
            }
            Step::Lead => {
                self.life += 1;
                for at in self.manager.clone() {
                    assert!(self.reserve(at), "{at}: {:?}", self.states[at]);
                }
            }
            Step::Start(at, task) => self.bind(at, TASKS[task], For::Task),
            Step::Own(at) => {
                let reserved = self.manager.contains(&at);
                let before = self.running.get(&at).cloned();
                self.bind(at, "own", For::Engine);
                let is_own = self.running.get(&at).is_some_and(|id| id == "own");
                let was_own = before.is_some_and(|id| id == "own");
                assert!(!is_own || was_own || !reserved, "{at} was reserved");
            }
            Step::Fail(at) => {
                let before = self.states[at].as_ref();
                if let Ok(state) = AddressState::request(before, "h2", For::Task, 7) {
                    self.states[at] = AddressState::release(Some(state), "h2");
                }
            }
            Step::End(at) => {
                if let Some(id) = self.running.remove(&at) {
                    if self.manager.contains(&at) {
                        self.last.insert(at, id.clone());
                    }
                    let state = self.states[at].take();
                    self.states[at] = AddressState::unbind(state, &id, ["h1".into()].into());
                }
            }
            Step::Return(at, task) => {
                let (id, state) = (TASKS[task], self.states[at].as_ref());
                let is_its = state.is_some_and(|state| state.was(id));
                let drains = matches!(state, Some(Draining { .. }));
                let was = self.last.get(&at).is_some_and(|last| last == id);
                assert_eq!(is_its, was && !drains, "{at}: {state:?}");
                if is_its {
                    self.bind(at, id, For::Task);
                    assert_eq!(self.running[&at], id);
                }
            }
            Step::HandOn(at, task) => {
                let before = self.running.get(&at).cloned().unwrap_or_default();
                let state = self.states[at].as_ref();
                let handed = AddressState::hand_on(state, &before, "h1", TASKS[task]);
                assert_eq!(handed.is_some(), self.running.contains_key(&at));
                if let Some(state) = handed {
                    self.states[at] = Some(state);
                    self.running.insert(at, TASKS[task].to_owned());
                }
            }
            Step::Settle(at) => {
                let state = self.states[at].take();
                self.states[at] = AddressState::settle(state, |_| true);
            }
            Step::Hint(at) => {
                let state = self.states[at].take();
                self.states[at] = AddressState::release(state, "h1");
            }
        }
    }

    /// What is known of each address is what each side would say.
    fn agrees(&self) {
        for (at, state) in self.states.iter().enumerate() {
            let reserved = state.as_ref().and_then(AddressState::reservation);
            assert_eq!(reserved.is_some(), self.manager.contains(&at), "{state:?}");
            let bound = match state {
                Some(Bound { endpoint, .. }) => Some(endpoint),
                _ => None,
            };
            assert_eq!(bound, self.running.get(&at), "{state:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_collides_and_nothing_leaks(steps in prop::collection::vec(step(), 0..80)) {
        let mut fabric = Fabric::default();
        for step in &steps {
            fabric.take(step);
            fabric.agrees();
        }
        for at in 0..ADDRESSES {
            for step in [Step::End(at), Step::Free(at), Step::Settle(at)] {
                fabric.take(&step);
            }
            fabric.agrees();
            prop_assert_eq!(&fabric.states[at], &None);
        }
    }
}
