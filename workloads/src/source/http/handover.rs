//! From checked requests to blocks of lines, and from acknowledgements to answers. No connection is known here.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::sync::oneshot;

use super::{
    super::{BLOCK_BYTES, Block, Position, Read, SourceError},
    desk::Waiting,
    refusal::Refusal,
};
use crate::ledger::Ledger;

/// How long acknowledgements may be late while somebody waits for one.
const ANSWER_WAIT: Duration = Duration::from_millis(5);

/// Requests on their way to the intake, and those that it has and that are not acknowledged yet.
pub(super) struct Handover {
    /// Requests that were checked; none when nothing more is read.
    checked: Option<Receiver<Waiting>>,
    /// A large request of which a part is handed over.
    rest: Option<Rest>,
    /// The number of the last request that was handed over completely.
    handed_over: u64,
    /// Those of them that are not acknowledged.
    unsettled: VecDeque<(u64, oneshot::Sender<Result<(), Refusal>>)>,
    ledger: Arc<Ledger>,
}

/// What is left of a large request.
struct Rest {
    request: Waiting,
    from: usize,
}

impl Handover {
    pub(super) const fn new(checked: Receiver<Waiting>, ledger: Arc<Ledger>) -> Self {
        let unsettled = VecDeque::new();
        Self { checked: Some(checked), rest: None, handed_over: 0, unsettled, ledger }
    }

    /// Puts lines of requests into the block, as many as make a good block, waiting for the first of them.
    pub(super) fn fill(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError> {
        if block.text.capacity() > 2 * BLOCK_BYTES {
            block.text = Vec::new(); // a long record has passed
        }
        // Whoever waits for an answer waits for the end of this call.
        let mut wait = if self.unsettled.is_empty() { wait } else { wait.min(ANSWER_WAIT) };
        let mut wanted = block.most.unwrap_or(u64::MAX);
        while block.text.len() < BLOCK_BYTES && wanted > 0 {
            let Some(rest) = self.next(wait)? else { break };
            wait = Duration::ZERO;
            let records = rest.request.found.records;
            if !self.put(rest, block) {
                break;
            }
            if records > wanted {
                block.most = None; // a request is taken as a whole or not at all
            }
            wanted = wanted.saturating_sub(records);
        }
        let position = Position(self.handed_over);
        Ok(if block.is_empty() { Read::Idle } else { Read::Lines(position) })
    }

    /// Answers every request up to this one.
    pub(super) fn settle(&mut self, position: Position) {
        while self.unsettled.front().is_some_and(|(number, _)| *number <= position.0) {
            if let Some((_, settled)) = self.unsettled.pop_front() {
                let _ = settled.send(Ok(())); // a client that has gone does not mind
            }
        }
    }

    /// Takes nothing more; clients of what was not handed over completely are told to send it again.
    pub(super) fn close(&mut self) {
        self.rest = None; // a part of it may have been sent
        if let Some(checked) = self.checked.take() {
            for request in checked.try_iter() {
                let _ = request.settled.send(Err(Refusal::Stopping));
            }
        }
    }

    /// How many requests wait to be handed over.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.checked.as_ref().map_or(0, Receiver::len)
    }

    /// The next request of which something is to be handed over.
    fn next(&mut self, wait: Duration) -> Result<Option<Rest>, SourceError> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        let Some(checked) = &self.checked else { return Ok(None) };
        loop {
            match checked.recv_timeout(wait) {
                // Its client has gone; nothing of it was sent.
                Ok(request) if request.settled.is_closed() => {}
                Ok(request) => return Ok(Some(Rest { request, from: 0 })),
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(SourceError::Died("HTTP server"));
                }
            }
        }
    }

    /// Puts whole lines of a request into the block; false when there is no room for more. Where the number of records is
    /// limited there is room for any request: the part of it that does not fit might never be asked for.
    fn put(&mut self, rest: Rest, block: &mut Block) -> bool {
        let Rest { request, from } = rest;
        let text = &request.text.bytes[from..];
        let room = if block.most.is_some() { usize::MAX } else { BLOCK_BYTES - block.text.len() };
        let piece = &text[..whole_lines(text, room, block.is_empty())];
        block.text.extend_from_slice(piece);
        let from = from + piece.len();
        if from < request.text.bytes.len() {
            self.rest = Some(Rest { request, from });
            return false;
        }
        if !block.text.ends_with(b"\n") {
            block.text.push(b'\n');
        }
        let replaced = request.found.newlines_replaced;
        if replaced > 0 {
            self.ledger.update(|counts| counts.newlines_replaced += replaced);
        }
        self.handed_over += 1;
        self.unsettled.push_back((self.handed_over, request.settled));
        true
    }
}

/// How much of `text` to take: whole lines within `room`, but at least one line when one is needed.
fn whole_lines(text: &[u8], room: usize, needs_one: bool) -> usize {
    if text.len() <= room {
        return text.len();
    }
    match memchr::memrchr(b'\n', &text[..room]) {
        Some(at) => at + 1,
        None if needs_one => {
            memchr::memchr(b'\n', &text[room..]).map_or(text.len(), |at| room + at + 1)
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_behind_a_line() {
        let text = b"11\n22\n333333\n";
        assert_eq!(whole_lines(text, 100, true), text.len());
        assert_eq!(whole_lines(text, 6, false), 6);
        assert_eq!(whole_lines(text, 5, false), 3);
        assert_eq!(whole_lines(&text[6..], 3, false), 0, "the line is left for the next block");
        assert_eq!(whole_lines(&text[6..], 3, true), 7, "a line that no block would hold");
        assert_eq!(whole_lines(b"333333", 3, true), 6);
    }
}
