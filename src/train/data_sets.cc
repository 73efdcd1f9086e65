#include "train/data_sets.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "corpus/folder_layout.h"
#include "corpus/load/mixture.h"
#include "inkstone/turns.h"
#include "train/batches.h"
#include "train/objective_tokens.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

void refuse_twice(const std::vector<fs::path>& folders) {
  std::set<fs::path> seen;
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    if (seen.insert(fs::weakly_canonical(folder, ignored)).second) continue;
    fail(ErrorCode::kUsage,
         "--data '{}' is given twice: give it once, with a larger number in --weights",
         folder.string());
  }
}

void require_one_tokenizer(const std::vector<fs::path>& folders) {
  if (folders.size() == 1) return;
  const auto hash = [](const fs::path& folder) {
    return hash128_hex_of_file(folder / "tokenizer.json");
  };
  const std::string first = hash(folders.front());
  for (const fs::path& folder : folders) {
    const std::string other = hash(folder);
    if (other == first) continue;
    fail(ErrorCode::kMismatch,
         "'{}' was prepared with another tokenizer than '{}': tokenizer.json has the checksum {}, "
         "expected {}; "
         "prepare both with the same --tokenizer",
         folder.string(), folders.front().string(), other, first);
  }
}

// The folder's own name without what a key or a file name should not have.
std::string plain_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  const fs::path last = whole.has_filename() ? whole.filename() : whole.parent_path().filename();
  std::string name = replace_invalid_utf8(last.string());
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || c == '/' || c == '"' || c == '\\' || byte == 0x7F) c = '_';
  }
  return name;
}

std::vector<std::string> names_of(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) names.push_back(plain_name(folder));
  if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  for (size_t i = 0; i < names.size(); ++i) names[i] += fmt::format("_{}", i + 1);
  return names;
}

// Of given weights, or of the numbers of tokens: then every token is seen equally often.
std::vector<double> shares_of(const std::vector<double>& weights,
                              const std::vector<TokenStream>& streams) {
  std::vector<double> shares = weights;
  if (shares.empty()) {
    for (const TokenStream& stream : streams) shares.push_back(static_cast<double>(stream.count()));
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (size_t k = 0; k < shares.size(); ++k) {
    shares[k] /= sum;
    if (shares[k] >= Mixture::kLeastShare) continue;
    fail(ErrorCode::kUsage,
         "'{}' has less than a millionth of the training tokens: leave it out, or give --weights",
         streams[k].folder().string());
  }
  return shares;
}

// The shards come first: a folder of another program's often has no vocabulary beside them, and
// what they are is the better message.
Tokenizer load_tokenizer(const fs::path& folder) {
  const TokenStream stream(folder, std::string(kTrainSplit), 1);
  return Tokenizer::load(folder);
}

int64_t tokens_of(std::span<const TokenStream> streams) {
  int64_t tokens = 0;
  for (const TokenStream& stream : streams) tokens += stream.count();
  return tokens;
}

// The template of turns that the run's checkpoints have: that of the folders of which one has any.
Tokenizer with_template_of(const std::vector<fs::path>& folders, Tokenizer tokenizer) {
  for (const fs::path& folder : folders) {
    if (folders.size() == 1) break;
    const Tokenizer other = Tokenizer::load(folder);
    if (other.turn_template() == nullptr) continue;
    if (tokenizer.turn_template() == nullptr)
      tokenizer = tokenizer.with_turn_template(*other.turn_template());
    if (*tokenizer.turn_template() == *other.turn_template()) continue;
    fail(ErrorCode::kMismatch,
         "'{}' was prepared with another template of turns than the folders before it: prepare "
         "them with the same --template",
         folder.string());
  }
  return tokenizer;
}

}  // namespace

DataSets::DataSets(const TrainOptions& options)
    : folders_(options.data),
      tokenizer_(load_tokenizer(folders_.front())),
      text_ids_(tokenizer_.vocab_size()),
      names_(names_of(folders_)) {
  refuse_twice(folders_);
  require_one_tokenizer(folders_);
  tokenizer_ = with_template_of(folders_, tokenizer_);
  for (const fs::path& folder : folders_) {
    train_.emplace_back(folder, std::string(kTrainSplit), text_ids_);
    val_.emplace_back(folder, std::string(kValidationSplit), text_ids_);
    if (train_.back().count() < 2) {
      fail(ErrorCode::kInvalidData, "'{}' has {} training tokens, expected at least 2",
           folder.string(), train_.back().count());
    }
    train_spans_.push_back(find_trained_spans(train_.back(), kTrainSplit));
    val_spans_.push_back(find_trained_spans(val_.back(), kValidationSplit));
  }
  shares_ = shares_of(options.weights, train_);
  if (options.align_documents) require_end_mark("--align-documents");
  if (options.separate_documents) require_end_mark("--separate-documents");
  if (options.fim_rate > 0) require_end_mark("--fim-rate");
  tokenizer_ = with_objective_tokens(options, tokenizer_);
}

void DataSets::require_end_mark(std::string_view option) const {
  if (tokenizer_.end_of_text()) return;
  fail(ErrorCode::kUsage,
       "{} needs an end mark between documents, such as <|endoftext|>, which the tokenizer of '{}' "
       "does not have",
       option, folders_.front().string());
}

int64_t DataSets::train_tokens() const { return tokens_of(train_); }
int64_t DataSets::val_tokens() const { return tokens_of(val_); }

bool DataSets::can_validate() const {
  return std::any_of(val_.begin(), val_.end(),
                     [](const TokenStream& stream) { return stream.count() >= 2; });
}

TextRates DataSets::rates(std::span<const TokenStream> streams, int64_t most_tokens) const {
  std::vector<std::optional<double>> bytes(streams.size()), characters(streams.size());
  for (size_t k = 0; k < streams.size(); ++k) {
    if (streams[k].count() < 2) continue;
    const int64_t count = predicted_tokens(streams[k], most_tokens);
    const TextRates rates = text_rates(streams[k], 1, count, tokenizer_);
    bytes[k] = rates.bytes_per_token;
    characters[k] = rates.characters_per_token;
  }
  return {*weighted_mean(bytes, shares_), *weighted_mean(characters, shares_)};
}

std::string DataSets::fingerprint() const {
  std::string text;
  for (size_t k = 0; k < folders_.size(); ++k) {
    const fs::path report = folders_[k] / kReportName;
    const std::string shards = fs::exists(report) ? hash128_hex_of_file(report) : "no report";
    text += fmt::format("{}train {} val {} report {}", k == 0 ? "" : ", ", train_[k].count(),
                        val_[k].count(), shards);
  }
  return text;
}

std::optional<double> weighted_mean(std::span<const std::optional<double>> losses,
                                    std::span<const double> shares) {
  double sum = 0, weight = 0;
  for (size_t k = 0; k < losses.size(); ++k) {
    if (!losses[k]) continue;
    sum += shares[k] * *losses[k];
    weight += shares[k];
  }
  if (weight == 0) return std::nullopt;
  return sum / weight;
}

}  // namespace inkstone
