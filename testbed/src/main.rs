//! `batchpipe-testbed`: starts what tests use, for people and scripts, until it is told to stop.

use std::path::PathBuf;

use anyhow::Context;
use batchpipe_testbed::{ControlPlane, Kafka};
use clap::Parser;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Real systems to try BatchPipe with.
#[derive(Parser)]
#[command(name = "batchpipe-testbed", version)]
enum Command {
    /// Start a real Apache Kafka, print its address as one JSON line when it answers, and stop it at
    /// SIGTERM or Ctrl-C. Nothing is left behind.
    Kafka {
        /// The port to listen on; by default, and for 0, a free one.
        #[arg(long)]
        port: Option<u16>,
        /// A folder for the broker's data, which is then kept.
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// A broker setting, as KEY=VALUE. May be given several times.
        #[arg(long = "property", value_name = "KEY=VALUE", value_parser = key_value)]
        properties: Vec<(String, String)>,
    },
    /// Start a real Kubernetes without a node, print the administrator's kubeconfig as one JSON line when it
    /// answers, and stop it at SIGTERM or Ctrl-C. Nothing is left behind.
    Cluster {
        /// The API server's port; by default, and for 0, a free one.
        #[arg(long)]
        port: Option<u16>,
    },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Kafka { port, data_dir, properties } => run_kafka(port, data_dir, &properties),
        Command::Cluster { port } => run_cluster(port.unwrap_or_default()),
    }
}

fn run_kafka(
    port: Option<u16>,
    data_dir: Option<PathBuf>,
    properties: &[(String, String)],
) -> anyhow::Result<()> {
    let mut signals = signals()?;
    // People measure with it, so it is compiled as in production.
    let mut builder = Kafka::builder().optimised();
    builder = properties.iter().fold(builder, |builder, (key, value)| builder.property(key, value));
    if let Some(port) = port {
        builder = builder.port(port);
    }
    if let Some(folder) = data_dir {
        builder = builder.data_dir(folder);
    }
    let mut kafka = builder.start()?;
    println!("{}", serde_json::json!({"bootstrapServers": kafka.bootstrap_servers()}));
    signals.forever().next();
    Ok(kafka.stop()?)
}

fn run_cluster(port: u16) -> anyhow::Result<()> {
    let mut signals = signals()?;
    let cluster = ControlPlane::builder().port(port).start()?;
    println!("{}", serde_json::json!({"kubeconfig": cluster.kubeconfig()}));
    signals.forever().next();
    Ok(())
}

/// To be called before a start: a signal while a server starts must not leave it behind.
fn signals() -> anyhow::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, found no `=`")?;
    Ok((key.to_owned(), value.to_owned()))
}
