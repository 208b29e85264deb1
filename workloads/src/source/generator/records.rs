//! Endless records of a profile, one after the other: the generator without pace, limit and blocks.

use super::{
    Context, Profile, ProfileName,
    clock::VirtualClock,
    logs::Logs,
    random::Random,
    seed::Seed,
    telemetry::Telemetry,
    text::{Line, MAX_RECORD_BYTES},
    ticks::Ticks,
    vitals::Vitals,
};

/// The records of one profile.
#[derive(Debug)]
pub(super) struct Records {
    context: Context,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Seed(Seed),
    Telemetry(Telemetry),
    Ticks(Ticks),
    Vitals(Vitals),
    Logs(Logs),
}

impl Records {
    pub(super) fn new(profile: ProfileName, seed: u64, clock: VirtualClock) -> Self {
        let mut random = Random::new(seed);
        let kind = match profile {
            ProfileName::Seed => Kind::Seed(Seed),
            ProfileName::Telemetry => Kind::Telemetry(Telemetry::new(&mut random)),
            ProfileName::Ticks => Kind::Ticks(Ticks::new(&mut random)),
            ProfileName::Vitals => Kind::Vitals(Vitals::new(&mut random)),
            ProfileName::Logs => Kind::Logs(Logs),
        };
        Self { context: Context { sequence: 0, random, clock }, kind }
    }

    /// Appends at most so many records, each with a line end, as far as the text's size stays below
    /// `max_bytes`; tells how many. Always one, when one is wanted.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, records: u64, max_bytes: usize) -> u64 {
        let context = &mut self.context;
        match &mut self.kind {
            Kind::Seed(profile) => write(profile, context, out, (records, max_bytes)),
            Kind::Telemetry(profile) => write(profile, context, out, (records, max_bytes)),
            Kind::Ticks(profile) => write(profile, context, out, (records, max_bytes)),
            Kind::Vitals(profile) => write(profile, context, out, (records, max_bytes)),
            Kind::Logs(profile) => write(profile, context, out, (records, max_bytes)),
        }
    }
}

/// Generic, so that the profile is looked at once for each block and not for each record.
fn write(
    profile: &mut impl Profile,
    context: &mut Context,
    out: &mut Vec<u8>,
    (records, max_bytes): (u64, usize),
) -> u64 {
    let mut line = Line::new();
    let mut written = 0;
    while written < records {
        profile.write(context, &mut line);
        line.byte(b'\n');
        out.extend_from_slice(line.written());
        line.clear();
        context.sequence += 1;
        context.clock.tick();
        written += 1;
        if out.len() + MAX_RECORD_BYTES > max_bytes {
            break;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stays_within_its_size() {
        let clock = VirtualClock::new(0, 1);
        let mut records = Records::new(ProfileName::Telemetry, 1, clock);
        let mut out = Vec::new();
        let written = records.write(&mut out, u64::MAX, 10_000);
        assert!(written > 1);
        assert!(out.len() <= 10_000 && out.len() > 10_000 - 2 * MAX_RECORD_BYTES);
        assert_eq!(records.write(&mut out, 5, 10), 1, "there is always progress");
    }
}
