#!/usr/bin/env python3
"""The loops of the Python demo from which BatchPipe grew, on given records: 100 joined with newlines, zlib,
one message each, and lz4 of Kafka's client around it; or zstd, and nothing around it.

Prints the CPU seconds (user and system, all threads) of the loop as JSON; reading the records is not counted.
"""

import argparse
import json
import platform
import sys
import time
import zlib

import confluent_kafka
import zstandard
from confluent_kafka import Consumer, KafkaException, Producer

BATCH = 100
ZSTD_LEVEL = 1


def produce(args):
    """Sends the records, which are strings already (`strings`) or objects (`dumps`)."""
    with open(args.file, encoding="utf-8") as file:
        lines = [next(file).rstrip("\n") for _ in range(args.records)]
    records = lines if args.mode == "strings" else [json.loads(line) for line in lines]
    del lines
    producer = Producer(
        {
            "bootstrap.servers": args.brokers,
            "compression.codec": "lz4" if args.codec == "zlib" else "none",
            "linger.ms": 100,
            "acks": "all",
        }
    )
    # The context is kept, as the package's documentation asks for.
    compress = zlib.compress if args.codec == "zlib" else zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    refused = []

    def report(error, _message):
        if error is not None:
            refused.append(error)

    clock = Clock()
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        if args.mode == "dumps":
            batch = [json.dumps(record) for record in batch]
        producer.produce(args.topic, compress("\n".join(batch).encode()), on_delivery=report)
        producer.poll(0)
    unsent = producer.flush(60)
    clock.stop()
    if unsent or refused:
        sys.exit(f"{unsent} messages were not sent, {len(refused)} refused: {refused[:3]}")


def consume(args):
    """Reads all records back and parses each."""
    consumer = Consumer(
        {
            "bootstrap.servers": args.brokers,
            "group.id": args.topic,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([args.topic])
    decompress = zlib.decompress if args.codec == "zlib" else zstandard.ZstdDecompressor().decompress
    seen = 0
    clock = Clock()
    while seen < args.records:
        message = consumer.poll(20.0)
        if message is None:
            sys.exit(f"nothing came for 20 s after {seen} records")
        if message.error():
            raise KafkaException(message.error())
        seen += len([json.loads(line) for line in decompress(message.value()).decode().split("\n")])
    clock.stop()
    consumer.close()


def versions():
    """Says what all this is made of."""
    found = {
        "python": platform.python_version(),
        "confluentKafka": confluent_kafka.__version__,
        "librdkafka": confluent_kafka.libversion()[0],
        "zstandard": zstandard.__version__,
    }
    print(json.dumps(found))


class Clock:
    """What a loop takes."""

    def __init__(self):
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def stop(self):
        """Prints it."""
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        print(json.dumps({"cpuSeconds": cpu, "wallSeconds": wall}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["strings", "dumps", "consume", "versions"])
    parser.add_argument("--codec", choices=["zlib", "zstd"], default="zlib")
    parser.add_argument("--brokers")
    parser.add_argument("--topic")
    parser.add_argument("--records", type=int)
    parser.add_argument("--file")
    args = parser.parse_args()
    if args.mode == "versions":
        versions()
    elif args.mode == "consume":
        consume(args)
    else:
        produce(args)


if __name__ == "__main__":
    main()
