#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "xet/export.h"
#include "xet/result.h"

namespace xet {

/// What can be set about transfers: the 86 fields of `hf_xet` 1.8, by the same names, with the same defaults
/// and the same environment variables (docs/settings.md). A field that has no use here is kept and read back
/// like the others; `Field::effect` says so.
///
/// A plain value. Objects do not change: with() gives a changed copy. All members may be used from any
/// thread.
///
///     XET_TRY(const auto config, Config::from_environment().with("client.read_timeout", "90s"));
class XET_EXPORT Config {
 public:
  /// What a field holds. Which alternative it is follows from the field's kind:
  ///   kInteger, kBytes: uint64_t; kFloat: double; kBool: bool; kText, kChoice, kPath: std::string (UTF-8);
  ///   kDuration: nanoseconds, not negative. An optional field without a value: std::monostate.
  using Value = std::variant<std::monostate, bool, uint64_t, double, std::string, std::chrono::nanoseconds>;

  enum class Kind : uint8_t {
    kInteger,
    kFloat,
    kBool,
    kText,
    kBytes,     ///< a count of bytes; as text with a unit ("8mb", "1GiB")
    kDuration,  ///< as text with units ("2m 30s"); longer than 292 years counts as 292 years
    kChoice,    ///< one of Field::choices, given in any case
    kPath,      ///< with `{PID}`, `{TIMESTAMP}` and a leading `~`, which are replaced when it is used
  };

  struct Field {
    std::string_view group;
    std::string_view name;
    Kind kind;
    uint8_t bits = 64;      ///< of kInteger and kFloat: 32 or 64
    bool optional = false;  ///< it may have no value
    std::span<const std::string_view> choices = {};
    std::string_view effect;  ///< one line for people: what it does here, or why it does nothing

    std::string path() const;  ///< "group.name"
    bool acts() const;         ///< false: `effect` is "none: " and the reason
  };

  /// A snapshot of environment variables.
  using Environment = std::map<std::string, std::string>;

  /// What holds with an empty environment, where the memory of the machine is not known.
  static Config defaults();

  /// Defaults, then the values of high-performance mode if the environment asks for it, then the variables,
  /// those of the process as they are now. Never fails: see warnings(). Not while another thread calls
  /// setenv().
  static Config from_environment();

  /// The same from given variables, on a machine with that much memory for this process. Touches nothing
  /// else.
  static Config from_environment(const Environment& environment,
                                 std::optional<uint64_t> memory_bytes = std::nullopt);

  /// All fields, in the order of `hf_xet`. Good for ever, and so is what points into it.
  static std::span<const Field> fields();

  /// The field at "group.name"; kInvalidArgument when the path has no dot, or there is no such group or
  /// field.
  static Result<const Field*> field(std::string_view path);

  /// Whether with() takes a value of this type for that field, leaving aside what is in it: the type that
  /// get() gives, text for every kind, nothing for an optional field.
  static bool accepts(const Field& field, const Value& value);

  /// The value at "group.name". Fails as field() does.
  Result<Value> get(std::string_view path) const;
  /// The same for a field from fields().
  const Value& get(const Field& field) const;

  /// A copy with another value at "group.name". Text is read in the form that the field's environment
  /// variable has, except that for an optional text it is taken as it is. kInvalidArgument, with nothing
  /// changed: as field() does; a value that !accepts(); text that cannot be read; a number too large for the
  /// field; a negative duration.
  Result<Config> with(std::string_view path, const Value& value) const;

  /// For code that knows its fields: the value at a path that must exist and must be of this type, else the
  /// program ends.
  uint64_t count(std::string_view path) const;                          ///< kInteger, kBytes
  std::optional<uint64_t> optional_count(std::string_view path) const;  ///< the same, optional
  double number(std::string_view path) const;
  bool flag(std::string_view path) const;
  std::chrono::nanoseconds duration(std::string_view path) const;
  const std::string& text(std::string_view path) const;
  std::optional<std::string> optional_text(std::string_view path) const;

  /// One line for each variable with the prefix HF_XET_ that cannot be understood, is unknown, or has no
  /// effect here. with() passes them on.
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// A field's value as `hf_xet` prints it: `5`, `8.0`, `true`, `"default"`, `64MB`, `1.5s`, `None`,
  /// `Some(2)`.
  static std::string to_text(const Field& field, const Value& value);
  /// The whole as `str()` of the genuine object prints it: `XetConfig { data: ConfigValueGroup { … }, … }`.
  std::string to_string() const;

 private:
  Config();

  std::vector<Value> values_;  ///< beside fields()
  std::vector<std::string> warnings_;
};

}  // namespace xet
