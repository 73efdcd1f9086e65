// Help texts and wrong usage: flags that are unknown, absurd, or contradict each other.
#include "workspace.h"

namespace inkstone::test {
namespace {

class UsageTest : public Workspace {};

TEST_F(UsageTest, EveryCommandHasHelpWithAnExample) {
  for (Words words : commands()) {
    words.push_back("--help");
    const Outcome outcome = run_well(words);
    words.pop_back();
    EXPECT_EQ(outcome.err, "");
    std::string name = "inkstone";
    for (const std::string& word : words) name += " " + word;
    const size_t at = outcome.out.find("Example:\n");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_NE(outcome.out.find(name, at), std::string::npos)
        << "the example does not show " << name;
    EXPECT_NE(outcome.out.find("--threads"), std::string::npos) << name;
    EXPECT_EQ(outcome.out.find("1099511627776"), std::string::npos)
        << "a bound that means nothing to the reader";
  }
}

TEST_F(UsageTest, TheProgramItselfHasHelpAndAVersion) {
  const Outcome help = run_well({"--help"});
  for (const Words& words : commands())
    EXPECT_NE(help.out.find("\n  " + words[0] + " "), std::string::npos) << words[0];
  EXPECT_EQ(run_well({"--version"}).out.find("inkstone "), 0u);
  EXPECT_NE(run_well({"tokenizer", "--help"}).out.find("decode"), std::string::npos);
}

TEST_F(UsageTest, AnUnknownCommandIsNamedBesideTheKnownOnes) {
  expect_refused(2, {"trian"}, {"'trian'", "train", "generate"});
  expect_refused(2, {}, {"no command", "train"});
  expect_refused(2, {"--frobnicate"}, {"--frobnicate"});
  expect_refused(2, {"--threads", "2", "info", "run"}, {"'--threads'", "after the command"});
  expect_refused(2, {"info", "run", "--frobnicate"}, {"--frobnicate", "--help"});
  expect_refused(2, {"tokenizer"}, {"subcommand"});
}

TEST_F(UsageTest, MissingArgumentsAreNamed) {
  expect_refused(2, {"train"}, {"--data", "inkstone prepare"});
  expect_refused(2, {"train", "--data", "data"}, {"-o RUN"});
  expect_refused(2, {"generate"}, {"MODEL"});
  expect_refused(2, {"prepare", "text.txt"}, {"--tokenizer"});
  expect_refused(2, {"tokenizer", "train", "text.txt"}, {"--output"});
}

TEST_F(UsageTest, AbsurdNumbersAreNamedWithTheirRange) {
  make_run();
  const std::vector<Words> of_train = {
      {"--steps", "-5"},        {"--steps", "0"},
      {"--steps", "1e3"},       {"--steps", "99999999999999999999"},
      {"--batch", "0"},         {"--lr", "nan"},
      {"--lr", "-1"},           {"--lr", "inf"},
      {"--min-lr", "9"},        {"--dropout", "1"},
      {"--dropout", "nan"},     {"--beta1", "1"},
      {"--weight-decay", "-1"}, {"--clip", "-1"},
      {"--seed", "-1"},         {"--seed", "x"},
      {"--threads", "-1"},      {"--keep", "0"},
      {"--layers", "0"},        {"--heads", "5"},
      {"--context", "-3"},      {"--mask-rate", "2"},
      {"--width", "1000000000"}};
  for (const Words& words : of_train) {
    Words all = training("new");
    for (const std::string& word : words) all.push_back(word);
    // --layers and such are given already: the last one would be a second value.
    if (words[0] == "--layers" || words[0] == "--heads" || words[0] == "--context" ||
        words[0] == "--width" || words[0] == "--lr" || words[0] == "--batch" ||
        words[0] == "--threads") {
      all = {"train", "--data", "data", "-o", "new", words[0], words[1]};
    }
    const std::string part = words[0] == "--heads" ? "heads" : words[0];
    expect_refused(2, all, {part, words[0] == "--heads" ? "multiple" : words[1]});
  }
  const std::vector<std::pair<Words, std::string>> of_generate = {
      {{"--temperature", "-1"}, "temperature"},
      {{"--temperature", "nan"}, "temperature"},
      {{"--top-p", "2"}, "top-p"},
      {{"--top-p", "-0.1"}, "top-p"},
      {{"--top-k", "-3"}, "top-k"},
      {{"--min-p", "inf"}, "min-p"},
      {{"--repetition-penalty", "0"}, "repetition-penalty"},
      {{"--max-tokens", "-1"}, "--max-tokens"},
      {{"--seed", "-1"}, "--seed"},
      {{"-n", "0"}, "--samples"},
      {{"--parallel", "-1"}, "--parallel"},
      {{"--stop", ""}, "stop"},
      {{"--dtype", "f64"}, "--dtype"}};
  for (const auto& [words, name] : of_generate) {
    expect_refused(2, {"generate", "run", words[0], words[1]},
                   {name, words[1].empty() ? "empty" : words[1]});
  }
}

TEST_F(UsageTest, AModelTooLargeForAnyMachineIsRefusedNotTried) {
  make_data();
  expect_refused(1,
                 {"train", "--data", "data", "-o", "new", "--layers", "1000", "--width", "65536",
                  "--heads", "64"},
                 {"memory"});
}

TEST_F(UsageTest, ContradictoryFlagsAreNamed) {
  make_run();
  expect_refused(2, {"train", "--resume", "run", "--lr", "3"}, {"--lr", "--resume"});
  expect_refused(2, {"train", "--resume", "run", "--batch", "3"}, {"--batch", "--resume"});
  expect_refused(2, {"train", "--resume", "run", "text.txt"}, {"TEXT", "--resume"});
  expect_refused(2, {"train", "--resume", "run", "--init", "run"}, {"--init", "--resume"});
  expect_refused(2, training("new", {"--fall-back"}), {"--fall-back", "--resume"});
  expect_refused(2, {"train", "--data", "data", "-o", "new", "--init", "run", "--model", "gpt2"},
                 {"--init", "--model"});
  expect_refused(2, {"train", "--data", "data", "-o", "new", "--init", "run", "--layers", "2"},
                 {"--init", "--layers"});
  expect_refused(2, training("new", {"--warmup", "50", "--steps", "10"}), {"--warmup", "50", "10"});
  expect_refused(2, training("new", {"--patience", "3", "--eval-every", "0"}),
                 {"--patience", "--eval-every"});
  expect_refused(2, training("new", {"--model", "gpt5"}), {"gpt5", "gpt2-medium"});
  expect_refused(2, {"generate", "run", "--prompt", "a", "--prompt-file", "text.txt"},
                 {"--prompt", "--prompt-file"});
  expect_refused(
      2, {"tokenizer", "train", "text.txt", "-o", "new", "--type", "char", "--vocab-size", "300"},
      {"--vocab-size", "char"});
  expect_refused(
      2, {"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "new", "--val-fraction", "1"},
      {"validation fraction", "less than 1"});
  expect_refused(2, {"logits", "run", "--tokens", "1,x", "-o", "new.npy"}, {"--tokens", "'x'"});
}

TEST_F(UsageTest, CudaIsNamedAsWhatThisBuildLacks) {
  make_run();
  expect_refused(1, {"generate", "run", "--device", "cuda"},
                 {"--device cuda", "no CUDA backend", "--device cpu"});
  expect_refused(1, training("new", {"--device", "cuda"}), {"no CUDA backend"});
  expect_refused(2, {"score", "run", "--completion", "a", "--device", "tpu"},
                 {"tpu", "cpu or cuda"});
}

}  // namespace
}  // namespace inkstone::test
