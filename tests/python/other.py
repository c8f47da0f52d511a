"""Uploads or downloads with the module of the interpreter that runs this; test_cross.py asks for it.

Takes a JSON object on standard input and answers with one on standard output.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import hf_xet

warnings.simplefilter("ignore", DeprecationWarning)


def upload(how: str, access: dict, paths: list[str]) -> list[list]:
    """Hash, size and SHA-256 of each file."""
    if how == "legacy":
        token = (access["token"], access["token_expiry_unix_secs"])
        infos = hf_xet.upload_files(paths, access["endpoint"], token, None, None, None)
    else:
        with hf_xet.XetSession().new_upload_commit(**access) as commit:
            if how == "stream":
                infos = []
                for path in paths:
                    stream = commit.start_upload_stream()
                    stream.write(Path(path).read_bytes())
                    infos.append(stream.finish().xet_info)
            else:
                handles = [commit.start_upload_file(path) for path in paths]
        if how != "stream":
            infos = [handle.result().xet_info for handle in handles]
    return [[info.hash, info.file_size, info.sha256] for info in infos]


def download(how: str, access: dict, infos: list[list], paths: list[str]) -> None:
    """Writes each file to its path."""
    if how == "legacy":
        token = (access["token"], access["token_expiry_unix_secs"])
        files = [hf_xet.PyXetDownloadInfo(path, info[0], info[1]) for info, path in zip(infos, paths, strict=True)]
        hf_xet.download_files(files, access["endpoint"], token, None, None)
        return
    session = hf_xet.XetSession()
    wanted = [hf_xet.XetFileInfo(info[0], info[1]) for info in infos]
    if how == "stream":
        group = session.new_download_stream_group(**access)
        for info, path in zip(wanted, paths, strict=True):
            Path(path).write_bytes(b"".join(group.download_stream(info)))
        return
    with session.new_file_download_group(**access) as group:
        for info, path in zip(wanted, paths, strict=True):
            group.start_download_file(info, path)


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    action = {"upload": upload, "download": download}[asked.pop("action")]
    json.dump(action(**asked), sys.stdout)
