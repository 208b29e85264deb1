//! Making a client: with the credentials of now, when the topic is there, and with the limit that it has.
//!
//! All of this waits for answers, so it belongs into a thread of its own.

use rdkafka::producer::ThreadedProducer;

use super::{Settings, context::Context};
use crate::kafka::topics::{self, Admin, TopicError};

/// Room for the record batch around a message, in bytes.
const FRAMING_BYTES: usize = 256;

/// What sends messages.
pub(super) type Client = ThreadedProducer<Context>;

/// A client that was just made.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) partitions: u32,
    /// Which credentials it has.
    pub(super) revision: u64,
}

/// Makes a client. `known_limit` is what is known of the topic's largest message, which is asked for again with
/// `ask_limit`.
pub(super) fn connect(
    settings: &Settings,
    known_limit: Option<usize>,
    ask_limit: bool,
    context: Context,
) -> Result<Connected, TopicError> {
    let access = settings.cluster.access()?;
    let admin = Admin::new(&access)?;
    let partitions = admin.ensure(&settings.topic)?;
    let asked = if ask_limit { admin.max_message_bytes(&settings.topic.name) } else { None };
    let limit = asked.map(|limit| limit.saturating_sub(FRAMING_BYTES)).or(known_limit);
    let bytes = limit.unwrap_or(settings.max_message_bytes).min(settings.max_message_bytes);
    let config = access.producer_config(&settings.transport, bytes, settings.window_bytes);
    let client = config.create_with_context(context).map_err(|error| topics::refused(&error))?;
    Ok(Connected { client, partitions, revision: access.revision() })
}
