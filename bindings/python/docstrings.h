#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>
#include <utility>

namespace xet::python {

/// What the stubs say of "function", "Class" or "Class.member". Lives for ever. The program ends when they
/// say nothing: whatever the module shows, it explains.
const char* docstring_of(const std::string& name);

/// nb::class_ whose members, and the class itself, have the docstrings of the stubs. Special methods need
/// none.
template <class T, class... Ts>
class Documented : public nanobind::class_<T, Ts...> {
  using Base = nanobind::class_<T, Ts...>;

 public:
  template <class... Extra>
  Documented(nanobind::handle scope, const char* name, const Extra&... extra)
      : Base(scope, name, docstring_of(name), extra...), name_(name) {}

  template <class F, class... Extra>
  Documented& def(const char* name, F&& f, const Extra&... extra) {
    if (std::string_view(name).starts_with("__")) {
      Base::def(name, std::forward<F>(f), extra...);
    } else {
      Base::def(name, std::forward<F>(f), extra..., doc(name));
    }
    return *this;
  }
  template <class Member>
  Documented& def_ro(const char* name, Member member) {
    Base::def_ro(name, member, doc(name));
    return *this;
  }
  template <class Getter>
  Documented& def_prop_ro(const char* name, Getter&& getter) {
    Base::def_prop_ro(name, std::forward<Getter>(getter), doc(name));
    return *this;
  }
  template <class Getter, class Setter, class... Extra>
  Documented& def_prop_rw(const char* name, Getter&& getter, Setter&& setter, const Extra&... extra) {
    Base::def_prop_rw(name, std::forward<Getter>(getter), std::forward<Setter>(setter), extra..., doc(name));
    return *this;
  }

 private:
  const char* doc(const char* member) const { return docstring_of(name_ + '.' + member); }

  std::string name_;
};

}  // namespace xet::python
