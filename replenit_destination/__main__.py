"""`python -m replenit_destination COMMAND`: what `dlt replenit COMMAND` does."""

import sys

from replenit_destination.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
