//! Programs on links by `clsact`, for kernels without tcx.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};

use super::{Netlink, fine_if};

/// Before what others may add.
const PRIORITY: u32 = 1;
/// One filter per link is ours.
const HANDLE: TcHandle = TcHandle { major: 0, minor: 1 };
/// The hook of `clsact` for what arrives.
const ARRIVING: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff2,
};
/// The one for what leaves.
const LEAVING: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff3,
};
const NONE: TcHandle = TcHandle { major: 0, minor: 0 };
/// The program's answer is the verdict (`TCA_BPF_FLAG_ACT_DIRECT`).
const DIRECT: u32 = 1;
const TCA_BPF_FLAGS: u16 = 8;

impl Netlink {
    /// Runs a program for all that arrives at a link, in the place of an earlier one of ours.
    ///
    /// The kernel exchanges the program of a filter between two packets.
    pub(crate) fn set_filter(
        &mut self,
        index: u32,
        name: &str,
        program: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut queue = message(index);
        queue.header.parent = TcHandle::CLSACT;
        queue.header.handle = TcHandle {
            major: 0xffff,
            minor: 0,
        };
        queue
            .attributes
            .push(TcAttribute::Kind("clsact".to_owned()));
        let made = self.act(
            RouteNetlinkMessage::NewQueueDiscipline(queue),
            NLM_F_CREATE | NLM_F_EXCL,
        );
        fine_if(made, &[libc::EEXIST])?;
        let mut filter = filter(index);
        let flags = DefaultNla::new(TCA_BPF_FLAGS, DIRECT.to_ne_bytes().to_vec());
        filter.attributes.push(TcAttribute::Options(vec![
            TcOption::Bpf(TcFilterBpfOption::ProgFd(program.as_raw_fd() as u32)),
            TcOption::Bpf(TcFilterBpfOption::ProgName(name.to_owned())),
            TcOption::Bpf(TcFilterBpfOption::Other(flags)),
        ]));
        self.act(RouteNetlinkMessage::NewTrafficFilter(filter), NLM_F_CREATE)
    }

    /// Takes our program from a link; fine where there is none.
    pub(crate) fn remove_filter(&mut self, index: u32) -> io::Result<()> {
        // Without `clsact` there is no such parent.
        fine_if(
            self.act(RouteNetlinkMessage::DelTrafficFilter(filter(index)), 0),
            &[libc::ENOENT, libc::EINVAL, libc::ENODEV],
        )
    }
}

/// A filter on a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// For what arrives at the link; else for what leaves by it.
    pub(crate) arriving: bool,
    /// At our place.
    pub(crate) ours: bool,
    /// The program's name, or the kind of filter.
    pub(crate) name: String,
}

impl Netlink {
    /// The filters on a link, each once.
    pub(crate) fn filters(&mut self, index: u32) -> io::Result<Vec<Filter>> {
        let mut all: Vec<Filter> = Vec::new();
        for parent in [ARRIVING, LEAVING] {
            let mut message = message(index);
            message.header.parent = parent;
            let answers = match self.dump(RouteNetlinkMessage::GetTrafficFilter(message)) {
                // Without `clsact` there is no such parent.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => continue,
                answers => answers?,
            };
            for answer in answers {
                let RouteNetlinkMessage::NewTrafficFilter(message) = answer else {
                    continue;
                };
                // The kernel tells of a kind by itself first, with no handle.
                if message.header.index != index.cast_signed() || message.header.handle == NONE {
                    continue;
                }
                let arriving = parent == ARRIVING;
                let priority = message.header.info >> 16;
                let filter = Filter {
                    arriving,
                    ours: arriving && priority == PRIORITY && message.header.handle == HANDLE,
                    name: name(&message.attributes),
                };
                all.push(filter);
            }
        }
        Ok(all)
    }
}

fn name(attributes: &[TcAttribute]) -> String {
    let mut kind = String::new();
    for attribute in attributes {
        match attribute {
            TcAttribute::Kind(text) => kind.clone_from(text),
            TcAttribute::Options(options) => {
                for option in options {
                    if let TcOption::Bpf(TcFilterBpfOption::ProgName(name)) = option {
                        return name.clone();
                    }
                }
            }
            _ => {}
        }
    }
    kind
}

fn message(index: u32) -> TcMessage {
    let mut message = TcMessage::default();
    message.header.index = index.cast_signed();
    message
}

fn filter(index: u32) -> TcMessage {
    let mut message = message(index);
    message.header.parent = ARRIVING;
    message.header.handle = HANDLE;
    message.header.info = PRIORITY << 16 | u32::from((libc::ETH_P_ALL as u16).to_be());
    message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
    message
}
