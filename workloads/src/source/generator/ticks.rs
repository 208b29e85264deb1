//! Profile `ticks`: trades on a market, many on few instruments and few on many.

use super::{
    Context, Profile,
    random::{Drift, Random},
    text::Line,
};

/// The instruments, none of which exists, in the order in which they are liked.
const SYMBOLS: [&[u8]; 24] = [
    b"ACMX", b"BRNT", b"COLT", b"DYNO", b"EVRG", b"FLUX", b"GLDN", b"HALO", b"IRON", b"JUNO",
    b"KITE", b"LUNA", b"MESA", b"NOVA", b"ORCA", b"PINE", b"QRTZ", b"RUBY", b"SAGE", b"TERN",
    b"UMBR", b"VEGA", b"WREN", b"ZEPH",
];
const PRICE: Drift = Drift { low: 50_000, high: 9_999_900, step: 250 };

/// `{"seq":1,"t":1767225600000,"sym":"ACMX","px":123.4500,"qty":300,"side":"B","bid":...,"ask":...,"venue":"XA"}`
#[derive(Debug)]
pub(super) struct Ticks([i32; SYMBOLS.len()]);

impl Ticks {
    pub(super) fn new(random: &mut Random) -> Self {
        Self(std::array::from_fn(|_| PRICE.start(random)))
    }
}

impl Profile for Ticks {
    fn write(&mut self, context: &mut Context, line: &mut Line) {
        let random = &mut context.random;
        // The lesser of two draws: the first instruments trade more often than the last ones.
        let index = random.index(SYMBOLS.len()).min(random.index(SYMBOLS.len()));
        let price = PRICE.next(&mut self.0[index], random);
        let spread = 50 * (1 + random.below(4).cast_signed());
        line.add(b"{\"seq\":");
        line.number(context.sequence);
        line.add(b",\"t\":");
        line.number(context.clock.milliseconds());
        line.add(b",\"sym\":\"");
        line.add(SYMBOLS[index]);
        line.add(b"\",\"px\":");
        line.decimal::<4>(price);
        line.add(b",\"qty\":");
        line.number(100 * (1 + random.below(20)));
        line.add(b",\"side\":\"");
        line.byte(random.pick(b"BS"));
        line.add(b"\",\"bid\":");
        line.decimal::<4>(price - spread);
        line.add(b",\"ask\":");
        line.decimal::<4>(price + spread);
        line.add(b"}");
    }
}
