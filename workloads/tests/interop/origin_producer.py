#!/usr/bin/env python3
"""Writes topics as the Python demo did from which BatchPipe grew.

Records with id, value and name, a number of them joined with newlines, compressed with zlib, one message
each: the bare value, no key, no headers. Around it librdkafka compresses once more. With --echo it also prints
the records, so that others can tell whether they got all of them.

Environment: KAFKA_BROKER, KAFKA_TOPIC, COMPRESSION_CODEC.
"""

import argparse
import json
import os
import random
import sys
import zlib

from confluent_kafka import Producer


def record(number):
    """One record, as json.dumps writes it."""
    return json.dumps({"id": number, "value": random.random(), "name": f"name-{number}"})


def batches(records, size):
    """Yields lists of at most `size` records, numbered from 0."""
    for start in range(0, records, size):
        yield [record(number) for number in range(start, min(start + size, records))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--echo", action="store_true")
    args = parser.parse_args()

    producer = Producer(
        {
            "bootstrap.servers": os.environ.get("KAFKA_BROKER", "kafka:9093"),
            "compression.codec": os.environ.get("COMPRESSION_CODEC", "lz4"),
            "linger.ms": 100,
            "acks": "all",
        }
    )
    topic = os.environ.get("KAFKA_TOPIC", "demo-topic")
    refused = []

    def report(error, _message):
        if error is not None:
            refused.append(error)

    for batch in batches(args.records, args.batch):
        if args.echo:
            print("\n".join(batch))
        producer.produce(topic, zlib.compress("\n".join(batch).encode()), on_delivery=report)
        producer.poll(0)
    unsent = producer.flush(30)
    for error in refused[:5]:
        print(error, file=sys.stderr)
    return 1 if unsent or refused else 0


if __name__ == "__main__":
    sys.exit(main())
