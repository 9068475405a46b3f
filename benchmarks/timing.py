"""Timing in turns, and peaks of memory: what the benchmarks share."""

import multiprocessing
import statistics
import time
from pathlib import Path


def in_turns(forms, rounds, calls=1, wait=None):
    """Return seconds per call of each form, one number a round.

    The forms take turns, so that a slow moment of the machine hits all of them.

    Args:
        forms: Functions by name. Called once before.
        rounds: Turns of every form.
        calls: Calls in one turn.
        wait: Given a call's result at the end of a turn, returns when all is done;
            without it each form waits for its own end.
    """
    wait = wait or (lambda result: None)
    for form in forms.values():
        wait(form())
    seconds = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            start = time.perf_counter()
            for _ in range(calls):
                result = form()
            wait(result)
            seconds[name].append((time.perf_counter() - start) / calls)
    return seconds


def cell(seconds, factor=1000.0):
    """Return ``median (least to most)``, in milliseconds by default."""
    values = [factor * value for value in seconds]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def ratio(slow, fast):
    """Return how many times faster the median of ``fast`` is."""
    return statistics.median(slow) / statistics.median(fast)


def megabytes(job, *arguments):
    """Return the peak of memory of a job in a process of its own, TensorFlow and all.

    Args:
        job: Function of a module.
        *arguments: Its arguments.
    """
    return alone(job, *arguments)[1]


def alone(job, *arguments):
    """Return what a job returns in a process of its own, and the peak of memory there.

    Args:
        job: Function of a module.
        *arguments: Its arguments.
    """
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measure, args=(queue, job, arguments))
    process.start()
    result = queue.get()
    process.join()
    return result


def _measure(queue, job, arguments):
    result = job(*arguments)
    queue.put((result, peak_megabytes()))


def peak_megabytes():
    """Return the peak of this process's memory, in MiB.

    Not ``getrusage``: what that says of a new process starts at its parent's size.
    """
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
