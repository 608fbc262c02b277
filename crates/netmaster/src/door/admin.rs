//! The administrator's first token, and the files for people.

use std::fs;

use anyhow::Context;
use contiv_fabric::found_admin;
use contiv_fabric::identity::AdminRecord;
use contiv_identity::{AdminToken, Authority, write_private_file};

use crate::config::Config;
use crate::ledger::Ledger;

/// Writes the authority's certificate beside the store, and makes the administrator's token when
/// the store knows none.
///
/// The token is in its file before the store knows it: after a crash in between, the next start
/// makes another. Of several masters that start at once one makes the token that stands.
pub(super) async fn found(
    config: &Config,
    ledger: &Ledger,
    authority: &Authority,
) -> anyhow::Result<()> {
    let file = config.authority_file();
    fs::write(&file, authority.certificate())
        .with_context(|| format!("cannot write {}", file.display()))?;
    if ledger.read().image().identity().admin().is_some() {
        return Ok(());
    }
    let (file, token) = (config.admin_token_file(), AdminToken::new()?);
    write_private_file(&file, &format!("{token}\n"))
        .with_context(|| format!("--admin-token-file: cannot write {}", file.display()))?;
    let admin = AdminRecord {
        hash: token.secret.hash(),
    };
    let founded = ledger.decide(|image| found_admin(image, &admin)).await;
    if founded
        .context("the administrator's token cannot be stored")?
        .answer
    {
        tracing::info!(file = %file.display(), "the administrator's token is made");
    } else {
        fs::remove_file(&file).ok();
        tracing::info!("another master has made the administrator's token");
    }
    Ok(())
}
