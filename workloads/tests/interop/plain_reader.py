#!/usr/bin/env python3
"""Prints the records of a topic whose values are compressed, knowing nothing but the format's own definition.

zlib and gzip come from Python's standard library. The snappy framing format is read by the lines below, as its
description says, checksums included: https://github.com/google/snappy/blob/main/framing_format.txt

Environment: KAFKA_BROKER, KAFKA_TOPIC. Reads every partition from its beginning to its present end.
"""

import argparse
import gzip
import os
import struct
import sys
import zlib

from confluent_kafka import Consumer, KafkaException, TopicPartition

CRC32C = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC32C.append(byte)


def masked_checksum(data):
    """CRC-32C, turned and shifted as the framing format wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data):
    """A number in base 128, and where what follows it begins."""
    value = shift = at = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def snappy_block(data):
    """One block: literals, and copies of what was there before."""
    size, at = varint(data)
    out = bytearray()
    while at < len(data):
        tag, at = data[at], at + 1
        kind = tag & 3
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length, at = int.from_bytes(data[at : at + extra], "little"), at + extra
            out += data[at : at + length + 1]
            at += length + 1
            continue
        if kind == 1:
            length, back, at = (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[at], at + 1
        else:
            width = 2 if kind == 2 else 4
            length, back = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little")
            at += width
        for _ in range(length):
            out.append(out[-back])
    if len(out) != size:
        raise ValueError(f"a block of {size} bytes holds {len(out)}")
    return bytes(out)


def snappy(value):
    """A whole framed stream."""
    if value[:10] != b"\xff\x06\x00\x00sNaPpY":
        raise ValueError("this is no framed snappy stream")
    out, at = [], 10
    while at < len(value):
        kind, length = value[at], int.from_bytes(value[at + 1 : at + 4], "little")
        chunk, at = value[at + 4 : at + 4 + length], at + 4 + length
        if kind not in (0, 1):
            raise ValueError(f"chunk of kind {kind}")
        data = snappy_block(chunk[4:]) if kind == 0 else chunk[4:]
        if struct.unpack("<I", chunk[:4])[0] != masked_checksum(data):
            raise ValueError("a chunk's checksum is wrong")
        out.append(data)
    return b"".join(out)


FORMATS = {"gzip": gzip.decompress, "zlib": zlib.decompress, "snappy": snappy, "none": bytes}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", choices=FORMATS, required=True)
    args = parser.parse_args()

    topic = os.environ["KAFKA_TOPIC"]
    consumer = Consumer({"bootstrap.servers": os.environ["KAFKA_BROKER"], "group.id": "unused"})
    for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
        start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
        consumer.assign([TopicPartition(topic, partition, start)])
        while start < end:
            message = consumer.poll(20.0)
            if message is None:
                print(f"nothing came for 20 s at offset {start} of {end}", file=sys.stderr)
                return 1
            if message.error():
                raise KafkaException(message.error())
            sys.stdout.buffer.write(FORMATS[args.format](message.value()) + b"\n")
            start = message.offset() + 1
    consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
