"""Builds the Python module, makes the environments, and runs the tests against it and against the genuine one.

    python tests/python/run.py                 everything
    python tests/python/run.py --only ours     without the genuine module
    python tests/python/run.py -- -k streams   arguments for pytest

Environments lie in build/python; tools/environments.py makes them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "python"
sys.path.insert(0, str(ROOT / "tools"))

from environments import BUILD, Environment, build_wheel  # noqa: E402

GENUINE = "1.8.0"
HUBS = ("1.29.0", "2.4.0")
NEWEST = HUBS[-1]
OURS_FIRST = ("ours", "genuine")


def say(text: str) -> None:
    print(f"python: {text}", flush=True)


def run(*command: str | Path, **kwargs: object) -> None:
    subprocess.run([str(part) for part in command], check=True, **kwargs)


@dataclass(frozen=True)
class Tested:
    """One of the two modules under one generation of the hub's client."""

    module: str
    hub: str

    @property
    def environment(self) -> Environment:
        module = (f"hf-xet=={GENUINE}",) if self.module == "genuine" else ()
        packages = (*module, f"huggingface_hub=={self.hub}", "pytest>=9", "pytest-timeout")
        return Environment(BUILD / f"{self.module}-hub-{self.hub}", packages)

    @property
    def python(self) -> Path:
        return self.environment.python

    def pytest(self, where: Path, variables: dict[str, str], arguments: list[str]) -> bool:
        command = [self.python, "-m", "pytest", "-q", "--timeout=120", where, *arguments]
        if where == HERE:
            command.append(f"--ignore={HERE / 'hub'}")
        # Not in the tree: some tests name a file in the current directory, and the genuine module makes it. One
        # directory for each run, because two run at the same time.
        directory = self.environment.directory / "cwd"
        directory.mkdir(exist_ok=True)
        done = subprocess.run(
            [str(part) for part in command],
            env=os.environ | variables,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        say(f"{where.relative_to(ROOT)}: {self.module} module, huggingface_hub {self.hub}\n{done.stdout}")
        return done.returncode == 0

    def record(self, variables: dict[str, str]) -> Path:
        out = BUILD / f"requests-{self.module}-{self.hub}.json"
        script = HERE / "hub" / "requests_record.py"
        run(self.python, script, "--record", out, env=os.environ | variables, stdout=subprocess.DEVNULL)
        return out


def same_requests(records: dict[str, Path]) -> bool:
    script = HERE / "hub" / "requests_record.py"
    command = [sys.executable, script, "--compare", records["genuine"], records["ours"]]
    return subprocess.run([str(part) for part in command]).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter to build for")
    parser.add_argument("--xet", default=str(ROOT / "build/release/bin/xet"), help="the program that serves stores")
    parser.add_argument("--only", choices=OURS_FIRST, help="run the tests against one of the modules only")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    arguments = parser.parse_args()
    if not Path(arguments.xet).exists():
        parser.error(f"{arguments.xet} is not there; make build compiles it")

    began = time.monotonic()
    say("building the module")
    wheel = build_wheel(arguments.python)
    tested = {(module, hub): Tested(module, hub) for module in OURS_FIRST for hub in HUBS}
    for (module, _), each in tested.items():
        each.environment.make(arguments.python, wheel if module == "ours" else None)
    modules = [arguments.only] if arguments.only else list(OURS_FIRST)

    variables = {"XET_PROGRAM": str(Path(arguments.xet).resolve())}

    def suite(module: str) -> str | None:
        other = tested["genuine" if module == "ours" else "ours", NEWEST]
        passed = tested[module, NEWEST].pytest(
            HERE, variables | {"XET_OTHER_PYTHON": str(other.python)}, arguments.pytest
        )
        return None if passed else f"{module} module"

    def hub_suite(module: str, hub: str) -> str | None:
        passed = tested[module, hub].pytest(HERE / "hub", variables, arguments.pytest)
        return None if passed else f"{module} module under huggingface_hub {hub}"

    # Two at a time: most of what they do is waiting.
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(suite, module) for module in modules]
        runs += [pool.submit(hub_suite, module, hub) for module, hub in tested if module in modules]
        failed = [told for run_ in runs if (told := run_.result())]
    for hub in HUBS:
        if arguments.only or arguments.pytest:
            continue
        say(f"requests that a Hub sees from huggingface_hub {hub}")
        if not same_requests({module: tested[module, hub].record(variables) for module in OURS_FIRST}):
            failed.append(f"requests of huggingface_hub {hub}")

    say(f"{time.monotonic() - began:.0f} s; " + (f"failed: {', '.join(failed)}" if failed else "all passed"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
