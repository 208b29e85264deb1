//! A receiver that says what a function tells it to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// How many came before.
    pub(super) number: usize,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    is_taken: bool,
}

/// A receiver; it lives as long as the test's process.
pub(super) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Asked {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Server {
    /// Answers each request with what the function says: a status, headers in further lines, and a body after an
    /// empty one. It does not
    /// answer when that is empty.
    pub(super) fn start(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, asked: Arc::default() };
        let (asked, answer) = (Arc::clone(&server.asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                thread::spawn(move || converse(stream.unwrap(), &asked, &*answer));
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that came.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The bodies that were taken.
    pub(super) fn taken(&self) -> Vec<String> {
        self.asked().iter().filter(|asked| asked.is_taken).map(Asked::text).collect()
    }
}

/// Answers what comes over one connection until it ends.
pub(super) fn converse(
    stream: impl Read + Write,
    all: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> String,
) {
    let mut stream = BufReader::new(stream);
    while let Some((head, body)) = request(&mut stream) {
        let number = all.lock().unwrap().len();
        let mut asked = Asked { number, head, body, is_taken: false };
        let answer = answer(&asked);
        asked.is_taken = answer.starts_with('2');
        all.lock().unwrap().push(asked);
        if answer.is_empty() {
            let _ = stream.read(&mut [0]); // until the other side goes
            return;
        }
        let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
        let head = head.replace('\n', "\r\n");
        let length = body.len();
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
        let _ = stream.get_mut().write_all(answer.as_bytes()); // it may have gone
    }
}

fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let head = head(reader)?;
    let mut body = vec![0; length(&head)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(head)
}

fn length(head: &str) -> usize {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.unwrap_or("0").parse().unwrap()
}

/// Takes bodies of at most so many bytes; to larger ones it says so without reading them, and goes.
pub(super) fn refuse_early(stream: TcpStream, most: usize, taken: &Mutex<Vec<Vec<u8>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(length) = head(&mut stream).map(|head| length(&head)) {
        if length > most {
            let _ = stream.get_mut().write_all(b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        taken.lock().unwrap().push(body);
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}
