#include "train/vocabulary_fit.h"

#include <algorithm>

#include "base/error.h"
#include "corpus/folder_layout.h"
#include "inkstone/model.h"
#include "train/run_folder.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr double kLeastShare = 0.6;
constexpr double kLeastBytesPerToken = 2.5;  // of a BPE whose own text is not known

Message reason(TokenizerType type, const TextRates& text, const std::optional<TextRates>& own) {
  if (type == TokenizerType::kChar) {
    return message(
        "it has {:.2f} characters per token here: most are not in the vocabulary, which writes "
        "them byte by byte",
        text.characters_per_token);
  }
  if (own) {
    return message(
        "it has {:.2f} bytes ({:.2f} characters) per token here, and had {:.2f} ({:.2f}) on the "
        "text that the model was trained on",
        text.bytes_per_token, text.characters_per_token, own->bytes_per_token,
        own->characters_per_token);
  }
  return message(
      "it has {:.2f} bytes ({:.2f} characters) per token here; what it had on the model's own text "
      "is not known, but a vocabulary has more than {} on text that it was made for",
      text.bytes_per_token, text.characters_per_token, kLeastBytesPerToken);
}

}  // namespace

std::optional<TextRates> rates_of_own_text(const fs::path& model) {
  constexpr int64_t kEnough = int64_t{1} << 20;
  try {
    const auto run = run_of_model(model);
    if (!run) return std::nullopt;
    const auto folders = read_run_description(*run).options.data;
    if (folders.empty()) return std::nullopt;
    const fs::path& data = folders.front();  // of several the first: all have one vocabulary
    const TokenStream stream(data, std::string(kTrainSplit));
    if (stream.count() == 0) return std::nullopt;
    return text_rates(stream, 0, std::min(kEnough, stream.count()), Tokenizer::load(data));
  } catch (const Error&) {
    return std::nullopt;  // the data has gone, or is another by now
  }
}

std::optional<Message> vocabulary_warning(TokenizerType type, const TextRates& text,
                                          const std::optional<TextRates>& own) {
  if (type == TokenizerType::kByte) return std::nullopt;
  const double least_characters = kLeastShare *
                                  (own ? std::min(1.0, own->characters_per_token) : 1.0);
  const double least_bytes = own ? kLeastShare * own->bytes_per_token : kLeastBytesPerToken;
  const bool few_bytes = type == TokenizerType::kBpe && text.bytes_per_token < least_bytes;
  if (!few_bytes && text.characters_per_token >= least_characters) return std::nullopt;
  return message(
      "warning: the model's vocabulary does not suit this text: {}. Training sees less text in a "
      "step and in its context, and writing takes more steps. For text in another language or "
      "script begin a model with a vocabulary of its own (inkstone train TEXT -o RUN), or with one "
      "that knows it; `inkstone tokenizer compare MODEL --text FILE` shows the bytes per token",
      reason(type, text, own));
}

}  // namespace inkstone
