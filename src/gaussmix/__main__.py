"""Run the command line as ``python -m gaussmix``."""

import sys

from gaussmix.cli import main

if __name__ == "__main__":
    sys.exit(main())
