"""huggingface_hub's own tests, 1.29.0 and 2.4.0, on our hf_xet, with our Hub where they had Hugging Face's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli_support import environment
from environments import run
from hub_client import LOOPBACK_ONLY
from hub_environments import FOLDER, HUBS, OURS, Stack, install, our_wheel
from hub_server import Hub
from matrix import Matrix
from report import Report

USER, OTHER = "__DUMMY_HUB_USER__", "DVUser"
FILES = (
    "test_buckets",
    "test_buckets_cli",
    "test_buckets_hf_file_system",
    "test_commit_scheduler",
    "test_copy_files",
    "test_file_download",
    "test_hf_api",
    "test_hf_file_system",
    "test_snapshot_download",
    "test_xet_upload",
)
_NO_PULL_REQUESTS = "our Hub has no pull requests and discussions"
_OTHER_SERVICE = "no business of a Hub of one's own"
# Tests with these words in their names.
LEFT_OUT = {
    "Production": "asks the public Hub",
    "list_webhooks": _OTHER_SERVICE,
    "TestWebhookApi": _OTHER_SERVICE,
    "TestCollectionAPI": _OTHER_SERVICE,
    "TestAccessRequest": _OTHER_SERVICE,
    "TestActivityApi": _OTHER_SERVICE,
    "TestUserApi": _OTHER_SERVICE,
    "TestPaperApi": _OTHER_SERVICE,
    "TestSpaceAPI": _OTHER_SERVICE,
    "TestHfApiInferenceCatalog": _OTHER_SERVICE,
    "duplicate_space": _OTHER_SERVICE,
    "TestExpandPropertyType": "asks the public Hub",
    "TestHttpGet": "asks no Hub",
    "Discussion": _NO_PULL_REQUESTS,
    "create_pr": _NO_PULL_REQUESTS,
    "on_pr": _NO_PULL_REQUESTS,
    "special_ref": _NO_PULL_REQUESTS,
    "enterprise_org": "our Hub has no organizations that make everything private",
    "create_repo_private_by_default": "our Hub has no organizations that make everything private",
    "whoami_with_passing_token": "our Hub has users, and no organizations that they are members of",
    "gated": "our Hub has no gated repositories",
    "repo_settings": "our Hub has no gated repositories",
    "modelcard_invalid_metadata": "our Hub does not read model cards",
    "modelcard_empty_metadata": "our Hub does not read model cards",
    "list_and_delete_lfs_files": "our Hub does not list files apart from revisions",
    "test_list_bucket_tree_on_private_bucket": "what is private is not found, also by who shows no token: 404, not 401",
    "TestHfHubDownloadRelativePaths": "our Hub takes no path with a backslash, so there is nothing to download",
}


def run_part(matrix: Matrix, report: Report) -> None:
    if OURS not in matrix.client_names or "xet-serve" not in matrix.server_names:
        return
    print("\nhuggingface_hub's own tests\n", flush=True)
    wheel = our_wheel(report)
    served = report.cell("server", "xet-serve", "for huggingface_hub's own tests")
    with (
        served,
        matrix.server("xet-serve", auth=True) as server,
        matrix.fresh() as folder,
        ThreadPoolExecutor(len(HUBS)) as pool,
    ):
        hub = Hub(server, matrix.program)
        tokens = {name: hub.add_user(name) for name in (USER, OTHER)}

        def in_turn(version: str) -> None:
            stack = Stack(version, OURS)
            if install(report, stack, wheel):
                _Suite(report, stack, folder / version, hub.url, tokens).run()

        list(pool.map(in_turn, HUBS))


class _Suite:
    """The tests of one generation, in a folder of their own."""

    def __init__(self, report: Report, stack: Stack, folder: Path, url: str, tokens: dict[str, str]) -> None:
        self._report = report
        self._stack = stack
        self._folder = folder
        self._url = url
        self._tokens = tokens

    def run(self) -> None:
        with self._report.cell("fetch", f"the tests of huggingface_hub {self._stack.hub}") as fetched:
            self._unpack(self._source())
            self._adapt()
        if fetched.failure:
            return
        with self._report.cell("run", f"the tests of {self._stack.name}"):
            results = self._pytest()
        for name in FILES:
            with self._report.cell(f"huggingface_hub {self._stack.hub}", f"{name}.py") as cell:
                cases = [
                    case for case in results if f"tests.{name}." in f"{case.get('classname') or case.get('name')}."
                ]
                failed = [case.get("name") for case in cases if case.find("failure") is not None]
                broken = [case.get("name") for case in cases if case.find("error") is not None]
                left_out = sum(case.find("skipped") is not None for case in cases)
                n_passed = len(cases) - left_out - len(failed) - len(broken)
                cell.note = f"{n_passed} passed, {left_out} left out"
                assert not failed, f"failed: {', '.join(failed)}"
                assert not broken, f"no set-up for: {', '.join(broken)}"
                assert n_passed > 0, "not one passed"

    def _source(self) -> Path:
        """The source package, which has the tests; wheels have none."""
        name = f"huggingface_hub-{self._stack.hub}.tar.gz"
        kept = FOLDER / "sources"
        if not (kept / name).exists():
            python = self._stack.environment.python
            wanted = f"huggingface_hub=={self._stack.hub}"
            run(python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "-d", kept, wanted)
        return kept / name

    def _unpack(self, source: Path) -> None:
        with tarfile.open(source) as archive:
            inside = f"{source.name.removesuffix('.tar.gz')}/tests/"
            members = [member for member in archive.getmembers() if member.name.startswith(inside)]
            archive.extractall(self._folder, members, filter="data")
        shutil.move(self._folder / inside, self._folder / "tests")

    def _adapt(self) -> None:
        tests = self._folder / "tests"
        (tests / "__init__.py").touch()
        shutil.copy(Path(__file__).parent / "hub_suite" / "conftest.py", tests)
        constants = tests / "testing_constants.py"
        text = constants.read_text()
        for name, value in {
            "USER": USER,
            "FULL_NAME": USER,
            "TOKEN": self._tokens[USER],
            "OTHER_USER": OTHER,
            "OTHER_TOKEN": self._tokens[OTHER],
            "ENDPOINT_STAGING": self._url,
        }.items():
            text, n = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", text, flags=re.MULTILINE)
            assert n == 1, f"testing_constants.py has no {name}"
        constants.write_text(text)
        # See conftest.py.
        file_system = tests / "test_hf_file_system.py"
        file_system.write_text(re.sub(r"refs(/|%2F)pr(/|%2F)1(?!\d)", "pr-1", file_system.read_text()))
        (self._folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")

    def _pytest(self) -> list[ElementTree.Element]:
        results = self._folder / "results.xml"
        command = [
            self._stack.environment.python,
            "-m",
            "pytest",
            "-q",
            "--continue-on-collection-errors",
            f"--junitxml={results}",
        ]
        done = subprocess.run(
            [*map(str, command), *(f"tests/{name}.py" for name in FILES)],
            cwd=self._folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert results.exists(), f"pytest ended with {done.returncode}: {(done.stderr or done.stdout)[-1000:]}"
        return list(ElementTree.parse(results).iter("testcase"))

    def _variables(self) -> dict[str, str]:
        home = self._folder / "home"
        own = {"HF_ENDPOINT": self._url, "HF_HOME": str(home), "XET_LEFT_OUT": json.dumps(LEFT_OUT)}
        return environment(HOME=str(home), **own, **LOOPBACK_ONLY)
