// Many requests at once: they join and leave between two passes through the model, and share what
// their texts have in common.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/generator.h"

namespace inkstone {

struct EngineOptions {
  // Tokens whose keys and values there is room for; 0: as many as max_sequences texts of the whole
  // context can need. Memory is taken when it is first used.
  int64_t cache_tokens = 0;
  // Tokens of finished texts that are kept for texts that begin like them, as long as no other
  // needs the room; 0: none.
  int64_t kept_tokens = 2048;
  int64_t max_sequences = 64;  // that are written at once
  int64_t prompt_rows = 512;   // most tokens of prompts in a pass
  // About how long a pass may take that writes tokens and reads prompts: they are read in smaller
  // pieces for it. Where nothing is written a pass is not limited.
  double prompt_ms = 30;
};

using RequestId = uint64_t;

// A token when it was chosen. What it refers to lives until the call returns.
struct WrittenToken {
  TokenId token = 0;
  float log_prob = 0;
  std::span<const TokenLogProb> likeliest = {};  // as Completion has it
};

// What is asked for, and who hears of it: on the thread of Engine::step(), where the callbacks may
// submit and cancel.
struct Request {
  std::string prompt;
  // Instead of the prompt, if there are any: ids of the model's vocabulary. The same as the prompt
  // that is encoded so.
  std::vector<TokenId> tokens = {};
  // Of stop_requested every request's own is asked, before each step.
  GenerateOptions options = {};
  // Each token that becomes part of a sample, before its text.
  std::function<void(int64_t sample, const WrittenToken& token)> on_token = {};
  // As OnText.
  std::function<bool(int64_t sample, std::string_view text)> on_text = {};
  // The last call for a request, which must not throw: the samples that were begun, in their order
  // (all, unless it was cancelled), or what ended the request: an Error of its own (the model's
  // logits are damaged), what on_token, on_text or stop_requested threw, or what its pass threw.
  std::function<void(std::vector<Completion> completions, std::exception_ptr error)> on_end = {};
};

// A text whose tokens are scored, behind a context; nothing is written.
struct ScoreRequest {
  TextToScore text;
  // Asked before every step; true: it is cancelled.
  std::function<bool()> stop_requested = {};
  // The last call, which must not throw. One that was cancelled has no log_probs.
  std::function<void(TextScore score, std::exception_ptr error)> on_end = {};
};

// Where an engine stands.
struct EngineState {
  int64_t waiting = 0, running = 0;  // requests
  // Of the cache, pages of 16 tokens: all; those that nothing holds; those that the running
  // requests may come to hold at most.
  int64_t pages = 0, free_pages = 0, reserved_pages = 0;
  int64_t kept_tokens = 0;  // of finished texts
  // Since the beginning: tokens that went through the model, and those that did not have to, for
  // they were in the cache.
  int64_t fed_tokens = 0, reused_tokens = 0;
};

// Requests over one model. A request's samples depend on (seed, its prompt, number of the sample)
// alone, bit for bit: not on what runs beside it, on the order, on threads, on how its prompt was
// cut, or on what is found in the cache.
//
// Requests are begun in the order in which they came, each when the cache has room for all that it
// may come to hold, so that none ends for want of it. In a pass every sequence that is being
// written takes a token, then prompts are read as far as prompt_ms allows.
class Engine {
 public:
  // The generator must outlive it. Throws kUsage for options out of range.
  explicit Engine(Generator& generator, const EngineOptions& options = {});
  // Requests that are not done end without a word.
  ~Engine();

  // From any thread. Throws as validate() and Generator::prompt_tokens, kMismatch for an id outside
  // the vocabulary, kUsage for a request that the cache could never hold.
  RequestId submit(Request request);
  // The same for a score; kUsage where context or completion are empty.
  RequestId submit(ScoreRequest request);
  // From any thread: the request ends at the beginning of the next step, its samples as kCancelled.
  // Nothing happens if it is done already.
  void cancel(RequestId id);

  // One pass, by one thread at a time. False: nothing is left to do. Where the pass itself throws,
  // for want of memory for instance, it ends the requests that had a part in it: their on_end gets
  // what was thrown, their pages are free, and nothing of them is kept. Others go on. What a
  // request's own callback throws ends that request alone.
  bool step();
  // Waits until a request or a cancellation came since the last step, at most so long. False: none
  // came.
  bool wait(std::chrono::milliseconds most);

  // As it was after the last step; from any thread.
  EngineState state() const;

  struct Impl;  // defined in src/generate
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone
