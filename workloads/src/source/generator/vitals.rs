//! Profile `vitals`: what monitors at hospital beds measure. Patients are numbers; there are no names.

use super::{
    Context, Profile,
    random::{Drift, Random},
    text::Line,
};

const PATIENTS: usize = 120;
const HEART_RATE: Drift = Drift { low: 42, high: 165, step: 2 };
const SATURATION: Drift = Drift { low: 86, high: 100, step: 1 };
const RESPIRATION: Drift = Drift { low: 8, high: 32, step: 1 };
const SYSTOLIC: Drift = Drift { low: 85, high: 190, step: 2 };
const DIASTOLIC: Drift = Drift { low: 48, high: 84, step: 1 };
const TEMPERATURE: Drift = Drift { low: 352, high: 405, step: 1 };

/// `{"seq":1,"time":"...","patient":"p-000042","ward":"icu-2","bed":7,"hr":72,"spo2":98,...}`
#[derive(Debug)]
pub(super) struct Vitals(Vec<Patient>);

#[derive(Clone, Copy, Debug)]
struct Patient {
    heart_rate: i32,
    saturation: i32,
    respiration: i32,
    systolic: i32,
    diastolic: i32,
    temperature: i32,
}

impl Vitals {
    pub(super) fn new(random: &mut Random) -> Self {
        Self((0..PATIENTS).map(|_| Patient::new(random)).collect())
    }
}

impl Patient {
    fn new(random: &mut Random) -> Self {
        Self {
            heart_rate: HEART_RATE.start(random),
            saturation: SATURATION.start(random),
            respiration: RESPIRATION.start(random),
            systolic: SYSTOLIC.start(random),
            diastolic: DIASTOLIC.start(random),
            temperature: TEMPERATURE.start(random),
        }
    }

    fn measure(&mut self, random: &mut Random, line: &mut Line) {
        line.add(b",\"hr\":");
        line.number(HEART_RATE.next(&mut self.heart_rate, random).unsigned_abs());
        line.add(b",\"spo2\":");
        line.number(SATURATION.next(&mut self.saturation, random).unsigned_abs());
        line.add(b",\"resp\":");
        line.number(RESPIRATION.next(&mut self.respiration, random).unsigned_abs());
        line.add(b",\"bp\":{\"sys\":");
        line.number(SYSTOLIC.next(&mut self.systolic, random).unsigned_abs());
        line.add(b",\"dia\":");
        line.number(DIASTOLIC.next(&mut self.diastolic, random).unsigned_abs());
        line.add(b"},\"temp\":");
        line.decimal::<1>(TEMPERATURE.next(&mut self.temperature, random));
    }

    const fn is_in_danger(&self) -> bool {
        self.heart_rate > 150 || self.saturation < 89
    }
}

impl Profile for Vitals {
    fn write(&mut self, context: &mut Context, line: &mut Line) {
        let index = context.random.index(PATIENTS);
        let patient = &mut self.0[index];
        line.add(b"{\"seq\":");
        line.number(context.sequence);
        line.add(b",\"time\":\"");
        context.clock.write_milliseconds(line);
        line.add(b"\",\"patient\":\"p-");
        line.padded::<6>(100_000 + 7919 * index as u64);
        line.add(b"\",\"ward\":\"icu-");
        line.number(1 + index as u64 / 20);
        line.add(b"\",\"bed\":");
        line.number(1 + index as u64 % 20);
        patient.measure(&mut context.random, line);
        line.add(b",\"alarm\":");
        line.add(if patient.is_in_danger() { b"true}" } else { b"false}" });
    }
}
