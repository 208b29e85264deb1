//! Which topic the files of a folder belong to: a hidden file for each topic's name holds Kafka's id of the topic.
//!
//! Names and offsets alone cannot tell a topic from one that was made again under its name, whose first messages
//! would be passed over as if they were in the folder already.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    sync::{Mutex, PoisonError},
};

use super::folder::{Folder, failed};
use crate::sink::WriteError;

/// Looks after the ids of one folder.
#[derive(Debug, Default)]
pub(super) struct Identity(Mutex<()>);

impl Identity {
    /// Refuses a topic of which the folder has another id, and notes the id of one that is new to it.
    ///
    /// Files from before ids were noted are taken for this topic's.
    pub(super) fn keep_to(&self, folder: &Folder, topic: &str, id: &str) -> Result<(), WriteError> {
        let _one_at_a_time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = folder.join(&name(topic));
        match fs::read_to_string(&path) {
            Ok(found) if found.trim_end() == id => Ok(()),
            Ok(found) => Err(WriteError::OtherTopic {
                path: folder.path().display().to_string(),
                topic: topic.to_owned(),
                found: found.trim_end().to_owned(),
                expected: id.to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => note(folder, topic, id),
            Err(source) => Err(failed("read", &path, source)),
        }
    }
}

/// Written aside and renamed: a torn id would be another one.
fn note(folder: &Folder, topic: &str, id: &str) -> Result<(), WriteError> {
    let aside = folder.join(&format!("{}.part", name(topic)));
    let write = || -> io::Result<()> {
        let mut file = File::create(&aside)?;
        writeln!(file, "{id}")?;
        file.sync_all()
    };
    write().map_err(|source| failed("write", &aside, source))?;
    let path = folder.join(&name(topic));
    fs::rename(&aside, &path).map_err(|source| failed("rename", &aside, source))?;
    folder.sync()
}

fn name(topic: &str) -> String {
    format!(".{topic}.topic-id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_with_another_id_is_refused_for_good_and_others_are_not() {
        let place = tempfile::tempdir().unwrap();
        let open = || Folder::open(place.path().to_owned()).unwrap();
        let (folder, identity) = (open(), Identity::default());
        identity.keep_to(&folder, "t", "first").unwrap();
        identity.keep_to(&folder, "t", "first").unwrap();
        identity.keep_to(&folder, "u", "second").unwrap();
        drop(folder);
        let error = Identity::default().keep_to(&open(), "t", "second").unwrap_err().to_string();
        assert!(error.contains("id first") && error.contains("id second now"), "{error}");
    }

    #[test]
    fn an_id_that_was_not_noted_whole_counts_for_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path().to_owned()).unwrap();
        fs::write(folder.join(".t.topic-id.part"), "fir").unwrap();
        Identity::default().keep_to(&folder, "t", "first").unwrap();
        assert_eq!(fs::read_to_string(folder.join(".t.topic-id")).unwrap(), "first\n");
    }
}
