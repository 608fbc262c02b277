//! Where programs, maps and links are kept while no agent runs.
//!
//! ```text
//! PIN_DIR/v2/maps/NAME              by the layout's number: maps of one layout are
//! PIN_DIR/v2/programs/HASH/NAME     shared by all programs of it, and a new agent
//! PIN_DIR/v2/links/INTERFACE        knows by the hash whether it brings new ones
//! PIN_DIR/v2-part/…                 while another layout's place is taken, see `handover`
//! ```

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use aya::EbpfLoader;
use contiv_datapath_abi::{Plain, maps, programs};
use rustix::fs::statfs;

use crate::bpf::{self, Table};
use crate::program::{OBJECT, Programs};
use crate::{Error, error::Failures};

/// `BPF_FS_MAGIC` (`linux/magic.h`).
const BPF_FS: i64 = 0xcafe_4a11;

/// The directories of one layout.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    root: PathBuf,
    layout: PathBuf,
    programs: PathBuf,
}

/// The programs, loaded and pinned.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) from_endpoint: OwnedFd,
    pub(crate) from_host: OwnedFd,
    pub(crate) from_overlay: OwnedFd,
    /// Found as pinned by an earlier agent of the same build.
    pub(crate) taken_over: bool,
}

impl Pins {
    /// Names the directories, and makes none.
    pub(crate) fn at(root: &Path) -> Pins {
        Pins::below(root, &format!("v{}", maps::LAYOUT))
    }

    /// As [`at`](Self::at), for the layouts before that are there, the latest first.
    pub(crate) fn older(&self) -> impl Iterator<Item = Pins> {
        let all = maps::OLDER.iter();
        let all = all.map(|layout| Pins::below(&self.root, &format!("v{layout}")));
        all.filter(|pins| pins.maps().is_dir())
    }

    /// As [`at`](Self::at), where they are made before they take their place.
    pub(crate) fn in_part(&self) -> Pins {
        Pins::below(&self.root, &format!("v{}-part", maps::LAYOUT))
    }

    fn below(root: &Path, layout: &str) -> Pins {
        let layout = root.join(layout);
        let programs = layout
            .join("programs")
            .join(format!("{:016x}", hash(OBJECT)));
        Pins {
            root: root.to_owned(),
            layout,
            programs,
        }
    }

    /// Makes the directories, on a bpf file system that is mounted if none is there.
    pub(crate) fn make(&self) -> Result<(), Error> {
        mount_for(&self.root)?;
        for directory in [self.maps(), self.links(), self.programs.clone()] {
            fs::create_dir_all(&directory)
                .map_err(Error::file(format!("make {}", directory.display())))?;
        }
        Ok(())
    }

    /// Opens the programs of this build, or loads and pins them with their maps.
    pub(crate) fn programs(&self) -> Result<Loaded, Error> {
        if let Some(loaded) = self.pinned() {
            return Ok(loaded);
        }
        // Whatever of them is there belongs to maps that are not.
        for name in programs::ALL {
            fs::remove_file(self.programs.join(name)).ok();
        }
        let mut loader = self.loader();
        let mut loaded = Programs::load_with(&mut loader).map_err(Error::bpf("load programs"))?;
        let mut descriptors = Vec::new();
        for name in programs::ALL {
            let what = format!("pin program {name}");
            let program = loaded
                .classifier(name)
                .map_err(Error::bpf(what.clone()))?
                .fd()
                .map_err(Error::bpf(what.clone()))?;
            bpf::pin(program.as_fd(), &self.programs.join(name)).map_err(Error::file(what))?;
            descriptors.push(self.program(name)?);
        }
        match <[OwnedFd; 3]>::try_from(descriptors) {
            Ok([from_endpoint, from_host, from_overlay]) => Ok(Loaded {
                from_endpoint,
                from_host,
                from_overlay,
                taken_over: false,
            }),
            Err(_) => unreachable!("there are three programs"),
        }
    }

    /// Makes a map for each name, empty, but for those that are there.
    pub(crate) fn make_maps(&self) -> Result<(), Error> {
        let maps = self.maps();
        fs::create_dir_all(&maps).map_err(Error::file(format!("make {}", maps.display())))?;
        let made = self.loader().load(OBJECT);
        made.map(drop).map_err(Error::bpf("make maps"))
    }

    /// Puts all that is here in the place of what is there.
    pub(crate) fn replace(&self, place: &Pins) -> Result<(), Error> {
        remove_tree(&place.layout)?;
        let what = format!("rename {}", self.layout.display());
        fs::rename(&self.layout, &place.layout).map_err(Error::file(what))
    }

    /// Whether every map is there.
    pub(crate) fn has_maps(&self) -> bool {
        let maps = self.maps();
        maps::ALL.iter().all(|(name, _)| maps.join(name).exists())
    }

    /// Finds maps by their pins, and pins those that it makes.
    fn loader(&self) -> EbpfLoader<'static> {
        let mut loader = EbpfLoader::new();
        for (name, _) in maps::ALL {
            loader.map_pin_path(name, self.maps().join(name));
        }
        loader
    }

    fn pinned(&self) -> Option<Loaded> {
        if !self.has_maps() {
            return None;
        }
        Some(Loaded {
            from_endpoint: self.program(programs::FROM_ENDPOINT).ok()?,
            from_host: self.program(programs::FROM_HOST).ok()?,
            from_overlay: self.program(programs::FROM_OVERLAY).ok()?,
            taken_over: true,
        })
    }

    fn program(&self, name: &str) -> Result<OwnedFd, Error> {
        bpf::get(&self.programs.join(name)).map_err(Error::file(format!("open program {name}")))
    }

    /// Opens a map whose keys and values are as the layout says.
    pub(crate) fn table<K: Plain, V: Plain>(
        &self,
        name: &'static str,
    ) -> Result<Table<K, V>, Error> {
        let map = bpf::get(&self.maps().join(name));
        let map = map.map_err(Error::file(format!("open map {name}")))?;
        Ok(Table::new(name, map))
    }

    /// Where a map is pinned.
    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// Where the link that runs a program at an interface is pinned.
    pub(crate) fn link(&self, interface: &str) -> PathBuf {
        self.links().join(interface)
    }

    /// The interfaces that links are pinned for.
    pub(crate) fn linked(&self) -> Result<Vec<String>, Error> {
        names_in(&self.links())
    }

    /// Removes what other builds and layouts have left; nothing runs it any more.
    pub(crate) fn remove_others(&self) -> Result<(), Error> {
        let mut failures = Failures::default();
        let here = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
        for (directory, keep) in [
            (self.layout.join("programs"), here(&self.programs)),
            (self.root.clone(), here(&self.layout)),
        ] {
            for name in failures.note(names_in(&directory)).unwrap_or_default() {
                if Some(&name) != keep.as_ref() {
                    failures.note(remove_tree(&directory.join(name)));
                }
            }
        }
        failures.result()
    }

    /// Whether the directories are on a bpf file system.
    pub(crate) fn last(&self) -> bool {
        statfs(&self.layout).is_ok_and(|facts| facts.f_type == BPF_FS)
    }

    /// Removes all that is of this layout.
    pub(crate) fn remove_layout(&self) -> Result<(), Error> {
        remove_tree(&self.layout)
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        remove_tree(&self.root)
    }

    fn maps(&self) -> PathBuf {
        self.layout.join("maps")
    }

    fn links(&self) -> PathBuf {
        self.layout.join("links")
    }
}

fn names_in(directory: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::file(format!("list {}", directory.display())))?,
    };
    let names = entries.flatten();
    Ok(names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

fn remove_tree(path: &Path) -> Result<(), Error> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file(format!("remove {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

/// Mounts a bpf file system at the directory's parent, unless it lies on one.
fn mount_for(root: &Path) -> Result<(), Error> {
    let existing = root.ancestors().find(|path| path.exists());
    let on_bpf = existing
        .and_then(|path| statfs(path).ok())
        .is_some_and(|facts| facts.f_type == BPF_FS);
    if on_bpf {
        return Ok(());
    }
    let place = root.parent().unwrap_or(root);
    let what = format!("mount a bpf file system at {}", place.display());
    fs::create_dir_all(place).map_err(Error::file(what.clone()))?;
    rustix::mount::mount(
        "bpf",
        place,
        "bpf",
        rustix::mount::MountFlags::empty(),
        None,
    )
    .map_err(|errno| Error::file(what)(errno.into()))?;
    tracing::info!(at = %place.display(), "mounted a bpf file system");
    Ok(())
}

/// FNV-1a: tells builds, or endpoints, apart, no more.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
