"""Ways to damage a file: cuts where its parts begin, and flipped bits."""

import struct

HEADER = (0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36)
MAX_CUTS = 44


def damaged(name, data, draw, flips=16):
    """Yield ``(name, bytes)`` of a file cut at its boundaries and with flipped bits."""
    for place in cuts(data):
        yield f"{name}-cut-{place}", data[:place]
    for number in range(flips):
        broken = bytearray(data)
        # Half of them in the header, where sizes and kinds are told.
        end = min(64, len(data)) if number % 2 else len(data)
        for place in draw.integers(0, end, draw.integers(1, 5)):
            broken[place] ^= 1 << int(draw.integers(8))
        yield f"{name}-flip-{number}", bytes(broken)


def cuts(data):
    """Return where the header's fields and the file's parts begin, and one before."""
    starts = {*HEADER, *parts(data), len(data) // 2, len(data) - 1}
    places = sorted({p for s in starts for p in (s - 1, s) if 0 <= p < len(data)})
    if len(places) > MAX_CUTS:
        step = len(places) / MAX_CUTS
        places = [places[int(number * step)] for number in range(MAX_CUTS)]
    return places


def parts(data):
    """Return where chunks, markers or pages of a file begin."""
    if data.startswith(b"\x89PNG"):
        return walk(data, 8, ">", 4, 12)
    if data[:4] in (b"RIFF", b"FORM", b"RF64"):
        return walk(data, 12, ">" if data[:4] == b"FORM" else "<", 8, 8)
    if data.startswith(b"\xff\xd8"):
        return [p for p in range(len(data) - 1) if data[p] == 255 and data[p + 1] > 0]
    if data.startswith(b"OggS"):
        return [p for p in range(len(data)) if data[p : p + 4] == b"OggS"]
    return []


def walk(data, place, order, size_end, extra):
    """Follow chunks whose four bytes of size end ``size_end`` after their start."""
    while place + size_end <= len(data):
        yield place
        size_at = place + size_end - 4
        (size,) = struct.unpack(f"{order}I", data[size_at : size_at + 4])
        place += size + extra
