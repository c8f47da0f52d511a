// docs/openapi.yaml against the table of routes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "server/http/route.h"
#include "support/temp_dir.h"

namespace xet::http {
namespace {

/// "GET /path" -> who may, as the document says. Reads the few lines of YAML that matter by their
/// indentation.
std::map<std::string, std::string> documented() {
  std::map<std::string, std::string> out;
  std::ifstream file(testing::test_data("../docs/openapi.yaml"));
  EXPECT_TRUE(file.good());
  std::string line, path, operation;
  while (std::getline(file, line)) {
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    const size_t text = line.find_first_not_of(' ');
    if (text == 0) path.clear();
    if (path.empty()) continue;
    if (text == 4 && line.ends_with(':')) {
      operation = line.substr(4, line.size() - 5);
      if (operation == "parameters") continue;
      for (char& c : operation) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      out[fmt::format("{} {}", operation, path)];
    }
    if (line.starts_with("      x-access: ")) out[fmt::format("{} {}", operation, path)] = line.substr(16);
  }
  return out;
}

std::string name_of(Access access) {
  switch (access) {
    case Access::kOpen:
      return "open";
    case Access::kSigned:
      return "signed";
    case Access::kRead:
      return "read";
    case Access::kWrite:
      return "write";
    case Access::kAdmin:
      return "admin";
    case Access::kHubOpen:
      return "hub-open";
    case Access::kHubUser:
      return "hub-user";
    case Access::kHubRead:
      return "hub-read";
    case Access::kHubWrite:
      return "hub-write";
  }
  return {};
}

TEST(OpenApi, SaysTheSameAsTheTableOfRoutes) {
  std::map<std::string, std::string> served;
  for (const auto& route : routes()) {
    served[std::string(route.method) + " " + std::string(route.path)] = name_of(route.access);
  }
  EXPECT_EQ(documented(), served);
}

}  // namespace
}  // namespace xet::http
