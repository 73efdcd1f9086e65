#include "workspace.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"

namespace inkstone::test {
namespace fs = std::filesystem;

const std::vector<Words>& commands() {
  static const std::vector<Words> all = {{"tokenizer", "train"},
                                         {"tokenizer", "compare"},
                                         {"tokenizer", "encode"},
                                         {"tokenizer", "decode"},
                                         {"prepare"},
                                         {"train"},
                                         {"finetune"},
                                         {"generate"},
                                         {"chat"},
                                         {"score"},
                                         {"logits"},
                                         {"eval"},
                                         {"memorised"},
                                         {"compare"},
                                         {"merge"},
                                         {"convert"},
                                         {"sweep"},
                                         {"info"},
                                         {"bench"}};
  return all;
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::string verses(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += std::to_string(i % 10) +
            " little ducks went out one day,\nover the hill and far away.\n";
  }
  return text;
}

std::map<std::string, std::string> snapshot(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).string();
    if (entry.is_symlink()) {
      found[name] = "-> " + fs::read_symlink(entry.path()).string();
    } else {
      found[name] = entry.is_regular_file() ? read_file(entry.path()) : "";
    }
  }
  return found;
}

Outcome Workspace::run(Words arguments, const std::string& input) const {
  return run_inkstone(
      Launch{.arguments = std::move(arguments), .folder = folder(), .input = input});
}

Outcome Workspace::run_well(Words arguments, const std::string& input) const {
  std::string line = "inkstone";
  for (const std::string& word : arguments) line += " " + word;
  Outcome outcome = run(std::move(arguments), input);
  EXPECT_EQ(outcome.status, 0) << line << "\n" << outcome.err;
  return outcome;
}

void Workspace::expect_refused(int status, const Words& arguments, const Words& parts,
                               const std::string& input) const {
  std::string line = "inkstone";
  for (const std::string& word : arguments) line += " " + word;
  SCOPED_TRACE(line);
  const auto before = snapshot(folder());
  const Outcome outcome = run(arguments, input);
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_NE(outcome.err.find("inkstone: error: "), std::string::npos) << outcome.err;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos)
        << "no '" << part << "' in: " << outcome.err;
  }
  EXPECT_EQ(outcome.out, "");
  EXPECT_TRUE(snapshot(folder()) == before) << "files were changed, made or removed";
}

void Workspace::write(const std::string& name, const std::string& text) const {
  std::ofstream file(*this / name, std::ios::binary);
  file << text;
  ASSERT_TRUE(file.flush()) << name;
}

std::string Workspace::read(const std::string& name) const { return read_file(*this / name); }

void Workspace::make_data(const std::string& text, const std::string& type) const {
  write("text.txt", text);
  run_well({"tokenizer", "train", "text.txt", "-o", "vocabulary", "--type", type});
  run_well({"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "data"});
}

Words Workspace::training(const std::string& run, Words more) {
  Words words = {"train",   "--data",  "data",    "-o",        run,         "--layers", "2",
                 "--heads", "2",       "--width", "32",        "--context", "16",       "--lr",
                 "3e-3",    "--batch", "4",       "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void Workspace::make_run() const {
  make_data();
  run_well(training("run",
                    {"--steps", "60", "--eval-every", "20", "--save-every", "20", "--keep", "2"}));
}

}  // namespace inkstone::test
