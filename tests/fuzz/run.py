"""Fuzzes one target, guided by which lines of the package are reached.

    PYTHONPATH=tests/hostile python tests/fuzz/run.py manifest|media|riff [FLAG ...]

with flags of libFuzzer such as ``-max_total_time=600``. What breaks a promise is kept
in ``inputs/TARGET``, where ``test_inputs.py`` reads it from then on.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import atheris
import numpy as np
from pictures import bases
from recordings import KINDS, written
from tables import FORMS, rows
from tables import written as table

with atheris.instrument_imports(include=["keras_jtav", "targets"]):
    from targets import TARGETS

INPUTS = Path(__file__).with_name("inputs")


def seeds(target):
    """Yield sound inputs to start from."""
    draw = np.random.default_rng(0)
    if target == "manifest":
        yield from (bytes([n]) + table(rows(), form) for n, form in enumerate(FORMS))
        return
    prefix = b"" if target == "riff" else b"\0"
    noise = draw.normal(0, 0.1, (200, 2)).astype("float32")
    for kind in KINDS:
        if target == "media" or kind.startswith("WAV"):
            yield prefix + written(noise, 8_000, kind)
    if target == "media":
        yield from (b"\1" + data for _, data in bases(draw))


def main():
    target, *flags = sys.argv[1:]
    kept = INPUTS / target
    kept.mkdir(parents=True, exist_ok=True)
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{target}-"))
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(data)
    limits = ["-rss_limit_mb=4096", "-timeout=60", f"-artifact_prefix={kept}/"]
    atheris.Setup([sys.argv[0], *limits, *flags, str(corpus)], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
