//! `batchpipe-testbed`: starts what tests use, for people and scripts, until it is told to stop.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use batchpipe_testbed::{
    ControlPlane, Image, Kafka, Node, Program, Stage, operator_image, workload_image,
};
use clap::Parser;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag::register_conditional_shutdown,
    iterator::Signals,
};

/// How often to look for a signal and whether the broker still runs.
const POLL: Duration = Duration::from_millis(100);

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
        /// With listeners for TLS, for SCRAM and PLAIN over TLS and for both in the clear, which are printed too, with
        /// the file of the authority's certificate.
        #[arg(long)]
        secured: bool,
        /// A user of these listeners, as NAME=PASSWORD, for PLAIN and SCRAM. May be given several times.
        #[arg(long = "user", value_name = "NAME=PASSWORD", value_parser = key_value, requires = "secured")]
        users: Vec<(String, String)>,
        /// A topic to make, with one partition unless it is said. May be given several times.
        #[arg(long = "topic", value_name = "NAME[=PARTITIONS]", value_parser = topic, conflicts_with = "data_dir")]
        topics: Vec<(String, u32)>,
        /// A broker setting, as KEY=VALUE. May be given several times.
        #[arg(long = "property", value_name = "KEY=VALUE", value_parser = key_value)]
        properties: Vec<(String, String)>,
    },
    /// Start a real Kubernetes with a node, and a Kafka that pods of one namespace reach as `kafka:9093`. Prints one
    /// JSON line with the kubeconfig, the broker's address on this machine, and the files of kubectl and helm.
    Stage {
        /// The namespace; it enforces Pod Security `restricted`.
        #[arg(long, default_value = "batchpipe")]
        namespace: String,
        /// A `batchpipe` program to run in pods, as the image `batchpipe.local/workload:dev`.
        #[arg(long, value_name = "FILE")]
        workload: Option<PathBuf>,
        /// A `batchpipe-operator` program to run in pods, as the image `batchpipe.local/operator:dev`.
        #[arg(long, value_name = "FILE")]
        operator: Option<PathBuf>,
    },
    /// Start a real Kubernetes, print the administrator's kubeconfig as one JSON line when it can be used, and
    /// stop it at SIGTERM or Ctrl-C. Nothing is left behind.
    Cluster {
        /// With a node, so that pods run. Needs root and Linux.
        #[arg(long)]
        node: bool,
        /// The API server's port; by default, and for 0, a free one.
        #[arg(long)]
        port: Option<u16>,
    },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Kafka { port, data_dir, secured, users, topics, properties } => {
            run_kafka(port, data_dir, secured.then_some(&users), &topics, &properties)
        }
        Command::Stage { namespace, workload, operator } => {
            let workload = workload.map(|file| workload_image(&file)).transpose()?;
            let operator = operator.map(|file| operator_image(&file)).transpose()?;
            run_stage(&namespace, workload.iter().chain(&operator))
        }
        Command::Cluster { node, port } => run_cluster(node, port.unwrap_or_default()),
    }
}

fn run_kafka(
    port: Option<u16>,
    data_dir: Option<PathBuf>,
    secured: Option<&Vec<(String, String)>>,
    topics: &[(String, u32)],
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
    for (name, password) in secured.into_iter().flatten() {
        builder = builder.plain_user(name, password);
    }
    if secured.is_some() {
        builder = builder.secured();
    }
    let mut kafka = builder.start()?;
    for (name, password) in secured.into_iter().flatten() {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            kafka.set_password(mechanism, name, password)?;
        }
    }
    for (name, partitions) in topics {
        kafka.create_topic(name, *partitions, &[])?;
    }
    let mut line = serde_json::json!({"bootstrapServers": kafka.bootstrap_servers()});
    if let Some(security) = kafka.security() {
        line["tls"] = security.tls_servers().into();
        line["saslTls"] = security.sasl_tls_servers().into();
        line["sasl"] = security.sasl_servers().into();
        line["authority"] = security.authority().display().to_string().into();
    }
    println!("{line}");
    while signals.pending().next().is_none() {
        if let Some(status) = kafka.ended()? {
            anyhow::bail!("the broker ended by itself or was killed: {status}");
        }
        thread::sleep(POLL);
    }
    Ok(kafka.stop()?)
}

fn run_cluster(with_node: bool, port: u16) -> anyhow::Result<()> {
    let builder = ControlPlane::builder().port(port);
    let signals = signals()?;
    let is_starting = end_at_once()?;
    if with_node {
        let node = Node::start(builder)?;
        is_starting.store(false, Ordering::Relaxed);
        serve(signals, node.control_plane());
    } else {
        let cluster = builder.start()?;
        is_starting.store(false, Ordering::Relaxed);
        serve(signals, &cluster);
    }
    Ok(())
}

fn run_stage<'a>(namespace: &str, images: impl Iterator<Item = &'a Image>) -> anyhow::Result<()> {
    let mut signals = signals()?;
    let is_starting = end_at_once()?;
    let stage = Stage::start(ControlPlane::builder(), namespace)?;
    for image in images {
        stage.node().import(image)?;
    }
    let tools = (Program::Kubectl.get()?, Program::Helm.get()?);
    is_starting.store(false, Ordering::Relaxed);
    let ready = serde_json::json!({
        "kubeconfig": stage.node().control_plane().kubeconfig(),
        "bootstrapServers": stage.kafka().bootstrap_servers(),
        "kubectl": tools.0,
        "helm": tools.1,
    });
    println!("{ready}");
    signals.forever().next();
    Ok(())
}

/// Ends this process at a signal for as long as the flag is set: a start may wait for long, for a compiler or for
/// another node. What has been started by then is the watchdogs' to end.
fn end_at_once() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        let registered = register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag));
        registered.context("cannot take signals")?;
    }
    Ok(flag)
}

/// Says that the cluster can be used, and waits for the end.
fn serve(mut signals: Signals, cluster: &ControlPlane) {
    println!("{}", serde_json::json!({"kubeconfig": cluster.kubeconfig()}));
    signals.forever().next();
}

/// To be called before a start: a signal while a server starts must not leave it behind.
fn signals() -> anyhow::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, found no `=`")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn topic(text: &str) -> Result<(String, u32), String> {
    let (name, partitions) = text.split_once('=').unwrap_or((text, "1"));
    let partitions = partitions.parse().map_err(|error| format!("partitions: {error}"))?;
    Ok((name.to_owned(), partitions))
}
