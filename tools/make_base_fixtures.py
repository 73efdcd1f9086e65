#!/usr/bin/env python3
"""Prints the reference values that tests/base/{hash,utf8}_test.cc hold. Needs the package xxhash."""
import itertools

import xxhash

# Every byte at a boundary of the table of well-formed UTF-8, and one inside each range.
BOUNDARY_BYTES = bytes.fromhex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


def print_hashes():
    for size in (0, 1, 3, 8, 16, 17, 128, 129, 240, 241, 1024, 1025, 5000):
        data = bytes((i * 31 + i // 256) % 256 for i in range(size))
        print(f'{{{size}, 0x{xxhash.xxh3_64_hexdigest(data)}, "{xxhash.xxh3_128_hexdigest(data)}"}},')


def print_utf8_digest():
    """All strings of 1 to 4 boundary bytes, decoded with errors="replace", each followed by a newline."""
    digest = xxhash.xxh3_64()
    for length in range(1, 5):
        for sequence in itertools.product(BOUNDARY_BYTES, repeat=length):
            text = bytes(sequence).decode("utf-8", errors="replace")
            digest.update(text.encode() + b"\n")
    print("replaced:", digest.hexdigest())


if __name__ == "__main__":
    print_hashes()
    print_utf8_digest()
