//! What librdkafka says instead of a message, and what it means for the consumer (pure).

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Something that does not pass by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The topic is not there any more.
    TopicGone,
    /// The client is of no use any more; why.
    Fatal(String),
    /// The brokers do not let us read the topic; in words for who can change it.
    Reading(String),
    /// The brokers do not let us use the group; likewise.
    Group(String),
    /// The group does not let us in; likewise.
    Joining(String),
    /// The brokers cannot read what they have stored; likewise.
    Storage(String),
}

impl Refusal {
    /// The refusal in an error; none when it is something that passes by itself.
    pub(crate) fn of(error: &KafkaError, topic: &str, group: &str) -> Option<Self> {
        Some(match error.rdkafka_error_code()? {
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownTopicId => {
                Self::TopicGone
            }
            Code::Fatal => Self::Fatal(format!("the consumer failed: {error}")),
            Code::TopicAuthorizationFailed => Self::Reading(format!(
                "the broker does not authorize this client to read topic {topic}; grant it by an ACL"
            )),
            Code::GroupAuthorizationFailed => Self::Group(format!(
                "the broker does not authorize this client to use group {group}; grant it by an ACL"
            )),
            Code::InconsistentGroupProtocol => Self::Joining(format!(
                "group {group} has members with another assignor or group protocol than ours; stop them, or \
                 choose another group"
            )),
            Code::GroupMaxSizeReached => Self::Joining(format!(
                "group {group} has as many members as the brokers allow; raise their group.max.size, or have \
                 fewer consumers"
            )),
            code @ Code::InvalidMessage => Self::Storage(format!(
                "a broker cannot read what it has stored of topic {topic} ({code}); look at its log and its disk"
            )),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code) -> Option<Refusal> {
        Refusal::of(&KafkaError::MessageConsumption(code), "t", "g")
    }

    #[test]
    fn what_brokers_cannot_read_themselves_is_said() {
        let Some(Refusal::Storage(words)) = of(Code::InvalidMessage) else { panic!() };
        assert!(words.contains("of topic t (") && words.contains("look at its log"), "{words}");
        assert_eq!(of(Code::BadMessage), None, "of a connection");
    }

    #[test]
    fn what_passes_by_itself_is_no_refusal() {
        assert_eq!(of(Code::BrokerTransportFailure), None);
        assert_eq!(of(Code::NotCoordinator), None);
        assert_eq!(Refusal::of(&KafkaError::PartitionEOF(0), "t", "g"), None);
    }

    #[test]
    fn a_group_that_lets_nobody_in_is_named_with_what_to_do() {
        let Some(Refusal::Joining(words)) = of(Code::InconsistentGroupProtocol) else { panic!() };
        assert!(words.starts_with("group g has members") && words.contains("; stop them"));
        let Some(Refusal::Joining(words)) = of(Code::GroupMaxSizeReached) else { panic!() };
        assert!(words.contains("group.max.size"));
    }

    #[test]
    fn rights_are_asked_for_where_they_are_missing() {
        let Some(Refusal::Reading(words)) = of(Code::TopicAuthorizationFailed) else { panic!() };
        assert!(words.contains("read topic t; grant"));
        let Some(Refusal::Group(words)) = of(Code::GroupAuthorizationFailed) else { panic!() };
        assert!(words.contains("use group g; grant"));
    }
}
