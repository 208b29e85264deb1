//! Decompressing and checking requests: one thread, so that the server answers others meanwhile and no more than one
//! body is inflated at a time.
//!
//! It inflates into a buffer of its own, which is charged for good; only what is really there is charged to a request.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::sync::oneshot;

use super::{
    head::Head,
    limits::REQUEST_OVERHEAD,
    quota::Held,
    records::{self, Checks, Found},
    refusal::Refusal,
};
use crate::{
    admin::Side,
    budget::Charge,
    codec::{DecodeError, Decoder},
};

/// How often the thread shows that it lives.
const TICK: Duration = Duration::from_secs(5);

/// Bytes of a request, and what it holds for them.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Held,
}

/// A request to be made lines of.
pub(super) struct Job {
    pub(super) head: Head,
    pub(super) body: Text,
    pub(super) reply: oneshot::Sender<Result<(Text, Found), Refusal>>,
}

/// The thread's own.
pub(super) struct Workshop {
    checks: Checks,
    most: usize,
    decoder: Decoder,
    /// Where bodies are inflated.
    inflated: Vec<u8>,
    _charge: Charge,
}

impl Workshop {
    /// A workshop for bodies of at most `most` bytes, which `charge` covers.
    pub(super) fn new(checks: Checks, most: usize, charge: Charge) -> Self {
        let (decoder, inflated) = (Decoder::new(), Vec::new());
        Self { checks, most, decoder, inflated, _charge: charge }
    }

    /// Works until nobody sends jobs any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>, side: &Arc<Side>) {
        let heartbeat = side.heartbeat("http workshop");
        loop {
            heartbeat.tick();
            match jobs.recv_timeout(TICK) {
                // A client that has gone needs no answer.
                Ok(job) if job.reply.is_closed() => {}
                Ok(Job { head, body, reply }) => drop(reply.send(self.work(head, body))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn work(&mut self, head: Head, mut body: Text) -> Result<(Text, Found), Refusal> {
        let Some(codec) = head.codec else {
            let found = prepare(&mut body.bytes, head, &self.checks)?;
            return Ok((body, found));
        };
        let inflated = &mut self.inflated;
        self.decoder.decode(codec, &body.bytes, self.most, inflated).map_err(
            |error| match error {
                DecodeError::TooLarge => Refusal::TooLarge { most: self.most },
                error => Refusal::Damaged(error),
            },
        )?;
        let found = prepare(inflated, head, &self.checks)?;
        let Text { bytes, mut held } = body;
        drop(bytes);
        held.resize(REQUEST_OVERHEAD + inflated.len()).map_err(|_| Refusal::Busy)?;
        Ok((Text { bytes: inflated.as_slice().to_vec(), held }, found))
    }
}

fn prepare(text: &mut Vec<u8>, head: Head, checks: &Checks) -> Result<Found, Refusal> {
    records::prepare(text, head.format, checks)
        .map_err(|(place, fault)| Refusal::Record { place, fault })
}

#[cfg(test)]
mod tests {
    use batchpipe_api::codec::Codec;

    use super::{
        super::{
            quota::Quota,
            records::{Fault, Format, Place},
        },
        *,
    };
    use crate::{budget::Budget, chunk::Rules, codec::Encoder};

    const MOST: usize = 100_000;

    fn work(format: Format, codec: Option<Codec>, body: &[u8]) -> Result<(Text, Found), Refusal> {
        let budget = Budget::new(1 << 20);
        let quota = Quota::new(Arc::clone(&budget), 1 << 20);
        let held = quota.hold(REQUEST_OVERHEAD + body.len()).unwrap();
        let rules = Rules { validate: true, key: None };
        let checks = Checks { rules, max_record_bytes: 50_000 };
        let mut workshop = Workshop::new(checks, MOST, budget.charge_now(MOST));
        workshop.work(Head { format, codec }, Text { bytes: body.to_vec(), held })
    }

    fn encode(codec: Codec, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let used = Encoder::new(codec, None).unwrap().encode(text, &mut out);
        assert_eq!(used, codec, "the text is too short to be compressed");
        out
    }

    #[test]
    fn every_encoding_comes_out_as_it_went_in() {
        let text = b"{\"a\":1}\n[2]\n".repeat(100);
        for codec in [Codec::Gzip, Codec::Zlib, Codec::Zstd] {
            let (out, found) = work(Format::Lines, Some(codec), &encode(codec, &text)).unwrap();
            assert_eq!((out.bytes, found.records), (text.clone(), 200), "{codec}");
        }
        assert_eq!(work(Format::Lines, None, &text).unwrap().0.bytes, text);
        let array = format!("[{}7]", "7,".repeat(100));
        let body = encode(Codec::Gzip, array.as_bytes());
        let (out, _) = work(Format::Array, Some(Codec::Gzip), &body).unwrap();
        assert_eq!(out.bytes, b"7\n".repeat(101));
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        for codec in [Codec::Gzip, Codec::Zlib, Codec::Zstd] {
            let bomb = encode(codec, &vec![b' '; 100 * MOST]);
            assert!(bomb.len() < MOST / 10);
            let refusal = work(Format::Lines, Some(codec), &bomb).unwrap_err();
            assert_eq!(refusal, Refusal::TooLarge { most: MOST }, "{codec}");
            let exact = encode(codec, &vec![b' '; MOST]);
            assert_eq!(work(Format::Lines, Some(codec), &exact).unwrap().1.records, 0);
        }
    }

    #[test]
    fn what_cannot_be_decompressed_is_refused() {
        for codec in [Codec::Gzip, Codec::Zlib, Codec::Zstd] {
            let whole = encode(codec, &b"{\"a\":1}\n".repeat(100));
            for damaged in [&whole[..whole.len() - 1], b"{\"a\":1}\n", b""] {
                let refusal = work(Format::Lines, Some(codec), damaged).unwrap_err();
                assert!(matches!(refusal, Refusal::Damaged(_)), "{codec}: {refusal:?}");
            }
        }
    }

    #[test]
    fn the_line_is_that_of_the_decompressed_text() {
        let body = encode(Codec::Zstd, &[b"1\n2\nx\n".to_vec(), b"3\n".repeat(100)].concat());
        let refusal = work(Format::Lines, Some(Codec::Zstd), &body).unwrap_err();
        assert_eq!(refusal, Refusal::Record { place: Place::Line(3), fault: Fault::Json });
    }
}
