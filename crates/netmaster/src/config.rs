//! Flags and environment, with the names of the original where they still mean something.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Control plane of Contiv: one REST API for what operators intend, one stream per host.
#[derive(Clone, Debug, Parser)]
#[command(name = "netmaster", version)]
pub struct Config {
    /// Address that the API is served at; on the loopback, since it is not encrypted
    #[arg(
        long,
        visible_alias = "external-address",
        env = "CONTIV_NETMASTER_EXTERNAL_ADDRESS",
        default_value = "127.0.0.1:9999",
        value_name = "ADDRESS:PORT",
        value_parser = loopback
    )]
    pub listen_url: SocketAddr,

    /// Directory of the embedded store
    #[arg(
        long,
        env = "CONTIV_NETMASTER_DATA_DIR",
        default_value = "/var/lib/contiv",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,

    /// Encapsulation of networks that name none [default: they are refused]
    #[arg(
        long,
        visible_alias = "network-mode",
        env = "CONTIV_NETMASTER_NET_MODE",
        value_enum
    )]
    pub netmode: Option<NetMode>,

    /// Forwarding mode of a new store: `bridge` keeps a tenant's networks apart, `routing` joins
    /// them [default: bridge]; afterwards `netctl global set` changes it
    #[arg(
        long,
        visible_alias = "forward-mode",
        env = "CONTIV_NETMASTER_FORWARD_MODE",
        value_enum
    )]
    pub fwdmode: Option<FwdMode>,

    /// Infrastructure that the fabric runs on
    #[arg(
        long,
        visible_alias = "infra-type",
        env = "CONTIV_NETMASTER_INFRA",
        value_enum,
        default_value_t = Infra::Default
    )]
    pub infra: Infra,

    /// What is logged: error, warn, info, debug, trace
    #[arg(
        long,
        env = "CONTIV_NETMASTER_LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub log_level: tracing::Level,

    /// Log lines of JSON
    #[arg(
        long,
        visible_alias = "json-log",
        env = "CONTIV_NETMASTER_USE_JSON_LOG"
    )]
    pub use_json_log: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetMode {
    Vlan,
    Vxlan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FwdMode {
    Bridge,
    Routing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Infra {
    /// Hosts on an IP network
    Default,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let plain = text.strip_prefix("http://").unwrap_or(text);
    let plain = plain.replacen("localhost:", "127.0.0.1:", 1);
    let address: SocketAddr = plain
        .parse()
        .map_err(|_| "give an address and a port, such as 127.0.0.1:9999".to_owned())?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "the API is neither encrypted nor authenticated, so that whoever reaches {} would rule the fabric; \
             give a loopback address, such as 127.0.0.1:{}",
            address.ip(),
            address.port()
        ));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["netmaster"], line].concat())
    }

    #[test]
    fn the_command_line_is_well_formed_and_everything_has_a_default() {
        Config::command().debug_assert();
        let config = parse(&[]).unwrap();
        assert_eq!(config.listen_url.to_string(), "127.0.0.1:9999");
        assert_eq!(config.data_dir.to_str(), Some("/var/lib/contiv"));
    }

    #[test]
    fn old_names_of_flags_are_understood() {
        let line = [
            "--external-address=localhost:99",
            "--network-mode=vlan",
            "--forward-mode=routing",
            "--infra-type=default",
            "--json-log",
            "--log-level=DEBUG",
        ];
        let config = parse(&line).unwrap();
        assert_eq!(config.listen_url.to_string(), "127.0.0.1:99");
        assert_eq!(
            (config.netmode, config.fwdmode),
            (Some(NetMode::Vlan), Some(FwdMode::Routing))
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (line, reason) in [
            ("--listen-url=0.0.0.0:9999", "loopback"),
            ("--listen-url=10.0.0.1:9999", "loopback"),
            ("--listen-url=here", "127.0.0.1:9999"),
            ("--netmode=geneve", "vlan"),
            ("--fwdmode=proxy", "bridge"),
            ("--infra=aci", "default"),
            ("--log-level=loud", "log-level"),
        ] {
            let error = parse(&[line]).unwrap_err().to_string();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
