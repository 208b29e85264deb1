"""Writes the golden messages of other programs: Python's zlib and gzip, and the tools gzip, zstd and lz4.

Run by hand, never by a test: what old versions wrote has to stay readable.
"""

import gzip
import io
import json
import random
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

HERE = Path(__file__).parent


def tool(*command):
    return lambda text: subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout


def from_file(*command):
    """Tools put sizes and names into the header when they read a file."""

    def run(text):
        with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
            file.write(text)
            file.flush()
            return subprocess.run([*command, file.name], stdout=subprocess.PIPE, check=True).stdout

    return run


def named_gzip(text):
    out = io.BytesIO()
    with gzip.GzipFile("batch.ndjson", "wb", 9, out, mtime=1_700_000_000) as file:
        file.write(text)
    return out.getvalue()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def stored_snappy(text):
    crc = crc32c(text)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    chunk = b"\x01" + struct.pack("<I", len(text) + 4)[:3] + struct.pack("<I", masked) + text
    padding = b"\xfe\x03\0\0\0\0\0"
    return b"\xff\x06\0\0sNaPpY" + padding + chunk


WRITERS = {
    "python-zlib": zlib.compress,
    "python-zlib-9": lambda text: zlib.compress(text, 9),
    "python-gzip": named_gzip,
    "gzip-tool": tool("gzip", "-c"),
    "zstd-tool": from_file("zstd", "-q", "-c"),
    "zstd-tool-stream": tool("zstd", "-q", "-c"),
    "zstd-tool-19-no-check": from_file("zstd", "-q", "-c", "-19", "--no-check"),
    "lz4-tool": tool("lz4", "-q", "-c"),
    "lz4-tool-linked": tool("lz4", "-q", "-c", "-B4", "-BD", "-BX"),
    "lz4-tool-block-checks": tool("lz4", "-q", "-c", "-BX", "--no-frame-crc"),
    "lz4-tool-size-no-check": from_file("lz4", "-q", "-c", "--content-size", "--no-frame-crc"),
    "stored-snappy": stored_snappy,
}


def records(count):
    random.seed(count)
    for number in range(count):
        yield json.dumps({"id": number, "value": random.randint(0, 10_000), "name": f"sensor-{number % 7}"})


def write_all(folder, text, names):
    (HERE / folder).mkdir(exist_ok=True)
    for name in names:
        (HERE / folder / f"{name}.value").write_bytes(WRITERS[name](text))


for folder, count in (("three", 3), ("twenty", 20)):
    text = "\n".join(records(count)).encode()
    (HERE / f"{folder}.ndjson").write_bytes(text)
    write_all(folder, text, WRITERS)

# Several blocks, with references from one to the next; the text is the same formula in the test.
large = "\n".join(f'{{"id":{number},"value":{number * number % 1009}}}' for number in range(8000)).encode()
write_all("large", large, ["python-zlib", "gzip-tool", "zstd-tool", "zstd-tool-stream", "lz4-tool", "lz4-tool-linked"])
