//! Settings of the whole fabric.

use std::fmt;

use ipnet::Ipv4Net;

use super::choice::choice;
use super::subnet::special;
use crate::agent::{DEFAULT_VXLAN_PORT, ForwardMode};
use crate::invalid::Invalid;
use crate::object::{Global, Keyed};

/// The highest VLAN tag; 4095 is reserved by the standard.
pub(super) const LAST_VLAN: u32 = 4094;
/// The highest VNI that Contiv gives.
pub(super) const LAST_VXLAN: u32 = 65535;
/// The most VNIs that a range may have.
const MOST_VXLANS: u32 = 16000;
/// The one object's name.
const NAME: &str = "global";

/// What the fabric is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfraType {
    Default,
    Aci,
    AciOpflex,
}

/// Who answers address resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpMode {
    Proxy,
    Flood,
}

/// An inclusive range of VLAN tags or VNIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagRange {
    pub first: u32,
    pub last: u32,
}

/// A [`Global`] in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedGlobal {
    pub infra: InfraType,
    pub vlans: TagRange,
    pub vxlans: TagRange,
    pub forward_mode: ForwardMode,
    pub arp_mode: ArpMode,
    pub pvt_subnet: Ipv4Net,
    pub vxlan_port: u16,
}

impl Global {
    /// The settings of a new fabric.
    pub fn initial() -> Global {
        Global {
            key: NAME.into(),
            name: NAME.into(),
            network_infra_type: "default".into(),
            vlans: "1-4094".into(),
            vxlans: "1-10000".into(),
            fwd_mode: "bridge".into(),
            arp_mode: "proxy".into(),
            pvt_subnet: "172.19.0.0/16".into(),
            vxlan_port: Some(DEFAULT_VXLAN_PORT.into()),
        }
    }

    /// The same settings, with those that are empty taken from `current`: an update names only
    /// what it changes.
    pub fn filled_from(&self, current: &Global) -> Global {
        let mut filled = self.clone();
        for (field, value) in [
            (&mut filled.key, &current.key),
            (&mut filled.name, &current.name),
            (&mut filled.network_infra_type, &current.network_infra_type),
            (&mut filled.vlans, &current.vlans),
            (&mut filled.vxlans, &current.vxlans),
            (&mut filled.fwd_mode, &current.fwd_mode),
            (&mut filled.arp_mode, &current.arp_mode),
            (&mut filled.pvt_subnet, &current.pvt_subnet),
        ] {
            if field.is_empty() {
                value.clone_into(field);
            }
        }
        filled.vxlan_port = filled.vxlan_port.or(current.vxlan_port);
        filled
    }

    /// The settings in typed values, or the first field that is wrong. Every field must be
    /// given: an update is [filled](Global::filled_from) first.
    pub fn parse(&self) -> Result<ParsedGlobal, Invalid> {
        self.check_key()?;
        if self.name != NAME {
            let message = format!("{:?} is not known; the one object is {NAME}", self.name);
            return Err(Invalid::new("name", message));
        }
        let infra = choice(
            "networkInfraType",
            &self.network_infra_type,
            &[
                ("default", InfraType::Default),
                ("aci", InfraType::Aci),
                ("aci-opflex", InfraType::AciOpflex),
            ],
        )?;
        let forward_mode = choice(
            "fwdMode",
            &self.fwd_mode,
            &[
                ("bridge", ForwardMode::Bridge),
                ("routing", ForwardMode::Routing),
            ],
        )?;
        let arp_mode = choice(
            "arpMode",
            &self.arp_mode,
            &[("proxy", ArpMode::Proxy), ("flood", ArpMode::Flood)],
        )?;
        let vxlans = TagRange::parse("vxlans", &self.vxlans, LAST_VXLAN)?;
        if vxlans.last - vxlans.first >= MOST_VXLANS {
            return Err(Invalid::new(
                "vxlans",
                format!("{vxlans} is too wide; {MOST_VXLANS} VNIs are the most"),
            ));
        }
        Ok(ParsedGlobal {
            infra,
            vlans: TagRange::parse("vlans", &self.vlans, LAST_VLAN)?,
            vxlans,
            forward_mode,
            arp_mode,
            pvt_subnet: pvt_subnet(&self.pvt_subnet)?,
            vxlan_port: vxlan_port(self.vxlan_port)?,
        })
    }
}

impl TagRange {
    pub fn contains(&self, tag: u32) -> bool {
        (self.first..=self.last).contains(&tag)
    }

    fn parse(field: &'static str, text: &str, last: u32) -> Result<TagRange, Invalid> {
        let number = |text: &str| -> Option<u32> {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let range = text
            .split_once('-')
            .and_then(|(first, last)| {
                Some(TagRange {
                    first: number(first)?,
                    last: number(last)?,
                })
            })
            .filter(|range| 1 <= range.first && range.first <= range.last && range.last <= last);
        range.ok_or_else(|| {
            Invalid::new(
                field,
                format!("{text:?} is not a range of tags; write FIRST-LAST within 1-{last}"),
            )
        })
    }
}

impl fmt::Display for TagRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Settings of before there was a choice have the port that IANA gave.
fn vxlan_port(wish: Option<u32>) -> Result<u16, Invalid> {
    let port = wish.map_or(Some(DEFAULT_VXLAN_PORT), |wish| u16::try_from(wish).ok());
    port.filter(|port| *port != 0).ok_or_else(|| {
        let message = format!(
            "{} is not a UDP port; choose one of 1 to 65535, which nothing else on the hosts uses",
            wish.unwrap_or_default()
        );
        Invalid::new("vxlanPort", message)
    })
}

fn pvt_subnet(text: &str) -> Result<Ipv4Net, Invalid> {
    let refuse = |why: &str| Err(Invalid::new("pvtSubnet", format!("{text:?} {why}")));
    match text.parse::<Ipv4Net>() {
        Ok(net) if net.prefix_len() == 16 => match special(net) {
            Some(why) => refuse(&why),
            None => Ok(net.trunc()),
        },
        _ => refuse("is not a private subnet; write a /16 such as 172.19.0.0/16"),
    }
}

#[cfg(test)]
mod tests;
