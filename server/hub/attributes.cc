#include "server/hub/attributes.h"

#include <algorithm>

namespace xet::hub {

namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const size_t end = std::min(line.find_first_of(kBlank), line.size());
  const auto out = line.substr(0, end);
  line.remove_prefix(end);
  return out;
}

}  // namespace

Attributes::Attributes(std::string_view text) {
  text = text.substr(0, kMaxBytes);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto pattern = take_word(line);
    if (pattern.empty() || pattern.starts_with('#') || pattern.starts_with('!')) continue;
    for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
      if (word == "filter=lfs") rules_.push_back({.pattern = PathPattern(pattern), .lfs = true});
      if (word == "-filter" || word == "!filter" || (word.starts_with("filter=") && word != "filter=lfs")) {
        rules_.push_back({.pattern = PathPattern(pattern), .lfs = false});
      }
    }
  }
}

bool Attributes::is_lfs(std::string_view path) const {
  const auto found = std::find_if(rules_.rbegin(), rules_.rend(),
                                  [&](const Rule& rule) { return rule.pattern.matches(path); });
  return found != rules_.rend() && found->lfs;
}

std::string_view Attributes::standard() {
  static const std::string text = [] {
    constexpr const char* kPatterns[] = {
        "*.7z",   "*.arrow",       "*.bin",     "*.bz2",      "*.ckpt",          "*.ftz", "*.gguf",
        "*.gz",   "*.h5",          "*.joblib",  "*.model",    "*.msgpack",       "*.npy", "*.npz",
        "*.onnx", "*.ot",          "*.parquet", "*.pb",       "*.pickle",        "*.pkl", "*.pt",
        "*.pth",  "*.safetensors", "*.tar",     "*.tar.*",    "*.tflite",        "*.tgz", "*.wasm",
        "*.xz",   "*.zip",         "*.zst",     "*tfevents*", "saved_model/**/*"};
    std::string out;
    for (const char* pattern : kPatterns) {
      out += pattern;
      out += " filter=lfs diff=lfs merge=lfs -text\n";
    }
    return out;
  }();
  return text;
}

}  // namespace xet::hub
