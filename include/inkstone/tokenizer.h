// Text to token ids and back: GPT-2's byte-level BPE, and vocabularies of characters and of bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inkstone/runtime.h"

namespace inkstone {

using TokenId = int32_t;
struct TurnTemplate;  // inkstone/turns.h

// GPT-2's document separator, beginning and end mark, unless a model's files name another.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// What encode() does with the text of a special token, such as "<|endoftext|>", in its input.
enum class SpecialTokens {
  kAsText,  // encodes it like any other text (tiktoken's encode_ordinary)
  kAllow,   // maps it to its one id (Hugging Face's behaviour)
  kRefuse,  // throws Error{kInvalidData} (tiktoken's default)
};

enum class TokenizerType {
  kBpe,   // byte-level BPE, GPT-2's
  kChar,  // one token per character of the training text; other characters as bytes (byte fallback)
  kByte,  // one token per byte
};

// How far Tokenizer::train is. While it reads, merges_wanted is 0.
struct TokenizerTrainProgress {
  int64_t text_bytes = 0;
  int64_t merges = 0, merges_wanted = 0;
};

struct TokenizerTrainOptions {
  TokenizerType type = TokenizerType::kBpe;
  int64_t vocab_size = 50257;  // of kBpe: the upper bound, all special and byte tokens counted
  int64_t min_frequency = 2;   // of kBpe: a pair that occurs less often is not merged
  // Of kBpe: a merge never makes a token of so many bytes or more; 0: no limit. As with Hugging
  // Face, tokens of two bytes are always allowed.
  int64_t max_token_length = 0;
  // Of kBpe: the memory for the distinct pieces of the text (words, mostly), of which one of n
  // bytes needs 9n + 64. A text with more of them has its rarest pieces forgotten on the way, which
  // the report tells; below it the result is exact.
  int64_t memory_bytes = int64_t{768} << 20;
  std::vector<std::string> special_tokens = {std::string(kEndOfText)};
  Runtime runtime = Runtime();  // its threads count and merge
  // Called on the calling thread, after every text and after every merge. May throw, which ends the
  // training.
  std::function<void(const TokenizerTrainProgress&)> on_progress = {};
};

// What Tokenizer::train saw. Of kByte: nothing; of kChar: text_bytes.
struct TokenizerTrainReport {
  int64_t text_bytes = 0;
  int64_t pieces = 0, distinct_pieces = 0;  // distinct: those that were kept to the end
  // Occurrences of pieces that did not fit into the memory; 0: exact.
  int64_t forgotten_pieces = 0;
  int64_t undercount = 0;  // no piece's count is too small by more than this
  // How often each merge's pair occurred when it was merged; never rises.
  std::vector<int64_t> merge_counts;

  // Of the merges, how many joined a pair that occurred at least `times` times: the others' tokens,
  // if the vocabulary has them, are trained on fewer places than that per pass over the text.
  int64_t merges_seen(int64_t times) const;
};

struct ByteRange {
  size_t begin = 0, end = 0;

  bool operator==(const ByteRange&) const = default;
};

// Immutable once made; copying shares it; every const member is safe from several threads at once.
class Tokenizer {
 public:
  // Reads a folder (its tokenizer.json, else vocab.json + merges.txt, else encoder.json +
  // vocab.bpe), a run folder (its best, else last checkpoint), a tokenizer.json file or a GGUF
  // file. Throws kNotFound, kInvalidData, or kUnsupported (a model or pre-tokenizer that is not
  // implemented, which is named).
  static Tokenizer load(const std::filesystem::path& folder_or_file);

  // Learns a vocabulary from texts. `next_text` yields one text a call and nullopt at the end.
  // Ids: the special tokens, then the bytes in GPT-2's order and the merges (kBpe), the characters
  // by code point and the bytes that no ASCII character stands for (kChar), or the bytes (kByte,
  // which reads no more than the first text). kBpe gives the merges and ids that Hugging Face's
  // BpeTrainer gives with the ByteLevel pre-tokenizer and the full byte alphabet; special tokens in
  // the texts are ordinary text there as well. (But no merge makes the text of a special token,
  // where Hugging Face's takes the special token's id.) kBpe runs on all threads; the result does
  // not depend on their number. A long corpus is best given in texts of about a megabyte, cut where
  // a document ends or before white space behind a letter. `report`, if given, is filled. Source:
  // Sennrich et al. 2016 (arXiv:1508.07909); Radford et al. 2019, section 2.2. Throws kUsage when
  // vocab_size cannot hold the alphabet, or when a special token is listed twice, is shorter than
  // two characters or of the form <0xNN>; kInvalidData when there is no text at all.
  static Tokenizer train(const std::function<std::optional<std::string>()>& next_text,
                         const TokenizerTrainOptions& options,
                         TokenizerTrainReport* report = nullptr);

  // The ids of `text`, any bytes: decode(encode(x)) == x for every x, unless tokenizer.json
  // normalises (NFC) or puts a space in front (add_prefix_space): then it gives the text so
  // changed. White space that an allowed special token takes (lstrip, rstrip) has no ids. No
  // special token is added (Hugging Face's add_special_tokens=False). A maximal run of bytes that
  // are not valid UTF-8 is a piece of its own and cuts the text: what stands before and after it is
  // encoded as a text of its own. Special tokens are matched leftmost first, of several at one
  // place the longest, and cut the text likewise. Time is near-linear in the text.
  std::vector<TokenId> encode(std::string_view text,
                              SpecialTokens special = SpecialTokens::kAsText) const;

  // Where in decode(ids) the bytes of each token lie: adjacent ranges, in bytes. For the ids of
  // encode(text) these are places in `text` if decode gives it back. Throws as decode.
  std::vector<ByteRange> offsets(std::span<const TokenId> ids) const;

  // True when encoding text[0..at) and text[at..) one by one, as ordinary text, gives the ids of
  // `text`, whatever comes before and after it; 0 < at < text.size(). False when it cannot be told.
  bool is_cut(std::string_view text, size_t at) const;

  // The exact bytes of the ids; an id that a file leaves unused has none. Throws kInvalidData on an
  // id outside [0, vocab_size()).
  std::string decode(std::span<const TokenId> ids) const;

  // The bytes of one token, valid as long as the tokenizer lives. Throws as decode.
  std::string_view token_bytes(TokenId id) const;

  // Number of ids: 1 + the largest id.
  int64_t vocab_size() const;

  // The id of a special token by its text. nullopt when there is none.
  std::optional<TokenId> special_token(std::string_view text) const;

  // The end mark, which stands behind every document: what the files name where the vocabulary has
  // it (eos_token of tokenizer_config.json, else of special_tokens_map.json, else eos_token_id of
  // the model's generation_config.json, else of its config.json), else the special token
  // kEndOfText. nullopt when there is none.
  std::optional<TokenId> end_of_text() const;
  // What a text begins with: bos_token or bos_token_id in the same order, else end_of_text().
  std::optional<TokenId> begin_of_text() const;
  // The ids that end a text which a model writes: end_of_text() and every eos_token_id of the
  // model beside it, which may list several.
  const std::vector<TokenId>& end_marks() const;

  // The first special token that kAllow would find in `text`.
  std::optional<TokenId> first_special_token(std::string_view text) const;

  // The id of an ordinary or special token with exactly these bytes.
  std::optional<TokenId> token_id(std::string_view bytes) const;

  // A BPE that has no merges is kByte.
  TokenizerType type() const;

  // How conversations are written for the model (turn_template.json of the folder); nullptr where
  // nobody said.
  const TurnTemplate* turn_template() const { return turns_.get(); }
  // The same tokenizer with another template.
  Tokenizer with_turn_template(TurnTemplate turns) const;

  // Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json (and, for kBpe,
  // vocab.json and merges.txt) into the folder, which is made: of a loaded tokenizer the bytes that
  // were read, with bos_token and eos_token where only the model's files name them; and with a
  // template of turns turn_template.json, and the same in Jinja as tokenizer_config.json's
  // chat_template. Hugging Face's
  // AutoTokenizer.from_pretrained loads it. Files that are there under other names stay. Each file
  // is whole or absent.
  void save(const std::filesystem::path& folder) const;

  struct Impl;  // defined in src/tokenizer
  const Impl& impl() const { return *impl_; }

 private:
  friend class StreamEncoder;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
  std::shared_ptr<const TurnTemplate> turns_;  // nullptr: none
};

// Encodes a text that comes in parts, and texts one after the other: quicker than Tokenizer::encode
// for many short ones, for it keeps what it has learned about rare words. One thread's.
class StreamEncoder {
 public:
  explicit StreamEncoder(Tokenizer tokenizer, SpecialTokens special = SpecialTokens::kAsText);
  ~StreamEncoder();
  StreamEncoder(StreamEncoder&&) noexcept;

  // Appends to `ids` those that no later part can change: add() of all parts and finish() give
  // together the ids of the whole, wherever it is cut. What is not certain yet is kept: seldom more
  // than a word, but all of a text in which nothing tells where a piece begins (a megabyte of one
  // letter), or where allowed special tokens depend on what stands beside them. Throws as
  // Tokenizer::encode; the place in a message counts from the last certain one.
  void add(std::string_view part, std::vector<TokenId>& ids);

  // Ends the text. The next add() begins another.
  void finish(std::vector<TokenId>& ids);

  // Appends the ids of a whole text; only between two texts that come in parts.
  void encode(std::string_view text, std::vector<TokenId>& ids);

 private:
  struct State;
  void encode_certain(bool at_end, std::vector<TokenId>& ids);
  std::unique_ptr<State> state_;
};

// Decodes ids that come one by one into text that may be shown at once: a character whose bytes are
// not all there yet is held back. One thread's.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}

  // The bytes that have become certain, in all those of decode() of all ids. Throws as
  // Tokenizer::decode.
  std::string add(TokenId id);

  // What was held back: bytes that are no whole character.
  std::string finish() { return std::exchange(pending_, {}); }

 private:
  Tokenizer tokenizer_;
  std::string pending_;
};

}  // namespace inkstone
