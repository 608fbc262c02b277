//! Flags and environment, with the names of the original where they still mean something.

mod store;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use contiv_model::parse_span;

use crate::listen::Listen;

pub use store::{MigrateOptions, SnapshotCommand, StoreCredentials, StoreOptions, StorePlace};

/// Control plane of Contiv: one REST API for what operators intend, one stream per host.
#[derive(Clone, Debug, Parser)]
#[command(name = "netmaster", version)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Addresses that the API is served at, comma-separated. On the loopback it is plain and
    /// open to whoever is there; at any other address, and at https:// ones, it is TLS, and
    /// everybody has to prove who they are
    #[arg(
        long,
        visible_alias = "external-address",
        env = "CONTIV_NETMASTER_EXTERNAL_ADDRESS",
        default_value = "127.0.0.1:9999",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        global = true
    )]
    pub listen_url: Vec<Listen>,

    /// Further names and addresses that this master is reached by, comma-separated; its
    /// certificate is for those, for its host name and for the addresses it listens at
    #[arg(
        long,
        env = "CONTIV_NETMASTER_ADVERTISE_URL",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub advertise_url: Vec<String>,

    /// File that the first administrator's token is written to [default: admin.token in the
    /// data directory]
    #[arg(
        long,
        env = "CONTIV_NETMASTER_ADMIN_TOKEN_FILE",
        value_name = "FILE",
        global = true
    )]
    pub admin_token_file: Option<PathBuf>,

    /// Directory of the embedded store
    #[arg(
        long,
        env = "CONTIV_NETMASTER_DATA_DIR",
        default_value = "/var/lib/contiv",
        value_name = "DIR",
        global = true
    )]
    pub data_dir: PathBuf,

    #[command(flatten)]
    pub store: StoreOptions,

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

    /// Until a host of which nothing is heard is taken for lost, and its endpoints for gone,
    /// such as 90m, 24h, 7d; `never` keeps it until netctl host rm
    #[arg(
        long,
        env = "CONTIV_NETMASTER_HOST_TIMEOUT",
        default_value = "24h",
        value_name = "TIME",
        value_parser = patience
    )]
    pub host_timeout: Patience,

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

/// What netmaster does besides serving.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Make tokens, asking the netmaster that runs on this machine
    #[command(subcommand)]
    Token(TokenCommand),

    /// Copy everything to a file, and back
    #[command(subcommand)]
    Snapshot(SnapshotCommand),

    /// Move everything to another store; the first one is closed
    Migrate(MigrateOptions),
}

/// The tokens that there are.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum TokenCommand {
    /// Print a token that lets one host join, once
    Create {
        /// Until it expires, such as 30m, 1h, 2d
        #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_span)]
        ttl: Duration,
        /// The one host that it is for, which may have joined before [default: any new one]
        #[arg(long, default_value = "", value_name = "NAME")]
        host: String,
    },
    /// Put another administrator's token in place of the one there is, and in the file of it
    Rotate,
}

impl Config {
    /// Where the administrator's token is written to.
    pub fn admin_token_file(&self) -> PathBuf {
        let beside = || self.data_dir.join("admin.token");
        self.admin_token_file.clone().unwrap_or_else(beside)
    }

    /// Where the authority's certificate is written to, for those who log in.
    pub fn authority_file(&self) -> PathBuf {
        self.data_dir.join("ca.pem")
    }
}

/// A time, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Option<Duration>);

fn patience(text: &str) -> Result<Patience, String> {
    match text {
        "never" => Ok(Patience(None)),
        text => parse_span(text).map(|span| Patience(Some(span))),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["netmaster"], line].concat())
    }

    fn urls(config: &Config) -> Vec<String> {
        config.listen_url.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_loopback_is_plain_and_only_if_it_is_not_asked_for_otherwise() {
        let line =
            "--listen-url=127.0.0.1:9999,0.0.0.0:9998,https://127.0.0.1:1,[fd00::1]:2,[::1]:3";
        let config = parse(&[line]).unwrap();
        let expected = [
            "http://127.0.0.1:9999",
            "https://0.0.0.0:9998",
            "https://127.0.0.1:1",
            "https://[fd00::1]:2",
            "http://[::1]:3",
        ];
        assert_eq!(urls(&config), expected);
    }

    #[test]
    fn tokens_are_made_for_an_hour_unless_a_time_is_given() {
        let ttl = |line: &[&str]| match parse(line).unwrap().command {
            Some(Command::Token(TokenCommand::Create { ttl, .. })) => ttl.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(ttl(&["token", "create"]), 3600);
        assert_eq!(ttl(&["token", "create", "--ttl=2d"]), 172_800);
        assert_eq!(ttl(&["token", "create", "--ttl=90"]), 90);
        for bad in ["0", "1w", "h", "-1h", "99999999999999999999d"] {
            let line = ["token", "create", &format!("--ttl={bad}")];
            assert!(parse(&line).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed_and_everything_has_a_default() {
        Config::command().debug_assert();
        let config = parse(&[]).unwrap();
        assert_eq!(urls(&config), ["http://127.0.0.1:9999"]);
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
        assert_eq!(urls(&config), ["http://127.0.0.1:99"]);
        assert_eq!(
            (config.netmode, config.fwdmode),
            (Some(NetMode::Vlan), Some(FwdMode::Routing))
        );
    }

    #[test]
    fn the_store_is_named_before_a_command_or_after_it() {
        let tls = "--store-ca=/ca --store-cert=/c --store-key=/k";
        let user = "--store-user=u --store-password-file=/p";
        for line in [
            "--store=etcd://a:1 snapshot restore f".to_owned(),
            "snapshot restore f --force --store etcd://a:1".to_owned(),
            format!("snapshot save f --cluster-store etcds://a:1 {tls} {user}"),
            format!("migrate --from redb:f --to etcds://a:1 --abort {tls} {user}"),
            format!("{tls} migrate --from redb:f --to etcds://a:1 --force {user}"),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let store = parse(&words).map(|config| config.store);
            let store = store.unwrap_or_else(|error| panic!("{line}: {error}"));
            let StoreOptions { store, credentials } = store;
            assert_eq!(store.is_some(), !line.contains("migrate"), "{line}");
            let wanted = line.contains(tls);
            assert_eq!(credentials.store_ca.is_some(), wanted, "{line}");
            assert_eq!(credentials.store_key.is_some(), wanted, "{line}");
            assert_eq!(credentials.store_user.is_some(), wanted, "{line}");
        }
        let half = ["snapshot", "save", "f", "--store-cert=/c"];
        let refused = parse(&half).unwrap_err().to_string();
        assert!(refused.contains("--store-key"), "{refused}");
    }

    #[test]
    fn commands_are_understood_as_operators_read_them() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let text = std::fs::read_to_string(path).unwrap();
        // Every other piece is code, in a line or in a block of lines.
        let code = text.split('`').skip(1).step_by(2);
        let lines = code.flat_map(|piece| match piece.starts_with('\n') {
            true => piece.lines().map(str::to_owned).collect(),
            false => vec![piece.replace('\n', " ")],
        });
        let mut seen = 0;
        for line in lines {
            let line = line.split(" #").next().unwrap();
            let words = line.split_whitespace();
            let words: Vec<&str> = words.skip_while(|word| word.ends_with('#')).collect();
            // What begins with a flag tells of the flag.
            if let ["netmaster", command, ..] = words[..]
                && !command.starts_with('-')
            {
                let parsed = parse(&words[1..]);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                seen += 1;
            }
        }
        assert!(seen > 5, "{seen} commands are in {path}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (line, reason) in [
            ("--listen-url=http://0.0.0.0:9999", "https://"),
            ("--listen-url=127.0.0.1:1,http://10.0.0.1:9999", "https://"),
            ("--listen-url=ftp://127.0.0.1:1", "https://"),
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
