"""Unmodified `huggingface_hub` against `xet serve`, through whichever `hf_xet` is installed."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import huggingface_hub as hub_api
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.utils import disable_progress_bars, tqdm
from huggingface_hub.utils._xet import abort_xet_session
from proxy import Answer, Request, as_json
from stage import EMPTY_XET_HASH, File, Stage, xet_hash

# What the hub's own code warns of is not ours to judge.
pytestmark = pytest.mark.filterwarnings("ignore")

HUB_2 = not hub_api.__version__.startswith("1.")
LARGE = 3_000_000
SMALL = b'{"layers": 12}\n'


def content(seed: int, size: int = LARGE) -> bytes:
    """Random, so that each is new to the store; binary, so that the Hub wants it in Xet."""
    return b"\0" + random.Random(seed).randbytes(size - 1)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def api() -> HfApi:
    return HfApi()


@pytest.fixture
def repo(stage: Stage, name: str) -> str:
    """A new model repository; the record begins after it was made."""
    api().create_repo(name)
    stage.hub.requests.clear()
    return name


@pytest.fixture
def bucket(stage: Stage, name: str) -> str:
    api().create_bucket(name)
    stage.hub.requests.clear()
    return name


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub-cache"


def filled(repo: str, **files: bytes) -> dict[str, bytes]:
    """Uploads files, `__` in names meaning `/`, and gives them by path."""
    by_path = {name.replace("__", "/"): data for name, data in files.items()}
    api().create_commit(repo, [CommitOperationAdd(p, d) for p, d in by_path.items()], commit_message="fill")
    return by_path


def kept(stage: Stage, name: str, path: str, kind: str = "model") -> File:
    """What the Hub has under a path now."""
    return stage.server.files(name, kind)[path]


def committed(stage: Stage) -> list[dict]:
    """The lines of all commits in the record, their headers left out."""
    lines = [line for request in stage.hub.seen("POST", "/commit/") for line in request.lines()]
    return [line for line in lines if line["key"] != "header"]


def assert_stored(stage: Stage, name: str, path: str, data: bytes, folder: Path, kind: str = "model") -> None:
    """Hub and CAS have exactly these bytes, under the hash that our own client computes."""
    file = kept(stage, name, path, kind)
    assert file.data is None
    assert file.size == len(data)
    assert file.xet_hash == xet_hash(data)
    if kind != "bucket":
        assert file.oid == sha256(data)
    folder.mkdir(exist_ok=True)
    assert stage.server.download(name, file.xet_hash, folder, kind) == data


def assert_asked_by_module(request: Request) -> None:
    """A token request that the module made itself, with the headers it was given."""
    assert request.headers["authorization"] == f"Bearer {os.environ['HF_TOKEN']}"
    assert re.match(r"unknown/None; hf_hub/\S+; python/3", request.headers["user-agent"])
    assert request.headers["x-xet-session-id"]


class TestUpload:
    def test_small_file_travels_in_the_commit(self, stage, repo, tmp_path):
        path = tmp_path / "config.json"
        path.write_bytes(SMALL)
        api().upload_file(path_or_fileobj=path, path_in_repo="config.json", repo_id=repo)
        assert kept(stage, repo, "config.json").data == SMALL
        assert [line["key"] for line in committed(stage)] == ["file"]
        assert not stage.hub.seen("GET", "xet-")

    @pytest.mark.parametrize("source", ["path", "string", "relative", "bytes"])
    def test_large_file_travels_through_the_module(self, stage, repo, tmp_path, monkeypatch, source):
        data = content(len(source))
        path = tmp_path / "a model.safetensors"
        path.write_bytes(data)
        monkeypatch.chdir(tmp_path)
        given = {"path": path, "string": str(path), "relative": path.name, "bytes": data}[source]
        told = api().upload_file(path_or_fileobj=given, path_in_repo="sub dir/ä.safetensors", repo_id=repo)
        assert told.oid == stage.server.head(repo)
        assert [(r.method, r.path.rpartition(f"{repo}/")[2]) for r in stage.hub.requests] == [
            ("POST", "preupload/main"),
            ("GET", "xet-write-token/main"),
            ("POST", "commit/main"),
        ]
        assert_asked_by_module(stage.hub.requests[1])
        line = {"path": "sub dir/ä.safetensors", "algo": "sha256", "oid": sha256(data), "size": len(data)}
        assert committed(stage) == [{"key": "lfsFile", "value": line}]
        assert_stored(stage, repo, "sub dir/ä.safetensors", data, tmp_path)

    @pytest.mark.parametrize("of_disk", [False, True], ids=["BytesIO", "open file"])
    def test_file_object_goes_without_the_module(self, stage, repo, tmp_path, of_disk):
        data = content(20 + of_disk)
        path = tmp_path / "f"
        path.write_bytes(data)
        with path.open("rb") if of_disk else io.BytesIO(data) as stream:
            api().upload_file(path_or_fileobj=stream, path_in_repo="f.bin", repo_id=repo)
        assert len(stage.hub.seen("POST", "info/lfs/objects/batch")) == 1
        assert not stage.hub.seen("GET", "xet-")
        assert_stored(stage, repo, "f.bin", data, tmp_path)

    def test_empty_file_is_regular(self, stage, repo, cache):
        api().upload_file(path_or_fileobj=b"", path_in_repo="empty", repo_id=repo)
        assert kept(stage, repo, "empty").data == b""
        assert Path(hf_hub_download(repo, "empty", cache_dir=cache)).read_bytes() == b""
        assert not stage.hub.seen("GET", "xet-")

    def test_one_commit_of_many_kinds(self, stage, repo, tmp_path):
        filled(repo, old=content(30), config=SMALL)
        stage.hub.requests.clear()
        on_disk, in_memory = content(31), content(32)
        (tmp_path / "f").write_bytes(on_disk)
        operations = [
            CommitOperationAdd("from/disk.bin", tmp_path / "f"),
            CommitOperationAdd("from/memory.bin", in_memory),
            CommitOperationAdd("small.json", SMALL),
            CommitOperationDelete("old"),
        ]
        api().create_commit(repo, operations, commit_message="many")
        assert len(stage.hub.seen("GET", "xet-write-token/main")) == 1
        assert sorted(stage.server.files(repo)) == [
            "config",
            "from/disk.bin",
            "from/memory.bin",
            "small.json",
        ]
        assert_stored(stage, repo, "from/disk.bin", on_disk, tmp_path)
        assert_stored(stage, repo, "from/memory.bin", in_memory, tmp_path)

    def test_edited_file_costs_only_its_edit(self, stage, repo, tmp_path, cache):
        before = content(33, 12_000_000)
        after = before[:6_000_000] + b"edited" + before[6_000_000:]
        first = api().upload_file(path_or_fileobj=before, path_in_repo="m", repo_id=repo)
        stored = stage.server.stored_bytes()
        api().upload_file(path_or_fileobj=after, path_in_repo="m", repo_id=repo)
        assert stage.server.stored_bytes() - stored < 1_000_000
        assert_stored(stage, repo, "m", after, tmp_path)
        assert Path(hf_hub_download(repo, "m", cache_dir=cache)).read_bytes() == after
        assert Path(hf_hub_download(repo, "m", revision=first.oid, cache_dir=cache)).read_bytes() == before

    def test_same_file_again_makes_no_commit(self, stage, repo, tmp_path):
        path = tmp_path / "m"
        path.write_bytes(content(34))
        first = api().upload_file(path_or_fileobj=path, path_in_repo="m", repo_id=repo)
        stage.hub.requests.clear()
        assert api().upload_file(path_or_fileobj=path, path_in_repo="m", repo_id=repo).oid == first.oid
        assert not stage.hub.seen("POST", "/commit/")

    def test_dataset(self, stage, name, tmp_path):
        api().create_repo(name, repo_type="dataset")
        data = content(35)
        api().upload_file(path_or_fileobj=data, path_in_repo="d.parquet", repo_id=name, repo_type="dataset")
        assert_stored(stage, name, "d.parquet", data, tmp_path, kind="dataset")
        path = hf_hub_download(name, "d.parquet", repo_type="dataset", cache_dir=tmp_path / "c")
        assert Path(path).read_bytes() == data

    def test_missing_file_is_an_os_error(self, stage, repo, tmp_path):
        path = tmp_path / "m"
        path.write_bytes(content(36))
        gone = CommitOperationAdd("m", path)
        path.unlink()
        with pytest.raises(OSError):
            api().create_commit(repo, [gone], commit_message="gone")
        assert not stage.server.files(repo)

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_refused_token_fails_this_upload_only(self, stage, repo, tmp_path, status):
        stage.hub.hooks.append(lambda r: Answer(status, b"{}") if "xet-write-token" in r.path else None)
        with pytest.raises(OSError, match=str(status)):
            api().upload_file(path_or_fileobj=content(37), path_in_repo="m", repo_id=repo)
        assert not stage.hub.seen("POST", "/commit/")
        stage.hub.hooks.clear()
        api().upload_file(path_or_fileobj=content(37), path_in_repo="m", repo_id=repo)
        assert_stored(stage, repo, "m", content(37), tmp_path)


class TestUploadFolder:
    FILES: ClassVar = {
        "README.md": b"# A model\n",
        "config.json": SMALL,
        "empty.txt": b"",
        "weights/1.safetensors": content(40),
        "weights/2.safetensors": content(41),
        "weights/deep/3.safetensors": content(42, 200_000),
        "same as 1.bin": content(40),
    }

    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        for path, data in self.FILES.items():
            (tmp_path / "folder" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "folder" / path).write_bytes(data)
        return tmp_path / "folder"

    def test_every_file_arrives(self, stage, repo, folder, tmp_path):
        told = api().upload_folder(repo_id=repo, folder_path=folder)
        assert told.oid == stage.server.head(repo)
        assert sorted(stage.server.files(repo)) == sorted(self.FILES)
        assert len(stage.hub.seen("GET", "xet-write-token/main")) == 1
        assert_asked_by_module(stage.hub.seen("GET", "xet-write-token/main")[0])
        for path, data in self.FILES.items():
            if b"\0" in data:
                assert_stored(stage, repo, path, data, tmp_path / "out")
            else:
                assert kept(stage, repo, path).data == data

    def test_unchanged_folder_makes_no_commit(self, stage, repo, folder):
        first = api().upload_folder(repo_id=repo, folder_path=folder)
        stage.hub.requests.clear()
        assert api().upload_folder(repo_id=repo, folder_path=folder).oid == first.oid
        assert not stage.hub.seen("POST", "/commit/")

    def test_patterns_and_a_place_in_the_repository(self, stage, repo, folder, tmp_path):
        filled(repo, v1__old=content(43), keep=SMALL)
        api().upload_folder(
            repo_id=repo, folder_path=folder, path_in_repo="v1", allow_patterns="weights/*", delete_patterns="*"
        )
        paths = ["keep", "v1/weights/1.safetensors", "v1/weights/2.safetensors", "v1/weights/deep/3.safetensors"]
        assert sorted(stage.server.files(repo)) == paths
        assert_stored(stage, repo, paths[3], self.FILES["weights/deep/3.safetensors"], tmp_path / "out")

    def test_refused_token_is_an_error(self, stage, repo, folder):
        stage.hub.hooks.append(lambda r: Answer(403, b"{}") if "xet-write-token" in r.path else None)
        with pytest.raises(OSError, match="403"):
            api().upload_folder(repo_id=repo, folder_path=folder)
        assert not stage.hub.seen("POST", "/commit/")


class TestDownload:
    def test_into_the_cache(self, stage, repo, cache):
        data = filled(repo, weights__m=content(50))["weights/m"]
        stage.hub.requests.clear()
        path = Path(hf_hub_download(repo, "weights/m", cache_dir=cache))
        head = stage.server.head(repo)
        assert path.read_bytes() == data
        assert path.relative_to(cache).parts[1:] == ("snapshots", head, "weights", "m")
        blob = cache / f"models--{repo.replace('/', '--')}" / "blobs" / sha256(data)
        assert path.resolve() == blob.resolve()
        assert [(r.method, r.path.rpartition(f"{repo}/")[2]) for r in stage.hub.requests] == [
            ("HEAD", "resolve/main/weights/m"),
            ("GET", f"xet-read-token/{head}"),
        ]
        # The Hub's client asked itself, so the module must not.
        assert "x-xet-session-id" not in stage.hub.requests[1].headers
        assert not list(cache.rglob("*.incomplete"))

    def test_cached_file_is_not_fetched_again(self, stage, repo, cache):
        data = filled(repo, m=content(51))["m"]
        path = hf_hub_download(repo, "m", cache_dir=cache)
        stage.hub.requests.clear()
        assert hf_hub_download(repo, "m", cache_dir=cache) == path
        assert [r.method for r in stage.hub.requests] == ["HEAD"]
        assert hf_hub_download(repo, "m", cache_dir=cache, local_files_only=True) == path
        assert Path(path).read_bytes() == data

    def test_force_download(self, repo, cache):
        data = filled(repo, m=content(52))["m"]
        blob = Path(hf_hub_download(repo, "m", cache_dir=cache)).resolve()
        blob.write_bytes(b"damaged" + b"x" * len(data) * 2)
        path = hf_hub_download(repo, "m", cache_dir=cache, force_download=True)
        assert Path(path).read_bytes() == data

    def test_into_a_folder(self, stage, repo, tmp_path):
        files = filled(repo, sub__m=content(53), config=SMALL)
        for name in files:
            path = Path(hf_hub_download(repo, name, local_dir=tmp_path / "here"))
            assert path == tmp_path / "here" / name
            assert not path.is_symlink()
            assert path.read_bytes() == files[name]
        told = (tmp_path / "here/.cache/huggingface/download/sub/m.metadata").read_text().split()
        assert told[:2] == [stage.server.head(repo), sha256(files["sub/m"])]
        stage.hub.requests.clear()
        hf_hub_download(repo, "sub/m", local_dir=tmp_path / "here")
        assert not stage.hub.seen("GET", "xet-")

    def test_many_at_once_in_one_session(self, stage, repo, cache):
        files = filled(repo, **{f"m{i}": content(60 + i, 700_000) for i in range(8)})
        stage.hub.requests.clear()
        with ThreadPoolExecutor(8) as pool:
            paths = list(pool.map(lambda name: hf_hub_download(repo, name, cache_dir=cache), files))
        assert [Path(path).read_bytes() for path in paths] == list(files.values())
        assert len(stage.hub.seen("GET", "xet-read-token")) == 1

    def test_file_that_is_not_there(self, repo, cache):
        filled(repo, m=SMALL)
        with pytest.raises(EntryNotFoundError):
            hf_hub_download(repo, "n", cache_dir=cache)
        with pytest.raises(LocalEntryNotFoundError):
            hf_hub_download(repo, "n", cache_dir=cache, local_files_only=True)

    @pytest.mark.parametrize("lie", ["unknown hash", "no hash", "larger size"])
    def test_wrong_pointer_is_an_error_and_leaves_nothing(self, stage, repo, cache, lie):
        data = filled(repo, m=content(54))["m"]
        right = kept(stage, repo, "m")
        told = {"unknown hash": "ab" * 32, "no hash": "not a hash", "larger size": str(LARGE + 1)}[lie]
        stage.hub.lies[str(LARGE) if lie == "larger size" else right.xet_hash] = told
        with pytest.raises(RuntimeError):
            hf_hub_download(repo, "m", cache_dir=cache)
        assert not [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size == LARGE]
        assert not list(cache.rglob("snapshots/*/m"))
        stage.hub.lies.clear()
        assert Path(hf_hub_download(repo, "m", cache_dir=cache)).read_bytes() == data

    def test_file_of_another_repository_cannot_be_read(self, stage, repo, cache):
        filled(repo, m=content(55))
        api().create_repo(f"{repo}-2")
        filled(f"{repo}-2", m=content(56))
        stage.hub.lies[kept(stage, repo, "m").xet_hash] = kept(stage, f"{repo}-2", "m").xet_hash
        with pytest.raises(RuntimeError):
            hf_hub_download(repo, "m", cache_dir=cache)

    def test_refused_token_is_the_hubs_own_error(self, stage, repo, cache):
        filled(repo, m=content(57))
        stage.hub.hooks.append(lambda r: Answer(403, b"{}") if "xet-read-token" in r.path else None)
        with pytest.raises(HfHubHTTPError):
            hf_hub_download(repo, "m", cache_dir=cache)


class TestSnapshot:
    FILES: ClassVar = {
        "README": b"read\n",
        "a/1": content(70),
        "a/2": content(71),
        "b/3": content(72, 100_000),
        "4": content(73),
    }

    @pytest.fixture
    def full(self, stage, repo) -> str:
        operations = [CommitOperationAdd(path, data) for path, data in self.FILES.items()]
        api().create_commit(repo, operations, commit_message="fill")
        stage.hub.requests.clear()
        return repo

    def found(self, folder: str | Path) -> dict[str, bytes]:
        """By path, without what every repository begins with."""
        ours = {".cache", ".gitattributes"}
        files = (path for path in Path(folder).rglob("*") if path.is_file() and not ours & set(path.parts))
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    def test_into_the_cache(self, stage, full, cache):
        assert self.found(hub_api.snapshot_download(full, cache_dir=cache)) == self.FILES
        assert len(stage.hub.seen("GET", "xet-read-token")) == 1
        asked = {r.path.rpartition("/")[2] for r in stage.hub.seen("HEAD", "resolve")}
        assert asked == {".gitattributes", "README"}
        stage.hub.requests.clear()
        hub_api.snapshot_download(full, cache_dir=cache)
        assert [r.path.partition(full)[2] for r in stage.hub.requests] == ["/revision/main"]

    def test_into_a_folder_by_pattern(self, full, tmp_path):
        folder = hub_api.snapshot_download(full, local_dir=tmp_path / "here", allow_patterns="a/*")
        assert self.found(folder) == {path: self.FILES[path] for path in ("a/1", "a/2")}

    def test_only_what_changed_is_fetched(self, stage, full, cache):
        hub_api.snapshot_download(full, cache_dir=cache)
        filled(full, a__1=content(74))
        folder = hub_api.snapshot_download(full, cache_dir=cache)
        assert self.found(folder) == self.FILES | {"a/1": content(74)}

    def test_one_wrong_file_is_an_error(self, stage, full, cache):
        stage.hub.lies[kept(stage, full, "a/2").xet_hash] = "cd" * 32
        with pytest.raises(RuntimeError):
            hub_api.snapshot_download(full, cache_dir=cache)


class TestFileSystem:
    def test_reads_all_and_parts(self, stage, repo):
        data = filled(repo, sub__m=content(80, 2_000_000))["sub/m"]
        fs = HfFileSystem(skip_instance_cache=True)
        path = f"{repo}/sub/m"
        assert fs.info(path)["size"] == len(data)
        assert [Path(p).name for p in fs.ls(f"{repo}/sub", detail=False)] == ["m"]
        assert fs.cat_file(path) == data
        stage.hub.requests.clear()
        with fs.open(path, "rb", block_size=2**16) as stream:
            assert stream.read(10) == data[:10]
            assert stream.seek(1_000_000) == 1_000_000
            assert stream.read(200_000) == data[1_000_000:1_200_000]
            assert stream.seek(-5, io.SEEK_END) == len(data) - 5
            assert stream.read(100) == data[-5:]
            assert stream.seek(999_990) == 999_990
            assert stream.read(20) == data[999_990:1_000_010]
        ranges = [r.headers["range"] for r in stage.hub.seen("GET", "/resolve/")]
        assert all(re.fullmatch(r"bytes=\d+-\d+", asked) for asked in ranges)
        assert len(ranges) >= 4
        assert fs.cat_file(path, start=5, end=1_500_000) == data[5:1_500_000]
        assert not fs.exists(f"{repo}/sub/other")

    def test_writes(self, stage, repo, tmp_path):
        data = content(81)
        fs = HfFileSystem(skip_instance_cache=True)
        with fs.open(f"{repo}/new/m", "wb") as stream:
            for start in range(0, len(data), 1_000_000):
                stream.write(data[start : start + 1_000_000])
        with fs.open(f"{repo}/new/t", "w") as stream:
            stream.write("text\n")
        assert_stored(stage, repo, "new/m", data, tmp_path)
        assert fs.read_text(f"{repo}/new/t") == "text\n"
        assert fs.cat_file(f"{repo}/new/m") == data
        fs.rm(f"{repo}/new/m")
        assert list(stage.server.files(repo)) == ["new/t"]

    @pytest.mark.parametrize("before", [b"", b"x" * (LARGE + 1000)], ids=["no file", "a longer file"])
    def test_gets_a_file(self, stage, repo, tmp_path, before):
        data = filled(repo, m=content(82))["m"]
        stage.hub.requests.clear()
        path = tmp_path / "out"
        if before:
            path.write_bytes(before)
        HfFileSystem(skip_instance_cache=True).get_file(f"{repo}/m", str(path))
        assert path.read_bytes() == data
        assert len(stage.hub.seen("GET", "xet-read-token/main")) == HUB_2
        assert len(stage.hub.seen("GET", "/resolve/")) == (not HUB_2)

    def test_in_a_bucket(self, stage, bucket, tmp_path):
        data = content(83)
        fs = HfFileSystem(skip_instance_cache=True)
        root = f"buckets/{bucket}"
        for name, written in {"a/m": data, "a/empty": b""}.items():
            with fs.open(f"{root}/{name}", "wb") as stream:
                stream.write(written)
        assert_stored(stage, bucket, "a/m", data, tmp_path, kind="bucket")
        assert kept(stage, bucket, "a/empty", "bucket").xet_hash == EMPTY_XET_HASH
        with fs.open(f"{root}/a/m", "rb") as stream:
            stream.seek(2_000_000)
            assert stream.read(1000) == data[2_000_000:2_001_000]
        for name, written in {"a/m": data, "a/empty": b""}.items():
            fs.get_file(f"{root}/{name}", str(tmp_path / "out"))
            assert (tmp_path / "out").read_bytes() == written
        fs.rm(f"{root}/a/m")
        assert list(stage.server.files(bucket, "bucket")) == ["a/empty"]

    @pytest.mark.skipif(not HUB_2, reason="this version refuses copies into buckets")
    def test_copies_into_a_bucket(self, stage, repo, tmp_path):
        data = filled(repo, m=content(84))["m"]
        api().create_bucket(repo)
        HfFileSystem(skip_instance_cache=True).cp_file(f"{repo}/m", f"buckets/{repo}/copy")
        assert_stored(stage, repo, "copy", data, tmp_path, kind="bucket")


class TestBucket:
    def test_create_list_delete(self, stage, name):
        assert api().create_bucket(name).bucket_id == name
        assert api().create_bucket(name, exist_ok=True).bucket_id == name
        assert name in [info.id for info in api().list_buckets()]
        assert api().bucket_info(name).total_files == 0
        api().delete_bucket(name)
        assert not stage.server.exists(name, "bucket")

    def test_upload_list_download(self, stage, bucket, tmp_path):
        on_disk, in_memory = content(90), content(91)
        (tmp_path / "f").write_bytes(on_disk)
        api().batch_bucket_files(
            bucket, add=[(tmp_path / "f", "d/disk.bin"), (in_memory, "memory.bin"), (b"", "empty"), (SMALL, "small")]
        )
        everything = {"d/disk.bin": on_disk, "memory.bin": in_memory, "empty": b"", "small": SMALL}
        (asked,) = stage.hub.seen("GET", "xet-write-token")
        assert_asked_by_module(asked)
        lines = stage.hub.seen("POST", "/batch")[0].lines()
        assert {line["path"]: line["xetHash"] for line in lines} == {p: xet_hash(d) for p, d in everything.items()}
        for path, data in everything.items():
            if data:
                assert_stored(stage, bucket, path, data, tmp_path, kind="bucket")
        listed = {e.path: (e.size, e.xet_hash) for e in api().list_bucket_tree(bucket, recursive=True)}
        assert listed == {path: (len(data), xet_hash(data)) for path, data in everything.items()}
        assert {e.path for e in api().list_bucket_tree(bucket)} == set(everything)
        top = [e.path for e in api().list_bucket_tree(bucket, recursive=False)]
        assert top == ["d", "empty", "memory.bin", "small"]

        stage.hub.requests.clear()
        out = tmp_path / "out"
        api().download_bucket_files(bucket, [(path, out / path) for path in everything])
        assert {path: (out / path).read_bytes() for path in everything} == everything
        (asked,) = stage.hub.seen("GET", "xet-read-token")
        assert_asked_by_module(asked)

    def test_copy_and_delete(self, stage, bucket, tmp_path):
        data = content(92)
        api().batch_bucket_files(bucket, add=[(data, "a")])
        api().batch_bucket_files(bucket, copy=[("bucket", bucket, xet_hash(data), "b")], delete=["a"])
        assert list(stage.server.files(bucket, "bucket")) == ["b"]
        assert_stored(stage, bucket, "b", data, tmp_path, kind="bucket")

    def test_sync_both_ways(self, stage, bucket, tmp_path):
        files = {"1.bin": content(93), "d/2.bin": content(94, 150_000), "d/e/empty": b"", "note.txt": SMALL}
        source, target, there = tmp_path / "source", tmp_path / "target", f"hf://buckets/{bucket}/backup"
        for path, data in files.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(data)
        assert api().sync_bucket(str(source), there, quiet=True).summary()["uploads"] == 4
        assert_stored(stage, bucket, "backup/1.bin", files["1.bin"], tmp_path, kind="bucket")
        assert api().sync_bucket(there, str(target), quiet=True).summary()["downloads"] == 4
        assert TestSnapshot().found(target) == files
        assert api().sync_bucket(str(source), there, quiet=True).summary()["skips"] == 4

        (source / "1.bin").write_bytes(content(95, LARGE + 1))
        (source / "note.txt").unlink()
        told = api().sync_bucket(str(source), there, delete=True, quiet=True).summary()
        assert (told["uploads"], told["deletes"], told["skips"]) == (1, 1, 2)
        told = api().sync_bucket(there, str(target), delete=True, quiet=True).summary()
        assert (told["downloads"], told["deletes"]) == (1, 1)
        assert (target / "1.bin").read_bytes() == content(95, LARGE + 1)
        assert not (target / "note.txt").exists()

    def test_download_replaces_a_longer_file(self, bucket, tmp_path):
        api().batch_bucket_files(bucket, add=[(content(96), "f")])
        (tmp_path / "f").write_bytes(b"x" * (LARGE + 100))
        api().download_bucket_files(bucket, [("f", tmp_path / "f")])
        assert (tmp_path / "f").read_bytes() == content(96)

    def test_wrong_hash_is_an_error(self, stage, bucket, tmp_path):
        api().batch_bucket_files(bucket, add=[(content(97), "f"), (content(98), "g")])
        stage.hub.lies[kept(stage, bucket, "f", "bucket").xet_hash] = "ef" * 32
        with pytest.raises(RuntimeError):
            api().download_bucket_files(bucket, [(name, tmp_path / name) for name in "fg"])
        assert (tmp_path / "g").read_bytes() == content(98)


def last_states(text: str) -> dict[str, str]:
    """The last line that each bar drew, by what stands before its colon."""
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    drawn = (line.partition(":") for line in re.split(r"[\r\n]+", plain) if ":" in line)
    return {name.strip(): rest for name, _, rest in drawn}


class TestProgress:
    @pytest.fixture
    def shown(self, monkeypatch) -> None:
        """Has bars drawn without a terminal."""
        monkeypatch.setenv("TQDM_POSITION", "-1")

    def test_upload_ends_complete(self, stage, repo, capsys, tmp_path):
        path = tmp_path / "large.bin"
        path.write_bytes(content(100))
        api().upload_file(path_or_fileobj=path, path_in_repo="m", repo_id=repo)
        bars = last_states(capsys.readouterr().err)
        assert "100%" in bars["Processing Files (1 / 1)"]
        assert "3.00MB / 3.00MB" in bars["Processing Files (1 / 1)"]
        assert re.search(r"(\S+)B / +\1B", bars["New Data Upload"])
        assert "100%" in next(rest for name, rest in bars.items() if name.endswith("/large.bin"))
        assert "100%" in bars["Validating"] if HUB_2 else "Validating" not in bars

    def test_download_ends_complete(self, shown, repo, cache, capsys):
        filled(repo, m=content(101))
        capsys.readouterr()
        hf_hub_download(repo, "m", cache_dir=cache)
        bars = last_states(capsys.readouterr().err)
        assert "100%" in next(rest for rest in bars.values() if "3.00MB / 3.00MB" in rest)

    def test_bars_of_the_caller(self, shown, repo, cache):
        """A class of the caller's is fed from other threads, never backwards, and is complete at its end."""
        steps: dict[str, list[int]] = {}
        ends: dict[str, tuple[int, int]] = {}

        class Bar(tqdm):
            def update(self, n=1):
                steps.setdefault(self.desc, []).append(n)
                return super().update(n)

            def close(self):
                ends.setdefault(self.desc, (self.n, self.total))
                super().close()

        filled(repo, m=content(102, 5_000_000))
        hf_hub_download(repo, "m", cache_dir=cache, tqdm_class=Bar)
        assert ends["m: reconstructing file"] == (5_000_000, 5_000_000)
        assert sum(steps["m: reconstructing file"]) == 5_000_000
        assert sum(steps["m: downloading bytes"]) > 4_900_000
        assert all(step > 0 for steps_of_bar in steps.values() for step in steps_of_bar)

    def test_snapshot_and_bucket_end_complete(self, stage, shown, repo, cache, capsys, tmp_path):
        filled(repo, a=content(103), b=content(104))
        capsys.readouterr()
        hub_api.snapshot_download(repo, cache_dir=cache)
        bars = last_states(capsys.readouterr().err).values()
        assert any("100%" in rest and "6.00MB / 6.00MB" in rest for rest in bars), bars
        api().create_bucket(repo)
        api().batch_bucket_files(repo, add=[(content(105), "f"), (content(106), "g")])
        assert "6.00MB / 6.00MB" in last_states(capsys.readouterr().err)["Processing Files (1 / 1)"]
        api().download_bucket_files(repo, [("f", tmp_path / "f"), ("g", tmp_path / "g")])
        assert "6.00MB / 6.00MB" in last_states(capsys.readouterr().err)["Downloading bucket files"]

    def test_none_when_switched_off(self, repo, cache, capsys, shown):
        with disable_progress_bars():
            filled(repo, m=content(107))
            hf_hub_download(repo, "m", cache_dir=cache)
        assert capsys.readouterr().err == ""

    def test_folder_on_a_terminal(self, repo, tmp_path):
        """The folder upload draws, and asks the module for progress, only on a terminal."""
        for i in range(3):
            (tmp_path / f"m{i}").write_bytes(content(110 + i))
        script = "import sys, huggingface_hub as h; h.upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2])"
        controller, terminal = os.openpty()
        child = subprocess.Popen([sys.executable, "-c", script, repo, str(tmp_path)], stderr=terminal)
        os.close(terminal)
        drawn = b""
        try:
            while more := os.read(controller, 4096):
                drawn += more
        except OSError:  # how Linux says that nobody has the terminal open
            pass
        finally:
            os.close(controller)
        assert child.wait(60) == 0
        final = drawn.decode().rpartition("Preparing")[2]
        assert re.search(r"Uploading +█+ +3 / 3 files  9\.\d+MB", final), final
        assert re.search(r"Committing +█+ +3 / 3", final), final
        assert "Validating" not in final or "100%" in final


class TestSession:
    def test_short_tokens_are_renewed(self, stage, repo, tmp_path):
        """Of 20 s, so that they are always about to end: the module asks again for its requests to the CAS."""
        stage.hub.token_life_s = 20
        data = content(120)
        api().upload_file(path_or_fileobj=data, path_in_repo="m", repo_id=repo)
        asked = stage.hub.seen("GET", "xet-write-token")
        assert len(asked) >= 2
        assert len({r.headers["x-xet-session-id"] for r in asked}) == 1
        for request in asked:
            assert_asked_by_module(request)
        stage.hub.requests.clear()
        assert Path(hf_hub_download(repo, "m", cache_dir=tmp_path)).read_bytes() == data
        asked = stage.hub.seen("GET", "xet-read-token")
        assert [bool(r.headers.get("x-xet-session-id")) for r in asked][:2] == [False, True]

    def test_what_the_cas_is_told(self, stage, repo, cache):
        """The CAS's token and session, the caller's headers and the module's name; never the token of the Hub."""
        filled(repo, m=content(128))

        def elsewhere(request: Request) -> Answer | None:
            if "xet-" not in request.path:
                return None
            told = {"accessToken": "of-the-cas", "exp": int(time.time()) + 3600, "casUrl": f"{stage.hub.url}/cas"}
            names = ("X-Xet-Access-Token", "X-Xet-Token-Expiration", "X-Xet-Cas-Url")
            return as_json(told, headers=dict(zip(names, map(str, told.values()), strict=True)))

        stage.hub.hooks.append(elsewhere)
        stage.hub.requests.clear()
        with pytest.raises(RuntimeError):
            hf_hub_download(repo, "m", cache_dir=cache)
        assert stage.hub.seen("GET", "^/cas/v[12]/reconstructions/")
        with pytest.raises(OSError):
            api().upload_file(path_or_fileobj=content(129), path_in_repo="m", repo_id=repo)
        assert stage.hub.seen("POST", "^/cas/v[12]/")
        for request in stage.hub.requests:
            if request.path.startswith("/cas/"):
                assert request.headers["authorization"] == "Bearer of-the-cas"
                assert re.fullmatch(r"unknown/None; hf_hub/.*; hf_xet/[0-9]\S*", request.headers["user-agent"])
                assert request.headers["x-xet-session-id"]

    def test_busy_token_route_is_asked_again(self, stage, repo, tmp_path):
        def busy(request: Request) -> Answer | None:
            asked = stage.hub.seen("GET", "xet-write-token")
            return Answer(503) if "xet-write-token" in request.path and len(asked) < 3 else None

        stage.hub.hooks.append(busy)
        api().upload_file(path_or_fileobj=content(127), path_in_repo="m", repo_id=repo)
        assert [r.status for r in stage.hub.seen("GET", "xet-write-token")] == [503, 503, 200]
        assert_stored(stage, repo, "m", content(127), tmp_path)

    def test_abort_and_go_on(self, repo, cache):
        data = filled(repo, m=content(121))["m"]
        abort_xet_session()
        abort_xet_session()
        assert Path(hf_hub_download(repo, "m", cache_dir=cache)).read_bytes() == data

    @pytest.mark.parametrize("way", ["upload", "bucket download"])
    def test_interrupt_ends_a_transfer_at_once(self, stage, name, tmp_path, way):
        """Ctrl-C while the transfer waits for its second token, which does not come."""
        api().create_repo(name)
        api().create_bucket(name)
        api().batch_bucket_files(name, add=[(content(122), "f")])
        stage.hub.requests.clear()
        stage.hub.token_life_s = 20
        stalled, go_on = threading.Event(), threading.Event()

        def stall(request: Request) -> None:
            if "xet-" in request.path and len(stage.hub.seen("GET", "xet-(read|write)-token")) > 1:
                if not stalled.is_set():
                    stalled.set()
                    os.kill(os.getpid(), signal.SIGINT)
                go_on.wait(30)

        def work() -> None:
            if way == "upload":
                api().upload_file(path_or_fileobj=content(123), path_in_repo="m", repo_id=name)
            else:
                api().download_bucket_files(name, [("f", tmp_path / "f")])

        stage.hub.hooks.append(stall)
        start = time.monotonic()
        try:
            with pytest.raises(KeyboardInterrupt):
                work()
            assert time.monotonic() - start < 5
        finally:
            go_on.set()
        stage.hub.hooks.clear()
        work()

    def test_child_after_fork_makes_its_own_session(self, repo, cache, tmp_path):
        data = filled(repo, m=content(124))["m"]
        fork = multiprocessing.get_context("fork")

        def child() -> None:
            path = hf_hub_download(repo, "m", cache_dir=cache)
            api().upload_file(path_or_fileobj=content(125), path_in_repo="n", repo_id=repo)
            os._exit(0 if Path(path).read_bytes() == data else 3)

        process = fork.Process(target=child)
        process.start()
        process.join(30)
        if process.is_alive():
            process.kill()
        assert process.exitcode == 0
        assert Path(hf_hub_download(repo, "n", cache_dir=tmp_path / "2")).read_bytes() == content(125)

    def test_command_line(self, stage, repo, tmp_path):
        """`hf upload` and `hf download` in processes of their own."""

        def hf(*arguments: str) -> str:
            command = [str(Path(sys.executable).parent / "hf"), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        (tmp_path / "m").write_bytes(content(126))
        hf("upload", repo, "m", "weights/m")
        assert_stored(stage, repo, "weights/m", content(126), tmp_path / "out")
        hf("download", repo, "weights/m", "--local-dir", "here")
        assert (tmp_path / "here/weights/m").read_bytes() == content(126)
