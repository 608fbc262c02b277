//! The object file with all programs and maps, and a loader for those who do not pin.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::ScopedJoinHandle;

use aya::maps::Map;
use aya::programs::{Program, ProgramError as Refusal, SchedClassifier};
use aya::{Ebpf, EbpfLoader};
use contiv_datapath_abi::programs;

/// The object file that `build.rs` made.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/datapath.o"));

/// Why programs could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error(
        "the kernel does not take the data plane's maps: {0}; it needs Linux 6.1 or newer and the right to use BPF"
    )]
    Load(#[from] aya::EbpfError),
    #[error("the kernel does not take program {name}: {source}")]
    Refused { name: &'static str, source: Refusal },
    #[error("the object file has no program {0}: build it again")]
    Missing(&'static str),
}

/// Programs and maps that live as long as this value, unless somebody pins them.
pub struct Programs {
    pub ebpf: Ebpf,
}

impl Programs {
    /// Loads all programs with their maps at full size, pinning nothing.
    pub fn load() -> Result<Programs, ProgramError> {
        Self::load_with(&mut EbpfLoader::new())
    }

    /// Loads all programs by a loader that may set pins and sizes of maps.
    pub fn load_with(loader: &mut EbpfLoader<'_>) -> Result<Programs, ProgramError> {
        let mut ebpf = loader.load(OBJECT)?;
        // The kernel's proof of a program takes most of the time, and one processor.
        let loaded: Vec<_> = std::thread::scope(|scope| {
            let named = ebpf.programs_mut().filter_map(|(name, program)| {
                let name = programs::ALL.into_iter().find(|known| *known == name)?;
                Some((name, program))
            });
            let loads = named.map(|(name, program)| scope.spawn(move || (name, load(program))));
            let loads: Vec<_> = loads.collect();
            loads.into_iter().map(ScopedJoinHandle::join).collect()
        });
        for result in loaded {
            let (name, result) = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            result.map_err(|source| ProgramError::Refused { name, source })?;
        }
        Ok(Programs { ebpf })
    }

    /// The map of this name, one of `contiv_datapath_abi::maps`.
    pub fn map(&self, name: &str) -> io::Result<OwnedFd> {
        match self.ebpf.map(name) {
            Some(
                Map::Array(map) | Map::HashMap(map) | Map::LpmTrie(map) | Map::LruHashMap(map),
            ) => map.fd().as_fd().try_clone_to_owned(),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The program of this name, one of `contiv_datapath_abi::programs`.
    pub fn classifier(&mut self, name: &'static str) -> Result<&mut SchedClassifier, ProgramError> {
        classifier(&mut self.ebpf, name)
    }
}

fn load(program: &mut Program) -> Result<(), Refusal> {
    let program: &mut SchedClassifier = program.try_into()?;
    program.load()
}

fn classifier<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut SchedClassifier, ProgramError> {
    let program = ebpf.program_mut(name).ok_or(ProgramError::Missing(name))?;
    program
        .try_into()
        .map_err(|source| ProgramError::Refused { name, source })
}
