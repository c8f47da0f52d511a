"""Transfers to and from Xet, the chunk-deduplicating storage of the Hugging Face Hub."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, Protocol, TypeAlias, final, overload

from typing_extensions import Self  # noqa: UP035 - Python 3.10 has none

__all__ = [
    "COMPUTE_SHA256",
    "SKIP_SHA256",
    "DeduplicationMetrics",
    "GroupProgressReport",
    "ItemProgressReport",
    "PyItemProgressUpdate",
    "PyPointerFile",
    "PyTotalProgressUpdate",
    "PyXetConfigIter",
    "PyXetDownloadInfo",
    "PyXetUploadInfo",
    "ShardUploadProgressReport",
    "UniqueId",
    "XetAuthenticationError",
    "XetCommitReport",
    "XetConfig",
    "XetDownloadGroupReport",
    "XetDownloadReport",
    "XetDownloadStream",
    "XetDownloadStreamGroup",
    "XetFileDownload",
    "XetFileDownloadGroup",
    "XetFileInfo",
    "XetFileMetadata",
    "XetFileUpload",
    "XetObjectNotFoundError",
    "XetSession",
    "XetStreamUpload",
    "XetTaskState",
    "XetUnorderedDownloadStream",
    "XetUploadCommit",
    "_ComputeSha256Type",
    "_SkipSha256Type",
    "download_files",
    "force_sigint_shutdown",
    "hash_files",
    "upload_bytes",
    "upload_files",
]

# What a field of a configuration gives, and what it takes: durations and sizes also as text.
_ConfigValue: TypeAlias = bool | int | float | str | timedelta | None
_Bytes: TypeAlias = bytes | bytearray | memoryview | Sequence[int]
_Sha256: TypeAlias = str | _ComputeSha256Type | _SkipSha256Type | None
_Progress: TypeAlias = Callable[[GroupProgressReport, dict[UniqueId, ItemProgressReport]], object]

# --- Exceptions

class XetAuthenticationError(PermissionError):
    """The store refused the credentials, or there were none to be had."""

class XetObjectNotFoundError(FileNotFoundError):
    """The store does not have what was asked for."""

# --- Settings

@final
class PyXetConfigIter:
    """Walks over the fields of a configuration."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[str, _ConfigValue]: ...

@final
class XetConfig:
    """Settings: defaults, changed by the environment and by with_config(). Never changes itself."""

    def __init__(self) -> None: ...
    @overload
    def with_config(self, name_or_dict: str, value: bool | float | str | timedelta) -> XetConfig:
        """A copy with another value of one field, "group.field"."""

    @overload
    def with_config(self, name_or_dict: dict[str, Any], value: None = None) -> XetConfig:
        """A copy with other values of several fields."""

    def get(self, path: str) -> _ConfigValue:
        """The value of "group.field"; ValueError when there is no such field."""

    def keys(self) -> list[str]:
        """The names of all fields, as "group.field"."""

    def items(self) -> list[tuple[str, _ConfigValue]]:
        """All fields with their values."""

    def __getitem__(self, path: str) -> _ConfigValue: ...
    def __iter__(self) -> PyXetConfigIter: ...
    def __len__(self) -> int: ...

# --- Sessions

@final
class XetSession:
    """Configuration, threads, memory and connections that transfers share."""

    def __init__(self, config: XetConfig | None = None) -> None: ...
    def new_upload_commit(
        self,
        endpoint: str | None = None,
        token: str | None = None,
        token_expiry_unix_secs: int | None = None,
        token_refresh_url: str | None = None,
        token_refresh_headers: dict[str, str] | None = None,
        custom_headers: dict[str, str] | None = None,
        progress_callback: _Progress | None = None,
        progress_interval_ms: int = 100,
    ) -> XetUploadCommit:
        """A commit for files to upload. Without an endpoint the refresh URL is asked for one, at once."""

    def new_file_download_group(
        self,
        endpoint: str | None = None,
        token: str | None = None,
        token_expiry_unix_secs: int | None = None,
        token_refresh_url: str | None = None,
        token_refresh_headers: dict[str, str] | None = None,
        custom_headers: dict[str, str] | None = None,
        progress_callback: _Progress | None = None,
        progress_interval_ms: int = 100,
    ) -> XetFileDownloadGroup:
        """A group for files to download. Arguments are those of new_upload_commit()."""

    def new_download_stream_group(
        self,
        endpoint: str | None = None,
        token: str | None = None,
        token_expiry_unix_secs: int | None = None,
        token_refresh_url: str | None = None,
        token_refresh_headers: dict[str, str] | None = None,
        custom_headers: dict[str, str] | None = None,
    ) -> XetDownloadStreamGroup:
        """A group for files, or ranges of them, to be read piece by piece."""

    def status(self) -> XetTaskState:
        """The state of the session."""

    def sigint_abort(self) -> None:
        """Ends everything that belongs to the session, in all threads; its calls raise KeyboardInterrupt then."""

@final
class XetTaskState:
    """Where a session, a group or a file stands. A failure is raised instead."""

    Running: ClassVar[XetTaskState]
    Finalizing: ClassVar[XetTaskState]
    Completed: ClassVar[XetTaskState]
    UserCancelled: ClassVar[XetTaskState]
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __eq__(self, other: object) -> bool: ...
    def __int__(self) -> int: ...

@final
class UniqueId:
    """Names a group, a file or a stream within the process."""

    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class XetFileInfo:
    """What a file is asked for by: its Xet hash, and its size if known."""

    def __init__(self, hash: str, file_size: int | None = None) -> None: ...
    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""

    @property
    def file_size(self) -> int | None:
        """Bytes."""

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of an uploaded file, unless it was left out."""

# --- Uploads

@final
class _ComputeSha256Type:
    """The type of COMPUTE_SHA256."""

@final
class _SkipSha256Type:
    """The type of SKIP_SHA256."""

COMPUTE_SHA256: Final[_ComputeSha256Type]
"""For `sha256=`: compute it while the file is read, as without the argument."""
SKIP_SHA256: Final[_SkipSha256Type]
"""For `sha256=`: store none."""

@final
class XetUploadCommit:
    """Files that become readable together. `with` finishes it, or aborts it when an exception leaves the block."""

    def start_upload_file(self, path: str, sha256: _Sha256 = None) -> XetFileUpload:
        """Begins to upload a file, and returns at once."""

    def start_upload_bytes(self, data: _Bytes, sha256: _Sha256 = None, name: str | None = None) -> XetFileUpload:
        """The same for bytes, which are copied."""

    def start_upload_stream(self, name: str | None = None, sha256: _Sha256 = None) -> XetStreamUpload:
        """A file whose bytes are written bit by bit; it has to be finished before the commit."""

    def wait_to_finish(self) -> XetCommitReport:
        """Waits until every file is stored; raises what went wrong first."""

    def abort(self) -> None:
        """Ends the commit; nothing of it is registered. Harmless when it is over."""

    def progress(self) -> GroupProgressReport:
        """How far the commit is."""

    def status(self) -> XetTaskState:
        """The state of the commit; raises when it has failed."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, _exc_val: BaseException | None, _exc_tb: TracebackType | None
    ) -> Literal[False]: ...

@final
class XetFileUpload:
    """One file of a commit."""

    def result(self) -> XetFileMetadata:
        """Waits until the file has been read and deduplicated. Whether it is stored, the commit says."""

    def try_result(self) -> XetFileMetadata | None:
        """The result if it is there."""

    def progress(self) -> ItemProgressReport | None:
        """How far the file is."""

    def status(self) -> XetTaskState:
        """The state of the file; raises when it has failed."""

    def task_id(self) -> UniqueId:
        """Its key in reports."""

@final
class XetStreamUpload:
    """One file of a commit that is written. `with` finishes it, or aborts it when an exception leaves the block."""

    def write(self, data: bytes) -> None:
        """Adds bytes; waits while there are too many under way."""

    def finish(self) -> XetFileMetadata:
        """Says that the file is complete, and waits as XetFileUpload.result() does."""

    def try_finish(self) -> XetFileMetadata | None:
        """The result if it is there. Does not finish."""

    def abort(self) -> None:
        """Gives the file up, and with it the commit."""

    def progress(self) -> ItemProgressReport | None:
        """How far the file is."""

    def status(self) -> XetTaskState:
        """The state of the file; raises when it has failed."""

    def task_id(self) -> UniqueId:
        """Its key in reports."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, _exc_val: BaseException | None, _exc_tb: TracebackType | None
    ) -> Literal[False]: ...

@final
class XetFileMetadata:
    """What an upload made of a file."""

    @property
    def task_id(self) -> UniqueId:
        """The key of its handle."""

    @property
    def xet_info(self) -> XetFileInfo:
        """Hash, size and SHA-256: what the file is downloaded by."""

    @property
    def dedup_metrics(self) -> DeduplicationMetrics:
        """What deduplication did for it."""

    @property
    def tracking_name(self) -> str | None:
        """The absolute path, or the name that bytes or a stream were given."""

@final
class XetCommitReport:
    """What a commit has stored."""

    @property
    def dedup_metrics(self) -> DeduplicationMetrics:
        """What deduplication did for all files together."""

    @property
    def progress(self) -> GroupProgressReport:
        """The numbers at the end."""

    @property
    def uploads(self) -> dict[UniqueId, XetFileMetadata]:
        """Each file, by the task_id() of its handle."""

@final
class DeduplicationMetrics:
    """What deduplication did. Bytes of content, unless they are said to be uploaded."""

    @property
    def total_bytes(self) -> int:
        """All bytes of the files."""

    @property
    def deduped_bytes(self) -> int:
        """Those that were known already."""

    @property
    def new_bytes(self) -> int:
        """Those that were not."""

    @property
    def deduped_bytes_by_global_dedup(self) -> int:
        """Those of the known ones that the store told of when asked."""

    @property
    def defrag_prevented_dedup_bytes(self) -> int:
        """Those that were known and are stored again, so that the file stays in few pieces."""

    @property
    def total_chunks(self) -> int:
        """All chunks of the files."""

    @property
    def deduped_chunks(self) -> int:
        """Those that were known already."""

    @property
    def new_chunks(self) -> int:
        """Those that were not."""

    @property
    def deduped_chunks_by_global_dedup(self) -> int:
        """Those of the known ones that the store told of when asked."""

    @property
    def defrag_prevented_dedup_chunks(self) -> int:
        """Those that were known and are stored again, so that the file stays in few pieces."""

    @property
    def xorb_bytes_uploaded(self) -> int:
        """Bytes of xorbs that were sent, compressed."""

    @property
    def shard_bytes_uploaded(self) -> int:
        """Bytes of shards that were sent."""

    @property
    def total_bytes_uploaded(self) -> int:
        """Both together."""

# --- Downloads

@final
class XetFileDownloadGroup:
    """Files to download. `with` waits for them, or aborts them when an exception leaves the block."""

    def start_download_file(self, file_info: XetFileInfo, dest_path: str) -> XetFileDownload:
        """Begins to download a file, and returns at once. Missing parent directories are made."""

    def wait_to_finish(self) -> XetDownloadGroupReport:
        """Waits for all files; raises what went wrong first."""

    def abort(self) -> None:
        """Ends what is not over."""

    def progress(self) -> GroupProgressReport:
        """How far the group is."""

    def status(self) -> XetTaskState:
        """The state of the group; raises when it has failed."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, _exc_val: BaseException | None, _exc_tb: TracebackType | None
    ) -> Literal[False]: ...

@final
class XetFileDownload:
    """One file of a download group."""

    def result(self) -> XetDownloadReport:
        """Waits until the file is in place; raises when it has failed."""

    def try_result(self) -> XetDownloadReport | None:
        """The result if it is there; raises when the file has failed."""

    def cancel(self) -> None:
        """Gives up this file alone."""

    def progress(self) -> ItemProgressReport | None:
        """How far the file is."""

    def status(self) -> XetTaskState:
        """The state of the file; raises when it has failed."""

    def task_id(self) -> UniqueId:
        """Its key in reports."""

@final
class XetDownloadReport:
    """A file that is in place."""

    @property
    def task_id(self) -> UniqueId:
        """The key of its handle."""

    @property
    def path(self) -> Path:
        """Where it is, absolute."""

    @property
    def file_info(self) -> XetFileInfo:
        """What it was asked for by."""

    @property
    def progress(self) -> ItemProgressReport | None:
        """The numbers at the end."""

@final
class XetDownloadGroupReport:
    """What a group has downloaded."""

    @property
    def progress(self) -> GroupProgressReport:
        """The numbers at the end."""

    @property
    def downloads(self) -> dict[UniqueId, XetDownloadReport]:
        """Each file, by the task_id() of its handle."""

@final
class XetDownloadStreamGroup:
    """Streams from one store. `with` finishes it, or aborts it when an exception leaves the block."""

    def download_stream(
        self, file_info: XetFileInfo, start: int | None = None, end: int | None = None
    ) -> XetDownloadStream:
        """The bytes of a file, or those from `start` to before `end`, in order."""

    def download_unordered_stream(
        self, file_info: XetFileInfo, start: int | None = None, end: int | None = None
    ) -> XetUnorderedDownloadStream:
        """The same as pairs of offset and bytes, in whatever order they come."""

    def finish(self) -> None:
        """No more streams; those there are go on."""

    def abort(self) -> None:
        """Ends all streams of the group, without an exception."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, _exc_val: BaseException | None, _exc_tb: TracebackType | None
    ) -> Literal[False]: ...

@final
class XetDownloadStream:
    """Gives the pieces of a file in order. Nothing is fetched before the first is asked for."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...
    def cancel(self) -> None:
        """Ends the stream, from any thread."""

    def progress(self) -> ItemProgressReport:
        """How far the stream is."""

@final
class XetUnorderedDownloadStream:
    """Gives pieces of a file with their offsets, counted from the start of the range."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[int, bytes]: ...
    def cancel(self) -> None:
        """Ends the stream, from any thread."""

    def progress(self) -> ItemProgressReport:
        """How far the stream is."""

# --- Progress

@final
class GroupProgressReport:
    """How far a commit or a group is."""

    @property
    def total_bytes(self) -> int:
        """Bytes of the files, as far as known."""

    @property
    def total_bytes_completed(self) -> int:
        """Those that are read and deduplicated, or verified and written."""

    @property
    def total_bytes_completion_rate(self) -> float | None:
        """The same per second; None until enough was seen."""

    @property
    def total_transfer_bytes(self) -> int:
        """Bytes that have to travel, as far as known."""

    @property
    def total_transfer_bytes_completed(self) -> int:
        """Those that have."""

    @property
    def total_transfer_bytes_completion_rate(self) -> float | None:
        """The same per second; None until enough was seen."""

    @property
    def shard(self) -> ShardUploadProgressReport | None:
        """The registration of the files, at the end of an upload; None for downloads."""

@final
class ItemProgressReport:
    """How far one file is."""

    @property
    def item_name(self) -> str:
        """Its absolute path or name."""

    @property
    def total_bytes(self) -> int:
        """Its size, as far as known."""

    @property
    def bytes_completed(self) -> int:
        """How much of it is done."""

@final
class ShardUploadProgressReport:
    """How far the shards of an upload are, which register its files."""

    @property
    def total_shard_bytes(self) -> int:
        """Bytes of the shards begun."""

    @property
    def total_shard_bytes_upload_completed(self) -> int:
        """Those that are sent."""

    @property
    def total_shards(self) -> int:
        """Shards begun."""

    @property
    def total_shard_validation_entries(self) -> int:
        """Xorbs and files that the store has to verify."""

    @property
    def total_shard_validation_entries_completed(self) -> int:
        """Those that are verified."""

    @property
    def total_shards_uploaded_to_store(self) -> int:
        """Shards that the store has put away."""

    @property
    def total_shards_synced(self) -> int:
        """Shards that all parts of the store know."""

    @property
    def total_shards_completed(self) -> int:
        """Shards that are done."""

# --- Functions of before 1.5, deprecated

class PyXetDownloadInfo:
    """A file to download, for download_files()."""

    def __init__(self, destination_path: str, hash: str, file_size: int | None = None) -> None: ...
    @property
    def destination_path(self) -> str:
        """Where it goes."""

    @destination_path.setter
    def destination_path(self, path: str, /) -> None: ...
    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""

    @property
    def file_size(self) -> int | None:
        """Bytes."""

@final
class PyPointerFile(PyXetDownloadInfo):
    """The same as it was before 1.1."""

    def __init__(self, path: str, hash: str, filesize: int) -> None: ...
    @property
    def path(self) -> str:
        """Where it goes."""

    @path.setter
    def path(self, path: str, /) -> None: ...
    @property
    def filesize(self) -> int:
        """Bytes."""

@final
class PyXetUploadInfo:
    """A file that was uploaded or hashed."""

    def __init__(self, hash: str, file_size: int) -> None: ...
    @property
    def hash(self) -> str:
        """64 hexadecimal digits."""

    @property
    def file_size(self) -> int:
        """Bytes."""

    @property
    def filesize(self) -> int:
        """The same."""

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of an uploaded file, unless it was left out."""

@final
class PyTotalProgressUpdate:
    """How far a call is, and how much further than at the last update."""

    @property
    def total_bytes(self) -> int:
        """Bytes of the files, as far as known."""

    @property
    def total_bytes_increment(self) -> int:
        """By how much that has grown."""

    @property
    def total_bytes_completed(self) -> int:
        """Those that are done."""

    @property
    def total_bytes_completion_increment(self) -> int:
        """By how much that has grown."""

    @property
    def total_bytes_completion_rate(self) -> float | None:
        """The same per second; None until enough was seen."""

    @property
    def total_transfer_bytes(self) -> int:
        """Bytes that have to travel, as far as known."""

    @property
    def total_transfer_bytes_increment(self) -> int:
        """By how much that has grown."""

    @property
    def total_transfer_bytes_completed(self) -> int:
        """Those that have."""

    @property
    def total_transfer_bytes_completion_increment(self) -> int:
        """By how much that has grown."""

    @property
    def total_transfer_bytes_completion_rate(self) -> float | None:
        """The same per second; None until enough was seen."""

@final
class PyItemProgressUpdate:
    """How far a file is, and how much further than at the last update."""

    @property
    def item_name(self) -> str:
        """The path as it was given."""

    @property
    def total_bytes(self) -> int:
        """Its size, as far as known."""

    @property
    def bytes_completed(self) -> int:
        """How much of it is done."""

    @property
    def bytes_completion_increment(self) -> int:
        """By how much that has grown."""

class _DetailedUpdater(Protocol):
    def __call__(self, total_update: PyTotalProgressUpdate, item_updates: list[PyItemProgressUpdate]) -> object: ...

# Told the bytes done since the last call, or the details by keyword.
_Updater: TypeAlias = Callable[[int], object] | _DetailedUpdater

def upload_bytes(
    file_contents: Sequence[_Bytes],
    endpoint: str | None,
    token_info: tuple[str, int] | None,
    token_refresher: Callable[[], tuple[str, int]] | None,
    progress_updater: _Updater | None,
    _repo_type: str | None,
    request_headers: dict[str, str] | None = None,
    sha256s: Sequence[str] | None = None,
    skip_sha256: bool = False,
) -> list[PyXetUploadInfo]:
    """Uploads bytes, each as a file. Deprecated."""

def upload_files(
    file_paths: Sequence[str],
    endpoint: str | None,
    token_info: tuple[str, int] | None,
    token_refresher: Callable[[], tuple[str, int]] | None,
    progress_updater: _Updater | None,
    _repo_type: str | None,
    request_headers: dict[str, str] | None = None,
    sha256s: Sequence[str] | None = None,
    skip_sha256: bool = False,
) -> list[PyXetUploadInfo]:
    """Uploads files. Deprecated."""

def hash_files(file_paths: Sequence[str]) -> list[PyXetUploadInfo]:
    """Xet hashes and sizes of files, without a store."""

def download_files(
    files: Sequence[PyXetDownloadInfo],
    endpoint: str | None,
    token_info: tuple[str, int] | None,
    token_refresher: Callable[[], tuple[str, int]] | None,
    progress_updater: Sequence[_Updater | None] | None,
    request_headers: dict[str, str] | None = None,
) -> list[str]:
    """Downloads files, with one updater for each; gives their paths. Deprecated."""

def force_sigint_shutdown() -> None:
    """Ends the calls above that are under way in other threads, and raises KeyboardInterrupt."""
