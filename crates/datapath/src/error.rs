//! Why the kernel could not be made to hold what it should.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use contiv_policy::PolicyError;
use ipnet::Ipv4Net;

/// Every failure of the data plane; each says what was tried, and what helps.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a message about links, addresses, routes or programs on links.
    #[error("{what}: {source}")]
    Netlink {
        what: String,
        #[source]
        source: io::Error,
    },

    /// A file of `/proc/sys`, of the bpf file system or another one cannot be used.
    #[error("{what}: {source}")]
    File {
        what: String,
        #[source]
        source: io::Error,
    },

    /// A program of the firewall did not do its work.
    #[error("{program}: {message}; is it installed, and does the agent run as root?")]
    Firewall {
        program: &'static str,
        message: String,
    },

    /// The kernel refused a program, a map, or an entry of one.
    #[error("{what}: {message}")]
    Bpf { what: String, message: String },

    /// A table has no room for what is asked.
    #[error("{what}: no room on this host for more; remove something first")]
    Full { what: &'static str },

    /// No private subnet can be used on this host.
    #[error(
        "the private subnet {wanted} and those that stand in for it are all in use on this host; \
         set another one with `netctl global set --private-subnet`"
    )]
    NoPrivateSubnet { wanted: Ipv4Net },

    /// The endpoint's network or tenant is not in the kernel.
    #[error("{what} {number} of endpoint {endpoint} is not known to this host's data plane yet")]
    Unknown {
        what: &'static str,
        number: u32,
        endpoint: String,
    },

    /// The host has a link of the name that its interface in a network is to have.
    #[error(
        "this host has an interface {name}, which is not Contiv's, and its own one in the network \
         is to have that name: rename it, or delete the network"
    )]
    NameTaken { name: String },

    /// Two endpoints of one network claim one address.
    #[error("endpoint {endpoint} cannot have {address}: {holder} has it on this host")]
    AddressTaken {
        endpoint: String,
        address: Ipv4Addr,
        holder: String,
    },

    /// The port by which hosts exchange packets is another's.
    #[error(
        "UDP port {port}, by which hosts exchange packets, is taken on this host by {holder}; \
         end that, or choose another port for all hosts"
    )]
    TunnelPort { port: u16, holder: String },

    /// Two networks have one number between hosts.
    #[error("network {network} cannot have number {vni} between hosts: network {holder} has it")]
    VniTaken { network: u32, vni: u32, holder: u32 },

    /// This host's end of the tunnel is nowhere.
    #[error(
        "the tunnel's address {address} is not an address of this host; \
         give the host's own address on the network that joins the hosts"
    )]
    TunnelAddress { address: IpAddr },

    /// Another host's end of the tunnel cannot be used.
    #[error("host {host}: {message}")]
    Host { host: String, message: String },

    /// A tenant's rules are not in force; those that were before are.
    #[error("tenant {tenant}: {source}")]
    Policy {
        tenant: u32,
        #[source]
        source: PolicyError,
    },

    /// Several steps failed; the others were done.
    #[error("{}", join(.0))]
    Several(Vec<Error>),
}

fn join(errors: &[Error]) -> String {
    let texts: Vec<String> = errors.iter().map(Error::to_string).collect();
    texts.join("; ")
}

impl Error {
    pub(crate) fn netlink(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Netlink { what, source }
    }

    pub(crate) fn file(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::File { what, source }
    }

    pub(crate) fn bpf<E: std::error::Error>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
        let what = what.into();
        move |error| Error::Bpf {
            what,
            message: with_causes(&error),
        }
    }
}

/// Letters of a long message that are kept at its begin and its end.
const HEAD: usize = 300;
const TAIL: usize = 700;

/// An error with all that it was caused by; aya's own texts leave the cause out.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    shorten(text)
}

/// A verifier's log can be megabytes; its end says why.
fn shorten(text: String) -> String {
    let letters = text.chars().count();
    if letters <= HEAD + TAIL {
        return text;
    }
    let head: String = text.chars().take(HEAD).collect();
    let tail: String = text.chars().skip(letters - TAIL).collect();
    format!("{head} … {tail}")
}

/// Goes on after a failure, and remembers it: how things are undone.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<Error>);

impl Failures {
    pub(crate) fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    pub(crate) fn result(mut self) -> Result<(), Error> {
        match self.0.len() {
            0 => Ok(()),
            1 => Err(self.0.remove(0)),
            _ => Err(Error::Several(self.0)),
        }
    }
}
