//! Faults that are set on purpose: what is switched off must be missed.
//!
//! Each lies in what surrounds the product, and has the effect of a check of the product that
//! is left out. A run with one of them is to fail by what it breaks, within some hundred seeds;
//! a test holds that.

use serde::{Deserialize, Serialize};

/// What is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// What must run once is committed whoever has its lease.
    Fence,
    /// A restored store waits for no host before it gives addresses.
    Adoption,
    /// An endpoint takes its address from whoever holds it.
    Takeover,
    /// An endpoint that is refused its address gets another one.
    Moved,
    /// The store says that something is committed, and forgets it.
    Amnesia,
    /// A restored store goes on in the epoch that it was saved in.
    Epoch,
    /// Who follows the store anew is told what it was long ago.
    Rewind,
    /// What masters note of the hosts that they hear does not arrive in the store.
    Unheard,
    /// A kernel keeps the first policy that it was given.
    Stale,
}

impl Fault {
    pub const ALL: [Fault; 9] = [
        Fault::Fence,
        Fault::Adoption,
        Fault::Takeover,
        Fault::Moved,
        Fault::Amnesia,
        Fault::Epoch,
        Fault::Rewind,
        Fault::Unheard,
        Fault::Stale,
    ];

    /// What a run says that misses it.
    pub fn is_missed_by(self, what: &str) -> bool {
        let said: &[&str] = match self {
            Fault::Fence => &["lease is not"],
            Fault::Adoption | Fault::Takeover => &["was given to"],
            Fault::Moved => &["was moved"],
            Fault::Amnesia => &["writes are lost"],
            // Hosts do not go back: they do not listen to what is older than what they know.
            Fault::Epoch => &["it does not settle", "collected by mistake"],
            Fault::Rewind => &["went back"],
            Fault::Unheard => &["collected by mistake"],
            Fault::Stale => &["hosts enforce something else"],
        };
        said.iter().any(|said| what.contains(said))
    }

    /// Its name, as options take it.
    pub fn name(self) -> String {
        use clap::ValueEnum;
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
