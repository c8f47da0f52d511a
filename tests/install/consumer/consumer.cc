// Uses what is installed the way README.md shows: stores bytes, fetches them again.
#include <xet/download.h>
#include <xet/endpoint.h>
#include <xet/upload.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto client = xet::open_endpoint(std::string("local:") + argv[1]);
  if (!client) return std::fprintf(stderr, "%s\n", client.error().message.c_str()), 1;
  const std::string text(300'000, 'x');
  xet::UploadSession upload(*client, {});
  upload.add_bytes("text", std::as_bytes(std::span(text)));
  const auto report = upload.commit();
  if (!report || !report->files[0]) return 1;

  std::string back;
  const auto size =
      xet::stream_file(*client, report->files[0]->hash, std::nullopt, [&](std::span<const std::byte> bytes) {
        back.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return xet::Status();
      });
  std::printf("%s\n", report->files[0]->hash.hex().c_str());
  return size && back == text ? 0 : 1;
}
