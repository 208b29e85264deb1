//! The id of a topic, which librdkafka tells in its log alone (`debug=metadata`). Pure.

/// What librdkafka says of a topic's id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NewId<'a> {
    /// It is heard of for the first time.
    First(&'a str),
    /// It is another one than before.
    Other,
}

/// Looks for the line in which librdkafka says that a topic's id changed. The first time it changes from nothing.
pub(crate) fn new_id<'a>(message: &'a str, topic: &str) -> Option<NewId<'a>> {
    const NOTHING: &str = "AAAAAAAAAAAAAAAAAAAAAA";
    let (_, ids) = message.split_once(&format!("Topic {topic} changed id from "))?;
    let (from, to) = ids.split_once(" to ")?;
    let is_first = from.trim_end_matches('=') == NOTHING;
    Some(if is_first { NewId::First(to.trim()) } else { NewId::Other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_first_or_another_one() {
        let change =
            |from: &str| format!("[thrd:main]: Topic t changed id from {from} to 2ZyTNZuOTZGI");
        assert_eq!(new_id(&change("mH3EKcxJRPmBOVR7jK0zhQ"), "t"), Some(NewId::Other));
        let first = change("AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(new_id(&first, "t"), Some(NewId::First("2ZyTNZuOTZGI")));
        assert_eq!(new_id(&change("mH3EKcxJRPmBOVR7jK0zhQ"), "other"), None);
    }
}
