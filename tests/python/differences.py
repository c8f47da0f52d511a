"""Where our module means to differ from hf-xet 1.8.0. docs/python.md shows the same table: `python differences.py`
prints it.

A test that expects such a difference takes its expectation from `pick`; test_differences.py sees to it that no entry
is without a test, and no test without an entry.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

OURS = "+cpp" in importlib.metadata.version("hf-xet")


@dataclass(frozen=True)
class Difference:
    """What each of the two modules does, and why ours does something else."""

    genuine: str
    ours: str
    reason: str


DIFFERENCES = {
    "module_name": Difference(
        "`__module__` of the classes is `builtins`",
        "it is `hf_xet`",
        "tracebacks and documentation tools name the module",
    ),
    "authentication_error": Difference(
        "401 and 403 from a token route or a server are `ConnectionError`",
        "they are `XetAuthenticationError`",
        "the class exists for this; a caller can tell a bad token from a broken network",
    ),
    "empty_file_sha256": Difference(
        "the SHA-256 of an empty file, and of a stream of nothing, is 64 zeros",
        "it is the SHA-256 of nothing, as both modules tell for empty bytes",
        "64 zeros are wrong",
    ),
    "poisoned_by_an_argument": Difference(
        "a missing file, a bad hash or a bad range make every later call on the commit or group fail",
        "they fail alone; the commit or group goes on without them",
        "what was refused has changed nothing",
    ),
    "partial_commit": Difference(
        "a commit with a file that failed raises, and registers the other files all the same",
        "it raises and registers nothing",
        "a caller who sees an exception must not have to ask what was kept",
    ),
    "precise_task_error": Difference(
        "a download that fails raises a plain `RuntimeError` with a text that begins with `Task error: `",
        "the same, and the exception is also an instance of the class that fits, such as `XetObjectNotFoundError`",
        "a caller can tell a missing file from a full disk",
    ),
    "unknown_file_in_a_directory": Difference(
        "a hash that a `local://` store does not have is an empty file when no size is given",
        "it is a `XetObjectNotFoundError`",
        "nothing must not be taken for a file",
    ),
    "download_in_place": Difference(
        "a download is written into its destination, where a failed one leaves what came so far",
        "it is written beside it and gets its name when it is complete and right",
        "there is no moment at which a wrong file can be seen under its name",
    ),
    "file_size_too_small": Difference(
        "a declared `file_size` below the real one cuts the file without a word",
        "it raises",
        "the file is not what its hash says",
    ),
    "verified_downloads": Difference(
        "bytes that do not belong to the hash that was asked for are written",
        "they raise",
        "the hash is a promise",
    ),
    "stream_error_is_raised": Difference(
        "a stream whose request fails ends, now and then, as if the file were over",
        "it raises, always",
        "a cut file must not look like a whole one",
    ),
    "stream_in_two_threads": Difference(
        "while one thread waits in `next()`, `cancel()` and `progress()` of that stream raise `RuntimeError`",
        "they work, and `cancel()` ends the waiting",
        "`cancel()` is for a stream that is under way",
    ),
    "streams_in_the_progress": Difference(
        "the items of the progress callback leave out stream uploads",
        "they may hold them",
        "a stream is a file like others",
    ),
    "abort_in_the_callback": Difference(
        "`abort()` called in a progress callback waits for that callback, for ever",
        "it returns",
        'a callback is where a user\'s "stop" is seen',
    ),
    "not_found_error": Difference(
        "404 for a file is `ConnectionError`",
        "it is `XetObjectNotFoundError`",
        "the class exists for this",
    ),
    "device_as_destination": Difference(
        "a device or pipe as the destination of a download is written to",
        "it raises",
        "a file that is written out of order and checked before it is seen needs a place of its own; streams do not",
    ),
    "old_token": Difference(
        "a token whose time is over and that cannot be replaced is not sent: the call fails at once",
        "it is sent",
        "the clock of the server decides, and the one here may be wrong",
    ),
    "numbers_are_finite": Difference(
        "`inf` and `nan` are numbers for a setting",
        "they are a `ValueError`",
        "no setting means anything with them",
    ),
    "time_out": Difference(
        "a server that does not answer in time is `ConnectionError`",
        "it is `TimeoutError`",
        "Python has a class for this",
    ),
    "line_of_the_warning": Difference(
        "a `DeprecationWarning` names the line where the caller of the deprecated function was called",
        "it names the line of the call",
        "that is the line to change",
    ),
    "ctrl_c_everywhere": Difference(
        "Ctrl-C ends `wait_to_finish()` and `with`; other calls go on until they are done",
        "it ends every call that waits",
        "a stalled network must not take the keyboard away",
    ),
    "ctrl_c_in_deprecated_functions": Difference(
        "Ctrl-C in a deprecated function raises `KeyboardInterrupt` twice, or `RuntimeError` as well, and prints",
        "it raises one `KeyboardInterrupt` and prints nothing",
        "a program can catch one exception",
    ),
    "stream_after_fork": Difference(
        "in a forked child `next()` of a parent's stream waits for ever",
        "it raises, like everything else that belongs to the parent",
        "an exception can be seen",
    ),
    "child_hurts_the_parent": Difference(
        "a forked child that drops what it inherited may take the files of the parent's running commits away",
        "it touches nothing of its parent",
        "data loaders fork and end all the time",
    ),
    "fork_while_busy": Difference(
        "a worker that is forked while the parent transfers may wait for ever",
        "it transfers",
        "`multiprocessing` and data loaders fork at any time",
    ),
    "log_file": Difference(
        "import opens a log file in the cache directory, or where `HF_XET_LOG_DEST` says, and starts a thread for it",
        "it writes nothing; the `HF_XET_LOG_*` variables and fields are taken and have no effect",
        "a library must not write where nobody asked it to",
    ),
    "open_files_limit": Difference(
        "import raises the soft limit of open files to the hard one",
        "it leaves it alone",
        "limits belong to the program",
    ),
    "telemetry": Difference(
        "transfers are reported to the server, unless one of several variables is set",
        "nothing is reported; the variables and fields are taken and have no effect",
        "no telemetry",
    ),
}


def pick(name: str, *, genuine: T, ours: T) -> T:
    """What the module under test is expected to do about the difference called `name`."""
    if name not in DIFFERENCES:
        raise KeyError(f"{name} is not in the table of differences")
    return ours if OURS else genuine


def markdown() -> str:
    """The table as it stands in docs/python.md."""
    rows = [("`hf-xet` 1.8.0", "this module", "why"), ("---",) * 3]
    rows += [(one.genuine, one.ours, one.reason) for one in DIFFERENCES.values()]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


if __name__ == "__main__":
    print(markdown(), end="")
