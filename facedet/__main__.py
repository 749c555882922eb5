"""``python -m facedet``: the command line."""

import sys

from facedet.cli import main

sys.exit(main())
