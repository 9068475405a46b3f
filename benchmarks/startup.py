"""How long the command line takes to answer, and what importing the package loads."""

import subprocess
import sys
from pathlib import Path

from timing import cell, in_turns

ROOT = Path(__file__).parents[1]
ROUNDS = 15
HEAVY = ("tensorflow", "keras", "numpy")
FORMS = {
    "python, nothing else": ["-c", "pass"],
    "import keras_jtav": ["-c", "import keras_jtav"],
    "python train.py --help": ["train.py", "--help"],
}


def run(words):
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def main():
    loaded = run(["-c", "import keras_jtav, sys; print(*sys.modules)"]).split()
    print(f"importing keras_jtav loads {len(loaded)} modules;", end=" ")
    print(f"of {', '.join(HEAVY)}: {sorted(set(HEAVY) & set(loaded)) or 'none'}\n")
    seconds = in_turns({n: lambda w=w: run(w) for n, w in FORMS.items()}, ROUNDS)
    print(f"milliseconds: median of {ROUNDS} rounds (least to most)")
    for name, times in seconds.items():
        print(f"  {name.ljust(24)}{cell(times)}")


if __name__ == "__main__":
    main()
