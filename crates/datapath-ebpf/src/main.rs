//! The programs of the data plane, for the kernel.
#![no_std]
#![no_main]

mod maps;

use aya_ebpf::bindings::TC_ACT_SHOT;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;

#[classifier]
fn from_endpoint(_context: TcContext) -> i32 {
    TC_ACT_SHOT
}

#[classifier]
fn from_host(_context: TcContext) -> i32 {
    TC_ACT_SHOT
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
