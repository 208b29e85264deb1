//! As much of Kafka's protocol as a testbed needs: one request, one answer, one connection.
//!
//! Written by hand so that what a test relies on shares no code with what it tests.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The broker itself may take this long to change a topic.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a broker that is just starting may take for its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// More than any answer to what is asked here.
const MAX_ANSWER: usize = 64 << 20;

/// A kind of request, in the oldest version that Kafka 4 still speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) key: i16,
    pub(crate) version: i16,
}

const API_VERSIONS: Kind = Kind { name: "ApiVersions", key: 18, version: 0 };

/// Whether a broker serves requests at `address`.
pub(crate) fn answers(address: SocketAddr) -> bool {
    let answer = call(address, API_VERSIONS, &Body::default(), FIRST_ANSWER);
    answer.and_then(|mut answer| answer.i16()).is_ok_and(|error| error == 0)
}

/// Sends a request and returns the answer's body.
pub(crate) fn call(
    address: SocketAddr,
    kind: Kind,
    body: &Body,
    timeout: Duration,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    let mut head = Body::default();
    head.i16(kind.key).i16(kind.version).i32(1).text("batchpipe-testbed");
    let size = i32::try_from(head.0.len() + body.0.len()).map_err(io::Error::other)?;
    stream.write_all(&[&size.to_be_bytes(), head.0.as_slice(), body.0.as_slice()].concat())?;
    receive(&mut stream)
}

fn receive(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = usize::try_from(i32::from_be_bytes(size)).map_err(io::Error::other)?;
    if size > MAX_ANSWER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes)?;
    let mut answer = Answer { bytes, at: 0 };
    answer.skip(&[Skip::I32])?; // the number of the request: there was only one
    Ok(answer)
}

/// A request being written.
#[derive(Debug, Default)]
pub(crate) struct Body(Vec<u8>);

impl Body {
    pub(crate) fn i8(&mut self, value: i8) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn i16(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        self.bytes(&[u8::from(value)])
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        let length = i16::try_from(value.len()).expect("names and settings are short");
        self.i16(length).bytes(value.as_bytes())
    }

    pub(crate) fn list<T>(
        &mut self,
        items: &[T],
        mut each: impl FnMut(&mut Self, &T),
    ) -> &mut Self {
        self.i32(i32::try_from(items.len()).expect("lists are short"));
        for item in items {
            each(self, item);
        }
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A field of an answer that nobody needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Skip {
    I8,
    I16,
    I32,
    I64,
    Text,
}

/// An answer being read.
#[derive(Debug)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    pub(crate) fn i16(&mut self) -> io::Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> io::Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> io::Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A text; one that is null reads as empty.
    pub(crate) fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    /// Passes over fields.
    pub(crate) fn skip(&mut self, fields: &[Skip]) -> io::Result<()> {
        for field in fields {
            match field {
                Skip::I8 => self.take(1).map(drop)?,
                Skip::I16 => self.take(2).map(drop)?,
                Skip::I32 => self.take(4).map(drop)?,
                Skip::I64 => self.take(8).map(drop)?,
                Skip::Text => self.text().map(drop)?,
            }
        }
        Ok(())
    }

    /// A list; one that is null reads as empty.
    pub(crate) fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> io::Result<Vec<T>> {
        let length = self.i32()?.max(0);
        (0..length).map(|_| each(self)).collect()
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(io::Error::other)
    }

    fn take(&mut self, length: usize) -> io::Result<&[u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.at += length;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_back_what_a_body_wrote() {
        let mut body = Body::default();
        body.i8(-1).i16(2).i32(-3).text("four").list(&["five"], |body, item| {
            body.text(item);
        });
        let mut answer = Answer { bytes: body.0, at: 0 };
        answer.skip(&[Skip::I8]).unwrap();
        assert_eq!(answer.i16().unwrap(), 2);
        assert_eq!((answer.i32().unwrap(), answer.text().unwrap()), (-3, "four".to_owned()));
        assert_eq!(answer.list(Answer::text).unwrap(), ["five"]);
    }

    #[test]
    fn an_answer_that_ends_early_is_an_error() {
        let mut answer = Answer { bytes: vec![0, 9, b'x'], at: 0 };
        assert!(answer.text().is_err());
    }

    #[test]
    fn nobody_at_an_address_is_no_answer() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!answers(port));
    }
}
