//! `batchpipe-operator`: parse and dispatch; nothing else. Exit codes: 0 done, 1 failed, 2 wrong usage.

use std::{
    hash::{BuildHasher, RandomState},
    process::ExitCode,
};

use batchpipe_operator::{
    args::{Cli, Command, RunArgs},
    client::{self, Instruments},
    error::chain,
    run::{Options, run},
    telemetry,
};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Crd => {
            print!("{}", batchpipe_api::schema::crd_yaml());
            ExitCode::SUCCESS
        }
        Command::Run(args) => begin(*args),
    }
}

fn begin(args: RunArgs) -> ExitCode {
    let incarnation = RandomState::new().hash_one(std::process::id());
    let options = match args.options(&format!("{incarnation:016x}")) {
        Ok(options) => options,
        Err(error) => return usage(&error),
    };
    if let Err(error) = telemetry::init() {
        return usage(&error);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended =
        runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(operate(options)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn usage(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::from(2)
}

async fn operate(options: Options) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop");
        asked.cancel();
    });
    let config = kube::Config::infer().await?;
    let instruments = Instruments::default();
    let client = client::builder(config, &instruments)?.build();
    run(client, options, instruments, stop).await?;
    Ok(())
}
