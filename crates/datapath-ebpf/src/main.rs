//! The programs of the data plane, for the kernel.
//!
//! [`from_endpoint`], [`from_host`] and [`from_overlay`] see what a container, the host or another
//! host's container sends; where each is attached is in `contiv_datapath_abi::programs`, and what they decide is in `opening` and
//! `policy` of that crate. An established connection costs its packet the parsing, one look-up in
//! the flow table, and a few in arrays.
//!
//! Packets are never written to directly: a program that may do so makes the kernel copy every
//! packet whose data somebody else holds, which is every TCP packet. The few that change are
//! changed by helpers.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod admit;
mod answer;
mod atomic;
mod broadcast;
mod deliver;
mod drop;
mod errors;
mod event;
mod flows;
mod fragment;
mod from_endpoint;
mod from_host;
mod from_overlay;
mod maps;
mod skb;
mod tables;
mod translate;
mod tunnel;

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;

use skb::Skb;

/// What an endpoint sends.
#[classifier]
fn from_endpoint(context: TcContext) -> i32 {
    from_endpoint::run(&Skb::new(&context))
}

/// What the host sends to endpoints.
#[classifier]
fn from_host(context: TcContext) -> i32 {
    from_host::run(&Skb::new(&context))
}

/// What endpoints of other hosts send.
#[classifier]
fn from_overlay(context: TcContext) -> i32 {
    from_overlay::run(&Skb::new(&context))
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program that could get here.
    loop {}
}
