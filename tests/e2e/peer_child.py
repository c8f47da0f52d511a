"""Runs in an interpreter that has the genuine hf_xet: one call, arguments as JSON on stdin, result on stdout."""

import json
import sys

import hf_xet


def hash_files(paths: list[str]) -> list[list]:
    return [[info.hash, info.filesize] for info in hf_xet.hash_files(paths)]


def upload(store: str, paths: list[str]) -> list[list]:
    with hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}") as commit:
        handles = [commit.start_upload_file(path) for path in paths]
    infos = [handle.result().xet_info for handle in handles]
    return [[info.hash, info.file_size] for info in infos]


def download(store: str, files: list[list]) -> None:
    """Each file is [hash, size, destination]."""
    with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{store}") as group:
        for file_hash, size, destination in files:
            group.start_download_file(hf_xet.XetFileInfo(file_hash, size), destination)


if __name__ == "__main__":
    json.dump(
        {"hash_files": hash_files, "upload": upload, "download": download}[sys.argv[1]](**json.load(sys.stdin)),
        sys.stdout,
    )
