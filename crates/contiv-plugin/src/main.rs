//! The managed plugin of Docker Swarm: it passes the engine's calls to the agent of its host.
//!
//! Docker gives each managed plugin a root file system and a socket of its own, and wants it to
//! be there as long as the engine is. So this is no second agent: whatever the engine sends goes
//! as it is to the socket at which netplugin answers for Swarms, and back. When nobody answers
//! there, it says so.
//!
//! | variable | |
//! | --- | --- |
//! | `CONTIV_PLUGIN_SOCKET` | where the engine calls |
//! | `CONTIV_AGENT_SOCKET` | where netplugin answers |

mod forward;
mod refusal;

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

fn main() -> ExitCode {
    let path = |name: &str, default: &str| {
        std::env::var_os(name).map_or_else(|| PathBuf::from(default), PathBuf::from)
    };
    let own = path("CONTIV_PLUGIN_SOCKET", "/run/docker/plugins/contiv.sock");
    let agent = path("CONTIV_AGENT_SOCKET", "/host/run/contiv/plugin.sock");
    // An earlier life has left it there.
    let _ = std::fs::remove_file(&own);
    let listener = match UnixListener::bind(&own) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("contiv-plugin: cannot listen at {}: {error}", own.display());
            return ExitCode::FAILURE;
        }
    };
    for engine in listener.incoming().flatten() {
        let agent = agent.clone();
        // The engine has few connections, and keeps them.
        thread::spawn(move || forward::serve(engine, &agent));
    }
    ExitCode::SUCCESS
}
