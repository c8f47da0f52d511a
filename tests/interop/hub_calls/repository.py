"""What people do with a repository through the library."""

import base64

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    hf_hub_download,
    snapshot_download,
)

api = HfApi()


def create(repo: str) -> dict:
    made = api.create_repo(repo)
    again = api.create_repo(repo, exist_ok=True)
    listed = [info.id for info in api.list_models(author=repo.split("/")[0])]
    return {"made": made.repo_id, "again": again.repo_id, "exists": api.repo_exists(repo), "listed": listed}


def upload_file(repo: str, path: str, name: str) -> str:
    """The commit."""
    return api.upload_file(path_or_fileobj=path, path_in_repo=name, repo_id=repo).oid


def upload_folder(repo: str, folder: str, name: str) -> str:
    return api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo=name).oid


def has_large_folders() -> bool:
    return hasattr(api, "upload_large_folder")


def upload_large_folder(repo: str, folder: str) -> None:
    api.upload_large_folder(repo, folder, repo_type="model", print_report=False)


def commit(repo: str, add: dict[str, str], add_bytes: dict[str, str], delete: list[str], copy: dict[str, str]) -> str:
    """One commit. `add` has local paths, `add_bytes` Base64, `copy` the names to copy from; each by new name."""
    operations = [
        *(CommitOperationAdd(name, path) for name, path in add.items()),
        *(CommitOperationAdd(name, base64.b64decode(data)) for name, data in add_bytes.items()),
        *(CommitOperationDelete(name) for name in delete),
        *(CommitOperationCopy(source, name) for name, source in copy.items()),
    ]
    return api.create_commit(repo, operations, commit_message="many at once").oid


def delete(repo: str, file: str, folder: str) -> dict:
    api.delete_file(file, repo)
    api.delete_folder(folder, repo)
    return {"file": api.file_exists(repo, file), "files": api.list_repo_files(repo)}


def branch_and_tag(repo: str, path: str, name: str, revision: str) -> dict:
    """A branch and a tag at a revision, a file on the branch; what the refs are then, and after their end."""
    api.create_branch(repo, branch="experiment", revision=revision)
    api.create_tag(repo, tag="v1", revision=revision)
    api.upload_file(path_or_fileobj=path, path_in_repo=name, repo_id=repo, revision="experiment")
    on_branch, on_main = (api.file_exists(repo, name, revision=r) for r in ("experiment", "main"))
    during = _refs(repo)
    api.delete_branch(repo, branch="experiment")
    return {"during": during, "after": _refs(repo), "on branch": on_branch, "on main": on_main}


def _refs(repo: str) -> dict[str, str]:
    refs = api.list_repo_refs(repo)
    return {ref.ref: ref.target_commit for ref in [*refs.branches, *refs.tags]}


def lists(repo: str) -> dict:
    return {
        "commits": [commit.commit_id for commit in api.list_repo_commits(repo)],
        "head": api.repo_info(repo).sha,
        "tree": {entry.path: getattr(entry, "size", None) for entry in api.list_repo_tree(repo, recursive=True)},
        "top": [entry.path for entry in api.list_repo_tree(repo)],
        "tensors": len(api.get_safetensors_metadata(repo).files_metadata["model.safetensors"].tensors),
    }


def download_file(repo: str, name: str, revision: str | None = None) -> str:
    """The path in the cache."""
    return hf_hub_download(repo, name, revision=revision)


def snapshot(repo: str) -> str:
    return snapshot_download(repo)
