"""``python -m keras_jtav`` is the command ``keras-jtav``."""

import sys

from keras_jtav.cli import main

if __name__ == "__main__":
    sys.exit(main())
