//! Profile `telemetry`: what devices of a few plants measure, each value drifting on its own.

use super::{
    Context, Profile,
    random::{Drift, Random},
    text::Line,
};

const DEVICES: usize = 500;
const TEMPERATURE: Drift = Drift { low: -1500, high: 4500, step: 12 };
const HUMIDITY: Drift = Drift { low: 150, high: 950, step: 4 };
const PRESSURE: Drift = Drift { low: 97_000, high: 104_000, step: 6 };
const VOLTAGE: Drift = Drift { low: 3100, high: 4200, step: 3 };
const SIGNAL: Drift = Drift { low: -98, high: -42, step: 2 };

/// `{"seq":1,"time":"...","device":{"id":"dev-00042","site":"plant-3","fw":"2.4.1"},"temperature":21.50,...}`
#[derive(Debug)]
pub(super) struct Telemetry(Vec<Device>);

#[derive(Clone, Copy, Debug)]
struct Device {
    site: u8,
    temperature: i32,
    humidity: i32,
    pressure: i32,
    voltage: i32,
    signal: i32,
}

impl Telemetry {
    pub(super) fn new(random: &mut Random) -> Self {
        Self((0..DEVICES).map(|_| Device::new(random)).collect())
    }
}

impl Device {
    fn new(random: &mut Random) -> Self {
        Self {
            site: random.pick(b"12345678"),
            temperature: TEMPERATURE.start(random),
            humidity: HUMIDITY.start(random),
            pressure: PRESSURE.start(random),
            voltage: VOLTAGE.start(random),
            signal: SIGNAL.start(random),
        }
    }

    fn measure(&mut self, random: &mut Random, line: &mut Line) {
        line.add(b"\",\"fw\":\"2.4.1\"},\"temperature\":");
        line.decimal::<2>(TEMPERATURE.next(&mut self.temperature, random));
        line.add(b",\"humidity\":");
        line.decimal::<1>(HUMIDITY.next(&mut self.humidity, random));
        line.add(b",\"pressure\":");
        line.decimal::<2>(PRESSURE.next(&mut self.pressure, random));
        line.add(b",\"voltage\":");
        line.decimal::<3>(VOLTAGE.next(&mut self.voltage, random));
        // A signal strength is negative, and a whole number of dBm.
        line.add(b",\"rssi\":-");
        line.number(SIGNAL.next(&mut self.signal, random).unsigned_abs());
    }
}

impl Profile for Telemetry {
    fn write(&mut self, context: &mut Context, line: &mut Line) {
        let index = context.random.index(DEVICES);
        let device = &mut self.0[index];
        line.add(b"{\"seq\":");
        line.number(context.sequence);
        line.add(b",\"time\":\"");
        context.clock.write_milliseconds(line);
        line.add(b"\",\"device\":{\"id\":\"dev-");
        line.padded::<5>(index as u64);
        line.add(b"\",\"site\":\"plant-");
        line.byte(device.site);
        device.measure(&mut context.random, line);
        write_vibration(context.random.bits(), line);
        let status = match context.random.below(64) {
            0 => &b",\"status\":\"warning\"}"[..],
            1 => b",\"status\":\"calibrating\"}",
            _ => b",\"status\":\"ok\"}",
        };
        line.add(status);
    }
}

/// Noise without memory: what no codec can foresee, as in most real measurements.
fn write_vibration(noise: u64, line: &mut Line) {
    let [x, y, z, ..] = noise.to_le_bytes().map(|byte| i64::from(byte) - 128);
    line.add(b",\"vibration\":[");
    line.decimal::<3>(x);
    line.byte(b',');
    line.decimal::<3>(y);
    line.byte(b',');
    line.decimal::<3>(z);
    line.byte(b']');
}
