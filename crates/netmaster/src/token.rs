//! `netmaster token …`: asks the netmaster that runs on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context, bail};
use contiv_client::{Access, Client, Timeouts, masters};
use contiv_identity::{Fingerprint, write_private_file};
use contiv_model::identity::JoinTokenRequest;

use crate::config::{Config, TokenCommand};

/// Makes the token and prints it.
pub async fn run(config: &Config, command: &TokenCommand) -> anyhow::Result<()> {
    let client = client(config)?;
    match command {
        TokenCommand::Create { ttl, host } => {
            let request = JoinTokenRequest {
                host: host.clone(),
                ttl_seconds: ttl.as_secs(),
            };
            println!("{}", client.make_join_token(&request).await?.token);
        }
        TokenCommand::Rotate => {
            let token = client.rotate_admin_token().await?.token;
            let file = config.admin_token_file();
            if let Err(error) = write_private_file(&file, &format!("{token}\n")) {
                // It must not get lost: the one before is worth nothing any more.
                println!("{token}");
                bail!(
                    "cannot write {}: {error}; the token is above",
                    file.display()
                );
            }
            println!("{}", file.display());
        }
    }
    Ok(())
}

/// A snapshot of everything, by the netmaster that runs on this machine.
pub(crate) async fn snapshot(config: &Config) -> anyhow::Result<String> {
    Ok(client(config)?.get_text("/api/v1/snapshot/").await?)
}

/// By the plain loopback where it is served, else by TLS and the administrator's token.
fn client(config: &Config) -> anyhow::Result<Client> {
    let plain = config.listen_url.iter().find(|listen| !listen.secure);
    if let Some(listen) = plain {
        return Ok(Client::new(&listen.to_string(), Timeouts::default())?);
    }
    let Some(listen) = config.listen_url.first() else {
        bail!("--listen-url: name the address of the netmaster that runs here");
    };
    let mut address = listen.address;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let authority = Fingerprint::of_pem(&read(&config.authority_file())?)?;
    let token = read(&config.admin_token_file())?;
    let access = Access::with_token(authority, token.trim());
    let master = masters(&format!("https://{address}"))?;
    Ok(Client::of(master, Timeouts::default(), &access)?)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
