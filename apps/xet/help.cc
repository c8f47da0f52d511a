#include "apps/xet/help.h"

namespace xet::cli {

const std::string_view kProgramSummary =
    "Store and fetch large files. Files are cut into chunks, and only chunks that the store does not have "
    "yet\n"
    "are sent and kept, so a new version of a model costs what changed in it.";

const std::string_view kProgramDetails =
    "Try it:\n"
    "  xet upload -e local:store model.bin     # keeps it in ./store and prints its hash, size and name\n"
    "  xet download -e local:store HASH -o copy.bin\n"
    "\n"
    "Endpoints (-e or the variable XET_ENDPOINT):\n"
    "  local:DIR                  a store in the directory DIR; no server needed\n"
    "  http(s)://HOST[:PORT]      a Xet server, e.g. `xet serve`; --token or XET_TOKEN is the key to it\n"
    "  hf:TYPE/NAMESPACE/NAME     a repository on a Hub, TYPE being models, datasets, spaces or buckets;\n"
    "                             HF_ENDPOINT and HF_TOKEN say which Hub, and as whom\n"
    "\n"
    "Results go to stdout, everything else to stderr.\n"
    "Exit codes: 0 done, 1 other failure, 2 wrong usage, 3 not found, 4 not allowed, 5 unavailable or out "
    "of\n"
    "time, 6 content does not match its hash or is malformed, 7 local files, 130 interrupted.\n"
    "`xet COMMAND --help` says more about a command.";

const CommandHelp kUploadHelp = {
    "upload", "Put files into a store",
    "Prints `<xet-hash> <size> <path>` for each file once all of them are safely in the store; the hash is\n"
    "what download and cat want. Keep the output of --json: `xet download --manifest` takes it to bring\n"
    "everything back. A file that cannot be read is reported, the others go on, and the exit code is 7.\n"
    "Symbolic links are followed. Paths that are printed with a backslash at the start of the line have\n"
    "newlines and backslashes written as \\n and \\\\, as sha256sum does.\n"
    "With hf: all files become one commit, or none does.\n"
    "\n"
    "Examples:\n"
    "  xet upload -e local:store model.safetensors\n"
    "  xet upload -e local:store -r --json dataset/ > dataset.manifest\n"
    "  tar c photos | xet upload -e local:store -\n"
    "  xet upload -e hf:models/alice/bert --create -r ./bert -m 'first weights'"};

const CommandHelp kDownloadHelp = {
    "download", "Get files from a store",
    "A file appears under its name only when it is complete and its content has been compared with its "
    "hash;\n"
    "until then an existing file stays as it is. With --range the chunks are checked one by one, but not "
    "the\n"
    "hash of the whole file, which would need all of it. With -o - the bytes are written as they come: see\n"
    "`xet cat --help`.\n"
    "A manifest holds what `xet upload --json` printed. A leading / of its paths is dropped; one with a "
    "path\n"
    "that leads out of DIR is refused before anything is written.\n"
    "\n"
    "Examples:\n"
    "  xet download -e local:store HASH -o model.safetensors\n"
    "  xet download -e local:store HASH --range 0-1023 -o header.bin\n"
    "  xet download -e local:store --manifest dataset.manifest -d restored/\n"
    "  xet download -e hf:models/alice/bert -d bert/\n"
    "  xet download -e hf:datasets/alice/set data/train.parquet -o train.parquet"};

const CommandHelp kCatHelp = {
    "cat", "Write a file of a store to stdout",
    "Bytes are delivered as they come, so by the time the hash of the whole file turns out wrong they have\n"
    "been written already: the exit code is 6 then, and what was written must not be used. Use `xet "
    "download`\n"
    "for a file that appears only when it is right. If the reader of stdout goes away, cat ends quietly\n"
    "with 141.\n"
    "\n"
    "Examples:\n"
    "  xet cat -e local:store HASH | tar t\n"
    "  xet cat -e local:store HASH --range 0-7 | od -t u8\n"
    "  xet cat -e hf:models/alice/bert config.json"};

const CommandHelp kPlanHelp = {
    "plan", "Say what an upload would store, without storing anything",
    "Reads, cuts and compresses the files and prints logical bytes (what the files hold), duplicate bytes "
    "(in\n"
    "these files or in the store already), new bytes, and how many bytes the new ones become compressed.\n"
    "Without an endpoint the files are compared only with each other.\n"
    "\n"
    "Example:\n"
    "  xet plan -e local:store model-v2.safetensors"};

const CommandHelp kHashHelp = {
    "hash", "Print the Xet hashes of files",
    "Prints `<xet-hash> <size> <path>` per file: the hash under which any Xet store knows the same content.\n"
    "Needs no store.\n"
    "\n"
    "Example:\n"
    "  xet hash model.safetensors"};

const CommandHelp kChunksHelp = {
    "chunks", "Show where a file is cut",
    "Prints `<offset> <length> <chunk-hash>` for each chunk of a file, in order. Needs no store.\n"
    "\n"
    "Example:\n"
    "  xet chunks model.safetensors | head"};

const CommandHelp kInspectHelp = {
    "inspect", "Explain a xorb or a shard",
    "A xorb holds packed chunks, a shard says which chunks of which xorbs make a file. Shows what is "
    "inside:\n"
    "header, chunks with scheme and ratio, files and their terms, footer. For a damaged object it shows "
    "what\n"
    "can be read and then names the first thing that is wrong, with exit code 6.\n"
    "\n"
    "Example:\n"
    "  xet inspect --verify suspicious.xorb"};

const CommandHelp kServeHelp = {
    "serve", "Serve a store over HTTP",
    "Makes the store in DIR when there is none, and serves it to any Xet client until SIGINT or SIGTERM,\n"
    "which lets running requests end first, for at most 10 seconds. What is acknowledged is on disk.\n"
    "DIR is the same store that local:DIR opens, also while it is served. Prints `listening on URL` when\n"
    "it is ready. The first start writes a token for everything to DIR/admin-token; others are made by\n"
    "`xet admin token` (for huggingface_hub, docs/hub.md) and `xet admin cas-token` (for the CAS alone).\n"
    "--auth=off lets everybody in and is allowed on loopback addresses only. More is in docs/serve.md.\n"
    "\n"
    "Examples:\n"
    "  xet serve --data /srv/xet --auth=off\n"
    "  xet serve --data /srv/xet --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem \\\n"
    "    --public-url https://xet.example.org"};

const CommandHelp kAdminHelp = {"admin", "Look after a store that is, or may be, served",
                                "Each command works on the directory, also while a server runs on it."};

const CommandHelp kAdminTokenHelp = {
    "cas-token", "Print a token for a store",
    "Prints one token and nothing else. It opens the CAS routes of `xet serve` on the same directory, and "
    "of\n"
    "nothing else. A write token may also read. Without --repo it is for the store's own repository, the\n"
    "one that local:DIR writes to; a repository named with --repo is made on first use, and a token for it\n"
    "reads only what was uploaded to it.\n"
    "\n"
    "Examples:\n"
    "  export XET_TOKEN=$(xet admin cas-token --data /srv/xet --scope write)\n"
    "  xet admin cas-token --data /srv/xet --scope read --repo model/acme/bert --ttl 12h"};

const CommandHelp kAdminStatsHelp = {"stats", "Say what a store holds",
                                     "Counts files, xorbs and shards and their bytes.\n"
                                     "\n"
                                     "Example:\n"
                                     "  xet admin stats --data /srv/xet"};

const CommandHelp kAdminFsckHelp = {
    "fsck", "Check a store",
    "Compares what the store has noted with the objects that are there. --deep also reads every object and\n"
    "hashes every chunk. Names each object that is missing or damaged, with exit code 6. Changes nothing.\n"
    "\n"
    "Example:\n"
    "  xet admin fsck --data /srv/xet --deep"};

const CommandHelp kUserHelp = {"user", "The users of the Hub that `xet serve` is",
                               "A user owns the namespace of his name."};

const CommandHelp kAddUserHelp = {"add", "Make a user",
                                  "Makes a user, who can do nothing until he has a token.\n"
                                  "\n"
                                  "Example:\n"
                                  "  xet admin user add alice --data /srv/xet"};

const CommandHelp kListUsersHelp = {"list", "Name the users", "One line for each user.\n"};

const CommandHelp kHubTokenHelp = {"token", "The tokens of these users",
                                   "A token is seen once, when it is made: the store keeps its hash only."};

const CommandHelp kCreateTokenHelp = {
    "create", "Print a new token for a user",
    "Prints the token and nothing else. --role read lets it read the private repositories of its\n"
    "namespaces, write also create and change everything there. Its namespaces are the user's own, or\n"
    "those of --namespace, which several users may share. Public repositories are everybody's to read.\n"
    "--role admin is for all namespaces.\n"
    "\n"
    "Examples:\n"
    "  export HF_TOKEN=$(xet admin token create --data /srv/xet --user alice --role write)\n"
    "  xet admin token create --data /srv/xet --user alice --role read --namespace team --ttl 30d"};

const CommandHelp kListTokensHelp = {"list", "List tokens, without their text",
                                     "One line for each token: number, user, role, namespaces, state."};

const CommandHelp kRevokeTokenHelp = {
    "revoke", "End a token",
    "Takes effect at once for new requests, also at a running server; tokens of the CAS that were got with\n"
    "it end within 5 seconds.\n"
    "\n"
    "Example:\n"
    "  xet admin token revoke 7 --data /srv/xet"};

}  // namespace xet::cli
