//! ICMP errors: they belong to the connection that they quote, and travel against it.

use contiv_datapath_abi::Words;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::packet::{Packet, quoted};

use crate::skb::Skb;

/// Makes an error a packet of the connection that it is about, in the direction in which it
/// travels. `destination` is its destination as the frame has it.
#[inline(never)]
pub fn relate(skb: &Skb, packet: &mut Packet, destination: &Words) -> i32 {
    let quote = match quoted(skb, packet) {
        Ok(quote) => quote,
        Err(reason) => return reason.code(),
    };
    // Whoever gets the error must have sent what it quotes.
    if quote.key.source != *destination {
        return Reason::UnrelatedError.code();
    }
    let own = packet.key.destination;
    packet.key = quote.key.reversed();
    packet.key.destination = own;
    packet.quote = quote.header;
    // The type of ICMP was here; the quoted connection's own flags are old news.
    packet.flags = 0;
    0
}
