"""Runs in an interpreter that has hf_xet, the genuine one or ours: one call, arguments as JSON on stdin.

Prints {"result": …, "wall_s": …, "cpu_s": …}; the times are those of the call, after the import.
An endpoint is what the module takes: "local://DIR", "http://…", or null with a token_refresh_url among the options.
"""

import json
import pathlib
import resource
import sys
import time
import warnings

import hf_xet


def hash_files(paths: list[str]) -> list[list]:
    return [[info.hash, info.filesize] for info in hf_xet.hash_files(paths)]


def upload(endpoint: str, paths: list[str], **options: object) -> list[list]:
    with hf_xet.XetSession().new_upload_commit(endpoint=endpoint, **options) as commit:
        handles = [commit.start_upload_file(path) for path in paths]
    infos = [handle.result().xet_info for handle in handles]
    return [[info.hash, info.file_size] for info in infos]


def download(endpoint: str, files: list[list], **options: object) -> None:
    """Each file is [hash, size, destination]."""
    with hf_xet.XetSession().new_file_download_group(endpoint=endpoint, **options) as group:
        for file_hash, size, destination in files:
            group.start_download_file(hf_xet.XetFileInfo(file_hash, size), destination)


def upload_files(endpoint: str, paths: list[str]) -> list[list]:
    with warnings.catch_warnings(action="ignore"):
        infos = hf_xet.upload_files(paths, endpoint, None, None, None, None)
    return [[info.hash, info.filesize] for info in infos]


def download_files(endpoint: str, files: list[list]) -> None:
    wanted = [hf_xet.PyXetDownloadInfo(destination, file_hash, size) for file_hash, size, destination in files]
    with warnings.catch_warnings(action="ignore"):
        hf_xet.download_files(wanted, endpoint, None, None, None)


def read_ranges(endpoint: str, ranges: list[list], **options: object) -> None:
    """Each range is [hash, size, begin, end (exclusive), destination]."""
    group = hf_xet.XetSession().new_download_stream_group(endpoint=endpoint, **options)
    for file_hash, size, begin, end, destination in ranges:
        stream = group.download_stream(hf_xet.XetFileInfo(file_hash, size), begin, end)
        pathlib.Path(destination).write_bytes(b"".join(stream))


def nothing() -> None:
    pass


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    call = globals()[sys.argv[1]]
    arguments = json.load(sys.stdin)
    cpu_before, before = cpu_s(), time.perf_counter()
    result = call(**arguments)
    wall_s = time.perf_counter() - before
    json.dump({"result": result, "wall_s": wall_s, "cpu_s": cpu_s() - cpu_before}, sys.stdout)
