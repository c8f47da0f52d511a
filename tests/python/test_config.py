"""XetConfig: fields, defaults, kinds of values, errors, and what the environment says."""

from __future__ import annotations

import contextlib
import json
import math
from datetime import timedelta
from pathlib import Path

import hf_xet
import pytest
from differences import pick
from support import fails, run_python

SECOND = timedelta(seconds=1)

# What cannot be known beforehand: sizes that follow from the memory of the machine.
DERIVED = (
    "reconstruction.download_buffer_size",
    "reconstruction.download_buffer_perfile_size",
    "reconstruction.download_buffer_limit",
)

DEFAULTS = {
    "data.min_spacing_between_global_dedup_queries": 256,
    "data.local_cas_scheme": "local://",
    "data.max_concurrent_file_ingestion": 8,
    "data.max_concurrent_file_downloads": 8,
    "data.ingestion_block_size": 8_000_000,
    "data.progress_update_interval": 0.2 * SECOND,
    "data.progress_update_speed_sampling_window": 10 * SECOND,
    "data.progress_update_speed_min_observations": 4,
    "data.session_xorb_metadata_flush_interval": 20 * SECOND,
    "data.session_xorb_metadata_flush_max_count": 64,
    "data.default_cas_endpoint": "http://localhost:8080",
    "data.aggregate_progress": True,
    "data.default_prefix": "default",
    "data.staging_subdir": "staging",
    "shard.cache_size_limit": 16_000_000_000,
    "shard.chunk_index_table_max_size": 67_108_864,
    "shard.cache_subdir": "shard-cache",
    "deduplication.nranges_in_streaming_fragmentation_estimator": 128,
    "deduplication.min_n_chunks_per_range_hysteresis_factor": 0.5,
    "deduplication.min_n_chunks_per_range": 8.0,
    "deduplication.global_dedup_query_enabled": True,
    "chunk_cache.size_bytes": 0,
    "client.retry_max_attempts": 5,
    "client.retry_base_delay": 3 * SECOND,
    "client.retry_max_duration": 360 * SECOND,
    "client.idle_connection_timeout": 60 * SECOND,
    "client.max_idle_connections": 16,
    "client.connect_timeout": 60 * SECOND,
    "client.read_timeout": 300 * SECOND,
    "client.upload_reporting_block_size": 524_288,
    "client.enable_adaptive_concurrency": True,
    "client.legacy_direct_xorb_upload": False,
    "client.max_xorb_grant_attempts": 3,
    "client.ac_min_adjustment_window_ms": 500,
    "client.ac_min_bytes_required_for_adjustment": 20_000_000,
    "client.ac_num_transmissions_required_for_adjustment": 1,
    "client.ac_latency_rtt_half_life": 64.0,
    "client.ac_success_tracking_half_life": 8.0,
    "client.ac_target_rtt": 60 * SECOND,
    "client.ac_max_healthy_rtt": 90 * SECOND,
    "client.ac_rtt_success_max_quantile": 0.95,
    "client.ac_healthy_success_ratio_threshold": 0.8,
    "client.ac_unhealthy_success_ratio_threshold": 0.5,
    "client.ac_max_reference_transmission_size": 64_000_000,
    "client.ac_min_reference_transmission_size": 1_000_000,
    "client.ac_logging_interval_ms": 10_000,
    "client.ac_max_upload_concurrency": 64,
    "client.ac_min_upload_concurrency": 1,
    "client.ac_initial_upload_concurrency": 2,
    "client.ac_max_download_concurrency": 64,
    "client.ac_min_download_concurrency": 1,
    "client.ac_initial_download_concurrency": 4,
    "client.unix_socket_path": None,
    "client.reconstruction_api_version": None,
    "client.shard_api_version": None,
    "client.enable_multirange_fetching": False,
    "log.dest": None,
    "log.format": None,
    "log.prefix": "xet",
    "log.dir_disable_cleanup": False,
    "log.dir_max_size": 250_000_000,
    "log.dir_min_deletion_age": 86_400 * SECOND,
    "log.dir_max_retention_age": 14 * 86_400 * SECOND,
    "reconstruction.min_reconstruction_fetch_size": 256_000_000,
    "reconstruction.max_reconstruction_fetch_size": 8_000_000_000,
    "reconstruction.download_buffer_size": None,
    "reconstruction.download_buffer_perfile_size": None,
    "reconstruction.download_buffer_limit": None,
    "reconstruction.completion_rate_estimator_half_life": 4.0,
    "reconstruction.target_block_completion_time": 900 * SECOND,
    "reconstruction.min_prefetch_buffer": 1_000_000_000,
    "reconstruction.use_vectored_write": True,
    "xorb.compression_scheme_retest_interval": 32,
    "xorb.compression_policy": "auto",
    "xorb.simulation_max_bytes": None,
    "xorb.simulation_max_chunks": None,
    "session.dir_name": "shard-session",
    # The suite runs with HF_HUB_DISABLE_TELEMETRY=1.
    "telemetry.enabled": False,
    "telemetry.heartbeat_after": 300 * SECOND,
    "telemetry.heartbeat_interval": 300 * SECOND,
    "telemetry.request_timeout": 5 * SECOND,
    "telemetry.final_flush_timeout": 2 * SECOND,
    "telemetry.max_in_flight": 32,
    "system_monitor.enabled": False,
    "system_monitor.sample_interval": 5 * SECOND,
    "system_monitor.log_path": None,
}

INTEGER = "client.retry_max_attempts"
FLOAT = "deduplication.min_n_chunks_per_range"
BOOLEAN = "client.enable_adaptive_concurrency"
TEXT = "data.default_prefix"
DURATION = "client.retry_base_delay"
BYTES = "data.ingestion_block_size"
CHOICE = "xorb.compression_policy"
OPTIONAL_TEXT = "log.dest"
OPTIONAL_INTEGER = "client.reconstruction_api_version"
OPTIONAL_BYTES = "xorb.simulation_max_bytes"
PATH = "system_monitor.log_path"


@pytest.fixture(scope="module")
def default() -> hf_xet.XetConfig:
    return hf_xet.XetConfig()


def test_the_fields_come_in_a_fixed_order(default):
    assert default.keys() == list(DEFAULTS)


@pytest.mark.parametrize("path", [path for path in DEFAULTS if path not in DERIVED])
def test_a_field_has_its_default_and_type(default, path):
    value = default[path]
    assert value == DEFAULTS[path]
    assert type(value) is type(DEFAULTS[path])


@pytest.mark.parametrize("path", DERIVED)
def test_a_buffer_follows_from_the_memory(default, path):
    assert isinstance(default[path], int)
    assert default[path] > 0


def test_every_view_gives_the_same_values(default):
    items = default.items()
    assert isinstance(items, list)
    assert items == list(default)
    assert [path for path, _ in items] == default.keys()
    assert all(default.get(path) == default[path] == value for path, value in items)
    assert len(default) == len(items) == len(DEFAULTS)


def test_iteration_gives_pairs(default):
    iterator = iter(default)
    assert isinstance(iterator, hf_xet.PyXetConfigIter)
    assert iter(iterator) is iterator
    assert next(iterator) == ("data.min_spacing_between_global_dedup_queries", 256)
    assert len(list(iterator)) == len(default) - 1
    with pytest.raises(StopIteration):
        next(iterator)


def test_membership_is_asked_of_pairs(default):
    assert "data.default_prefix" not in default
    assert ("data.default_prefix", "default") in default


def test_texts_name_the_fields_and_values(default):
    assert repr(default).startswith("XetConfig(")
    for text in (repr(default), str(default)):
        assert "max_concurrent_file_ingestion" in text
        assert "http://localhost:8080" in text


def test_with_config_leaves_the_original_alone(default):
    changed = default.with_config(INTEGER, 7)
    assert isinstance(changed, hf_xet.XetConfig)
    assert (changed[INTEGER], default[INTEGER]) == (7, 5)
    assert {path for path, value in changed if value != default[path]} == {INTEGER}


def test_a_dictionary_changes_several_fields(default):
    changed = default.with_config({INTEGER: 7, TEXT: "x"})
    assert (changed[INTEGER], changed[TEXT]) == (7, "x")
    assert default.with_config({}).items() == default.items()
    assert default.with_config({INTEGER: 7}, None)[INTEGER] == 7


def test_arguments_have_names(default):
    assert default.with_config(name_or_dict=TEXT, value="x").get(path=TEXT) == "x"


def test_an_optional_field_is_unset_by_a_dictionary_only(default):
    changed = default.with_config(OPTIONAL_TEXT, "/x")
    assert changed.with_config({OPTIONAL_TEXT: None})[OPTIONAL_TEXT] is None
    with fails(TypeError, "with_config(name, value) requires a value argument"):
        changed.with_config(OPTIONAL_TEXT, None)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x", "Invalid config path 'x': expected 'group.field' format"),
        ("", "Invalid config path '': expected 'group.field' format"),
        ("x.y", "Unknown config group: 'x'"),
        ("data.y", "Unknown config field: 'y'"),
        ("data.y.z", "Unknown config field: 'y.z'"),
        ("shard.target_size", "Unknown config field: 'target_size'"),
    ],
)
def test_a_path_that_is_not_one_is_named(default, path, text):
    with fails(ValueError, text):
        default.get(path)
    with fails(ValueError, text):
        default.with_config(path, 3)
    with fails(ValueError, text):
        default.with_config({path: 3})
    with pytest.raises(KeyError) as caught:
        default[path]
    assert caught.value.args == (path,)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get(3),
        lambda c: c.get(None),
        lambda c: c[3],
        lambda c: c.get(),
        lambda c: c.get("a", "b"),
        lambda c: c.get(other=TEXT),
        lambda c: c.with_config(),
        lambda c: c.with_config([(TEXT, "x")]),
        lambda c: c.with_config(5, 3),
        lambda c: c.with_config({3: 3}),
        lambda c: c.with_config({TEXT: 3}),
        lambda c: c.with_config({TEXT: None}),
        lambda c: hf_xet.XetConfig(3),
    ],
)
def test_wrong_arguments_are_type_errors(default, call):
    with pytest.raises(TypeError):
        call(default)


def test_the_two_forms_do_not_mix(default):
    with fails(TypeError, "with_config(dict) does not accept a second argument"):
        default.with_config({}, 3)
    with fails(TypeError, "with_config(name, value) requires a value argument"):
        default.with_config(TEXT)


@pytest.mark.parametrize(
    ("path", "given", "read"),
    [
        (INTEGER, 3, 3),
        (INTEGER, True, 1),
        (INTEGER, 2**63, 2**63),
        (FLOAT, 3, 3.0),
        (FLOAT, 0.25, 0.25),
        (FLOAT, -1.5, -1.5),
        (BOOLEAN, True, True),
        (BOOLEAN, False, False),
        (TEXT, "x", "x"),
        (TEXT, "", ""),
        (DURATION, timedelta(microseconds=1500), timedelta(microseconds=1500)),
        (DURATION, "501ms", timedelta(milliseconds=501)),
        (DURATION, "5s", timedelta(seconds=5)),
        (DURATION, "6min", timedelta(minutes=6)),
        (DURATION, "2 min", timedelta(minutes=2)),
        (DURATION, "2h", timedelta(hours=2)),
        (DURATION, "1h 30m", timedelta(minutes=90)),
        (DURATION, "1.5s", timedelta(seconds=1.5)),
        (DURATION, "1d", timedelta(days=1)),
        (DURATION, "1w", timedelta(days=7)),
        (DURATION, "1week", timedelta(days=7)),
        (DURATION, "1month", timedelta(days=30, seconds=38016)),
        (DURATION, "1y", timedelta(days=365, seconds=21600)),
        (DURATION, "100us", timedelta(microseconds=100)),
        (DURATION, "3ns", timedelta(0)),
        (DURATION, "0s", timedelta(0)),
        (DURATION, "0", timedelta(0)),
        (BYTES, 8, 8),
        (BYTES, True, 1),
        (BYTES, "10", 10),
        (BYTES, "1b", 1),
        (BYTES, "8mb", 8_000_000),
        (BYTES, "8MB", 8_000_000),
        (BYTES, "1 KB", 1000),
        (BYTES, "3kib", 3072),
        (BYTES, "1GiB", 1 << 30),
        (BYTES, "1.5mb", 1_500_000),
        (BYTES, "7 TB", 7 * 10**12),
        (CHOICE, "", ""),
        (CHOICE, "auto", "auto"),
        (CHOICE, "none", "none"),
        (CHOICE, "lz4", "lz4"),
        (CHOICE, "LZ4", "lz4"),
        (CHOICE, "bg4-lz4", "bg4-lz4"),
        (OPTIONAL_TEXT, "/x", "/x"),
        (OPTIONAL_TEXT, "", ""),
        (OPTIONAL_TEXT, "~/{PID}", "~/{PID}"),
        (OPTIONAL_INTEGER, 2, 2),
        (OPTIONAL_BYTES, 1, 1),
        (OPTIONAL_BYTES, "8mb", 8_000_000),
        (PATH, "~/x", "~/x"),
        ("data.max_concurrent_file_ingestion", 0, 0),
    ],
)
def test_a_value_is_taken_and_read_back(default, path, given, read):
    value = default.with_config(path, given)[path]
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_is_finite(default, number):
    raises = pick("numbers_are_finite", genuine=False, ours=True)
    with fails(ValueError) if raises else contextlib.nullcontext():
        default.with_config(FLOAT, number)


@pytest.mark.parametrize(
    ("path", "given", "kind"),
    [
        (INTEGER, -1, OverflowError),
        (INTEGER, 2**64, OverflowError),
        (INTEGER, 3.0, TypeError),
        (INTEGER, "3", TypeError),
        (INTEGER, b"3", TypeError),
        (FLOAT, "0.5", TypeError),
        (BOOLEAN, 1, TypeError),
        (BOOLEAN, "true", TypeError),
        (TEXT, 3, TypeError),
        (TEXT, True, TypeError),
        (TEXT, b"x", TypeError),
        (TEXT, Path("/x"), TypeError),
        (DURATION, 5, TypeError),
        (DURATION, 5.0, TypeError),
        (DURATION, timedelta(seconds=-1), ValueError),
        (BYTES, -1, TypeError),
        (BYTES, 3.5, TypeError),
        (BYTES, 2**64, TypeError),
        (CHOICE, 3, TypeError),
        (OPTIONAL_TEXT, 3, TypeError),
        (OPTIONAL_INTEGER, "1", TypeError),
        (OPTIONAL_BYTES, -1, TypeError),
        ("xorb.simulation_max_chunks", "2", TypeError),
        ("xorb.simulation_max_chunks", -1, OverflowError),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(default, path, given, kind):
    with pytest.raises(kind):
        default.with_config(path, given)
    with pytest.raises(kind):
        default.with_config({path: given})


@pytest.mark.parametrize(
    ("path", "given", "text"),
    [
        (DURATION, "5", 'Invalid duration string "5": '),
        (DURATION, "abc", 'Invalid duration string "abc": '),
        (DURATION, "", 'Invalid duration string "": '),
        (BYTES, "2k", "Invalid byte size: "),
        (BYTES, "x", "Invalid byte size: "),
        (BYTES, "", "Invalid byte size: "),
        (BYTES, "1 EiB", "Invalid byte size: "),
        (OPTIONAL_BYTES, "x", "Invalid byte size: "),
        (
            CHOICE,
            "zstd",
            '"zstd" is not a valid value. Valid values are: ["", "auto", "none", "lz4", "bg4-lz4"]',
        ),
    ],
)
def test_a_text_that_cannot_be_read_is_named(default, path, given, text):
    with fails(ValueError, text):
        default.with_config(path, given)


def test_a_config_cannot_be_changed_in_place(default):
    with pytest.raises(TypeError):
        default[TEXT] = "x"
    with pytest.raises(AttributeError):
        default.anything = 1


def in_environment(folder: Path, paths: list[str], **variables: str) -> list[object]:
    """What these fields are in a new process with these variables; durations in seconds."""
    done = run_python(
        """
        import hf_xet, json, sys
        config = hf_xet.XetConfig()
        print(json.dumps([config[path] for path in sys.argv[1:]], default=lambda d: d.total_seconds()))
        """,
        folder,
        *paths,
        **variables,
    )
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize(
    ("path", "variable", "text", "value"),
    [
        (INTEGER, "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "9", 9),
        (FLOAT, "HF_XET_DEDUPLICATION_MIN_N_CHUNKS_PER_RANGE", "0.5", 0.5),
        (DURATION, "HF_XET_CLIENT_RETRY_BASE_DELAY", "250ms", 0.25),
        (BYTES, "HF_XET_DATA_INGESTION_BLOCK_SIZE", "1mib", 1 << 20),
        (TEXT, "HF_XET_DATA_DEFAULT_PREFIX", "p", "p"),
        (CHOICE, "HF_XET_XORB_COMPRESSION_POLICY", "none", "none"),
        (OPTIONAL_INTEGER, "HF_XET_CLIENT_RECONSTRUCTION_API_VERSION", "1", 1),
        (OPTIONAL_INTEGER, "HF_XET_CLIENT_RECONSTRUCTION_API_VERSION", "", None),
        ("chunk_cache.size_bytes", "HF_XET_CHUNK_CACHE_SIZE_BYTES", "1000000000", 10**9),
        # Names from before there were groups.
        ("data.max_concurrent_file_ingestion", "HF_XET_MAX_CONCURRENT_FILE_INGESTION", "3", 3),
        (BYTES, "HF_XET_INGESTION_BLOCK_SIZE", "1mb", 1_000_000),
        ("data.progress_update_interval", "HF_XET_PROGRESS_UPDATE_INTERVAL", "1s", 1.0),
        ("shard.cache_size_limit", "HF_XET_MDB_SHARD_CACHE_SIZE_LIMIT", "1gb", 10**9),
        ("client.ac_max_upload_concurrency", "HF_XET_FIXED_UPLOAD_CONCURRENCY", "3", 3),
        ("client.ac_min_download_concurrency", "HF_XET_FIXED_DOWNLOAD_CONCURRENCY", "3", 3),
        # What cannot be read leaves the default.
        (INTEGER, "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "many", 5),
        (BOOLEAN, "HF_XET_CLIENT_ENABLE_ADAPTIVE_CONCURRENCY", "perhaps", True),
    ],
)
def test_the_environment_sets_a_field(tmp_path, path, variable, text, value):
    assert in_environment(tmp_path, [path], **{variable: text}) == [value]


@pytest.mark.parametrize("text", ["0", "false", "No", "n", "OFF"])
def test_a_boolean_is_switched_off_in_the_environment(tmp_path, text):
    assert in_environment(tmp_path, [BOOLEAN], HF_XET_CLIENT_ENABLE_ADAPTIVE_CONCURRENCY=text) == [False]


def test_the_full_spelling_wins(tmp_path):
    paths = ["data.max_concurrent_file_ingestion"]
    both = {"HF_XET_MAX_CONCURRENT_FILE_INGESTION": "3", "HF_XET_DATA_MAX_CONCURRENT_FILE_INGESTION": "4"}
    assert in_environment(tmp_path, paths, **both) == [4]


@pytest.mark.parametrize("variable", ["HF_XET_HIGH_PERFORMANCE", "HF_XET_HP"])
def test_high_performance_is_a_preset_that_variables_override(tmp_path, variable):
    paths = [
        "data.max_concurrent_file_ingestion",
        "client.ac_max_upload_concurrency",
        "client.ac_min_download_concurrency",
        "client.ac_initial_upload_concurrency",
        "reconstruction.min_reconstruction_fetch_size",
    ]
    changed = {variable: "1", "HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY": "5"}
    assert in_environment(tmp_path, paths, **changed) == [100, 124, 4, 5, 10**9]


def test_fixed_buffers_can_be_asked_for(tmp_path):
    found = in_environment(tmp_path, list(DERIVED), HF_XET_DISABLE_MEMORY_DERIVED_DOWNLOAD_BUFFERS="1")
    assert found == [2 * 10**9, 512 * 10**6, 8 * 10**9]


@pytest.mark.parametrize(
    ("variables", "enabled"),
    [
        ({}, True),
        ({"HF_HUB_DISABLE_TELEMETRY": "1"}, False),
        ({"DO_NOT_TRACK": "yes", "HF_XET_TELEMETRY_ENABLED": "1"}, False),
        ({"DISABLE_TELEMETRY": "0"}, True),
        ({"HF_HUB_OFFLINE": "True"}, False),
        ({"HF_XET_TELEMETRY_ENABLED": "0"}, False),
    ],
)
def test_the_opt_outs_show_in_the_telemetry_field(tmp_path, variables, enabled):
    assert in_environment(tmp_path, ["telemetry.enabled"], **variables) == [enabled]
