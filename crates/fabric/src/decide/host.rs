//! Hosts: their coming, their next boot, and their end.
//!
//! Nothing of a host is decided by a clock: callers say how a host was heard of.

use contiv_ipam::AddressState;
use contiv_model::agent::Register;

use super::docker_network::forget;
use super::endpoint::end;
use super::identity::forget_certificate;
use crate::decision::{Decided, Draft, settled};
use crate::image::Image;
use crate::key::Key;
use crate::record::{HostRecord, Owner};
use crate::refusal::Refusal;
use crate::reports::HostReports;

/// In milliseconds: a host that comes back after a longer time is noted, so that no master which
/// does not hear it yet takes it for lost.
const NOTED: u64 = 30_000;

/// As much as one transaction takes: stores have a limit to the keys of one.
const PORTION: usize = 24;

/// Takes a host's first words; writes only when they say something new.
///
/// 1. A name is one host's: while a host of this name is live, another tunnel address is another
///    host's, and refused. The same address in another boot is the host itself, whose earlier
///    connections have ended without a word. Of a host without an address the boot tells: the same
///    one may have an address by now, as when an agent that said none is upgraded; another boot
///    is refused.
/// 2. A tunnel address is one host's: two that share it could not be told apart by it.
pub fn register_host(
    image: &Image,
    reports: &HostReports,
    time: u64,
    host: &str,
    register: &Register,
) -> Decided<HostRecord> {
    let known = image.host(host);
    if let Some(known) = known {
        let live = reports.hosts.get(host).is_some_and(|report| report.live);
        check_same(known, register, live)?;
    }
    check_port(image, register)?;
    let record = HostRecord {
        name: host.to_owned(),
        created: known.map_or(time, |known| known.created),
        tunnel: register.tunnel,
        mtu: register.mtu,
        control: register.control,
        boot_id: register.boot_id.clone(),
        since: match known {
            Some(known) if known.boot_id == register.boot_id => known.since,
            _ => time,
        },
        agent_version: register.agent_version.clone(),
        heard: known.map_or(time, |known| match time.abs_diff(known.heard) > NOTED {
            true => time,
            false => known.heard,
        }),
    };
    if known == Some(&record) {
        return Ok(settled(record));
    }
    let mut draft = Draft::new(image);
    let before = known.and_then(|known| known.tunnel);
    if before != record.tunnel {
        if let Some(address) = before {
            draft.delete(&Key::Tunnel(address));
        }
        if let Some(address) = record.tunnel {
            if let Some(other) = image.tunnel_owner(address).filter(|other| *other != host) {
                let message = format!(
                    "tunnel address {address} is that of host {other}; give this host another by \
                     --vtep-ip, or remove the other by netctl host rm {other} if it is no more"
                );
                return Err(Refusal::conflict("tunnel", message));
            }
            let owner = host.to_owned();
            draft.put(&Key::Tunnel(address), &Owner { owner });
        }
    }
    draft.put(&Key::Host(host.to_owned()), &record);
    Ok(draft.answer(record))
}

/// Takes note that a host reports, for masters that do not hear it themselves.
pub fn hear_host(image: &Image, time: u64, host: &str) -> Decided<()> {
    let Some(known) = image.host(host) else {
        return Ok(settled(()));
    };
    let mut draft = Draft::new(image);
    let record = HostRecord {
        heard: time,
        ..known.clone()
    };
    draft.put(&Key::Host(host.to_owned()), &record);
    Ok(draft.answer(()))
}

/// Ends endpoints of a host's earlier boots, a portion at a time; the answer is how many
/// there still are. No container outlives a boot, so there is nothing to ask the engine.
pub fn collect_boots(image: &Image, host: &str) -> Decided<usize> {
    let Some(known) = image.host(host) else {
        return Ok(settled(0));
    };
    let stale = |boot: &str| !boot.is_empty() && boot != known.boot_id;
    let all: Vec<_> = image
        .endpoints_on(host)
        .filter(|e| stale(&e.boot_id))
        .collect();
    let left = all.len().saturating_sub(PORTION);
    let mut draft = Draft::new(image);
    for endpoint in all.into_iter().take(PORTION) {
        end(&mut draft, image, endpoint);
    }
    if !draft.is_empty() {
        // A host that boots yet again meanwhile is looked at anew.
        draft.rely_on(&Key::Host(host.to_owned()));
    }
    Ok(draft.answer(left))
}

/// Ends a host that is no more, a portion at a time: its endpoints, what its engine held,
/// what waits for it, and at last itself. The answer is true when all of it is gone.
///
/// `heard` is what the record said when the host was found to be lost: a host that some
/// master has heard since is refused. Without it, somebody removes the host by hand, which
/// then has to join anew.
pub fn collect_host(image: &Image, host: &str, heard: Option<u64>) -> Decided<bool> {
    let Some(known) = image.host(host) else {
        return Ok(settled(true));
    };
    if heard.is_some_and(|heard| heard != known.heard) {
        let message = format!("host {host} has been heard of meanwhile");
        return Err(Refusal::conflict("", message));
    }
    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Host(host.to_owned()));
    if portion(&mut draft, image, host) > 0 {
        return Ok(draft.answer(false));
    }
    if let Some(address) = known.tunnel {
        draft.delete(&Key::Tunnel(address));
    }
    if heard.is_none() {
        // Who is lost may come back; who is removed may not.
        forget_certificate(&mut draft, image, host);
    }
    draft.delete(&Key::Host(host.to_owned()));
    Ok(draft.answer(true))
}

/// Ends what came to a host while the last of it was removed: whoever made that did not know of
/// the removal yet. The answer is true when there is nothing; a host that has come anew keeps all.
pub fn collect_rest(image: &Image, host: &str) -> Decided<bool> {
    if image.host(host).is_some() {
        return Ok(settled(true));
    }
    let mut draft = Draft::new(image);
    draft.rely_on(&Key::Host(host.to_owned()));
    let none = portion(&mut draft, image, host) == 0;
    Ok(draft.answer(none))
}

/// Ends some of what a host holds; the answer is how much that was.
fn portion(draft: &mut Draft<'_>, image: &Image, host: &str) -> usize {
    let mut room = PORTION;
    for endpoint in image.endpoints_on(host).take(room) {
        end(draft, image, endpoint);
        room -= 1;
    }
    let bindings = image.docker_networks().filter(|d| d.host == host);
    for binding in bindings.take(room) {
        forget(draft, image, binding);
        room -= 1;
    }
    if room == PORTION {
        // Records of one address come one after the other: first its endpoint ends.
        room -= release(draft, image, host);
    }
    PORTION - room
}

/// Frees what a host's engine asked for and did not use, and lets nothing wait for it.
fn release(draft: &mut Draft<'_>, image: &Image, host: &str) -> usize {
    let of_host = |state: &AddressState| match state {
        AddressState::Tentative { host: has, .. } => has == host,
        AddressState::Draining { awaited, .. } => awaited.contains(host),
        _ => false,
    };
    let ours = image.unsettled_addresses().filter(|(.., s)| of_host(s));
    let mut released = 0;
    for (network, address, state) in ours.take(PORTION) {
        released += 1;
        let key = Key::Address(network, address);
        let left = match state {
            AddressState::Tentative { .. } => None,
            other => AddressState::settle(Some(other.clone()), |awaited| awaited == host),
        };
        draft.replace(&key, left.as_ref());
    }
    released
}

fn check_same(known: &HostRecord, register: &Register, live: bool) -> Result<(), Refusal> {
    let same = match known.tunnel {
        Some(_) => known.tunnel == register.tunnel,
        None => known.boot_id == register.boot_id,
    };
    if same || !live {
        return Ok(());
    }
    let place = |address: Option<std::net::IpAddr>| {
        address.map_or_else(|| "no tunnel address".to_owned(), |a| a.to_string())
    };
    let message = format!(
        "a host named {} is here already, at {}, and this one, at {}, is another or has just \
         booted: give one of them another name by --host-label, or wait until the first one is \
         silent",
        known.name,
        place(known.tunnel),
        place(register.tunnel),
    );
    Err(Refusal::conflict("host", message))
}

/// Hosts that use different ports do not hear each other.
fn check_port(image: &Image, register: &Register) -> Result<(), Refusal> {
    let fabric = image.global().map(|global| global.parsed.vxlan_port);
    match (register.vxlan_port, fabric) {
        (Some(told), Some(fabric)) if told != fabric => {
            let message = format!(
                "--vxlan-port is {told}, and the fabric's is {fabric}: leave the flag out, or \
                 change all hosts' at once by netctl global set --vxlan-port {told}"
            );
            Err(Refusal::conflict("vxlanPort", message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::register;

    #[test]
    fn a_live_host_is_known_by_its_address_and_without_one_by_its_boot() {
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|text| Some(text.parse().unwrap()));
        for (tunnel, boot, said_tunnel, said_boot, same) in [
            (a, "1", a, "1", true),
            (a, "1", a, "2", true),
            (a, "1", b, "1", false),
            (a, "1", None, "1", false),
            (None, "1", None, "1", true),
            // The agent is upgraded from one that said no address.
            (None, "1", a, "1", true),
            (None, "1", a, "2", false),
            (None, "1", None, "2", false),
        ] {
            let known = HostRecord {
                tunnel,
                boot_id: boot.into(),
                ..HostRecord::default()
            };
            let register = register(said_boot, said_tunnel);
            let judged = check_same(&known, &register, true);
            assert_eq!(judged.is_ok(), same, "{known:?} {register:?}");
            assert!(check_same(&known, &register, false).is_ok());
        }
    }
}
