//! Pairs of links made ahead, with their program.
//!
//! To attach by tcx waits for a grace period of the kernel, ten milliseconds or so.
//! It is waited for here, between two starts of containers and not within one: a new
//! endpoint is given a pair that is ready, under another name.

use crate::Error;
use std::os::fd::OwnedFd;

use super::links;
use crate::attach::Attacher;
use crate::error::Failures;
use crate::names::{SPARE_HOST, SPARE_PEER, link_names};
use crate::netlink::{Link, Netlink, Settings, VethSpec};
use crate::spec::EndpointSpec;

/// Who a pair is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub(super) id: &'a str,
    pub(super) spec: &'a EndpointSpec,
    pub(super) mtu: u32,
}

/// Pairs that are kept ready.
const ENOUGH: usize = 4;
/// What most networks have; another one is set when a pair is given away.
const MTU: u32 = 1500;

/// The pairs that are ready. They are not kept for a later agent.
#[derive(Debug, Default)]
pub(super) struct Spares {
    ready: Vec<Spare>,
}

/// A pair, by the number in its names, and what keeps the program attached.
#[derive(Debug)]
struct Spare {
    number: u32,
    attached: OwnedFd,
}

impl Spares {
    /// Removes what an earlier agent has made: its programs went with it.
    pub(super) fn clear(netlink: &mut Netlink, links: &[Link]) -> Result<(), Error> {
        let mut failures = Failures::default();
        for link in links {
            if link.name.starts_with(SPARE_HOST) {
                failures.note(links::delete(netlink, link));
            }
        }
        failures.result()
    }

    /// Makes one pair if there are too few.
    pub(super) fn refill(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
    ) -> Result<(), Error> {
        if !attacher.by_tcx() || self.ready.len() >= ENOUGH {
            return Ok(());
        }
        let used = |number: &u32| self.ready.iter().any(|spare| spare.number == *number);
        let number = (0..).find(|number| !used(number));
        let number = number.expect("there are more numbers than spares");
        let (name, peer) = (
            format!("{SPARE_HOST}{number}"),
            format!("{SPARE_PEER}{number}"),
        );
        for old in [&name, &peer] {
            if let Some(link) = links::find(netlink, old)? {
                links::delete(netlink, &link)?;
            }
        }
        let spec = VethSpec {
            name: &name,
            mac: None,
            peer: &peer,
            peer_mac: None,
            mtu: MTU,
        };
        let link = links::make_pair(netlink, &spec)?;
        let attached = attacher.hold(&link)?;
        self.ready.push(Spare { number, attached });
        Ok(())
    }

    /// Gives a ready pair to an endpoint; none when there is none, or it does not work out.
    pub(super) fn give(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
        claim: Claim<'_>,
    ) -> Option<Link> {
        let spare = self.ready.pop()?;
        let link = links::find(netlink, &format!("{SPARE_HOST}{}", spare.number)).ok()??;
        match rename(netlink, attacher, &spare, &link, claim) {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::debug!(%error, "a spare link cannot be used");
                links::delete(netlink, &link).ok();
                None
            }
        }
    }
}

fn rename(
    netlink: &mut Netlink,
    attacher: &Attacher,
    spare: &Spare,
    link: &Link,
    claim: Claim<'_>,
) -> Result<Link, Error> {
    let Claim { id, spec, mtu } = claim;
    let (name, peer) = link_names(id);
    let what = || format!("rename {} to {name}", link.name);
    let spare_peer = links::find(netlink, &format!("{SPARE_PEER}{}", spare.number))?
        .ok_or_else(|| Error::netlink(what())(std::io::ErrorKind::NotFound.into()))?;
    let settings = Settings {
        name: &peer,
        mac: Some(spec.mac),
        mtu,
    };
    netlink
        .set(spare_peer.index, &settings)
        .map_err(Error::netlink(what()))?;
    let settings = Settings {
        name: &name,
        mac: None,
        mtu,
    };
    netlink
        .set(link.index, &settings)
        .map_err(Error::netlink(what()))?;
    attacher.keep(&spare.attached, &name)?;
    Ok(Link {
        name,
        mtu,
        ..link.clone()
    })
}
