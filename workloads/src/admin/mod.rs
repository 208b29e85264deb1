//! stub
#![allow(missing_docs)]
use crate::batch::CloseReason;
pub struct Side;
pub struct GateRef;
pub struct Heartbeat;
#[derive(Clone,Copy)]
pub enum Gate { Configuration, Brokers, Topic, Group }
impl GateRef { pub fn open(&self) {} pub fn close(&self, _why: &str) {} }
impl Heartbeat { pub fn tick(&self) {} }
pub struct Lag { pub messages: u64, pub records: u64, pub seconds: Option<f64> }
impl Side {
    pub fn lag(&self, _p: i32, _l: Lag) {}

    pub fn gate(&self, _g: Gate) -> GateRef { GateRef }
    pub fn stalled(&self, _w: &str) {}
    pub fn clear_stalled(&self) {}
    pub fn error(&self, _w: &str) {}
    pub fn heartbeat(&self, _n: &'static str) -> Heartbeat { Heartbeat }
    pub fn batch_closed(&self, _r: CloseReason) {}
    pub fn latency(&self, _ms: u64, _records: u64) {}
    pub fn source_waiting(&self, _w: Option<String>) {}
}
