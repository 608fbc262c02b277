//! The number that the kernel gives to each state of all nft tables.

use std::io;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

/// `NFNL_SUBSYS_NFTABLES` and `NFT_MSG_GETGEN` (`linux/netfilter/nf_tables.h`).
const GET_GENERATION: u16 = 10 << 8 | 16;
/// `NFTA_GEN_ID`, which comes first in the answer.
const GENERATION_ID: u16 = 1;
/// A netlink header, then the header of the netfilter subsystems.
const HEADERS: usize = 16 + 4;

/// The number as of now in the calling thread's namespace: another one means that somebody
/// changed some rule. Rules of the older `iptables-legacy` do not count.
pub(super) fn generation() -> Option<u32> {
    ask().ok().flatten()
}

fn ask() -> io::Result<Option<u32>> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut question = Vec::with_capacity(HEADERS);
    question.extend((HEADERS as u32).to_ne_bytes());
    question.extend(GET_GENERATION.to_ne_bytes());
    question.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    question.resize(HEADERS, 0);
    socket.send(&question, 0)?;
    let mut answer: Vec<u8> = Vec::with_capacity(4096);
    socket.recv(&mut answer, 0)?;
    Ok(read(&answer))
}

fn read(answer: &[u8]) -> Option<u32> {
    let attribute = answer.get(HEADERS..HEADERS + 8)?;
    let kind = u16::from_ne_bytes([attribute[2], attribute[3]]);
    let number = u32::from_be_bytes(*attribute.last_chunk()?);
    (kind == GENERATION_ID).then_some(number)
}
