// A plain main for a fuzz target: runs every file of the folders (or files) given as arguments through it
// once, so that ctest replays the corpus on every compiler.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {
void replay(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}
}  // namespace

int main(int argc, char** argv) {
  size_t n_inputs = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
        replay(entry.path());
        ++n_inputs;
      }
    } else {
      replay(argv[i]);
      ++n_inputs;
    }
  }
  std::printf("replayed %zu inputs\n", n_inputs);
  return n_inputs > 0 ? 0 : 1;  // an empty corpus is a mistake, not a pass
}
