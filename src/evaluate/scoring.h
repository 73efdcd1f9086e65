// Requests as token ids, and their answers by a model.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "evaluate/metric.h"
#include "evaluate/task.h"
#include "inkstone/generator.h"

namespace inkstone::evaluate {

// Where a context without the white space at its end ends, in bytes: lm-eval moves that white space
// to the continuation, as a word's first token holds the blank before it.
size_t context_end(std::string_view context);

// The token that begins a text. kUsage: there is none, and the context is empty.
TokenId first_token(const Tokenizer& tokenizer);

// The tokens of a request, of a model with this context length, as lm-eval's HFLM makes them for a
// causal model that adds no token of its own. Special tokens in the texts are taken as such. The
// continuation's are enc(context + continuation) behind the first |enc(context)|; an empty context
// is the token that begins a text (unless the continuation begins with it); of more than
// context_length + 1 tokens the last are kept. Unlike lm-eval, which stops there, a context of
// nothing but white space is taken as an empty one. With kLlmC context and continuation are encoded
// by themselves, as ordinary text.
// Throws kUsage when the model has no token that begins a text, kInvalidData for a continuation
// without a token and for one longer than the context length.
TextToScore encode_request(const Tokenizer& tokenizer, Protocol protocol, const Request& request,
                           int64_t context_length);

// A text of any length in windows: the first predicts context_length tokens behind the token that
// begins a text, each later one as many behind one token of context, and the last what is left,
// behind as much context as the window has room for. Every token is predicted once; an empty text
// has no window. Source: lm-eval's rolling windows.
std::vector<TextToScore> encode_page(const Tokenizer& tokenizer, std::string_view text,
                                     int64_t context_length);

// Told after every batch: requests done, and all.
using OnProgress = std::function<void(int64_t done, int64_t all)>;

// The answers to the requests, in their order; of RequestKind::kPage the sums over its windows.
std::vector<Answer> answer_requests(Generator& generator, Protocol protocol, RequestKind kind,
                                    std::span<const Request> requests,
                                    const OnProgress& on_progress = {});

}  // namespace inkstone::evaluate
