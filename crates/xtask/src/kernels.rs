//! `test-kernels`: the data plane under Debian 12's own kernel, in a virtual machine.
use anyhow::Result;
use clap::Args;
#[derive(Debug, Args)]
pub(crate) struct Kernels {}
impl Kernels {
    pub(crate) fn run(&self) -> Result<()> {
        anyhow::bail!("being written")
    }
}
