"""``python train.py --task retrieval``: the same as ``keras-jtav train``."""

import sys

from keras_jtav.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
