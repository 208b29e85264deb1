//! A client that sends exactly the bytes that a test wants, and tells whatever happens to its request.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use batchpipe_api::codec::Codec;
use batchpipe_workloads::codec::Encoder;

use crate::faults::support::PATIENCE;

/// A connection.
pub(super) struct Client(BufReader<TcpStream>);

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// How records are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Lines,
    Array,
    Compressed(Codec),
}

impl Client {
    /// A new connection, if there is anybody.
    pub(super) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.0.into_inner()
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        self.0.get_mut()
    }

    /// Sends a request and does not wait for its answer.
    pub(super) fn send(&mut self, headers: &str, body: &[u8]) -> std::io::Result<()> {
        let length = body.len();
        let head = format!(
            "POST /v1/records HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.stream().write_all(&[head.as_bytes(), body].concat())
    }

    /// The answer to the last request; an error when the connection ended before it.
    pub(super) fn answer(&mut self) -> std::io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// Sends a request and waits for its answer.
    pub(super) fn post(&mut self, headers: &str, body: &[u8]) -> std::io::Result<Answer> {
        self.send(headers, body)?;
        self.answer()
    }

    /// Sends records in this form.
    pub(super) fn post_as(&mut self, form: Form, lines: &[&[u8]]) -> std::io::Result<Answer> {
        match form {
            Form::Lines => self.post("Content-Type: application/x-ndjson\r\n", &lines.join(&b'\n')),
            Form::Array => {
                let body = [b"[", lines.join(&b',').as_slice(), b"]"].concat();
                self.post("Content-Type: application/json\r\n", &body)
            }
            Form::Compressed(codec) => {
                let (used, body) = encode(codec, &lines.join(&b'\n'));
                self.post(&encoding(used), &body)
            }
        }
    }
}

/// Compresses a body, unless it is so short that it would grow.
pub(super) fn encode(codec: Codec, text: &[u8]) -> (Codec, Vec<u8>) {
    let mut out = Vec::new();
    let used = Encoder::new(codec, None).unwrap().encode(text, &mut out);
    (used, out)
}

/// The header for such a body.
pub(super) fn encoding(codec: Codec) -> String {
    let name = match codec {
        Codec::None => "identity",
        Codec::Zlib => "deflate",
        codec => codec.name(),
    };
    format!("Content-Encoding: {name}\r\n")
}
