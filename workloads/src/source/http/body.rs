//! Reading the body of a request: within its size, its time and the memory that is there.

use std::{sync::Arc, time::Duration};

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use super::{
    limits::{Limits, REQUEST_OVERHEAD},
    quota::Quota,
    refusal::Refusal,
    workshop::Text,
};
/// The least that is taken for a body, in bytes.
const FIRST_BYTES: usize = 4 * 1024;
/// How much of a body that is refused is read and forgotten, in bytes, and for how long: a client that is still
/// sending when its connection is closed may never see the answer.
const DRAINED_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Reads a body, or says why it is refused; what is left of one that is too large is read and forgotten.
pub(super) async fn collect(
    body: &mut Incoming,
    quota: &Arc<Quota>,
    limits: &Limits,
) -> Result<Text, Refusal> {
    let deadline = Instant::now() + limits.body;
    let reading = read(body, quota, limits.body_bytes);
    timeout_at(deadline, reading)
        .await
        .unwrap_or(Err(Refusal::Slow { seconds: limits.body.as_secs() }))
}

async fn read(body: &mut Incoming, quota: &Arc<Quota>, most: usize) -> Result<Text, Refusal> {
    let too_large = || Refusal::TooLarge { most };
    let announced = body.size_hint();
    if announced.lower() > most as u64 {
        return Err(too_large());
    }
    let ceiling = announced.upper().map_or(most, |upper| usize::try_from(upper).unwrap_or(most));
    let held = quota.hold(REQUEST_OVERHEAD).map_err(|_| Refusal::Busy)?;
    let mut text = Text { bytes: Vec::new(), held };
    while let Some(frame) = body.frame().await {
        // Trailers are no data and of no interest.
        let Ok(data) = frame.map_err(|_| Refusal::Body)?.into_data() else { continue };
        let needed = text.bytes.len() + data.len();
        if needed > most {
            return Err(too_large());
        }
        let capacity = text.bytes.capacity();
        if needed > capacity {
            // A client that announces much and sends little gets no more than twice what it sends.
            let wanted = needed.max(2 * capacity).max(FIRST_BYTES).min(ceiling.max(needed));
            text.held.resize(REQUEST_OVERHEAD + wanted).map_err(|_| Refusal::Busy)?;
            text.bytes.reserve_exact(wanted - text.bytes.len());
        }
        text.bytes.extend_from_slice(&data);
    }
    Ok(text)
}

/// Reads what is left of a body that was refused, as far as that is little work.
pub(super) async fn drain(body: &mut Incoming) {
    let draining = async {
        let mut left = DRAINED_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            left = left.saturating_sub(bytes);
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, draining).await;
}
