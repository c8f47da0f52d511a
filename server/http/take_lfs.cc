// A file that is uploaded as it is, to the URL of a Git LFS action.
#include <fmt/format.h>

#include "server/http/exchange.h"
#include "server/http/hub_call.h"
#include "server/http/on_pool.h"
#include "server/http/streamers.h"

namespace xet::http {

namespace {

// Read and written at a time.
constexpr size_t kStep = 256 * 1024;

}  // namespace

Task<> take_lfs(Exchange& exchange) {
  App& app = exchange.app;
  const Request& request = exchange.request;
  const auto grant = app.signer->check_lfs_id(request.values.name);
  Answer answer;
  if (!app.lfs_uploads || !grant) {
    answer = hub_error(403, {}, "the URL has expired, or was changed");
    co_await exchange.answer(answer);
    co_return;
  }
  if (request.head.content_length && *request.head.content_length != grant->size_bytes) {
    answer = hub_error(
        400, {},
        fmt::format("{} bytes were announced, not {}", grant->size_bytes, *request.head.content_length));
    co_await exchange.answer(answer);
    co_return;
  }
  hub::Outcome<std::unique_ptr<hub::LfsUpload>> upload = hub::refuse(hub::Reason::kStore, "not begun");
  auto begin = [&] {
    upload = app.lfs_uploads->begin(grant->repository, grant->sha256, grant->size_bytes);
    return true;
  };
  (void)co_await on_pool(*app.work, exchange.stream, begin);
  if (!upload) {
    answer = refused_answer(app, request, upload.error());
    co_await exchange.answer(answer);
    co_return;
  }
  ByteVector buffer(std::min<uint64_t>(kStep, std::max<uint64_t>(grant->size_bytes, 1)));
  while (!exchange.body.at_end()) {
    const auto piece = co_await exchange.body.read(buffer);
    if (piece.trouble != BodyTrouble::kNone) {
      co_await exchange.answer_trouble(piece.trouble);
      co_return;
    }
    auto write = [&] { return (*upload)->write(ByteSpan(buffer).first(piece.n_bytes)); };
    const auto written = co_await on_pool(*app.work, exchange.stream, write);
    if (!written) {
      answer = refused_answer(app, request, written.error());
      co_await exchange.answer(answer);
      co_return;
    }
  }
  auto finish = [&] { return (*upload)->finish(app.cut_off.get_token()); };
  const auto finished = co_await on_pool(*app.sync, exchange.stream, finish);
  if (!finished) answer = refused_answer(app, request, finished.error());
  co_await exchange.answer(answer);
}

}  // namespace xet::http
