//! The command line: flags and environment in, plain values out.

use std::{net::SocketAddr, time::Duration};

use batchpipe_api::units::Timespan;
use clap::{Parser, Subcommand};

use crate::{
    lease::{self, Timing},
    run::Options,
    settings::Settings,
};

/// Makes what each `BatchPipeline` asks for, watches it, and says how it is.
#[derive(Debug, Parser)]
#[command(name = "batchpipe-operator", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after pipelines until SIGTERM.
    Run(Box<RunArgs>),
    /// Print the custom resource definition, for kubectl apply --server-side -f -.
    Crd,
}

/// How to look after pipelines.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Image of the pods of pipelines that name none.
    #[arg(long, env = "BATCHPIPE_WORKLOAD_IMAGE", value_name = "IMAGE")]
    workload_image: String,
    /// Namespaces whose pipelines are looked after, separated by commas; none: all.
    #[arg(long, env = "BATCHPIPE_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// Namespace that the operator runs in; its Lease is there, and its pods may reach the pods' admin ports.
    #[arg(
        long,
        env = "BATCHPIPE_OPERATOR_NAMESPACE",
        value_name = "NAME",
        default_value = "default"
    )]
    operator_namespace: String,
    /// Namespace whose pods may scrape the pods' metrics.
    #[arg(long, env = "BATCHPIPE_MONITORING_NAMESPACE", value_name = "NAME")]
    monitoring_namespace: Option<String>,
    /// Address of /livez, /readyz and /metrics.
    #[arg(long, env = "BATCHPIPE_ADMIN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    admin: SocketAddr,
    /// How many pipelines are looked at at the same time.
    #[arg(long, env = "BATCHPIPE_CONCURRENCY", value_name = "N", default_value_t = 16)]
    concurrency: u16,
    /// Name of the Lease that says which process writes.
    #[arg(
        long,
        env = "BATCHPIPE_LEASE_NAME",
        value_name = "NAME",
        default_value = "batchpipe-operator"
    )]
    lease_name: String,
    /// Others take over when the Lease was not renewed for so long; whole seconds, from 2s to 10m.
    #[arg(long, env = "BATCHPIPE_LEASE_DURATION", value_name = "TIME", default_value = "15s")]
    lease_duration: Timespan,
    /// The leader stops writing when it could not renew for so long; less than the duration.
    #[arg(
        long,
        env = "BATCHPIPE_LEASE_RENEW_DEADLINE",
        value_name = "TIME",
        default_value = "10s"
    )]
    lease_renew_deadline: Timespan,
    /// Time between two tries to renew or to take the Lease; less than half of the renew deadline.
    #[arg(long, env = "BATCHPIPE_LEASE_RETRY_PERIOD", value_name = "TIME", default_value = "2s")]
    lease_retry_period: Timespan,
    /// What tells this process from others in the Lease; default: the pod's name.
    #[arg(long, env = "POD_NAME", value_name = "TEXT", default_value = "batchpipe-operator")]
    identity: String,
}

/// What is wrong with the flags taken together.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// The times of the Lease do not fit each other.
    #[error(
        "--lease-duration {duration}, --lease-renew-deadline {renew_deadline} and --lease-retry-period {retry} do not \
         fit; the duration, whole seconds from 2s to 10m, must be more than the deadline, and the deadline more than \
         twice the period"
    )]
    Lease {
        /// As given.
        duration: Timespan,
        /// As given.
        renew_deadline: Timespan,
        /// As given.
        retry: Timespan,
    },
    /// A name is empty.
    #[error("{flag} is empty; give a name, or leave the flag and its variable out")]
    Empty {
        /// Which one.
        flag: &'static str,
    },
}

impl RunArgs {
    /// The same as plain values. `incarnation` tells this process from earlier ones of its name.
    pub fn options(self, incarnation: &str) -> Result<Options, ArgsError> {
        let Self {
            workload_image,
            watch_namespaces,
            operator_namespace,
            monitoring_namespace,
            admin,
            concurrency,
            lease_name,
            lease_duration,
            lease_renew_deadline,
            lease_retry_period,
            identity,
        } = self;
        let timing = timing(lease_duration, lease_renew_deadline, lease_retry_period)?;
        let named = |flag, text: String| {
            if text.is_empty() { Err(ArgsError::Empty { flag }) } else { Ok(text) }
        };
        let operator_namespace = named("--operator-namespace", operator_namespace)?;
        let lease = lease::Settings {
            namespace: operator_namespace.clone(),
            name: named("--lease-name", lease_name)?,
            identity: format!("{}_{incarnation}", named("--identity", identity)?),
            timing,
        };
        let settings = Settings {
            workload_image: named("--workload-image", workload_image)?,
            operator_namespace,
            monitoring_namespace: monitoring_namespace.filter(|it| !it.is_empty()),
            watch_namespaces: watch_namespaces.into_iter().filter(|it| !it.is_empty()).collect(),
        };
        Ok(Options { settings, lease, concurrency: concurrency.into(), admin: Some(admin) })
    }
}

fn timing(
    duration: Timespan,
    renew_deadline: Timespan,
    retry: Timespan,
) -> Result<Timing, ArgsError> {
    let of = |span: Timespan| Duration::from_millis(span.as_millis());
    let timing =
        Timing { duration: of(duration), renew_deadline: of(renew_deadline), retry: of(retry) };
    let fits = (lease::SHORTEST..=lease::LONGEST).contains(&timing.duration)
        && timing.duration > timing.renew_deadline
        && timing.renew_deadline > timing.retry * 2
        && timing.duration.subsec_millis() == 0;
    if fits { Ok(timing) } else { Err(ArgsError::Lease { duration, renew_deadline, retry }) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn options(flags: &[&str]) -> Result<Options, ArgsError> {
        let words = ["batchpipe-operator", "run", "--workload-image", "w:1"].iter().chain(flags);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Run(args) => args.options("0f3a"),
            Command::Crd => unreachable!("run was given"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        let without =
            run.get_arguments().filter(|it| it.get_env().is_none()).map(|it| it.get_id().as_str());
        assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn two_processes_of_one_pod_are_told_apart() {
        assert_eq!(options(&["--identity", "pod"]).unwrap().lease.identity, "pod_0f3a");
    }

    #[test]
    fn namespaces_are_separated_by_commas_and_an_empty_variable_means_all() {
        assert_eq!(
            options(&["--watch-namespaces", "a,b"]).unwrap().settings.watch_namespaces,
            ["a", "b"]
        );
        assert!(options(&["--watch-namespaces", ""]).unwrap().settings.watch_namespaces.is_empty());
    }

    #[test]
    fn a_deadline_beyond_the_duration_is_refused() {
        let error = options(&["--lease-renew-deadline", "15s"]).unwrap_err();
        assert!(error.to_string().starts_with("--lease-duration 15s"), "{error}");
        assert!(options(&["--lease-retry-period", "5s"]).is_err());
    }

    #[test]
    fn a_lease_that_looks_given_back_or_lasts_for_ever_is_refused() {
        let lasting = |duration| {
            let short = ["--lease-renew-deadline", "900ms", "--lease-retry-period", "100ms"];
            options(&[&["--lease-duration", duration], short.as_slice()].concat())
        };
        assert!(lasting("2s").is_ok() && lasting("10m").is_ok());
        assert!(lasting("1s").is_err() && lasting("601s").is_err());
    }
}
