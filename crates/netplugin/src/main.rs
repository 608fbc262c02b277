//! The `netplugin` binary: reads its options, logs, and runs [`netplugin::App`].

use std::process::ExitCode;

use clap::Parser;
use netplugin::{App, Command, Config, HostLock};
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
    match act(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            let bad = error.downcast_ref::<netplugin::BadOption>().is_some();
            ExitCode::from(if bad { BAD_OPTIONS } else { 1 })
        }
    }
}

/// Has this host to itself all the while: before the first look at the kernel, after the last task.
fn act(config: Config) -> anyhow::Result<()> {
    let _alone = HostLock::take(&config)?;
    match config.command {
        Some(Command::Cleanup) => netplugin::cleanup(&config),
        None => run(config),
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Each may hold a thread's stack; the data plane takes one caller at a time.
        .max_blocking_threads(16)
        .enable_all()
        .build()?;
    runtime.block_on(async { App::start(config).await?.run().await })
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
