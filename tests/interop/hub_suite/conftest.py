"""What the tests of huggingface_hub expect to find beside themselves, and their source packages do not have.

hub_suite.py puts this file among them. Which of them are left out, and why, it says in LEFT_OUT.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from huggingface_hub import HfApi, RepoUrl
from huggingface_hub.errors import HfHubHTTPError

from .testing_constants import ENDPOINT_STAGING, TOKEN, USER
from .testing_utils import repo_name

RepoFactory = Callable[..., RepoUrl]
LEFT_OUT: dict[str, str] = json.loads(os.environ["XET_LEFT_OUT"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("production"):
            item.add_marker(pytest.mark.skip(reason="asks the public Hub"))
        for part, why in LEFT_OUT.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def api() -> HfApi:
    return HfApi(endpoint=ENDPOINT_STAGING, token=TOKEN)


@pytest.fixture
def new_repo_id(api: HfApi) -> Iterator[str]:
    name = f"{USER}/{repo_name()}"
    yield name
    api.delete_repo(name, missing_ok=True)


@pytest.fixture
def repo_factory(api: HfApi) -> Iterator[RepoFactory]:
    made: list[dict[str, Any]] = []

    def make(repo_type: str = "model", repo_id: str | None = None, token: str | None = None, **options: Any) -> RepoUrl:
        url = api.create_repo(repo_id or repo_name(), repo_type=repo_type, token=token, **options)
        made.append({"repo_id": url.repo_id, "repo_type": repo_type, "token": token})
        return url

    yield make
    for each in made:
        with contextlib.suppress(HfHubHTTPError):
            api.delete_repo(**each, missing_ok=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "_cache"))


_create_commit = HfApi.create_commit


def _commit_to_a_branch(self: HfApi, repo_id: str, operations: Any, **options: Any) -> Any:
    """Our Hub has no pull requests. Where tests only want another revision, the branch pr-1 is one."""
    if options.pop("create_pr", False):
        self.create_branch(repo_id, branch="pr-1", repo_type=options.get("repo_type"), token=options.get("token"))
        options["revision"] = "pr-1"
    return _create_commit(self, repo_id, operations, **options)


HfApi.create_commit = _commit_to_a_branch
