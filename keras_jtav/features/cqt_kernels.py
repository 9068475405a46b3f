"""Constants of the constant-Q transform, in NumPy: kernels and the 2:1 decimator."""

import numpy as np

BINS_PER_OCTAVE = 12
DECIMATOR_MARGIN = 194
# soxr's "HQ" 2:1 low-pass as a Kaiser-windowed sinc, largest difference 2e-8.
_HALF_CUTOFF = 0.47843591
_HALF_BETA = 13.0399636
_HALF_WIDTH = 194.4994777
# librosa drops the smallest coefficients of a kernel's spectrum, 1 % of their sum.
_DROPPED_SHARE = 0.01
# Width of the main lobe of a Hann window, in bins: librosa's window bandwidth.
_HANN_BANDWIDTH = 1.50018310546875


def frequencies_hz(fmin_hz: float, bins: int) -> np.ndarray:
    """Return the centre frequencies of ``bins`` bins, lowest first."""
    return fmin_hz * 2.0 ** (np.arange(bins) / BINS_PER_OCTAVE)


def quality() -> float:
    """Return Q: centre frequency over bandwidth of every bin."""
    step = 2.0 ** (2 / BINS_PER_OCTAVE)
    return (step + 1) / (step - 1)


def highest_hz(fmin_hz: float, bins: int) -> float:
    """Return the upper edge of the highest bin's pass band."""
    centre = frequencies_hz(fmin_hz, bins)[-1]
    return float(centre * (1 + 0.5 * _HANN_BANDWIDTH / quality()))


def octave_kernel(centres_hz: np.ndarray, sample_rate_hz: float) -> np.ndarray:
    """Return the time-domain kernels of one octave.

    Args:
        centres_hz: Centre frequencies, lowest first.
        sample_rate_hz: Rate of the (decimated) waveform the kernels meet.

    Returns:
        float32 (samples, 2 * bins): real parts, then imaginary parts; ``samples`` is
        the power of two that holds the longest kernel.

    Source: ``librosa.filters.wavelet`` and ``librosa.util.sparsify_rows``.
    """
    lengths = quality() * sample_rate_hz / centres_hz
    samples = int(2 ** np.ceil(np.log2(lengths.max())))
    kernels = []
    for centre_hz, length in zip(centres_hz, lengths, strict=True):
        times = np.arange(-length // 2, length // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(times)) / len(times))
        wave = window * np.exp(2j * np.pi * centre_hz / sample_rate_hz * times)
        padded = np.zeros(samples, complex)
        start = (samples - len(wave)) // 2
        padded[start : start + len(wave)] = wave / np.abs(wave).sum()
        spectrum = np.fft.fft(padded * length / samples)
        spectrum[samples // 2 + 1 :] = 0
        # Back to the time domain: sum over f of spectrum[f] exp(-2 pi i f n / samples).
        kernels.append(np.fft.fft(_sparsify(spectrum)) / np.sqrt(length))
    kernel = np.stack(kernels, axis=1)
    return np.concatenate([kernel.real, kernel.imag], axis=1).astype("float32")


def _sparsify(spectrum: np.ndarray) -> np.ndarray:
    magnitudes = np.abs(spectrum)
    ordered = np.sort(magnitudes)
    kept = np.argmin(np.cumsum(ordered) / magnitudes.sum() < _DROPPED_SHARE)
    return np.where(magnitudes < ordered[kept], 0, spectrum)


def kaiser_sinc(
    times: np.ndarray, cutoff: float, beta: float, half_width: float
) -> np.ndarray:
    """Return a Kaiser-windowed sinc of unit gain at ``times`` (in samples)."""
    inside = np.sqrt(np.clip(1 - (times / half_width) ** 2, 0, None))
    window = np.where(np.abs(times) < half_width, np.i0(beta * inside), 0)
    return cutoff * np.sinc(cutoff * times) * window / np.i0(beta)


def decimator(block: int) -> np.ndarray:
    """Return the 2:1 low-pass as a matrix that makes ``block`` samples at once.

    Args:
        block: Output samples per application; the stride on the input is twice that.

    Returns:
        float32 (2 * block + 2 * DECIMATOR_MARGIN, block), scaled by sqrt(2) so that
        the energy of a sound is kept.

    Source: ``librosa.resample(y, orig_sr=2, target_sr=1, res_type="soxr_hq",
    scale=True)``.
    """
    offsets = np.arange(-DECIMATOR_MARGIN, DECIMATOR_MARGIN + 1)
    taps = kaiser_sinc(offsets, _HALF_CUTOFF, _HALF_BETA, _HALF_WIDTH)
    taps *= np.sqrt(2) / taps.sum()
    matrix = np.zeros((2 * block + 2 * DECIMATOR_MARGIN, block))
    for column in range(block):
        matrix[2 * column : 2 * column + len(taps), column] = taps
    return matrix.astype("float32")
