//! What one object lacks in the kernel, while all others have theirs.

use std::collections::BTreeMap;

use crate::Error;

/// Whom a shortfall concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// By number. What was in force for it stays so.
    Tenant(u32),
    /// By number.
    Network(u32),
    /// By id. It is closed, or not there at all.
    Endpoint(String),
    /// This host's end of the tunnel: nothing goes to other hosts, or comes from there.
    Underlay,
    /// By name. Its endpoints cannot be reached from here.
    Host(String),
}

/// What kind of reason a shortfall has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The policy's compiler refuses the tenant's rules.
    Policy,
    /// A table of the kernel's is full.
    Room,
    /// Something of the host's own has the name.
    Name,
    /// The kernel refused, and may not do so the next time.
    Kernel,
}

/// Something that [`Plane::apply`](crate::Plane::apply) could not do for one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    pub subject: Subject,
    pub cause: Cause,
    /// For people: what is wrong, and what helps.
    pub message: String,
}

/// The shortfalls of one round, at most one of each object.
#[derive(Debug, Default)]
pub(crate) struct Shortfalls(BTreeMap<Subject, Shortfall>);

impl Shortfalls {
    /// Goes on after a failure that concerns one object alone.
    pub(crate) fn note<T>(&mut self, subject: Subject, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.add(subject, &error)).ok()
    }

    fn add(&mut self, subject: Subject, error: &Error) {
        let (cause, message) = match error {
            Error::Policy { source, .. } => (Cause::Policy, source.to_string()),
            Error::NameTaken { .. } => (Cause::Name, error.to_string()),
            Error::Full { .. } => (Cause::Room, error.to_string()),
            _ => (Cause::Kernel, error.to_string()),
        };
        let shortfall = Shortfall {
            subject: subject.clone(),
            cause,
            message,
        };
        self.0.entry(subject).or_insert(shortfall);
    }

    /// An endpoint is closed for what one of these lacks, if one of them lacks something.
    pub(crate) fn pass_on(&mut self, endpoint: &str, from: &[Subject]) {
        let Some(lack) = from.iter().find_map(|subject| self.0.get(subject)) else {
            return;
        };
        let subject = Subject::Endpoint(endpoint.to_owned());
        let shortfall = Shortfall {
            subject: subject.clone(),
            ..lack.clone()
        };
        self.0.entry(subject).or_insert(shortfall);
    }

    pub(crate) fn all(self) -> Vec<Shortfall> {
        self.0.into_values().collect()
    }
}
