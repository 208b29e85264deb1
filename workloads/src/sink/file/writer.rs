//! The writer of one partition's files: which messages are new, and when one file ends and the next begins.

use std::{sync::Arc, time::Instant};

use super::{
    Roll,
    folder::{Claim, Folder},
    name::Series,
    part::Part,
};
use crate::{
    kafka::gap::Gap,
    sink::{Delivery, Durable, WriteError, Writer, lines::terminated},
};

/// Writes one partition's files.
#[derive(Debug)]
pub(super) struct FileWriter {
    folder: Arc<Folder>,
    series: Series,
    roll: Roll,
    pub(super) part: Option<Part>,
    /// The first message that no complete file covers, when there are files.
    resume: Option<i64>,
    /// Set after records were lost between us and the disk: the message to begin again with.
    rewind: Option<i64>,
    _claim: Claim,
}

impl FileWriter {
    /// Goes on behind what is in the folder.
    pub(super) fn open(
        folder: &Arc<Folder>,
        series: Series,
        roll: Roll,
    ) -> Result<Self, WriteError> {
        let claim = folder.claim(&series)?;
        folder.remove_parts(Some(&series))?;
        // An earlier writer of this process may have failed between renaming and syncing.
        folder.sync()?;
        let resume = folder.last_offset(&series)?.map(|last| last + 1);
        let folder = Arc::clone(folder);
        Ok(Self { folder, series, roll, part: None, resume, rewind: None, _claim: claim })
    }

    fn durable(&self) -> Durable {
        let pending = self.part.as_ref().map(Part::first).or(self.rewind);
        pending.map_or(Durable::All, Durable::Before)
    }

    fn has(&self, offset: i64) -> bool {
        self.resume.is_some_and(|resume| offset < resume)
            || self.part.as_ref().is_some_and(|part| offset <= part.last())
    }

    /// Completes the open file.
    fn roll(&mut self) -> Result<(), WriteError> {
        let Some(part) = &mut self.part else { return Ok(()) };
        let result = part.seal();
        match &result {
            Ok(()) => {
                self.resume = Some(part.last() + 1);
                self.part = None;
            }
            Err(WriteError::Rewind { offset, .. }) => {
                self.rewind = Some(*offset);
                self.part = None;
            }
            Err(_) => {}
        }
        result
    }

    fn roll_if_due(&mut self, now: Instant) -> Result<(), WriteError> {
        match &self.part {
            Some(part) if part.is_due(self.roll, now) => self.roll(),
            _ => Ok(()),
        }
    }

    /// Refuses to go on behind lost records, which would leave a hole.
    fn refuse_after_loss(&self) -> Result<(), WriteError> {
        let Some(offset) = self.rewind else { return Ok(()) };
        let target = format!("on partition {} of {}", self.series.partition, self.series.topic);
        let source = std::io::Error::other("an earlier file could not be stored");
        Err(WriteError::Rewind { offset, action: "go", target, source })
    }
}

impl Writer for FileWriter {
    fn resume_at(&self) -> Option<i64> {
        self.resume
    }

    fn write(&mut self, delivery: &Delivery<'_>, now: Instant) -> Result<Durable, WriteError> {
        if self.rewind.is_some_and(|rewind| delivery.offset <= rewind) {
            self.rewind = None;
        }
        self.refuse_after_loss()?;
        self.roll_if_due(now)?;
        if delivery.runs.is_empty() {
            return Ok(self.skip(delivery.offset));
        }
        if self.has(delivery.offset) {
            return Ok(self.durable());
        }
        let lines = terminated(delivery);
        if let Some(part) = &mut self.part {
            part.append(delivery.offset, &lines)?;
        } else {
            let mut part = Part::create(&self.folder, &self.series, delivery.offset, now)?;
            part.append(delivery.offset, &lines)?;
            self.part = Some(part);
        }
        Ok(self.durable())
    }

    fn is_durable_at_once(&self) -> bool {
        true
    }

    fn skip(&mut self, offset: i64) -> Durable {
        if self.rewind == Some(offset) {
            self.rewind = None;
        }
        if let Some(part) = &mut self.part {
            part.cover(offset);
        }
        self.durable()
    }

    fn close_gap(&mut self, gap: &Gap) -> Result<(), WriteError> {
        if let Some(part) = &mut self.part {
            part.close_gap(gap);
        }
        self.resume = self.resume.map(|resume| gap.closed(resume));
        self.folder.close_gap(&self.series, gap)
    }

    fn tick(&mut self, now: Instant) -> Result<Durable, WriteError> {
        self.refuse_after_loss()?;
        self.roll_if_due(now)?;
        Ok(self.durable())
    }

    fn flush(&mut self) -> Result<Durable, WriteError> {
        self.refuse_after_loss()?;
        self.roll()?;
        Ok(self.durable())
    }
}
