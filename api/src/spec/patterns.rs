//! The texts that fields accept, as regular expressions, and what each of them means in words.
//!
//! The API server prints the expression; the offline check prints the words.

/// A Kafka topic; neither `.` nor `..`, nor one of Kafka's own (`__consumer_offsets`).
pub(crate) const TOPIC: &str =
    "^(_?[a-zA-Z0-9-]|\\.[a-zA-Z0-9_-]|\\.\\.[a-zA-Z0-9._-]|_\\.)[a-zA-Z0-9._-]*$|^_$";
/// A consumer group.
pub(crate) const GROUP: &str = "^[a-zA-Z0-9._-]+$";
/// The name of a Kubernetes object.
pub(crate) const OBJECT_NAME: &str = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$";
/// A key of a Secret; not `.`, `..` or anything else that leaves the folder that it is mounted in.
pub(crate) const SECRET_KEY: &str = "^([-_a-zA-Z0-9]|\\.[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$";
/// One or more `host:port`, separated by commas.
pub(crate) const BOOTSTRAP: &str = "^([a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:.]+\\]):\
(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})\
(,([a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:.]+\\]):\
(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))*$";
/// A container image; empty for the default.
pub(crate) const IMAGE: &str = "^([a-zA-Z0-9][a-zA-Z0-9._:/@-]*)?$";
/// A JSON pointer (RFC 6901) to something inside a record.
pub(crate) const JSON_POINTER: &str = "^(/([^/~]|~[01])*)+$";
/// A path of a file or folder.
pub(crate) const PATH: &str = "^[^\\x00-\\x1f\\x7f]+$";
/// The same, or nothing.
pub(crate) const OPTIONAL_PATH: &str = "^[^\\x00-\\x1f\\x7f]*$";
/// The name of a PersistentVolumeClaim, or nothing.
pub(crate) const OPTIONAL_OBJECT_NAME: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$";
/// A user name; no control characters.
pub(crate) const USER_NAME: &str = "^[^\\x00-\\x1f\\x7f]+$";
/// A Strimzi listener.
pub(crate) const LISTENER: &str = "^[a-z0-9]{1,11}$";
/// An amount of a resource; never negative, never absurd.
pub(crate) const QUANTITY: &str = "^[0-9]{1,15}(\\.[0-9]{1,9})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$";

/// Expressions and their meaning.
const WORDS: [(&str, &str); 13] = [
    (
        TOPIC,
        "must be a topic name: letters, digits, '.', '_' and '-'; not '.' or '..', and not beginning with '__'",
    ),
    (GROUP, "must be a group name: letters, digits, '.', '_' and '-'"),
    (OBJECT_NAME, "must be an object name: lower-case letters, digits, '-' and '.'"),
    (SECRET_KEY, "must be a key of a Secret: letters, digits, '.', '_' and '-'; not '.' or '..'"),
    (
        BOOTSTRAP,
        "must be a list of HOST:PORT separated by commas, ports 1 to 65535, without 'http://' or spaces",
    ),
    (IMAGE, "must be an image name without spaces, for example registry.example/batchpipe:0.1.0"),
    (
        JSON_POINTER,
        "must be a JSON pointer such as /device/id ('~' is written ~0, '/' is written ~1)",
    ),
    (PATH, "must be a path without control characters"),
    (OPTIONAL_OBJECT_NAME, "must be an object name: lower-case letters, digits, '-' and '.'"),
    (LISTENER, "must be the name of a listener: at most 11 lower-case letters and digits"),
    (QUANTITY, "must be an amount such as 500m, 2 or 256Mi; not negative and without exponent"),
    (
        crate::units::BYTE_SIZE_PATTERN,
        "must be a size: digits and at most one of Ki, Mi, Gi, for example 900Ki",
    ),
    (
        crate::units::TIMESPAN_PATTERN,
        "must be a time: digits with h, m, s or ms, largest unit first, for example 100ms or 1h30m",
    ),
];

/// What an expression means, if it is one of ours.
pub(crate) fn in_words(pattern: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == pattern).map(|(_, words)| *words)
}
