// What the tests of prepare() share.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "corpus_support.h"
#include "inkstone/prepare.h"

namespace inkstone::test {

class PrepareFixture : public ::testing::Test {
 protected:
  PrepareReport run(const std::vector<std::filesystem::path>& inputs, double val_fraction = 0.1,
                    const Tokenizer& tokenizer = byte_tokenizer()) {
    PrepareOptions options{.inputs = inputs, .output = out, .val_fraction = val_fraction};
    options.runtime = runtime;
    return prepare(untouched(options), tokenizer);
  }
  PrepareReport run_text(std::string_view text, double val_fraction = 0.1,
                         const Tokenizer& tokenizer = byte_tokenizer()) {
    return run({write_text(scratch / "in", text)}, val_fraction, tokenizer);
  }
  std::vector<std::string> documents(const std::string& split) {
    return documents_of(out, split, byte_tokenizer());
  }

  ScratchFolder scratch;
  const std::filesystem::path out = scratch / "out";
  Runtime runtime;
};

}  // namespace inkstone::test
