#include "apps/xet/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <map>
#include <thread>

#include "apps/xet/help.h"
#include "apps/xet/names.h"
#include "apps/xet/text.h"
#include "base/try.h"
#include "config/values.h"
#include "xet/version.h"

namespace xet::cli {

namespace {

/// Everything as CLI11 hands it over; what it means is decided afterwards, with our own messages.
struct RawArguments {
  std::vector<std::string> paths;
  std::string endpoint, progress, threads, max_memory, timeout;
  std::string output, range, manifest, directory, token;
  std::string to, message = "Upload with xet";
  std::string data, listen = "127.0.0.1:8080", admin_listen, public_url, tls_certificate, tls_key, auth;
  std::string scope, repository, lifetime;
  std::string user, role, token_number;
  std::vector<std::string> name_spaces;
  bool access_log = false, deep = false, create = false;
  bool json = false, quiet = false, recursive = false, verify = false, no_sha256 = false, sha256 = false;
};

// Two things that CLI11 does to arguments are wrong for file names: a word of the form [a,b] becomes a list,
// and "--" ends a command that already has a path. A NUL, which no real argument can hold, in front of a word
// makes it a plain value; "--" is handled here.
constexpr char kGuard = '\0';

/// In reverse, as CLI11 wants them.
std::vector<std::string> guarded_words(int argc, const char* const* argv) {
  std::vector<std::string> out;
  bool values_only = false;
  for (int i = 1; i < argc; ++i) {
    std::string word(argv[i]);
    if (!values_only && word == "--") {
      values_only = true;
      continue;
    }
    if (values_only || word.starts_with('[')) word.insert(word.begin(), kGuard);
    out.push_back(std::move(word));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

void remove_guard(std::string& word) {
  if (word.starts_with(kGuard)) word.erase(word.begin());
}

void add_output_options(CLI::App& command, RawArguments& raw) {
  command.add_flag("--json", raw.json, "Write one JSON object per line instead of text")->group("Output");
  command.add_flag("-q,--quiet", raw.quiet, "No progress and no summary, only errors")->group("Output");
  command
      .add_option("--progress", raw.progress,
                  "auto (a bar on a terminal, else a line per 10 s), bar, lines, json (events) or none")
      ->type_name("MODE")
      ->group("Output");
}

void add_resource_options(CLI::App& command, RawArguments& raw) {
  command.add_option("--max-memory", raw.max_memory, "Most memory for buffers, at least 64M (default 256M)")
      ->type_name("SIZE")
      ->group("Resources");
  command.add_option("--threads", raw.threads, "Threads for computing (default: one per core)")
      ->type_name("N")
      ->group("Resources");
  command.add_option("--timeout", raw.timeout, "Give up after this time, with exit code 5")
      ->type_name("SECONDS")
      ->group("Resources");
}

void add_endpoint_option(CLI::App& command, RawArguments& raw) {
  command
      .add_option("-e,--endpoint", raw.endpoint,
                  "The store: local:DIR, http://HOST:PORT, hf:TYPE/NAMESPACE/NAME (default: XET_ENDPOINT)")
      ->type_name("ENDPOINT");
  command
      .add_option("--token", raw.token,
                  "Key to the endpoint (default: XET_TOKEN, for hf: HF_TOKEN, which other users do not see)")
      ->type_name("TOKEN");
}

constexpr const char* kHubGroup = "For hf: endpoints";

void add_destination_option(CLI::App& command, RawArguments& raw) {
  command
      .add_option(
          "--to", raw.to,
          "What the file is called in the repository, or the folder that the files go to (ends with /)")
      ->type_name("PATH")
      ->group(kHubGroup);
}

void add_data_option(CLI::App& command, RawArguments& raw) {
  command.add_option("--data", raw.data, "The directory of the store")->required()->type_name("DIR");
}

Result<ProgressMode> parse_progress(const std::string& text) {
  if (text.empty() || text == "auto") return ProgressMode::kAuto;
  if (text == "bar") return ProgressMode::kBar;
  if (text == "lines") return ProgressMode::kLines;
  if (text == "json") return ProgressMode::kJson;
  if (text == "none") return ProgressMode::kNone;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("--progress is auto, bar, lines, json or none, not '{}'", one_line(text)));
}

/// Empty when it is not set.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string endpoint_of(const RawArguments& raw) {
  return raw.endpoint.empty() ? variable("XET_ENDPOINT") : raw.endpoint;
}

/// What is named on a Hub has a path there, elsewhere a hash.
bool has_paths(const RawArguments& raw) {
  return is_hub_endpoint(endpoint_of(raw));
}

Result<CommonOptions> common_options(const RawArguments& raw, bool uses_endpoint) {
  constexpr uint64_t kLeastMemory = uint64_t{64} << 20;
  constexpr uint64_t kMostThreads = 1024;
  constexpr uint64_t kMostSeconds = 10'000'000;

  CommonOptions out;
  out.json = raw.json;
  out.quiet = raw.quiet;
  if (uses_endpoint) out.endpoint = endpoint_of(raw);
  if (is_hub_endpoint(out.endpoint)) {
    out.hub = hub_options_from_environment();
    if (!raw.token.empty()) out.hub.token = raw.token;
  } else if (uses_endpoint) {
    std::string token = raw.token.empty() ? variable("XET_TOKEN") : raw.token;
    if (!token.empty()) out.client.http.token = AccessToken{.text = std::move(token)};
  }
  if (out.quiet && !raw.progress.empty()) {
    return fail(ErrorCode::kInvalidArgument, "-q and --progress exclude each other");
  }
  XET_TRY(out.progress, parse_progress(raw.progress));
  if (!raw.max_memory.empty()) {
    XET_TRY(const uint64_t bytes, parse_size(raw.max_memory));
    if (bytes < kLeastMemory) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--max-memory {} is too little: at least 64M", one_line(raw.max_memory)));
    }
    out.client.max_memory_bytes = static_cast<size_t>(bytes);
  }
  if (!raw.threads.empty()) {
    XET_TRY(const uint64_t threads, parse_number(raw.threads, "--threads"));
    if (threads == 0 || threads > kMostThreads) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("--threads must be 1 to {}", kMostThreads));
    }
    out.client.threads = static_cast<size_t>(threads);
  }
  if (!raw.timeout.empty()) {
    XET_TRY(const uint64_t seconds, parse_number(raw.timeout, "--timeout"));
    if (seconds > kMostSeconds) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("--timeout must be at most {}", kMostSeconds));
    }
    out.timeout = std::chrono::seconds(seconds);
  }
  return out;
}

Status check_stdin_used_once(const std::vector<std::string>& paths) {
  if (std::count(paths.begin(), paths.end(), "-") <= 1) return {};
  return fail(ErrorCode::kInvalidArgument, "'-' (stdin) can be read only once");
}

Result<std::optional<FileRange>> optional_range(const std::string& text, bool given) {
  if (!given) return std::optional<FileRange>();
  XET_TRY(const auto range, parse_range(text));
  return std::optional<FileRange>(range);
}

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

Status check_no_hub_options(const RawArguments& raw, bool message_given) {
  if (has_paths(raw) || (raw.to.empty() && !message_given && !raw.create)) return {};
  return wrong("--to, --message and --create belong to hf: endpoints");
}

Result<Command> upload_command(const RawArguments& raw, bool message_given) {
  XET_TRY_STATUS(check_stdin_used_once(raw.paths));
  XET_TRY_STATUS(check_no_hub_options(raw, message_given));
  if (!has_paths(raw)) return Command(UploadArgs{raw.paths, raw.recursive, !raw.no_sha256});
  if (raw.message.empty()) return wrong("--message is empty: commits have one");
  return Command(HubUploadArgs{raw.paths, raw.recursive, !raw.no_sha256, raw.to, raw.message, raw.create});
}

Result<Command> plan_command(const RawArguments& raw) {
  XET_TRY_STATUS(check_stdin_used_once(raw.paths));
  XET_TRY_STATUS(check_no_hub_options(raw, /*message_given=*/false));
  if (has_paths(raw)) return Command(HubPlanArgs{raw.paths, raw.to});
  return Command(PlanArgs{raw.paths});
}

Result<Command> hub_download_command(const RawArguments& raw, bool range_given) {
  HubDownloadArgs out{.paths = raw.paths, .output = raw.output, .range = {}, .directory = raw.directory};
  if (raw.output.empty() == raw.directory.empty())
    return wrong("say where to write: -d DIR for everything or the paths named, -o PATH for one file");
  if (!raw.output.empty() && raw.paths.size() != 1) return wrong("-o is for one file of the repository");
  if (raw.output.empty() && range_given) return wrong("--range belongs to a single file with -o");
  XET_TRY(out.range, optional_range(raw.range, range_given));
  return Command(std::move(out));
}

Result<Command> download_command(const RawArguments& raw, bool range_given) {
  if (has_paths(raw) && raw.manifest.empty()) return hub_download_command(raw, range_given);
  DownloadArgs out;
  if (raw.paths.size() > 1)
    return wrong("one HASH at a time; several files are downloaded with --manifest FILE -d DIR");
  if (raw.manifest.empty()) {
    if (raw.paths.empty()) return wrong("say what to download: HASH -o PATH, or --manifest FILE -d DIR");
    if (raw.output.empty()) return wrong("say where to write the file: -o PATH (or -o - for stdout)");
    if (!raw.directory.empty())
      return wrong("-d belongs to --manifest; the place of a single file is -o PATH");
    XET_TRY(out.file, parse_file_hash(raw.paths.front()));
    XET_TRY(out.range, optional_range(raw.range, range_given));
    out.output = raw.output;
    return Command(std::move(out));
  }
  if (!raw.paths.empty()) return wrong("give either a HASH or --manifest, not both");
  if (raw.directory.empty()) return wrong("--manifest wants -d DIR, the directory that the files go to");
  if (!raw.output.empty() || range_given)
    return wrong("-o and --range belong to a single HASH, not to --manifest");
  out.manifest = raw.manifest;
  out.directory = raw.directory;
  return Command(std::move(out));
}

Result<Command> serve_command(const RawArguments& raw) {
  if (!raw.auth.empty() && raw.auth != "on" && raw.auth != "off")
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--auth is on or off, not '{}'", one_line(raw.auth)));
  if (raw.tls_certificate.empty() != raw.tls_key.empty())
    return fail(ErrorCode::kInvalidArgument, "--tls-cert and --tls-key belong together");
  return Command(ServeArgs{.data = raw.data,
                           .listen = raw.listen,
                           .admin_listen = raw.admin_listen,
                           .public_url = raw.public_url,
                           .tls_certificate = raw.tls_certificate,
                           .tls_key = raw.tls_key,
                           .auth = raw.auth != "off",
                           .access_log = raw.access_log});
}

/// nullopt when --ttl was not given.
Result<std::optional<std::chrono::seconds>> lifetime_of(const RawArguments& raw, std::chrono::hours longest) {
  if (raw.lifetime.empty()) return std::nullopt;
  const auto lifetime = config::parse_duration(raw.lifetime);
  if (!lifetime || *lifetime < std::chrono::seconds(1) || *lifetime > longest)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--ttl is a time such as 30m, 12h or 7d, at most {}d, not '{}'",
                            longest.count() / 24, one_line(raw.lifetime)));
  return std::chrono::duration_cast<std::chrono::seconds>(*lifetime);
}

Result<Command> token_command(const RawArguments& raw) {
  AdminTokenArgs out{.data = raw.data, .may_write = raw.scope == "write", .repository = raw.repository};
  if (raw.scope != "read" && raw.scope != "write")
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--scope is read or write, not '{}'", one_line(raw.scope)));
  XET_TRY(const auto lifetime, lifetime_of(raw, std::chrono::hours(24 * 366)));
  if (lifetime) out.lifetime = *lifetime;
  return Command(std::move(out));
}

Result<Command> create_token_command(const RawArguments& raw) {
  CreateTokenArgs out{.data = raw.data, .user = raw.user, .name_spaces = raw.name_spaces, .lifetime = {}};
  if (raw.role == "read") {
    out.role = store::TokenRole::kRead;
  } else if (raw.role == "write") {
    out.role = store::TokenRole::kWrite;
  } else if (raw.role == "admin") {
    out.role = store::TokenRole::kAdmin;
  } else {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--role is read, write or admin, not '{}'", one_line(raw.role)));
  }
  XET_TRY(out.lifetime, lifetime_of(raw, std::chrono::hours(24 * 3660)));
  return Command(std::move(out));
}

Result<Command> revoke_token_command(const RawArguments& raw) {
  RevokeTokenArgs out{.data = raw.data};
  const char* const end = raw.token_number.data() + raw.token_number.size();
  const auto [parsed_to, error] = std::from_chars(raw.token_number.data(), end, out.id);
  if (error != std::errc{} || parsed_to != end || out.id < 1)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("a token is named by its number in `xet admin token list`, not by '{}'",
                            one_line(raw.token_number.substr(0, 20))));
  return Command(out);
}

/// One command of the program: its part of the parser, and what its words mean.
struct CommandSpec {
  CLI::App* app = nullptr;
  std::function<Result<Command>()> build;
};

/// `app` is the program, or a command with commands of its own.
CLI::App& add_command(CLI::App& app, const CommandHelp& help) {
  CLI::App* command = app.add_subcommand(std::string(help.name), std::string(help.summary));
  command->footer(std::string(help.details));
  return *command;
}

void add_paths(CLI::App& command, RawArguments& raw, std::string_view what) {
  command.add_option("PATH", raw.paths, std::string(what))->required()->type_name("");
}

void add_server_commands(CLI::App& app, RawArguments& raw, std::vector<CommandSpec>& out) {
  const auto add = [&](CLI::App& parent, const CommandHelp& help,
                       std::function<Result<Command>()> build) -> CLI::App& {
    auto& command = add_command(parent, help);
    add_data_option(command, raw);
    command.add_flag("--json", raw.json, "Write one JSON object per line instead of text")->group("Output");
    command.add_flag("-q,--quiet", raw.quiet, "Only errors on stderr")->group("Output");
    out.push_back({&command, std::move(build)});
    return command;
  };

  auto& serve = add(app, kServeHelp, [&raw] { return serve_command(raw); });
  serve
      .add_option("--listen", raw.listen, "Where to listen (default 127.0.0.1:8080); port 0 is any free one")
      ->type_name("ADDRESS:PORT");
  serve
      .add_option("--public-url", raw.public_url, "How clients reach this server, when a proxy is in between")
      ->type_name("URL");
  serve.add_option("--tls-cert", raw.tls_certificate, "Certificate chain (PEM): serve https")
      ->type_name("FILE");
  serve.add_option("--tls-key", raw.tls_key, "Its private key (PEM)")->type_name("FILE");
  serve.add_option("--auth", raw.auth, "on, or off: everybody may read and write (loopback only)")
      ->type_name("on|off");
  serve.add_option("--admin-listen", raw.admin_listen, "Serve /metrics there (default: nowhere)")
      ->type_name("ADDRESS:PORT");
  serve.add_flag("--access-log", raw.access_log, "Write one JSON object per request to stderr");

  auto& admin = add_command(app, kAdminHelp);
  admin.require_subcommand(1);
  auto& token = add(admin, kAdminTokenHelp, [&raw] { return token_command(raw); });
  token.add_option("--scope", raw.scope, "read or write")->required()->type_name("SCOPE");
  token.add_option("--repo", raw.repository, "The repository it is for")->type_name("TYPE/NAMESPACE/NAME");
  token.add_option("--ttl", raw.lifetime, "How long it is good for (default 1h)")->type_name("TIME");
  add(admin, kAdminStatsHelp, [&raw]() -> Result<Command> { return Command(AdminStatsArgs{raw.data}); });
  auto& fsck = add(admin, kAdminFsckHelp,
                   [&raw]() -> Result<Command> { return Command(AdminFsckArgs{raw.data, raw.deep}); });
  fsck.add_flag("--deep", raw.deep, "Also read every object and hash every chunk");

  auto& user = add_command(admin, kUserHelp);
  user.require_subcommand(1);
  auto& add_user = add(user, kAddUserHelp,
                       [&raw]() -> Result<Command> { return Command(AddUserArgs{raw.data, raw.user}); });
  add_user.add_option("NAME", raw.user, "What the user is called")->required()->type_name("");
  add(user, kListUsersHelp, [&raw]() -> Result<Command> { return Command(ListUsersArgs{raw.data}); });

  auto& hub_token = add_command(admin, kHubTokenHelp);
  hub_token.require_subcommand(1);
  auto& create = add(hub_token, kCreateTokenHelp, [&raw] { return create_token_command(raw); });
  create.add_option("--user", raw.user, "Whose it is")->required()->type_name("NAME");
  create.add_option("--role", raw.role, "read, write or admin")->required()->type_name("ROLE");
  create.add_option("--namespace", raw.name_spaces, "Where it holds (may be given several times)")
      ->type_name("NAME");
  create.add_option("--ttl", raw.lifetime, "How long it is good for (default: until it is revoked)")
      ->type_name("TIME");
  add(hub_token, kListTokensHelp, [&raw]() -> Result<Command> { return Command(ListTokensArgs{raw.data}); });
  auto& revoke = add(hub_token, kRevokeTokenHelp, [&raw] { return revoke_token_command(raw); });
  revoke.add_option("NUMBER", raw.token_number, "Of the token, as list shows it")->required()->type_name("");
}

std::vector<CommandSpec> add_commands(CLI::App& app, RawArguments& raw) {
  std::vector<CommandSpec> out;

  auto& upload = add_command(app, kUploadHelp);
  add_paths(upload, raw, "Files, with -r directories, or - for stdin");
  add_endpoint_option(upload, raw);
  upload.add_flag("-r,--recursive", raw.recursive, "Upload everything below directories");
  upload.add_flag("--no-sha256", raw.no_sha256, "Do not compute SHA-256 digests (faster)");
  add_destination_option(upload, raw);
  auto* message = upload.add_option("-m,--message", raw.message, "What the commit says")->type_name("TEXT");
  message->group(kHubGroup);
  upload.add_flag("--create", raw.create, "Make the repository if it is not there")->group(kHubGroup);
  out.push_back({&upload, [&raw, message] { return upload_command(raw, message->count() > 0); }});

  auto& download = add_command(app, kDownloadHelp);
  download
      .add_option(
          "HASH", raw.paths,
          "Xet hash of the file, as upload and hash print it; hf: files and folders of the repository")
      ->type_name("");
  add_endpoint_option(download, raw);
  download.add_option("-o,--output", raw.output, "File to write; - for stdout")->type_name("PATH");
  auto* download_range =
      download.add_option("--range", raw.range, "Only bytes A to B (both included), or A-");
  download_range->type_name("A-B");
  download.add_option("--manifest", raw.manifest, "Output of `xet upload --json`; - for stdin")
      ->type_name("FILE");
  download.add_option("-d,--directory", raw.directory, "Where the files of the manifest, or of hf:, go")
      ->type_name("DIR");
  out.push_back(
      {&download, [&raw, download_range] { return download_command(raw, download_range->count() > 0); }});

  auto& cat = add_command(app, kCatHelp);
  cat.add_option("HASH", raw.paths, "Xet hash of the file; hf: its path")
      ->required()
      ->expected(1)
      ->type_name("");
  add_endpoint_option(cat, raw);
  auto* cat_range = cat.add_option("--range", raw.range, "Only bytes A to B (both included), or A-");
  cat_range->type_name("A-B");
  out.push_back({&cat, [&raw, cat_range]() -> Result<Command> {
                   XET_TRY(const auto range, optional_range(raw.range, cat_range->count() > 0));
                   if (has_paths(raw)) return Command(HubCatArgs{raw.paths.front(), range});
                   XET_TRY(const auto file, parse_file_hash(raw.paths.front()));
                   return Command(CatArgs{file, range});
                 }});

  auto& plan = add_command(app, kPlanHelp);
  add_paths(plan, raw, "Files, directories, or - for stdin");
  add_endpoint_option(plan, raw);
  plan.add_flag("-r,--recursive", raw.recursive, "Accepted for symmetry with upload; always on");
  add_destination_option(plan, raw);
  out.push_back({&plan, [&raw] { return plan_command(raw); }});

  auto& hash = add_command(app, kHashHelp);
  add_paths(hash, raw, "Files, directories, or - for stdin");
  hash.add_flag("-r,--recursive", raw.recursive, "Accepted for symmetry with upload; always on");
  hash.add_flag("--no-sha256", raw.no_sha256, "With --json: leave the SHA-256 out (faster)");
  out.push_back({&hash, [&raw]() -> Result<Command> {
                   XET_TRY_STATUS(check_stdin_used_once(raw.paths));
                   return Command(HashArgs{raw.paths, raw.json && !raw.no_sha256});
                 }});

  auto& chunks = add_command(app, kChunksHelp);
  chunks.add_option("PATH", raw.output, "A file, or - for stdin")->required()->type_name("");
  out.push_back({&chunks, [&raw]() -> Result<Command> { return Command(ChunksArgs{raw.output}); }});

  auto& inspect = add_command(app, kInspectHelp);
  inspect.add_option("FILE", raw.output, "A xorb or a shard")->required()->type_name("");
  inspect.add_flag("--verify", raw.verify, "Also unpack and hash everything, and compare the names");
  out.push_back(
      {&inspect, [&raw]() -> Result<Command> { return Command(InspectArgs{raw.output, raw.verify}); }});

  for (const auto& spec : out) {
    add_output_options(*spec.app, raw);
    if (spec.app != &inspect) add_resource_options(*spec.app, raw);
  }
  add_server_commands(app, raw, out);
  return out;
}

}  // namespace

Result<std::variant<Invocation, InfoText>> parse_command_line(int argc, const char* const* argv) {
  using Parsed = std::variant<Invocation, InfoText>;
  CLI::App app(std::string(kProgramSummary), "xet");
  app.footer(std::string(kProgramDetails));
  app.set_version_flag("--version", fmt::format("xet {}", kVersion));
  app.require_subcommand(1);
  RawArguments raw;
  const auto commands = add_commands(app, raw);

  auto words = guarded_words(argc, argv);
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    return Parsed(InfoText{app.help()});
  } catch (const CLI::CallForVersion& version) {
    return Parsed(InfoText{fmt::format("{}\n", version.what())});
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::erase(message, kGuard);
    const auto used = app.get_subcommands();
    if (used.empty() && argc == 1)
      message = "no command given: upload, download, cat, plan, hash, chunks, inspect, serve or admin";
    const std::string help =
        used.empty() ? "xet --help" : fmt::format("xet {} --help", used.front()->get_name());
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} (see `{}`)", one_line(message), help));
  }
  for (auto& path : raw.paths) remove_guard(path);
  for (auto* word : {&raw.endpoint, &raw.progress,     &raw.threads,    &raw.max_memory,
                     &raw.timeout,  &raw.to,           &raw.output,     &raw.range,
                     &raw.manifest, &raw.directory,    &raw.token,      &raw.data,
                     &raw.listen,   &raw.admin_listen, &raw.public_url, &raw.tls_certificate,
                     &raw.tls_key,  &raw.auth,         &raw.scope,      &raw.repository,
                     &raw.lifetime, &raw.user,         &raw.role,       &raw.token_number,
                     &raw.message}) {
    remove_guard(*word);
  }

  const auto used = std::find_if(commands.begin(), commands.end(),
                                 [](const CommandSpec& spec) { return spec.app->parsed(); });
  Invocation out;
  XET_TRY(out.common, common_options(raw, used->app->get_option_no_throw("--endpoint") != nullptr));
  XET_TRY(out.command, used->build());
  return Parsed(std::move(out));
}

}  // namespace xet::cli
