"""`python -m benchmarks NAME [OPTIONS]` runs `main` of the module of that name in this folder."""

import sys
from importlib import import_module
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))

if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
    sys.exit(f"usage: python -m benchmarks {{{','.join(NAMES)}}} [OPTIONS]")
import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
