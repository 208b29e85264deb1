//! Puts back what somebody else has changed: when it is time to, and with a note of who that was.

use std::time::Instant;

use kube::{Api, ResourceExt};

use super::{
    contest::{Contests, Turn, last_writer},
    kinds::Child,
    written::Place,
};
use crate::readable::Readable;

/// Awaits the write that puts the child at this place back; `None`: nothing was sent, because somebody changes it again and again
/// and it is not time yet.
pub(super) async fn put_back<K: Child, T>(
    contests: &Contests,
    api: &Api<Readable<K>>,
    place: Place,
    write: impl Future<Output = Result<T, kube::Error>>,
) -> Result<Option<T>, kube::Error> {
    let by = match contests.turn(&place, Instant::now()) {
        Turn::Wait => return Ok(None),
        Turn::Free => None,
        // The cache keeps nobody's entry but ours.
        Turn::Contested => last_writer(api.get(&place.2).await?.managed_fields()),
    };
    // One that failed has put nothing back: to try again is no sign that somebody has changed it again.
    let answer = write.await?;
    contests.note(place, by, Instant::now());
    Ok(Some(answer))
}
