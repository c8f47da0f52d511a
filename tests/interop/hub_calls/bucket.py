"""What people do with a bucket through the library."""

import base64

from huggingface_hub import HfApi

api = HfApi()


def create(bucket: str) -> dict:
    made = api.create_bucket(bucket)
    again = api.create_bucket(bucket, exist_ok=True)
    listed = [info.id for info in api.list_buckets(bucket.split("/")[0])]
    info = api.bucket_info(bucket)
    return {"made": made.bucket_id, "again": again.bucket_id, "listed": listed, "files": info.total_files}


def upload(bucket: str, add: dict[str, str], add_bytes: dict[str, str]) -> None:
    """One batch. `add` has local paths, `add_bytes` Base64, each by name."""
    files = [(path, name) for name, path in add.items()]
    files += [(base64.b64decode(data), name) for name, data in add_bytes.items()]
    api.batch_bucket_files(bucket, add=files)


def sync(source: str, target: str, delete: bool = False) -> dict:
    return api.sync_bucket(source, target, delete=delete, quiet=True).summary()


def copy(bucket: str, repo: str, names: dict[str, str], from_repo: dict[str, str]) -> None:
    """Within the bucket, and from a repository; old name by new name."""
    sources = {entry.path: entry.xet_hash for entry in api.list_bucket_tree(bucket, recursive=True)}
    copies = [("bucket", bucket, sources[old], new) for new, old in names.items()]
    sources = {entry.path: entry.xet_hash for entry in api.get_paths_info(repo, list(from_repo.values()))}
    copies += [("model", repo, sources[old], new) for new, old in from_repo.items()]
    api.batch_bucket_files(bucket, copy=copies)


def delete(bucket: str, names: list[str]) -> None:
    api.batch_bucket_files(bucket, delete=names)


def lists(bucket: str, names: list[str]) -> dict:
    info = api.bucket_info(bucket)
    return {
        "tree": {entry.path: entry.size for entry in api.list_bucket_tree(bucket, recursive=True)},
        "top": [entry.path for entry in api.list_bucket_tree(bucket, recursive=False)],
        "paths": {entry.path: entry.size for entry in api.get_bucket_paths_info(bucket, names)},
        "files": info.total_files,
        "bytes": info.size,
    }


def download(bucket: str, files: dict[str, str]) -> None:
    """By name, where to."""
    api.download_bucket_files(bucket, list(files.items()), raise_on_missing_files=True)
