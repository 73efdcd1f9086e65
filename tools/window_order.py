"""The order of training windows, written a second time: prints the values that tests/corpus/batch_loader_test.cc
pins (WindowOrder.DependsOnSeedAndIndexAlone). Contract: src/corpus/load/batch_loader.h. Needs Python only."""

MASK32 = 0xFFFFFFFF
DATA_ORDER = 3  # RandomStream::kDataOrder


def philox4x32(key, low, high):
    k0, k1 = key & MASK32, key >> 32
    c = [low & MASK32, low >> 32, high & MASK32, high >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & MASK32, (p0 >> 32) ^ c[3] ^ k1, p0 & MASK32]
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c


def bits(seed, epoch, index):
    block = philox4x32(seed, index, (DATA_ORDER << 56) ^ epoch)
    return block[0] | (block[1] << 32)


def permute(seed, epoch, x, count):
    half = ((count - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while count > 1:
        left, right = x >> half, x & mask
        for round_number in range(1, 9):
            left, right = right, left ^ (bits(seed, epoch, (round_number << 32) | right) & mask)
        x = (left << half) | right
        if x < count:
            return x
    return 0


def begin(tokens, context, seed, index):
    targets = tokens - 1
    length = min(context, targets)
    windows = targets // length
    if windows >= 8 and targets % length < length - 1:
        windows -= 1
    offsets = min(length, targets - windows * length + 1)
    epoch, i = divmod(index, windows)
    offset = (bits(seed, epoch, 0) * offsets) >> 64
    return offset + permute(seed, epoch, i, windows) * length


if __name__ == "__main__":
    print([begin(1_003_854, 64, 1337, i) for i in (0, 1, 2, 100_000)])
    print([begin(12_345, 100, 2**63 + 5, i) for i in (0, 1, 121, 122, 10**12)])
    print([begin(301, 100, 0, i) for i in (0, 1, 2, 3, 4)])
