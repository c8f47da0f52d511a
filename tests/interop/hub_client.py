"""The library and the command `hf` of one environment, each call a process of its own.

No call can reach anything but loopback: whatever is not there goes to a proxy that nobody is.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli_support import environment
from clients import TIME_LIMIT_S, ClientFailed
from hub_environments import Stack

_CALLS = Path(__file__).with_name("hub_calls") / "main.py"
_NOWHERE = "http://127.0.0.1:9"
_PROXIES = {name: _NOWHERE for each in ("http", "https", "all") for name in (f"{each}_proxy", f"{each.upper()}_PROXY")}
# Variables of the environment of a process that is to reach nothing else.
LOOPBACK_ONLY = _PROXIES | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@dataclass(frozen=True)
class HubClient:
    """Somebody with a token on one machine. `home` has his caches."""

    stack: Stack
    url: str
    token: str
    home: Path
    has_xet: bool = True

    def elsewhere(self, home: Path) -> HubClient:
        """The same on another machine, where nothing is cached."""
        return dataclasses.replace(self, home=home)

    def with_token(self, token: str) -> HubClient:
        return dataclasses.replace(self, token=token)

    def without_xet(self) -> HubClient:
        return dataclasses.replace(self, has_xet=False)

    def call(self, function: str, **arguments: object) -> object:
        """A function of hub_calls; its result."""
        command = [str(self.stack.environment.python), str(_CALLS), function]
        given = {name: str(a) if isinstance(a, Path) else a for name, a in arguments.items()}
        return json.loads(self._run(function, command, json.dumps(given)))

    def hf(self, *arguments: str | Path) -> str:
        """What the command prints."""
        command = [str(self.stack.environment.directory / "bin/hf"), *map(str, arguments)]
        return self._run(f"hf {' '.join(map(str, arguments[:2]))}", command)

    def _run(self, what: str, command: list[str], stdin: str = "") -> str:
        self.home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            command,
            input=stdin.encode(),
            env=self._variables(),
            cwd=self.home,
            capture_output=True,
            timeout=TIME_LIMIT_S,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise ClientFailed(f"{what} with {self.stack.name} ended with {done.returncode}: {' / '.join(said[-4:])}")
        return done.stdout.decode()

    def _variables(self) -> dict[str, str]:
        hub = {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_XET": "0" if self.has_xet else "1",
        }
        return environment(HOME=str(self.home), NO_COLOR="1", **hub, **LOOPBACK_ONLY)
