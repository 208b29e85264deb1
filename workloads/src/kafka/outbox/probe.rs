//! Asks whether brokers that were away answer again. Acknowledgements would tell too, but none come while there
//! is nothing to send, and a side that is unready may get nothing to send.

use crossbeam_channel::{Receiver, TryRecvError};

use super::Settings;
use crate::kafka::topics::Admin;

/// One question at a time, each in a thread of its own, because the answer may take long.
#[derive(Default)]
pub(super) struct Probe(Option<Receiver<bool>>);

impl Probe {
    /// Asks, or looks for the answer; true once the brokers answer. Does not block.
    pub(super) fn is_answered(&mut self, settings: &Settings) -> bool {
        let Some(answer) = &self.0 else {
            self.0 = Some(ask(settings.clone()));
            return false;
        };
        match answer.try_recv() {
            Err(TryRecvError::Empty) => false,
            answer => {
                self.0 = None;
                answer == Ok(true)
            }
        }
    }
}

fn ask(settings: Settings) -> Receiver<bool> {
    let (sender, answer) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        let admin = Admin::new(&settings.cluster.client_config());
        let found = admin.is_ok_and(|admin| admin.partitions(&settings.topic.name).is_ok());
        let _ = sender.send(found); // nobody wants to know when the process ends
    });
    answer
}
