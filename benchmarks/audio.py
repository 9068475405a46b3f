"""Recordings to constant-Q spectrograms: the training pipeline beside librosa.

Both read the same files, end at decibels and may use all cores: the pipeline through
``tf.data``, librosa through a pool of processes, and alone. ``python
benchmarks/audio.py`` takes about three minutes.
"""

import multiprocessing
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
import soundfile
import tensorflow as tf
from timing import cell, in_turns, ratio

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.decode import decode_audio
from keras_jtav.features.cqt import ConstantQ
from keras_jtav.features.segments import cut_segments
from keras_jtav.process_memory import keep_freed_memory

CLIPS = 32
SECONDS = 10.0
SAMPLES = int(SECONDS * SAMPLE_RATE_HZ)
FILE_RATE_HZ = 44100
HOP_SAMPLES, BINS = 1024, 96
TOGETHER = (1, 2, 16)  # segments: a clip, the paper's N, a song
ROUNDS, CALLS = 5, 4


def write_clips(folder, suffix):
    """Write stereo clips: chords that decay, over noise."""
    rng = np.random.default_rng(0)
    time = np.arange(int(SECONDS * FILE_RATE_HZ)) / FILE_RATE_HZ
    paths = []
    for number in range(CLIPS):
        wave = 0.02 * rng.normal(size=(2, len(time)))
        for hz in rng.uniform(60, 4000, size=6):
            decay = np.exp(-(time % rng.uniform(0.3, 2)))
            wave += 0.1 * decay * np.sin(2 * np.pi * hz * time)
        paths.append(str(folder / f"clip-{number}{suffix}"))
        soundfile.write(paths[-1], wave.T, FILE_RATE_HZ)
    return paths


def librosa_file(path):
    wave, _ = librosa.load(path, sr=SAMPLE_RATE_HZ)
    return librosa_cqt(wave)


def librosa_cqt(wave):
    spectrum = librosa.cqt(wave, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES, n_bins=BINS)
    return np.swapaxes(librosa.amplitude_to_db(np.abs(spectrum)), -1, -2)


def pipeline(constant_q, paths):
    """Return what reads files as training does, and gives decibels."""

    def decode(path):
        return decode_audio(Path(path.decode()))

    def load(path):
        wave = tf.numpy_function(decode, [path], tf.float32)
        return constant_q(cut_segments(tf.ensure_shape(wave, [None]), SAMPLES))[0]

    dataset = tf.data.Dataset.from_tensor_slices(paths)
    dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    return lambda: list(dataset.as_numpy_iterator())


def compare(title, ours, others):
    print(f"\n{title}")
    seconds = in_turns({"ours": ours, **others}, ROUNDS, CALLS)
    for name, times in seconds.items():
        speed = "" if name == "ours" else f", ratio {ratio(times, seconds['ours']):.1f}"
        print(f"  {name.ljust(24)}{cell(times, 1000 / CLIPS)} ms a clip{speed}")


def main():
    keep_freed_memory()  # as in training; librosa runs in this process too
    constant_q = ConstantQ(
        sample_rate_hz=SAMPLE_RATE_HZ, hop_samples=HOP_SAMPLES, bins=BINS
    )
    print(
        f"{CLIPS} stereo clips of {SECONDS:.0f} s at {FILE_RATE_HZ} Hz, "
        f"{os.cpu_count()} CPU cores, librosa {librosa.__version__}, TensorFlow "
        f"{tf.__version__}; median (least to most) of {ROUNDS} rounds of "
        f"{CALLS} times all clips"
    )
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name, context.Pool() as pool:
        for suffix in (".wav", ".ogg"):
            paths = write_clips(Path(name), suffix)
            compare(
                f"file to constant-Q decibels, {suffix[1:].upper()}",
                pipeline(constant_q, paths),
                {
                    "librosa": lambda paths=paths: list(map(librosa_file, paths)),
                    f"librosa, {os.cpu_count()} processes": (
                        lambda paths=paths: pool.map(librosa_file, paths)
                    ),
                },
            )
        waves = [decode_audio(Path(path))[:SAMPLES] for path in paths]
    alone = tf.function(constant_q, autograph=False)
    waves = np.stack(waves)
    for size in TOGETHER:
        parts = np.split(waves, CLIPS // size)
        others = {"librosa, one by one": lambda: list(map(librosa_cqt, waves))}
        if size > 1:
            others["librosa, in one call"] = lambda parts=parts: list(
                map(librosa_cqt, parts)
            )
        compare(
            f"constant-Q transform alone, segments in a recording: {size}",
            lambda parts=parts: [alone(part).numpy() for part in parts],
            others,
        )
    differences = [np.abs(alone(w[None]).numpy()[0] - librosa_cqt(w)) for w in waves]
    print(f"\nlargest difference: {max(d.max() for d in differences):.3f} dB")


if __name__ == "__main__":
    main()
