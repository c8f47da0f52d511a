#include "bindings/python/legacy_progress.h"

#include <fmt/format.h>

#include <utility>

#include "bindings/python/args.h"
#include "bindings/python/docstrings.h"

namespace xet::python {

namespace {

using nb::literals::operator""_a;

struct TotalUpdate {
  Progress before, now;
};

struct ItemUpdate {
  ItemProgress now;
  uint64_t increment;
};

nb::object rate(const Progress& progress, double per_second) {
  return progress.has_speed ? nb::object(nb::float_(per_second)) : nb::none();
}

/// Whether a function takes the details, or one number.
bool takes_details(nb::handle function) {
  const auto shown = nb::cast<std::string>(nb::repr(function));
  if (PyCallable_Check(function.ptr()) == 0)
    raise_type_error(fmt::format("update func: {} is not callable", shown));
  const nb::object signature = nb::module_::import_("inspect").attr("signature")(function);
  const nb::object parameters = signature.attr("parameters");
  std::vector<std::string> names;
  for (const auto name : parameters) names.push_back(to_text(name));
  if (names.size() == 1) return false;
  if (names.size() != 2) {
    raise_type_error(
        fmt::format("Function {} must take exactly 1 or 2 arguments, but got {}", shown, names.size()));
  }
  if (names[0] == "total_update" && names[1] == "item_updates") return true;
  raise_type_error(fmt::format(
      "Function {} must have either one argument or two named arguments (total_update, item_updates)",
      shown));
}

}  // namespace

Updater::Updater(nb::object function) {
  if (function.is_none()) return;
  takes_details_ = takes_details(function);
  function_ = share(std::move(function));
}

void Updater::tell(const Progress& progress, const std::vector<ItemProgress>& items,
                   const std::map<TaskId, std::string>& names) {
  nb::list changed;
  Progress before;
  {
    auto told = told_.lock();
    before = std::exchange(told->progress, progress);
    for (auto item : items) {
      const auto [known, is_new] = told->done_bytes.try_emplace(item.id, 0);
      const uint64_t increment = item.done_bytes - std::exchange(known->second, item.done_bytes);
      if (!is_new && increment == 0) continue;
      if (const auto name = names.find(item.id); name != names.end()) item.name = name->second;
      changed.append(ItemUpdate{std::move(item), increment});
    }
  }
  const bool is_news = nb::len(changed) != 0 || before.done_bytes != progress.done_bytes ||
                       before.total_bytes != progress.total_bytes ||
                       before.done_new_bytes != progress.done_new_bytes ||
                       before.total_new_bytes != progress.total_new_bytes;
  if (!is_news) return;
  try {
    if (takes_details_) {
      (*function_)("total_update"_a = TotalUpdate{before, progress}, "item_updates"_a = changed);
    } else {
      (*function_)(progress.done_bytes - before.done_bytes);
    }
  } catch (const nb::python_error&) {
    return;  // as documented: the transfer goes on, and so do the calls
  }
}

void bind_legacy_progress(nb::module_& module) {
  Documented<TotalUpdate>(module, "PyTotalProgressUpdate", nb::is_final())
      .def_prop_ro("total_bytes", [](const TotalUpdate& self) { return self.now.total_bytes; })
      .def_prop_ro("total_bytes_increment",
                   [](const TotalUpdate& self) { return self.now.total_bytes - self.before.total_bytes; })
      .def_prop_ro("total_bytes_completed", [](const TotalUpdate& self) { return self.now.done_bytes; })
      .def_prop_ro("total_bytes_completion_increment",
                   [](const TotalUpdate& self) { return self.now.done_bytes - self.before.done_bytes; })
      .def_prop_ro("total_bytes_completion_rate",
                   [](const TotalUpdate& self) { return rate(self.now, self.now.bytes_per_second); })
      .def_prop_ro("total_transfer_bytes", [](const TotalUpdate& self) { return self.now.total_new_bytes; })
      .def_prop_ro(
          "total_transfer_bytes_increment",
          [](const TotalUpdate& self) { return self.now.total_new_bytes - self.before.total_new_bytes; })
      .def_prop_ro("total_transfer_bytes_completed",
                   [](const TotalUpdate& self) { return self.now.done_new_bytes; })
      .def_prop_ro(
          "total_transfer_bytes_completion_increment",
          [](const TotalUpdate& self) { return self.now.done_new_bytes - self.before.done_new_bytes; })
      .def_prop_ro("total_transfer_bytes_completion_rate",
                   [](const TotalUpdate& self) { return rate(self.now, self.now.new_bytes_per_second); });

  Documented<ItemUpdate>(module, "PyItemProgressUpdate", nb::is_final())
      .def_prop_ro("item_name", [](const ItemUpdate& self) { return text(self.now.name); })
      .def_prop_ro("total_bytes", [](const ItemUpdate& self) { return self.now.total_bytes; })
      .def_prop_ro("bytes_completed", [](const ItemUpdate& self) { return self.now.done_bytes; })
      .def_prop_ro("bytes_completion_increment", [](const ItemUpdate& self) { return self.increment; });
}

}  // namespace xet::python
