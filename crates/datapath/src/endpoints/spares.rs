//! Pairs of links made ahead, with their program.
//!
//! To attach by tcx waits for a grace period of the kernel, ten milliseconds or so.
//! It is waited for here, between two starts of containers and not within one: a new
//! endpoint is given a pair that is ready, under another name.

use crate::Error;
use crate::attach::{Attacher, Program};
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

/// The pairs that are ready, by the number in their names.
#[derive(Debug, Default)]
pub(super) struct Spares {
    ready: Vec<u32>,
}

impl Spares {
    /// Takes over what an earlier agent has made; half a pair is removed.
    pub(super) fn take_over(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
        links: &[Link],
    ) -> Result<(), Error> {
        let mut failures = Failures::default();
        for link in links {
            let Some(number) = link.name.strip_prefix(SPARE_HOST) else {
                continue;
            };
            let Ok(number) = number.parse() else {
                continue;
            };
            let peer = format!("{SPARE_PEER}{number}");
            let whole = attacher.by_tcx() && links.iter().any(|other| other.name == peer);
            if whole
                && failures
                    .note(attacher.ensure(netlink, link, Program::FromEndpoint))
                    .is_some()
            {
                self.ready.push(number);
            } else {
                failures.note(discard(netlink, attacher, link));
            }
        }
        failures.result()
    }

    /// Names of the host's ends.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.ready
            .iter()
            .map(|number| format!("{SPARE_HOST}{number}"))
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
        let number = (0..).find(|number| !self.ready.contains(number));
        let number = number.expect("there are more numbers than spares");
        let (name, peer) = (
            format!("{SPARE_HOST}{number}"),
            format!("{SPARE_PEER}{number}"),
        );
        for old in [&name, &peer] {
            if let Some(link) = super::find(netlink, old)? {
                discard(netlink, attacher, &link)?;
            }
        }
        let spec = VethSpec {
            name: &name,
            mac: None,
            peer: &peer,
            peer_mac: None,
            mtu: MTU,
        };
        let link = super::make_pair(netlink, &spec)?;
        attacher.ensure(netlink, &link, Program::FromEndpoint)?;
        self.ready.push(number);
        Ok(())
    }

    /// Gives a ready pair to an endpoint; none when there is none, or it does not work out.
    pub(super) fn give(
        &mut self,
        netlink: &mut Netlink,
        attacher: &Attacher,
        claim: Claim<'_>,
    ) -> Option<Link> {
        let number = self.ready.pop()?;
        let link = super::find(netlink, &format!("{SPARE_HOST}{number}")).ok()??;
        match rename(netlink, attacher, number, &link, claim) {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::debug!(%error, "a spare link cannot be used");
                discard(netlink, attacher, &link).ok();
                None
            }
        }
    }
}

fn rename(
    netlink: &mut Netlink,
    attacher: &Attacher,
    number: u32,
    link: &Link,
    claim: Claim<'_>,
) -> Result<Link, Error> {
    let Claim { id, spec, mtu } = claim;
    let (name, peer) = link_names(id);
    let what = || format!("rename {} to {name}", link.name);
    let spare_peer = super::find(netlink, &format!("{SPARE_PEER}{number}"))?
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
    attacher.rename(&link.name, &name)?;
    Ok(Link {
        name,
        mtu,
        ..link.clone()
    })
}

fn discard(netlink: &mut Netlink, attacher: &Attacher, link: &Link) -> Result<(), Error> {
    super::delete(netlink, link)?;
    attacher.forget(&link.name)
}
