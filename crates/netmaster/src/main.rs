//! The `netmaster` binary: reads its options, logs, and runs [`netmaster::App`].

use std::process::ExitCode;

use clap::Parser;
use netmaster::{App, Command, Config};
use tracing_subscriber::EnvFilter;

/// For options that make no sense, as in the original (`EINVAL`).
const BAD_OPTIONS: u8 = 22;

fn main() -> ExitCode {
    let config = match Config::try_parse() {
        Ok(config) => config,
        Err(error) => {
            let code = if error.use_stderr() { BAD_OPTIONS } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    log(&config);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            let bad = error.downcast_ref::<netmaster::BadOption>().is_some();
            ExitCode::from(if bad { BAD_OPTIONS } else { 1 })
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match &config.command {
            Some(Command::Token(command)) => netmaster::token::run(&config, command).await,
            Some(Command::Snapshot(command)) => netmaster::snapshot::run(&config, command).await,
            Some(Command::Migrate(options)) => netmaster::migrate::run(&config, options).await,
            None => App::serve(config).await,
        }
    })
}

fn log(config: &Config) {
    let filter = EnvFilter::new(config.log_level.to_string());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if config.use_json_log {
        builder.json().init();
    } else {
        builder.with_ansi(false).init();
    }
}
