//! Free ports of 127.0.0.1 that stay ours while a server is down.
//!
//! They lie below the range from which the system takes the ports of outgoing connections, so no client can
//! get one by chance, and a lock file for each keeps other testbeds of this machine away.

use std::{
    env, fs,
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::fs::{FlockOperation, flock};

use crate::{Error, Result, error::Context};

const RANGE: Range<u16> = 20_000..32_000;

/// A port, and the right to use it.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// Held for as long as the port is.
    _lock: Option<File>,
}

impl Port {
    /// A port that nobody uses.
    pub(crate) fn pick() -> Result<Self> {
        let folder = folder();
        fs::create_dir_all(&folder).context("create", &folder)?;
        let count = u32::from(RANGE.end - RANGE.start);
        let start = first_guess();
        for step in 0..count {
            let offset = u16::try_from(start.wrapping_add(step) % count).unwrap_or_default();
            if let Some(port) = Self::claim(RANGE.start + offset)? {
                return Ok(port);
            }
        }
        Err(Error::Port { port: RANGE.start, source: io::ErrorKind::AddrInUse.into() })
    }

    /// The port that the caller asks for.
    pub(crate) fn given(number: u16) -> Result<Self> {
        listen(number).map_err(|source| Error::Port { port: number, source })?;
        Ok(Self { number, _lock: None })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    fn claim(number: u16) -> Result<Option<Self>> {
        let path = folder().join(number.to_string());
        let file = File::create(&path).context("create", &path)?;
        let is_ours = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let port = Self { number, _lock: Some(file) };
        Ok((is_ours && listen(number).is_ok()).then_some(port))
    }
}

fn listen(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
}

/// Apart for each process and each call, so that the first guess is nearly always right.
fn first_guess() -> u32 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    std::process::id().wrapping_mul(7919).wrapping_add(call)
}

fn folder() -> PathBuf {
    env::temp_dir().join(format!("batchpipe-ports-{}", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_that_are_held_are_not_given_twice() {
        let held: Vec<Port> = (0..50).map(|_| Port::pick().unwrap()).collect();
        let numbers: BTreeSet<u16> = held.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), held.len());
    }

    #[test]
    fn a_port_that_is_asked_for_but_taken_is_an_error() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(Port::given(taken.local_addr().unwrap().port()).is_err());
    }
}
