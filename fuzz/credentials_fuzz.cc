// Tokens, signed URLs and upload grants: the first byte says which. What is accepted must be, byte for byte,
// what the server would have written itself.
#include <cstdlib>
#include <string_view>

#include "server/core/signed_url.h"
#include "server/core/tokens.h"
#include "tests/server/fixed_keys.h"
#include "tests/support/fake_clock.h"

namespace {

struct Server {
  xet::testing::FakeClock clock;
  xet::testing::FixedKeys keys;
  std::unique_ptr<xet::core::TokenAuthority> tokens = xet::core::TokenAuthority::open(keys, clock).value();
  std::unique_ptr<xet::core::UrlSigner> urls = xet::core::UrlSigner::open(keys, clock).value();
};

void check_token(const Server& server, std::string_view text) {
  const auto claims = server.tokens->check(text);
  if (!claims) return;
  // The clock stands still, so issuing gives the same text.
  const auto again = server.tokens->issue(*claims);
  if (!again || *again != text) std::abort();
}

void check_url(const Server& server, std::string_view text) {
  const size_t mark = std::min(text.find('?'), text.size());
  const auto grant = server.urls->check(text.substr(0, mark), text.substr(std::min(mark + 1, text.size())));
  if (grant && server.urls->path_and_query(*grant) != text) std::abort();
}

void check_grant(const Server& server, std::string_view text) {
  const auto grant = server.urls->check_grant_id(text);
  if (grant && server.urls->grant_id(*grant) != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Server server;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't':
      check_token(server, text);
      break;
    case 'u':
      check_url(server, text);
      break;
    case 'g':
      check_grant(server, text);
      break;
    default:
      break;
  }
  return 0;
}
