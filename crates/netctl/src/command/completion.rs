//! `netctl completion`.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{generate, shells};

use crate::cli::Cli;
use crate::failure::Failure;
use crate::session::Session;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  netctl completion bash > /etc/bash_completion.d/netctl")]
pub(crate) struct Completion {
    /// The shell to complete in.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completion {
    pub(crate) fn run(self, session: &mut Session) -> Result<(), Failure> {
        let (mut command, mut script) = (Cli::command(), Vec::new());
        match self.shell {
            Shell::Bash => generate(shells::Bash, &mut command, "netctl", &mut script),
            Shell::Zsh => generate(shells::Zsh, &mut command, "netctl", &mut script),
            Shell::Fish => generate(shells::Fish, &mut command, "netctl", &mut script),
        }
        session.print(&String::from_utf8_lossy(&script))
    }
}
