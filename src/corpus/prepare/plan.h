// What becomes of each document: decided when all are known.
#pragma once

#include <cstdint>
#include <filesystem>

#include "corpus/prepare/fate_list.h"
#include "corpus/prepare/scan.h"
#include "inkstone/prepare.h"

namespace inkstone {

struct Plan {
  FateList fates;    // by document, in the order read
  int64_t kept = 0;  // documents that train or validate
  int64_t cut = 0;   // of these, by split.h's is_cut; a document alone always is
  int64_t kept_bytes = 0, kept_characters = 0;
};

// Reads what scan_corpus wrote. scratch: a folder for files that are needed meanwhile.
// Near-duplicates are sought among the documents that are no exact duplicates.
Plan make_plan(const ScanFiles& scanned, const PrepareOptions& options,
               const std::filesystem::path& scratch);

}  // namespace inkstone
