//! Profile `seed`: the records of the Python demo that this project grew out of, spaces included.

use super::{Context, Profile, text::Line};

/// `{"id": 123, "value": 0.8444218515250481, "name": "name-123"}`
#[derive(Debug)]
pub(super) struct Seed;

impl Profile for Seed {
    fn write(&mut self, context: &mut Context, line: &mut Line) {
        line.add(b"{\"id\": ");
        line.number(context.sequence);
        line.add(b", \"value\": 0.");
        line.padded::<15>(context.random.bits() >> 8);
        // Python leaves out zeros at the end.
        line.number(1 + context.random.below(9));
        line.add(b", \"name\": \"name-");
        line.number(context.sequence);
        line.add(b"\"}");
    }
}
