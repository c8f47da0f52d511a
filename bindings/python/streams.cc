#include "bindings/python/streams.h"

#include <fmt/format.h>

#include <utility>

#include "bindings/python/args.h"
#include "bindings/python/blocking.h"
#include "bindings/python/docstrings.h"
#include "bindings/python/downloads.h"
#include "bindings/python/session.h"

namespace xet::python {

namespace {

using nb::literals::operator""_a;

/// A stream that gives bytes, or offsets and bytes. The library's streams are in order either way.
template <bool has_offsets>
struct StreamObject {
  Held<DownloadStream> stream;
};

nb::bytes bytes_of(const std::vector<std::byte>& content) {
  return nb::bytes(content.data(), content.size());
}

template <bool has_offsets>
nb::object next(const StreamObject<has_offsets>& self) {
  auto& stream = self.stream.use();
  DownloadStream::Piece piece;
  Result<DownloadStream::Wait> got = DownloadStream::Wait::kNotYet;
  wait_for([&](auto limit) {
    got = stream.next_for(limit, piece);
    return !got || *got != DownloadStream::Wait::kNotYet;
  });
  if (!got) raise(got.error());
  if (*got == DownloadStream::Wait::kEnd) throw nb::stop_iteration();
  if constexpr (has_offsets) return nb::make_tuple(piece.offset, bytes_of(piece.bytes));
  return bytes_of(piece.bytes);
}

template <bool has_offsets>
void bind_stream(nb::module_& module, const char* name, const char* item_name) {
  Documented<StreamObject<has_offsets>>(module, name, nb::is_final())
      .def("__iter__", [](const nb::object& self) { return self; })
      .def("__next__", next<has_offsets>)
      .def("cancel",
           [](const StreamObject<has_offsets>& self) {
             if (!self.stream.is_in_own_process()) return;
             auto& stream = self.stream.look();
             const ReleasedGil released;
             stream.cancel();
           })
      .def("progress",
           [item_name](const StreamObject<has_offsets>& self) {
             auto progress = self.stream.look().progress();
             progress.name = item_name;
             return progress;
           })
      .def("__repr__", [name](const StreamObject<has_offsets>& self) {
        const auto progress = self.stream.look().progress();
        return fmt::format("{}(task_id={}, bytes_completed={})", name, progress.id, counted(progress));
      });
}

template <bool has_offsets>
StreamObject<has_offsets> make_stream(const StreamGroupObject& self, const nb::object& file_info,
                                      const nb::object& start, const nb::object& end) {
  const auto& info = to_file_info(file_info);
  const auto from = to_optional_count(start);
  const auto to = to_optional_count(end);
  auto stream = self.begin().stream({info.hash, info.size, info.sha256}, from, to);
  if (!stream) raise(stream.error());
  return {Held(self.session(), std::move(*stream))};
}

void finish(const StreamGroupObject& self) {
  checked(self.begin().finish());
}

void abort(const StreamGroupObject& self) {
  if (!self.is_in_own_process()) return;
  auto& group = self.look();
  const ReleasedGil released;
  group.abort();
}

}  // namespace

void bind_streams(nb::module_& module) {
  bind_stream<false>(module, "XetDownloadStream", "stream");
  bind_stream<true>(module, "XetUnorderedDownloadStream", "unordered_stream");
  Documented<StreamGroupObject>(module, "XetDownloadStreamGroup", nb::is_final())
      .def("download_stream", make_stream<false>, "file_info"_a.none(), "start"_a = nb::none(),
           "end"_a = nb::none())
      .def("download_unordered_stream", make_stream<true>, "file_info"_a.none(), "start"_a = nb::none(),
           "end"_a = nb::none())
      .def("finish", finish)
      .def("abort", abort)
      .def("__enter__", [](const nb::object& self) { return self; })
      .def(
          "__exit__",
          [](const StreamGroupObject& self, const nb::object& exc_type, const nb::object& /*_exc_val*/,
             const nb::object& /*_exc_tb*/) {
            exc_type.is_none() ? finish(self) : abort(self);
            return false;
          },
          "exc_type"_a.none(), "_exc_val"_a.none(), "_exc_tb"_a.none())
      .def("__repr__", [](const StreamGroupObject& /*self*/) { return "XetDownloadStreamGroup()"; });
}

}  // namespace xet::python
