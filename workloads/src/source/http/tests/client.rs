//! A client that sends exactly the bytes that a test wants.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::PATIENCE;

pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends records with further headers.
    pub(super) fn post(&mut self, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.send(head.as_bytes());
        self.send(body);
    }

    /// Whether something has come.
    pub(super) fn has_answer(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        match peeked {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// The answer to one request: its head and its body.
    pub(super) fn whole_answer(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            let read = self.0.read(&mut byte);
            assert_eq!(read.unwrap(), 1, "closed after {:?}", String::from_utf8_lossy(&text));
            text.push(byte[0]);
            if let Some(head) = text.strip_suffix(b"\r\n\r\n") {
                let head = String::from_utf8(head.to_vec()).unwrap().to_ascii_lowercase();
                let length = head
                    .split("content-length: ")
                    .nth(1)
                    .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
                let mut body = vec![0; length];
                self.0.read_exact(&mut body).unwrap();
                text.extend_from_slice(&body);
                return String::from_utf8(text).unwrap();
            }
        }
    }

    /// Status and body of the answer to one request.
    pub(super) fn answer(&mut self) -> (u16, String) {
        let text = self.whole_answer();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until the other side closes; what came before that.
    pub(super) fn until_closed(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end too.
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        rest
    }
}
