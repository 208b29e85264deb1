//! The program as a process, and what the kernel and it itself say of it.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
};

use super::figures::Figures;
use crate::support::{IMAGE, wait_for};

/// The kernel's unit of CPU time, as every Linux has it.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running operator; it is killed in the end.
pub(super) struct Program {
    child: Child,
    address: String,
}

impl Program {
    /// Starts one that looks after all namespaces, and returns when it leads.
    pub(super) fn start(kubeconfig: &Path, home: &str) -> Self {
        let built = env!("CARGO_BIN_EXE_batchpipe-operator").to_owned();
        let program = env::var("BATCHPIPE_OPERATOR").unwrap_or(built);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = Command::new(program)
            .args(["run", "--workload-image", IMAGE, "--admin", &address])
            .args(["--operator-namespace", home])
            .env("KUBECONFIG", kubeconfig)
            .env("BATCHPIPE_LOG", "warn")
            .spawn()
            .unwrap();
        let started = Self { child, address };
        wait_for("the program to lead", || {
            started.ask("/metrics").filter(|it| it.contains("batchpipe_operator_leader 1"))
        });
        started
    }

    fn ask(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    pub(super) fn figures(&self) -> Figures {
        Figures::read(&self.ask("/metrics").unwrap())
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// Prints how much memory it holds, and held at most.
    pub(super) fn print_memory(&self) {
        let status = self.proc("status");
        let mebibytes = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        println!("{:<44} {:>10.1} MiB", "  memory", mebibytes("VmRSS:"));
        println!("{:<44} {:>10.1} MiB", "  memory at most", mebibytes("VmHWM:"));
    }

    /// What it has used of the CPU.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let stat = self.proc("stat");
        // The name before it may contain anything.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        fields.skip(11).take(2).map(|it| it.parse::<f64>().unwrap()).sum::<f64>() / TICKS_PER_SECOND
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
