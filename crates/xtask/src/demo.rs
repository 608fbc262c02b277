//! `demo`: the tutorial, walked by a program, as a user would walk it.

mod guide;
mod tour;

use anyhow::Result;
use clap::Args;

use crate::build::Build;
use crate::up::{Up, hints};
use guide::Guide;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    build: Build,
}

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        let programs = Up {
            build: self.build.clone(),
        }
        .start()?;
        let mut guide = Guide::new(&programs);
        tour::walk(&mut guide)?;
        println!(
            "\n{} steps, no surprise. Contiv stays up; play on:\n",
            guide.steps()
        );
        hints(&programs);
        Ok(())
    }
}
