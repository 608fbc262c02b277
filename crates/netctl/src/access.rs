//! Which masters are asked, whom netctl believes and what it shows: flags first, then what
//! `netctl login` has kept, then the loopback.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use clap::Args;
use contiv_client::{Access, Client, DEFAULT_MASTER, MasterAddress, Token, masters};
use contiv_identity::{Fingerprint, write_private_file};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::session::Session;

/// The flags that every command has.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccessFlags {
    /// Masters to ask, in order, separated by commas [default: those of `netctl login`, else
    /// http://127.0.0.1:9999].
    #[arg(long, global = true, env = "NETMASTER", value_parser = Masters::parse, value_name = "URL")]
    netmaster: Option<Masters>,

    /// Token to show to masters beyond the loopback [default: that of `netctl login`].
    #[arg(
        long,
        global = true,
        env = "CONTIV_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,

    /// Fingerprint of the authority whose masters are believed [default: that of `netctl login`].
    #[arg(long, global = true, env = "CONTIV_FINGERPRINT", value_name = "HEX")]
    fingerprint: Option<String>,
}

/// The masters of one `--netmaster`; none in an empty variable of the environment.
#[derive(Clone, Debug)]
struct Masters(Vec<MasterAddress>);

/// What `netctl login` keeps.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Saved {
    pub(crate) netmaster: String,
    pub(crate) fingerprint: String,
    pub(crate) token: String,
}

impl AccessFlags {
    /// A client of the masters that are to be asked.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let saved = Saved::load()?;
        let masters = match self.masters() {
            Some(masters) => masters,
            None if saved.netmaster.is_empty() => masters(DEFAULT_MASTER)?,
            None => masters(&saved.netmaster)?,
        };
        let fingerprint = self.fingerprint()?.unwrap_or(saved.fingerprint);
        let access = Access {
            authority: match fingerprint.is_empty() {
                true => None,
                false => Some(parse(&fingerprint)?),
            },
            token: self.token().or(given(&saved.token)).map(Token),
            certificate: None,
        };
        Ok(Client::of(masters, Session::timeouts(), &access)?)
    }

    pub(crate) fn masters(&self) -> Option<Vec<MasterAddress>> {
        let Masters(masters) = self.netmaster.clone()?;
        Some(masters).filter(|masters| !masters.is_empty())
    }

    pub(crate) fn token(&self) -> Option<String> {
        given(self.token.as_deref().unwrap_or_default())
    }

    /// In its plain form.
    pub(crate) fn fingerprint(&self) -> Result<Option<String>, Failure> {
        let given = given(self.fingerprint.as_deref().unwrap_or_default());
        let parsed = given.map(|text| parse(&text)).transpose()?;
        Ok(parsed.map(|fingerprint| fingerprint.to_string()))
    }
}

impl Masters {
    fn parse(list: &str) -> Result<Masters, contiv_client::Error> {
        masters(list).map(Masters)
    }
}

impl Saved {
    /// What is kept; nothing when nobody has logged in.
    pub(crate) fn load() -> Result<Saved, Failure> {
        let Some(path) = path() else {
            return Ok(Saved::default());
        };
        let unreadable = |why: String| Failure::Unreadable(format!("{}: {why}", path.display()));
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|e| unreadable(format!("{e}; log in anew by netctl login"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Saved::default()),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    /// Keeps it where nobody else reads; gives the place.
    pub(crate) fn store(&self) -> Result<PathBuf, Failure> {
        let missing = || Failure::Usage("HOME is not set; name a file by CONTIV_CONFIG".into());
        let path = path().ok_or_else(missing)?;
        if let Some(dir) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        write_private_file(&path, &format!("{text}\n"))?;
        Ok(path)
    }
}

/// `CONTIV_CONFIG`, else `~/.contiv/config`.
fn path() -> Option<PathBuf> {
    let named = std::env::var_os("CONTIV_CONFIG").filter(|path| !path.is_empty());
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let usual = home.map(|home| PathBuf::from(home).join(".contiv/config"));
    named.map(PathBuf::from).or(usual)
}

fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn parse(fingerprint: &str) -> Result<Fingerprint, Failure> {
    let parsed = fingerprint.parse();
    parsed.map_err(|e: contiv_identity::Error| Failure::Usage(e.to_string()))
}
