//! Gives hosts their interfaces in `infra` networks.

use contiv_fabric::{Decision, Image, give_foothold, lacking_footholds};

use crate::error::Error;
use crate::lease::Lease;
use crate::ledger::Ledger;

/// Gives every host that lacks one its foothold, each by a transaction of its own. What is
/// refused, as for want of addresses, is tried again with the next call; the network's
/// conditions tell of it.
pub(crate) async fn give(ledger: &Ledger, lease: &Lease, now: u64) -> Result<(), Error> {
    let lacking = lacking_footholds(ledger.read().image());
    for (network, host) in lacking {
        let decide = |image: &Image| {
            let decision = give_foothold(image, now, &network, &host)?;
            let answer = decision.answer;
            let transaction = match decision.transaction.writes.is_empty() {
                true => decision.transaction,
                false => lease.fence(image, decision.transaction),
            };
            Ok(Decision {
                transaction,
                answer,
            })
        };
        match ledger.decide(decide).await {
            Ok(granted) => {
                let address = granted.answer.ipv4;
                tracing::info!(host, network, %address, "the host has an interface in the network");
            }
            Err(Error::Refused(refusal)) => {
                tracing::debug!(host, network, %refusal, "no interface in the network yet");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}
