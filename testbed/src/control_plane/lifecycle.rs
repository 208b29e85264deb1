//! Starting and ending the processes; stopping, killing and pausing the API server.

use std::net::{SocketAddr, TcpStream};

use super::ControlPlane;
use crate::{Result, process};

/// Short, for what is asked again until it is so.
const ONE_TRY: &str = "--request-timeout=5s";

impl ControlPlane {
    /// Starts the API server again on the same port and data, after [`Self::stop`] or [`Self::kill`].
    pub fn start_again(&mut self) -> Result<()> {
        let ready = self.probe(&["get", "--raw=/readyz", ONE_TRY]);
        let port = self.port.number();
        self.api_server.start(&mut self.watchdog, || accepts(port) && ready())
    }

    /// Asks the API server to stop (SIGTERM) and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        self.api_server.stop(&mut self.watchdog)
    }

    /// Kills the API server (SIGKILL), as a power failure would. What it stored stays.
    pub fn kill(&mut self) -> Result<()> {
        self.api_server.kill(&mut self.watchdog)
    }

    /// Freezes the API server (SIGSTOP): connections and watches stay open, and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.api_server.pause()
    }

    /// Lets a paused API server go on.
    pub fn resume(&self) -> Result<()> {
        self.api_server.resume()
    }

    pub(super) fn start_all(&mut self, etcd_port: u16) -> Result<()> {
        self.etcd.start(&mut self.watchdog, || accepts(etcd_port))?;
        self.start_again()?;
        // The controllers make it, and no pod is admitted without it.
        let ready =
            self.probe(&["get", "serviceaccount", "default", "--namespace=default", ONE_TRY]);
        self.controllers.start(&mut self.watchdog, ready)
    }

    /// Whether `kubectl` succeeds with `args`, to be asked again and again.
    fn probe(&self, args: &'static [&'static str]) -> impl Fn() -> bool + use<> {
        let (kubectl, variables) = (self.kubectl.clone(), self.kubectl_variables());
        move || {
            let mut command = std::process::Command::new(&kubectl);
            process::run(command.envs(variables.clone()).args(args)).is_ok()
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Each before what it uses, or it would wait for that. Not running is fine, and the watchdog tries again.
        let _ = self.controllers.kill(&mut self.watchdog);
        let _ = self.api_server.kill(&mut self.watchdog);
        let _ = self.etcd.kill(&mut self.watchdog);
    }
}

fn accepts(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
}
