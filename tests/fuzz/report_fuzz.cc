// What prepare leaves in a folder and reads again: report.json of a finished one, the checkpoint of
// one that was interrupted. The first byte picks.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "corpus/folder_layout.h"
#include "corpus/load/batch_loader.h"
#include "corpus/prepare/checkpoints.h"
#include "fuzz.h"

namespace inkstone {
namespace {

// A folder of this process.
const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    std::string name = "/tmp/inkstone-fuzz-XXXXXX";
    fuzz::require(::mkdtemp(name.data()) != nullptr, "a folder can be made");
    return std::filesystem::path(name);
  }();
  return path;
}

void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::as_text(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    write(folder() / kReportName, bytes);
    fuzz::accepts([] { TokenStream(folder(), std::string(kTrainSplit)); });
    return 0;
  }
  // Whatever the file holds, nothing is thrown: what is not whole counts for nothing.
  write(folder() / "state", bytes);
  const Checkpoints checkpoints(folder() / "state", "fingerprint", 1, {});
  static_cast<void>(checkpoints.found());
  return 0;
}
