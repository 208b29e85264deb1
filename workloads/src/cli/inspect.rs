//! `batchpipe inspect`: the value of one message out of a file, its anatomy on standard output.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use batchpipe_api::units::ByteSize;

use super::Exit;
use crate::{
    decode::{Headers, Limits, Message},
    inspect::inspect,
};

/// The most records that a valid pipeline may put into a batch.
const MAX_RECORDS: u32 = 10_000_000;

/// Take the value of one message apart
///
/// Ends with 1 when something is wrong with it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 nothing is wrong with it, 1 otherwise, 2 wrong usage.")]
pub(super) struct Args {
    /// The file that holds the value; - for standard input
    file: PathBuf,
    /// A header of the message; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,
    /// Largest batch that is read, after decompression
    #[arg(long, value_name = "BYTES", default_value = "64Mi")]
    max_batch_bytes: ByteSize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let value = match read(&self.file) {
            Ok(value) => value,
            Err(error) => {
                eprintln!("error: cannot read {}: {error}", self.file.display());
                return Exit::Failed;
            }
        };
        let headers: Headers<'_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
            .collect();
        let limits =
            Limits { max_bytes: self.max_batch_bytes.as_usize(), max_records: MAX_RECORDS };
        let anatomy = inspect(&Message { value: Some(&value), headers }, &limits);
        let text = if self.json {
            serde_json::to_string(&anatomy).expect("an anatomy is plain values") + "\n"
        } else {
            anatomy.to_string()
        };
        // A reader that has gone does not need it; the exit code tells too.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        if anatomy.problems.is_empty() { Exit::Done } else { Exit::Failed }
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return fs::read(file);
    }
    let mut value = Vec::new();
    io::stdin().lock().read_to_end(&mut value)?;
    Ok(value)
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_hold_equal_signs() {
        let header = parse_header("batchpipe=v=1;n=2").unwrap();
        assert_eq!(header, ("batchpipe".to_owned(), "v=1;n=2".to_owned()));
        assert!(parse_header("batchpipe").is_err());
    }
}
