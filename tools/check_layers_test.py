#!/usr/bin/env python3
"""The layer table says what docs/architecture.md says."""

import unittest

from check_layers import ALLOWED, EVERYTHING, forbidden_reason, layer_of


class LayerOf(unittest.TestCase):
    def test_files_and_includes_of_one_layer_agree(self):
        for path, header, layer in (
            ("src/format/xorb.cc", "format/xorb.h", "format"),
            ("server/core/ingest.cc", "server/core/ingest.h", "server/core"),
            ("include/xet/hash.h", "xet/hash.h", "include/xet"),
            ("apps/xet/main.cc", "apps/xet/output.h", "apps"),
        ):
            self.assertEqual(layer_of(path), layer)
            self.assertEqual(layer_of(header), layer)

    def test_system_headers_are_in_no_layer(self):
        for header in ("vector", "sys/stat.h", "fmt/format.h", "openssl/evp.h"):
            self.assertIsNone(layer_of(header))


class Includes(unittest.TestCase):
    def assert_may(self, includer, header):
        self.assertIsNone(forbidden_reason(includer, header))

    def assert_may_not(self, includer, header):
        self.assertIsNotNone(forbidden_reason(includer, header), f"{includer} may include {header}")

    def test_downward_is_allowed(self):
        self.assert_may("src/format/xorb.h", "hash/tree.h")
        self.assert_may("src/session/upload.cc", "cas/cas.h")
        self.assert_may("server/local/local_cas.cc", "server/core/ingest.h")
        self.assert_may("tests/format/xorb_test.cc", "server/store/objects.h")

    def test_upward_is_not(self):
        self.assert_may_not("src/hash/tree.cc", "format/xorb.h")
        self.assert_may_not("src/session/upload.cc", "server/local/local_cas.h")
        self.assert_may_not("server/store/objects.cc", "server/core/ingest.h")

    def test_pure_layers_have_no_files_and_threads(self):
        for layer in ("base", "hash", "codec", "chunk", "format"):
            self.assert_may_not(f"src/{layer}/x.cc", "io/file.h")
            self.assert_may_not(f"src/{layer}/x.cc", "exec/thread_pool.h")

    def test_sessions_know_a_store_only_as_an_interface(self):
        self.assert_may("src/session/upload.cc", "cas/cas.h")
        self.assert_may_not("src/session/upload.cc", "net/http.h")

    def test_public_types_are_open_to_all_and_the_rest_of_the_api_is_not(self):
        self.assert_may("src/base/bytes.h", "xet/result.h")
        self.assert_may_not("src/format/xorb.h", "xet/upload.h")

    def test_third_party_headers_stay_in_their_sources(self):
        self.assert_may("src/codec/lz4.cc", "lz4frame.h")
        self.assert_may_not("src/codec/lz4.h", "lz4frame.h")
        self.assert_may_not("src/format/xorb.cc", "lz4frame.h")
        self.assert_may_not("apps/xet/output.h", "nlohmann/json.hpp")
        self.assert_may("apps/xet/output.cc", "nlohmann/json.hpp")

    def test_a_file_in_an_unknown_layer_is_an_error(self):
        self.assert_may_not("src/newcomer/x.cc", "base/bytes.h")


class Table(unittest.TestCase):
    def test_arrows_never_lead_back(self):
        def reachable(layer, seen):
            for below in ALLOWED.get(layer, set()) - seen:
                seen.add(below)
                reachable(below, seen)
            return seen

        for layer, allowed in ALLOWED.items():
            if allowed != EVERYTHING:
                self.assertNotIn(layer, reachable(layer, set()), f"{layer} depends on itself")


if __name__ == "__main__":
    unittest.main()
