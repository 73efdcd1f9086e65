// Encoding and decoding of what comes in parts.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/utf8.h"
#include "inkstone/tokenizer.h"
#include "tokenizer/tokenizer_impl.h"

namespace inkstone {

namespace {

// What is known of a text that is not certain yet.
struct Searched {
  size_t cuts = 0;    // there is no cut before it
  size_t tokens = 0;  // no special token begins before it
};

// A special token cuts the text; so the text is certain up to the last one that no longer one can
// replace. Behind that, a cut of the pre-tokenizer is certain where no special token can begin
// before it and end after it.
size_t certain_end(const Tokenizer::Impl& impl, std::string_view text, SpecialTokens special,
                   Searched& searched) {
  const SpecialTokenTable& tokens = impl.special_tokens;
  const size_t longest = special == SpecialTokens::kAsText ? 0 : tokens.longest_bytes();
  if (text.size() <= longest || (longest > 0 && tokens.needs_whole_text())) return 0;
  const size_t limit = text.size() - longest;
  size_t end = 0;
  while (longest > 0) {
    const auto match = tokens.find(text, searched.tokens);
    searched.tokens = match ? match->begin : limit + 1;
    if (searched.tokens > limit) break;
    searched.tokens = end = match->end;
  }
  const size_t highest = std::min(limit, text.size() - 1);
  for (size_t at = highest; at > std::max(end, searched.cuts); --at) {
    if (impl.encoder->is_cut(text.substr(end), at - end)) return at;
  }
  if (end == 0) searched.cuts = highest;
  return end;
}

}  // namespace

struct StreamEncoder::State {
  Tokenizer tokenizer;
  SpecialTokens special;
  EncodeScratch scratch;
  std::string pending;  // not encoded yet
  Searched searched = {};
};

StreamEncoder::StreamEncoder(Tokenizer tokenizer, SpecialTokens special)
    : state_(new State{
          .tokenizer = std::move(tokenizer), .special = special, .scratch = {}, .pending = {}}) {}
StreamEncoder::~StreamEncoder() = default;
StreamEncoder::StreamEncoder(StreamEncoder&&) noexcept = default;

void StreamEncoder::encode_certain(bool at_end, std::vector<TokenId>& ids) {
  State& s = *state_;
  const Tokenizer::Impl& impl = *s.tokenizer.impl_;
  const std::string_view text = s.pending;
  const size_t end = at_end ? text.size() : certain_end(impl, text, s.special, s.searched);
  if (end == 0) return;
  impl.encode(text.substr(0, end), s.special, s.scratch, ids);
  s.pending.erase(0, end);
  s.searched = {.cuts = 0, .tokens = s.searched.tokens - std::min(s.searched.tokens, end)};
}

void StreamEncoder::add(std::string_view part, std::vector<TokenId>& ids) {
  state_->pending += part;
  encode_certain(false, ids);
}

void StreamEncoder::encode(std::string_view text, std::vector<TokenId>& ids) {
  INK_CHECK(state_->pending.empty(), "another text is not finished");
  state_->tokenizer.impl_->encode(text, state_->special, state_->scratch, ids);
}

void StreamEncoder::finish(std::vector<TokenId>& ids) { encode_certain(true, ids); }

std::string StreamDecoder::add(TokenId id) {
  pending_ += tokenizer_.token_bytes(id);
  const size_t held = static_cast<size_t>(incomplete_utf8_tail(pending_));
  std::string text = pending_.substr(0, pending_.size() - held);
  pending_.erase(0, text.size());
  return text;
}

}  // namespace inkstone
