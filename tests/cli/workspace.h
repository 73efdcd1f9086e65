// What the tests of the program share: texts, a prepared corpus, a small trained run.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "program.h"
#include "support.h"

namespace inkstone::test {

using Words = std::vector<std::string>;

// Every command of the program, those of `tokenizer` by both words.
const std::vector<Words>& commands();

// Verses that a small model learns in moments.
std::string verses(int count);

// The objects of `--json` and of metrics.jsonl.
std::vector<nlohmann::json> json_lines(const std::string& text);

// Every file below a folder with its content, every link with its target: to see that nothing was
// damaged.
std::map<std::string, std::string> snapshot(const std::filesystem::path& folder);

// A test with a folder of its own, in which the program runs.
class Workspace : public ::testing::Test {
 protected:
  const std::filesystem::path& folder() const { return scratch_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder() / name; }

  Outcome run(Words arguments, const std::string& input = "") const;
  // Runs it and fails the test unless the exit status is 0.
  Outcome run_well(Words arguments, const std::string& input = "") const;
  // Runs it; fails the test unless it ends with this status, a message that begins "inkstone:
  // error:" on standard error and mentions every part, nothing on standard output, and everything
  // in the folder as it was.
  void expect_refused(int status, const Words& arguments, const Words& parts,
                      const std::string& input = "") const;

  void write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;

  // text.txt, vocabulary/ and data/, of the named type of vocabulary.
  void make_data(const std::string& text, const std::string& type) const;
  // data/ of verses with a vocabulary of characters.
  void make_data() const { make_data(verses(60), "char"); }
  // `train` on data/ into RUN with a model so small that it takes a moment, and these words more.
  static Words training(const std::string& run, Words more = {});
  // data/ and run/, trained a little.
  void make_run() const;

 private:
  const ScratchFolder scratch_;
};

}  // namespace inkstone::test
