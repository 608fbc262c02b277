//! A packet as the kernel has it.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::{__sk_buff, BPF_F_INGRESS};
use aya_ebpf::helpers::generated::{
    bpf_clone_redirect, bpf_redirect, bpf_redirect_peer, bpf_skb_change_tail, bpf_skb_change_type,
    bpf_skb_load_bytes, bpf_skb_pull_data, bpf_skb_store_bytes,
};
use aya_ebpf::programs::TcContext;
use contiv_datapath_abi::counter::Reason;
use contiv_datapath_abi::packet::Frame;

/// Type of a packet that is for whoever gets it.
const PACKET_HOST: u32 = 0;

#[derive(Clone, Copy)]
pub struct Skb(pub *mut __sk_buff);

impl Frame for Skb {
    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        self.direct(offset)
    }

    #[inline(always)]
    fn halves<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        self.direct(offset)
    }

    #[inline(always)]
    fn far_words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        // SAFETY: all bits are a number.
        unsafe { self.load(offset) }
    }

    #[inline(always)]
    fn far<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        // SAFETY: see above.
        unsafe { self.load(offset) }
    }
}

impl Skb {
    #[inline(always)]
    pub fn new(context: &TcContext) -> Skb {
        Skb(context.skb.skb)
    }

    /// Reads from anywhere in the packet.
    ///
    /// # Safety
    /// All bits are a `T`.
    #[inline(always)]
    unsafe fn load<T>(&self, offset: usize) -> Option<T> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper fills all of the value, or fails.
        unsafe {
            let at = value.as_mut_ptr().cast();
            let size = size_of::<T>() as u32;
            let failed = bpf_skb_load_bytes(self.0.cast(), offset as u32, at, size);
            (failed == 0).then(|| value.assume_init())
        }
    }

    /// Reads from the packet's first piece; headers that lie further back are brought there by
    /// [`Self::gather`].
    #[inline(always)]
    fn direct<T: Copy>(&self, offset: usize) -> Option<T> {
        // SAFETY: the kernel calls the program with a valid context. The end is compared with, as
        // the verifier demands. Headers behind the link header are aligned by the kernel where the
        // processor needs that, and the verifier knows where it does.
        unsafe {
            let at = (*self.0).data as usize + offset;
            if at + size_of::<T>() > (*self.0).data_end as usize {
                return None;
            }
            Some((at as *const T).read())
        }
    }

    /// Brings that much of the packet into its first piece, if there is so much.
    #[inline(always)]
    pub fn gather(&self, headers: u32) {
        // SAFETY: see `direct`; the helper checks the length.
        unsafe {
            let there = ((*self.0).data_end - (*self.0).data) as u32;
            if there < headers && there < self.len() {
                // Its failure shows when the headers are read.
                bpf_skb_pull_data(self.0, headers.min(self.len()));
            }
        }
    }

    #[inline(always)]
    pub fn interface(&self) -> u32 {
        // SAFETY: the context is valid, as it is below.
        unsafe { (*self.0).ifindex }
    }

    #[inline(always)]
    pub fn len(&self) -> u32 {
        // SAFETY: see above.
        unsafe { (*self.0).len }
    }

    /// Payload of each packet that this one will be cut into; 0 if it will not.
    #[inline(always)]
    pub fn segment(&self) -> u32 {
        // SAFETY: see above.
        unsafe { (*self.0).gso_size }
    }

    /// Overwrites bytes, and nothing but them: checksums are the caller's.
    #[inline(always)]
    pub fn store<const N: usize>(&self, offset: u32, bytes: &[u8; N]) -> Result<(), Reason> {
        // SAFETY: the helper reads N bytes and checks the offset.
        let failed =
            unsafe { bpf_skb_store_bytes(self.0, offset, bytes.as_ptr().cast(), N as u32, 0) };
        done(failed)
    }

    /// Makes the packet consist of these bytes.
    #[inline(always)]
    pub fn replace<const N: usize>(&self, bytes: &[u8; N]) -> Result<(), Reason> {
        if self.len() != N as u32 {
            // SAFETY: the helper checks the length.
            done(unsafe { bpf_skb_change_tail(self.0, N as u32, 0) })?;
        }
        self.store(0, bytes)
    }

    /// Lets the packet enter the namespace behind this end of a link.
    #[inline(always)]
    pub fn enter(&self, interface: u32) -> i32 {
        // SAFETY: helpers that check their arguments.
        unsafe {
            // A frame for another station's link address would be dropped in there.
            if (*self.0).pkt_type != PACKET_HOST {
                bpf_skb_change_type(self.0, PACKET_HOST);
            }
            bpf_redirect_peer(interface, 0) as i32
        }
    }

    /// Sends the packet out of an interface.
    #[inline(always)]
    pub fn leave(&self, interface: u32) -> i32 {
        // SAFETY: a helper that checks its arguments.
        unsafe { bpf_redirect(interface, 0) as i32 }
    }

    /// Lets the packet arrive at an interface of this namespace, as if its other end had sent it.
    #[inline(always)]
    pub fn arrive(&self, interface: u32) -> i32 {
        // SAFETY: a helper that checks its arguments.
        unsafe { bpf_redirect(interface, BPF_F_INGRESS as u64) as i32 }
    }

    /// Sends a copy out of an interface.
    #[inline(always)]
    pub fn copy_to(&self, interface: u32) {
        // SAFETY: a helper that checks its arguments. Its failure is the receiver's loss.
        unsafe { bpf_clone_redirect(self.0, interface, 0) };
    }
}

/// What a helper's code means.
#[inline(always)]
pub fn done(code: i64) -> Result<(), Reason> {
    if code == 0 {
        Ok(())
    } else {
        Err(Reason::Kernel)
    }
}
