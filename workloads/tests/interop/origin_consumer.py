#!/usr/bin/env python3
"""Reads topics as the Python demo did from which BatchPipe grew.

Each message is decompressed with zlib, split at newlines, and every part parsed as JSON and printed; with --raw
as it came, for Python writes some numbers differently than it read them.
Whatever fails on the way ends the program: it stands for a reader that knows no other format.

Environment: KAFKA_BROKER, KAFKA_TOPIC, KAFKA_GROUP. Ends with 0 after --records, with 1 when nothing came
for --idle seconds.
"""

import argparse
import json
import os
import sys
import zlib

from confluent_kafka import Consumer, KafkaException


def records(value):
    """The records of one message, each as it came and parsed."""
    return [(line, json.loads(line)) for line in zlib.decompress(value).decode().split("\n")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--idle", type=float, default=20.0)
    parser.add_argument("--raw", action="store_true")
    args = parser.parse_args()

    consumer = Consumer(
        {
            "bootstrap.servers": os.environ.get("KAFKA_BROKER", "kafka:9093"),
            "group.id": os.environ.get("KAFKA_GROUP", "demo-group"),
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([os.environ.get("KAFKA_TOPIC", "demo-topic")])
    seen = 0
    try:
        while seen < args.records:
            message = consumer.poll(args.idle)
            if message is None:
                print(f"nothing came for {args.idle} s after {seen} records", file=sys.stderr)
                return 1
            if message.error():
                raise KafkaException(message.error())
            for line, record in records(message.value()):
                print(line if args.raw else json.dumps(record))
                seen += 1
    finally:
        consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
