//! The whole command line, from arguments to exit code.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use contiv_client::Client;

use crate::access::AccessFlags;
use crate::command::{
    apply, completion, doctor, endpoint, events, global, group, host, ipam, login, network, policy,
    tenant, trace, version, wait,
};
use crate::failure::{Exit, Failure};
use crate::session::Session;
use crate::{argv, usage};

/// Command line of Contiv, policy-based networking for containers.
#[derive(Debug, Parser)]
#[command(
    name = "netctl",
    disable_version_flag = true,
    after_help = "Example:\n  netctl net create contiv-net --subnet=10.1.2.0/24 --gateway=10.1.2.254"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    access: AccessFlags,

    /// Print netctl's own version and exit.
    #[arg(short = 'v', long)]
    version: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the versions of netctl and of netmaster.
    Version(version::Version),
    /// List, create, inspect and delete tenants.
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// List, create, inspect and delete networks.
    #[command(subcommand, visible_alias = "net")]
    Network(network::Network),
    /// List, create, inspect and delete endpoint groups.
    #[command(subcommand)]
    Group(group::Group),
    /// List and inspect endpoints.
    #[command(subcommand, visible_alias = "ep")]
    Endpoint(endpoint::Endpoint),
    /// List, inspect and remove hosts, and let them join.
    #[command(subcommand)]
    Host(host::Host),
    /// List, create, inspect and delete policies and their rules.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Tell step by step why a connection is allowed or denied.
    Trace(trace::TraceFlags),
    /// Examine the fabric, its hosts and the ways between them, and say what helps.
    Doctor(doctor::Doctor),
    /// Show what happened to packets and connections, and follow it.
    Events(events::Events),
    /// Show and change the settings of the whole fabric.
    #[command(subcommand)]
    Global(global::Global),
    /// Look into the addresses that netmaster has given.
    #[command(subcommand)]
    Ipam(ipam::Ipam),
    /// Make what there is what files declare, in one revision; prints the plan first.
    Apply(apply::ApplyFiles),
    /// Print what there is as documents that apply takes.
    Export(apply::Export),
    /// Wait until an object meets a condition.
    Wait(wait::Wait),
    /// Keep masters to ask, their authority, and a token to show them.
    Login(login::Login),
    /// Print a script that completes netctl's commands and flags.
    Completion(completion::Completion),
}

/// Runs netctl with these arguments, the program's name first.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let arguments = argv::normalise(Cli::command(), arguments);
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&arguments, &error),
    };
    let result = run(cli, &arguments);
    match result {
        Ok(()) => Exit::Ok.code(),
        Err(failure) => {
            // A reader that went away, as `head` does, wants to hear no more.
            if !failure.is_broken_pipe() {
                complain(&failure.to_string());
            }
            failure.exit().code()
        }
    }
}

fn run(cli: Cli, arguments: &[OsString]) -> Result<(), Failure> {
    let mut session = Session::new();
    if cli.version {
        return session.print(&version::own().to_string());
    }
    let Some(command) = cli.command else {
        eprintln!("{}", usage::help(Cli::command(), arguments));
        return Err(Failure::Usage(
            "no command is given; name one of those above".into(),
        ));
    };
    if let Command::Completion(completion) = command {
        return completion.run(&mut session);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        if let Command::Login(login) = command {
            return login.run(&cli.access, &mut session).await;
        }
        let client = cli.access.client()?;
        let done = command.run(&client, &mut session).await;
        if let Some(age) = client.state_age() {
            eprintln!(
                "netctl: this is {} s old: the master does not hear its store",
                age.as_secs()
            );
        }
        done
    })
}

impl Command {
    async fn run(self, client: &Client, session: &mut Session) -> Result<(), Failure> {
        match self {
            Command::Version(version) => version.run(client, session).await,
            Command::Tenant(tenant) => tenant.run(client, session).await,
            Command::Network(network) => network.run(client, session).await,
            Command::Group(group) => group.run(client, session).await,
            Command::Endpoint(endpoint) => endpoint.run(client, session).await,
            Command::Host(host) => host.run(client, session).await,
            Command::Policy(policy) => policy.run(client, session).await,
            Command::Trace(trace) => trace.run(client, session).await,
            Command::Doctor(doctor) => doctor.run(client, session).await,
            Command::Events(events) => events.run(client, session).await,
            Command::Global(global) => global.run(client, session).await,
            Command::Ipam(ipam) => ipam.run(client, session).await,
            Command::Apply(apply) => apply.run(client, session).await,
            Command::Export(export) => export.run(client, session).await,
            Command::Wait(wait) => wait.run(client, session).await,
            Command::Completion(completion) => completion.run(session),
            Command::Login(_) => Ok(()),
        }
    }
}

/// Answers arguments that clap did not take: asked-for help is no error.
fn refuse(arguments: &[OsString], error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelp {
        return match error.print() {
            Ok(()) => Exit::Ok.code(),
            Err(_) => Exit::Io.code(),
        };
    }
    eprintln!("{}", usage::help(Cli::command(), arguments).trim_end());
    eprintln!();
    complain(&usage::line(error));
    Exit::Usage.code()
}

fn complain(message: &str) {
    let mut stderr = std::io::stderr();
    let (on, off) = if stderr.is_terminal() {
        ("\x1b[1;31m", "\x1b[0m")
    } else {
        ("", "")
    };
    let line = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    // There is nowhere left to say that this failed.
    drop(writeln!(stderr, "{on}netctl:{off} {line}"));
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_one_sentence_help() {
        fn check(command: &clap::Command, path: &str) {
            let about = command
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                !about.is_empty() && !about.contains('\n'),
                "{path}: {about:?}"
            );
            for sub in command.get_subcommands() {
                check(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        check(&Cli::command(), "netctl");
    }
}
