//! Why a pod cannot be scheduled or started, in Kubernetes' words. Pure.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};

use super::Blocked;
use crate::clean::clean;

/// Kubernetes tries these again, but they hardly pass on their own.
const CANNOT_START: [&str; 6] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
/// A container that ended so often without becoming ready will not become it.
const CRASHES: i32 = 2;
/// The most that is told of what Kubernetes or a container said, in bytes.
const MOST_WORDS: usize = 512;

/// Why this pod does not run; nothing when it does, or is only starting.
pub(crate) fn blocked(pod: &Pod) -> Option<Blocked> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    containers.flatten().find_map(cannot_start).or_else(|| unschedulable(status))
}

fn cannot_start(container: &ContainerStatus) -> Option<Blocked> {
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    match reason {
        Some(reason) if CANNOT_START.contains(&reason) => Some(Blocked {
            reason: reason.to_owned(),
            message: words(waiting.and_then(|waiting| waiting.message.as_deref())),
            needs_somebody: true,
        }),
        _ => crashes(container),
    }
}

/// Between two crashes a container runs for a moment; that it has run into several tells more than its state now.
fn crashes(container: &ContainerStatus) -> Option<Blocked> {
    let ended =
        |state: &Option<ContainerState>| state.as_ref().and_then(|it| it.terminated.clone());
    let end = ended(&container.state)
        .or_else(|| ended(&container.last_state))
        .filter(|end| end.exit_code != 0 && !container.ready)?;
    let message = end.message.as_deref().map_or_else(String::new, last_words);
    let reason = end.reason.as_deref().filter(|reason| *reason != "Error");
    let reason = reason.map_or_else(String::new, |reason| format!(" ({})", words(Some(reason))));
    Some(Blocked {
        reason: "CrashLoopBackOff".to_owned(),
        message: format!("the container ended with code {}{reason}{message}", end.exit_code),
        needs_somebody: container.restart_count >= CRASHES,
    })
}

/// The last line of what a container left, which may be the end of its log.
fn last_words(text: &str) -> String {
    let Some(line) = text.lines().map(str::trim).rfind(|line| !line.is_empty()) else {
        return String::new();
    };
    format!(": {}", words(Some(line)))
}

fn words(text: Option<&str>) -> String {
    clean(text.unwrap_or_default(), MOST_WORDS)
}

fn unschedulable(status: &PodStatus) -> Option<Blocked> {
    let condition = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Blocked {
        reason: "Unschedulable".to_owned(),
        message: words(condition.message.as_deref()),
        // A node may be added by something that does so on its own.
        needs_somebody: false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(container: &Value) -> Option<Blocked> {
        let mut container = container.clone();
        container["name"] = "producer".into();
        container["image"] = "i".into();
        container["imageID"] = "".into();
        container["ready"] = container["ready"].as_bool().unwrap_or(false).into();
        container["restartCount"] = container["restartCount"].as_i64().unwrap_or(0).into();
        let pod = json!({"metadata": {}, "status": {"containerStatuses": [container]}});
        blocked(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn an_image_that_cannot_be_pulled_blocks_with_kubernetes_words() {
        for reason in ["ImagePullBackOff", "ErrImagePull", "InvalidImageName"] {
            let waiting = json!({"reason": reason, "message": "manifest unknown"});
            let found = of(&json!({"state": {"waiting": waiting}})).unwrap();
            assert_eq!(
                (found.reason.as_str(), found.message.as_str()),
                (reason, "manifest unknown")
            );
            assert!(found.needs_somebody);
        }
    }

    #[test]
    fn a_container_that_is_being_created_is_not_blocked() {
        assert_eq!(of(&json!({"state": {"waiting": {"reason": "ContainerCreating"}}})), None);
        assert_eq!(of(&json!({"state": {"running": {}}})), None);
    }

    #[test]
    fn a_crash_loop_says_how_the_container_ended_in_each_of_its_states() {
        let end =
            json!({"terminated": {"exitCode": 2, "reason": "Error", "message": "no topic\n"}});
        let states = [
            json!({"restartCount": 3, "lastState": end, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
            json!({"restartCount": 3, "lastState": end, "state": {"running": {}}}),
            json!({"restartCount": 3, "state": end}),
        ];
        for state in states {
            let found = of(&state).unwrap();
            assert_eq!(found.reason, "CrashLoopBackOff");
            assert_eq!(found.message, "the container ended with code 2: no topic");
            assert!(found.needs_somebody);
        }
    }

    #[test]
    fn of_the_end_of_a_log_the_last_line_is_told() {
        let log = "{\"level\":\"INFO\"}\nerror: spec.kafka: is wrong\n\n";
        let end = json!({"terminated": {"exitCode": 2, "message": log}});
        let found = of(&json!({"restartCount": 3, "state": end})).unwrap();
        assert_eq!(found.message, "the container ended with code 2: error: spec.kafka: is wrong");
    }

    #[test]
    fn nothing_but_text_is_told_of_what_a_container_or_its_registry_says() {
        let end = json!({"terminated": {"exitCode": 2, "message": "no\u{7f} \u{9b}31mtopic\0"}});
        let found = of(&json!({"restartCount": 3, "state": end})).unwrap();
        assert_eq!(found.message, "the container ended with code 2: no   31mtopic");
        let waiting = json!({"reason": "ErrImagePull", "message": "x\u{1b}".repeat(4096)});
        let found = of(&json!({"state": {"waiting": waiting}})).unwrap();
        assert!(found.message.len() <= MOST_WORDS && !found.message.contains('\u{1b}'));
    }

    #[test]
    fn one_crash_may_pass() {
        let state = json!({"restartCount": 1, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}});
        let found = of(&state).unwrap();
        assert!(!found.needs_somebody);
        assert_eq!(found.message, "the container ended with code 137 (OOMKilled)");
    }

    #[test]
    fn a_container_that_became_ready_again_is_not_blocked() {
        let state = json!({"restartCount": 5, "ready": true, "state": {"running": {}},
            "lastState": {"terminated": {"exitCode": 1}}});
        assert_eq!(of(&state), None);
    }

    #[test]
    fn a_pod_without_a_node_is_blocked_but_a_node_may_come() {
        let pod = json!({"metadata": {}, "status": {"conditions": [{"type": "PodScheduled",
            "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}});
        let found = blocked(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!(found.reason, "Unschedulable");
        assert!(!found.needs_somebody);
    }
}
