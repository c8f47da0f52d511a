#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/xet/context.h"
#include "xet/download.h"

namespace xet::cli {

struct NamedDownload {
  std::string name;  ///< as reported
  DownloadRequest request;
};

/// What a file may be written to: anything but a directory.
Status check_output_file(const std::string& output);

/// Fetches files of a store, reports each, done or failed, and adds what is done to the sums.
void download_files(Context& context, const std::shared_ptr<Client>& client,
                    const std::vector<NamedDownload>& wanted, Summary& sums);

/// The last words of a download.
void report_download(Context& context, Summary sums);

}  // namespace xet::cli
