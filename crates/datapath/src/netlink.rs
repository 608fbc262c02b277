//! A small synchronous rtnetlink client for what a host's data plane needs.
//!
//! A socket belongs to the network namespace of the thread that opened it. Each
//! operation is one message; those that make or remove say nothing when it was so
//! before, so that every step may be repeated.

mod addresses;
mod filters;
mod links;
mod neighbours;
mod routes;

pub(crate) use links::{Link, VethSpec};
pub(crate) use routes::Route;

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// The kernel writes dumps in pieces of at most this many bytes.
const PIECE: usize = 64 * 1024;

/// Messages to and from the kernel, one at a time.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink {
            socket,
            sequence: 0,
        })
    }

    /// Has the kernel do something.
    fn act(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags)
            .map(drop)
    }

    /// Asks the kernel for everything of a kind.
    fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        self.answers()
    }

    /// Reads until the kernel says that it is done.
    fn answers(&mut self) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut answers = Vec::new();
        let mut buffer: Vec<u8> = Vec::with_capacity(PIECE);
        loop {
            buffer.clear();
            self.socket.recv(&mut buffer, 0)?;
            let mut rest = &buffer[..];
            while !rest.is_empty() {
                let Some(length) = length_of(rest) else {
                    return Err(broken("a message without its end"));
                };
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&rest[..length]);
                // What this library cannot read (of links of kinds that are not ours) is left out.
                if let Ok(answer) = answer
                    && answer.header.sequence_number == self.sequence
                {
                    match answer.payload {
                        NetlinkPayload::Done(done) if done.code < 0 => {
                            return Err(io::Error::from_raw_os_error(-done.code));
                        }
                        NetlinkPayload::Done(_) => return Ok(answers),
                        NetlinkPayload::Error(error) => {
                            return match error.code {
                                None => Ok(answers),
                                Some(_) => Err(error.to_io()),
                            };
                        }
                        NetlinkPayload::InnerMessage(message) => answers.push(message),
                        _ => {}
                    }
                }
                rest = &rest[length.next_multiple_of(4).min(rest.len())..];
            }
        }
    }
}

/// The length that a message says it has, if it can be.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    (length >= 16 && length <= bytes.len()).then_some(length)
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("netlink: {why}"))
}

/// Takes an error that says "it was so before" for success.
fn fine_if(result: io::Result<()>, errno: &[i32]) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error().is_some_and(|e| errno.contains(&e)) => Ok(()),
        other => other,
    }
}
