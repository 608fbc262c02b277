//! Flags and environment, with the names of the original where they still mean something.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Host agent of Contiv: Docker network and address driver on an eBPF data plane.
#[derive(Clone, Debug, Parser)]
#[command(name = "netplugin", version)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Masters, comma-separated, by https:// unless they are on the loopback; the first that
    /// answers is used
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_NETMASTER",
        default_value = contiv_client::DEFAULT_MASTER,
        value_name = "URLS"
    )]
    pub netmaster: String,

    /// Token that lets this host join its masters, once; of no use afterwards
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_JOIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub join_token: Option<String>,

    /// File that holds the join token
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_JOIN_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "join_token"
    )]
    pub join_token_file: Option<PathBuf>,

    /// Directory of this host's key and certificate
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_STATE_DIR",
        default_value = "/var/lib/contiv/netplugin",
        value_name = "DIR"
    )]
    pub state_dir: PathBuf,

    /// Name of this host among the masters' [default: the kernel's host name]
    #[arg(
        long,
        visible_alias = "host",
        env = "CONTIV_NETPLUGIN_HOST",
        value_name = "NAME"
    )]
    pub host_label: Option<String>,

    /// Address that other hosts send this one's packets to [default: that of --ctrl-ip, or the
    /// one from which the masters are reached]
    #[arg(long, env = "CONTIV_NETPLUGIN_VTEP_IP", value_name = "ADDRESS")]
    pub vtep_ip: Option<IpAddr>,

    /// Address that people find this host at [default: the one from which the masters are
    /// reached]
    #[arg(long, env = "CONTIV_NETPLUGIN_CONTROL_IP", value_name = "ADDRESS")]
    pub ctrl_ip: Option<IpAddr>,

    /// UDP port of VXLAN, which must be the fabric's [default: the fabric's, 4789 unless
    /// netctl global set --vxlan-port says otherwise]
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_VXLAN_PORT",
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub vxlan_port: Option<u16>,

    /// Name by which Docker knows the driver
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_PLUGIN_NAME",
        default_value = "netplugin",
        value_name = "NAME"
    )]
    pub plugin_name: String,

    /// Directory in which Docker looks for drivers
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_PLUGIN_SOCKET_DIR",
        default_value = "/run/docker/plugins",
        value_name = "DIR"
    )]
    pub plugin_socket_dir: PathBuf,

    /// Socket at which the managed plugin for Docker Swarm finds the agent
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_SWARM_SOCKET",
        default_value = "/run/contiv/plugin.sock",
        value_name = "PATH"
    )]
    pub swarm_socket: PathBuf,

    /// Socket of the Docker engine
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_DOCKER_SOCKET",
        default_value = "/var/run/docker.sock",
        value_name = "PATH"
    )]
    pub docker_socket: PathBuf,

    /// Directory on a bpf file system that keeps programs and maps while the agent is away
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_PIN_DIR",
        default_value = "/sys/fs/bpf/contiv",
        value_name = "DIR"
    )]
    pub pin_dir: PathBuf,

    /// How programs are attached to links
    #[arg(long, env = "CONTIV_NETPLUGIN_ATTACH", value_enum, default_value_t = Attach::Auto)]
    pub attach: Attach,

    /// Address that /metrics is served at
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_METRICS_URL",
        default_value = "127.0.0.1:9090",
        value_name = "ADDRESS:PORT"
    )]
    pub metrics_url: SocketAddr,

    /// What is logged: error, warn, info, debug, trace
    #[arg(
        long,
        env = "CONTIV_NETPLUGIN_LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub log_level: tracing::Level,

    /// Log lines of JSON
    #[arg(long, env = "CONTIV_NETPLUGIN_USE_JSON_LOG")]
    pub use_json_log: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attach {
    /// tcx where the kernel has it, else clsact
    Auto,
    Tcx,
    Clsact,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Remove every trace of Contiv from this host's kernel, and end
    Cleanup,
}

impl Config {
    /// The name of this host among the masters'.
    pub fn host_name(&self) -> String {
        let given = self.host_label.clone().filter(|label| !label.is_empty());
        given.unwrap_or_else(|| {
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
            name.unwrap_or_default().trim().to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_everything_has_a_default() {
        Config::command().debug_assert();
        let config = Config::parse_from(["netplugin"]);
        assert_eq!(config.attach, Attach::Auto);
        assert!(!config.host_name().is_empty());
    }

    #[test]
    fn a_host_may_be_named_by_either_flag() {
        for flag in ["--host-label=h1", "--host=h1"] {
            assert_eq!(Config::parse_from(["netplugin", flag]).host_name(), "h1");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--attach=xdp",
            "--log-level=loud",
            "--metrics-url=here",
            "--vtep-ip=here",
            "--vxlan-port=0",
            "--vxlan-port=65536",
        ] {
            assert!(
                Config::try_parse_from(["netplugin", line]).is_err(),
                "{line}"
            );
        }
    }
}
