//! CPU and memory of the container. Pure.

use batchpipe_api::{
    report::Role,
    spec::pod::{Pod, Resources},
};
use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};

use super::{
    container::source_port,
    quantity::{canonical, of_bytes},
};
use crate::pipeline::Pipeline;

/// Memory unless batches are large, in bytes.
const MEMORY_BYTES: u64 = 256 << 20;
/// The largest batch fits so many times into the memory limit. The workload's budget is 60 % of the limit, of which a
/// consumer needs 4.4 times its largest batch and a producer 4.2 times.
const BATCHES: u64 = 8;
/// The same with an HTTP source. It may hold half of the budget for connections and requests, and three times the
/// largest record, which may be as large as a batch.
const BATCHES_BY_HTTP: u64 = 20;
/// What a producer of some ten thousand records a second uses.
const CPU_REQUEST: &str = "100m";
/// More than one, because compressing and receiving take turns otherwise.
const CPU_LIMIT: &str = "2";

/// What one side's container has: what the pipeline says, else enough for its largest batch.
pub(super) fn build_resources(pipeline: &Pipeline, role: Role, pod: &Pod) -> ResourceRequirements {
    let (requests, limits) = if let Some(Resources { requests, limits }) = &pod.resources {
        (canonical(requests), canonical(limits))
    } else {
        // A request below the limit would promise memory that the node may not have.
        let memory = of_bytes(
            MEMORY_BYTES.max(batches(pipeline, role) * largest_batch_bytes(pipeline, role)),
        );
        let amounts = |cpu: &str| {
            let cpu = ("cpu".to_owned(), Quantity(cpu.to_owned()));
            [cpu, ("memory".to_owned(), memory.clone())].into_iter().collect()
        };
        (amounts(CPU_REQUEST), amounts(CPU_LIMIT))
    };
    ResourceRequirements {
        requests: Some(requests).filter(|it| !it.is_empty()),
        limits: Some(limits).filter(|it| !it.is_empty()),
        ..ResourceRequirements::default()
    }
}

fn batches(pipeline: &Pipeline, role: Role) -> u64 {
    if source_port(pipeline, role).is_some() { BATCHES_BY_HTTP } else { BATCHES }
}

fn largest_batch_bytes(pipeline: &Pipeline, role: Role) -> u64 {
    match (role, &pipeline.spec.consumer) {
        (Role::Consumer, Some(consumer)) => consumer.limits.max_batch_bytes.bytes(),
        _ => pipeline.spec.batch.max_bytes.bytes(),
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::units::ByteSize;

    use super::*;
    use crate::build::fixture::{EVERYTHING, TELEMETRY, pipeline};

    fn memory(pipeline: &Pipeline, role: Role) -> String {
        let resources = build_resources(pipeline, role, &Pod::default());
        resources.limits.unwrap()["memory"].0.clone()
    }

    #[test]
    fn the_default_has_requests_and_limits() {
        let resources = build_resources(&pipeline(TELEMETRY), Role::Producer, &Pod::default());
        let (requests, limits) = (resources.requests.unwrap(), resources.limits.unwrap());
        assert_eq!((requests["cpu"].0.as_str(), limits["cpu"].0.as_str()), ("100m", "2"));
        assert_eq!(requests["memory"], limits["memory"]);
    }

    #[test]
    fn memory_grows_with_the_largest_batch_of_the_side() {
        let mut pipeline = pipeline(TELEMETRY);
        assert_eq!(memory(&pipeline, Role::Consumer), "256Mi");
        let limits = &mut pipeline.spec.consumer.as_mut().unwrap().limits;
        limits.max_batch_bytes = ByteSize::from_mib(1024);
        assert_eq!(memory(&pipeline, Role::Consumer), "8Gi");
        assert_eq!(memory(&pipeline, Role::Producer), "256Mi");
    }

    #[test]
    fn an_http_source_needs_more() {
        let mut pipeline = pipeline(EVERYTHING);
        pipeline.spec.batch.max_bytes = ByteSize::from_mib(64);
        assert_eq!(memory(&pipeline, Role::Producer), "1280Mi");
    }

    #[test]
    fn an_amount_may_be_a_number() {
        let pod = serde_json::from_str(r#"{"resources": {"limits": {"cpu": 2}}}"#).unwrap();
        let resources = build_resources(&pipeline(TELEMETRY), Role::Producer, &pod);
        assert_eq!(resources.limits.unwrap()["cpu"].0, "2");
    }

    #[test]
    fn what_the_pipeline_says_is_taken_alone_and_as_it_is_stored() {
        let pod =
            serde_json::from_str(r#"{"resources": {"limits": {"memory": "1024Mi"}}}"#).unwrap();
        let resources = build_resources(&pipeline(TELEMETRY), Role::Producer, &pod);
        assert_eq!(resources.limits.unwrap()["memory"].0, "1Gi");
        assert_eq!(resources.requests, None);
    }
}
