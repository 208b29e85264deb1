//! Profile `logs`: what the services of a web shop log, in lines of very different length.

use super::{Context, Profile, text::Line};

const SERVICES: [&[u8]; 6] =
    [b"checkout", b"catalog", b"payment", b"gateway", b"session", b"shipping"];
const METHODS: [&[u8]; 4] = [b"GET", b"GET", b"POST", b"PUT"];
const PATHS: [&[u8]; 6] =
    [b"/cart", b"/products", b"/orders", b"/users/me", b"/search", b"/payments"];

/// `{"seq":1,"timestamp":"...","level":"INFO","service":"cart","trace_id":"...","message":"...",...}`
#[derive(Debug)]
pub(super) struct Logs;

impl Profile for Logs {
    fn write(&mut self, context: &mut Context, line: &mut Line) {
        let kind = context.random.below(100);
        line.add(b"{\"seq\":");
        line.number(context.sequence);
        line.add(b",\"timestamp\":\"");
        context.clock.write_microseconds(line);
        line.add(match kind {
            0..2 => b"\",\"level\":\"ERROR\",\"service\":\"",
            2..8 => b"\",\"level\":\"WARN\",\"service\":\"",
            8..80 => b"\",\"level\":\"INFO\",\"service\":\"",
            _ => b"\",\"level\":\"DEBUG\",\"service\":\"",
        });
        line.add(context.random.pick(&SERVICES));
        line.add(b"\",\"pod\":\"");
        line.hexadecimal::<5>(0x5d_3a7 + context.random.below(12) * 0x1_91b3);
        line.add(b"\",\"trace_id\":\"");
        line.hexadecimal::<16>(context.random.bits());
        line.hexadecimal::<16>(context.random.bits());
        line.add(b"\",\"message\":\"");
        match kind {
            0..2 => write_failure(context, line),
            2..8 => write_slowness(context, line),
            8..80 => write_request(context, line),
            _ => write_cache(context, line),
        }
        line.byte(b'}');
    }
}

fn write_request(context: &mut Context, line: &mut Line) {
    let random = &mut context.random;
    let (method, path) = (random.pick(&METHODS), random.pick(&PATHS));
    line.add(b"request served\",\"http\":{\"method\":\"");
    line.add(method);
    line.add(b"\",\"path\":\"");
    line.add(path);
    line.add(b"\",\"status\":");
    line.number(random.pick(&[200, 200, 200, 201, 204, 304, 404]));
    line.add(b",\"bytes\":");
    line.number(200 + random.below(30_000));
    line.add(b"},\"duration_ms\":");
    line.number(1 + random.below(20) * random.below(20));
}

fn write_slowness(context: &mut Context, line: &mut Line) {
    let random = &mut context.random;
    line.add(b"slow query: SELECT * FROM orders WHERE customer_id = $1 ");
    line.add("AND total > 100 \u{20ac} ORDER BY created_at".as_bytes());
    line.add(b" LIMIT 50\",\"rows\":");
    line.number(random.below(5000));
    line.add(b",\"duration_ms\":");
    line.number(500 + random.below(9000));
}

fn write_failure(context: &mut Context, line: &mut Line) {
    let random = &mut context.random;
    line.add(b"upstream \\\"");
    line.add(random.pick(&SERVICES));
    line.add(b"\\\" did not answer\",\"error\":\"deadline exceeded\\n\\tat call (");
    line.add(b"client.rs:");
    line.number(10 + random.below(400));
    line.add(b")\\n\\tat handle (server.rs:");
    line.number(10 + random.below(400));
    line.add(b")\",\"attempt\":");
    line.number(1 + random.below(5));
}

fn write_cache(context: &mut Context, line: &mut Line) {
    let random = &mut context.random;
    let outcome: &[u8] = if random.below(5) == 0 { b"miss" } else { b"hit" };
    line.add(b"cache ");
    line.add(outcome);
    line.add(b"\",\"key\":\"product:");
    line.number(random.below(100_000));
    line.add(b"\",\"ttl_s\":");
    line.number(random.below(3600));
}
