"""Runs in an environment that has huggingface_hub: main.py MODULE.FUNCTION, arguments as JSON on stdin.

The modules are those beside this file. Prints what the function gives, as JSON; what the libraries print goes to
stderr.
"""

import importlib
import json
import os
import sys


def main() -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, function = sys.argv[1].partition(".")
    result = getattr(importlib.import_module(module), function)(**json.load(sys.stdin))
    with answer:
        json.dump(result, answer)


if __name__ == "__main__":
    main()
