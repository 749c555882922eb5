"""``python -m benchmarks [NAME …] [--json FILE]``: run some benchmarks, or all."""

import argparse
import importlib
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

NAMES = ("detect", "memory", "start", "sessions", "index", "download", "cleaning")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    figures: dict[str, object] = {"cores": os.cpu_count(), "python": platform.python_version()}
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}")
    for name in options.names or NAMES:
        print(f"\n== {name}")
        figures[name] = importlib.import_module(f"benchmarks.{name}").run()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
