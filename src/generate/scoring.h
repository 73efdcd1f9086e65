// The strategy that writes nothing: every token of a text is scored.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <vector>

#include "generate/group.h"
#include "generate/strategy.h"
#include "inkstone/engine.h"

namespace inkstone {

struct ScoringTask {
  TextToScore text;  // neither part is empty
  std::function<void(TextScore, std::exception_ptr)> on_end;
};

// A text longer than the model's context is read in windows, as members that know nothing of each
// other.
class Scoring : public Strategy {
 public:
  Scoring(ScoringTask task, int64_t context);

  // The first window's tokens.
  std::vector<TokenId> prompt() const { return inputs(windows_.front()); }

  Demand demand() const override;
  Wanted of_prompt() const override { return wanted(windows_.front()); }
  void read(const Results& results) override;
  void decide(Group& group) override;
  void cancel() override { log_probs_.clear(); }
  void end(std::exception_ptr error) noexcept override;

 private:
  // Places in the text: inputs [begin, end), each of which predicts the token behind it; scored are
  // the tokens [next, end].
  struct Window {
    int64_t begin, end, next;
  };
  static std::vector<Window> windows(int64_t context_tokens, int64_t tokens, int64_t context);
  std::vector<TokenId> inputs(const Window& window) const;
  Wanted wanted(const Window& window) const;

  std::vector<TokenId> text_;
  int64_t context_tokens_;
  std::function<void(TextScore, std::exception_ptr)> on_end_;
  std::vector<Window> windows_;
  size_t begun_ = 1;                    // the first is the prompt
  std::map<MemberId, size_t> members_;  // the windows that they read
  std::vector<double> log_probs_;       // of all tokens of the completion
  std::vector<uint8_t> is_best_;        // likewise
};

}  // namespace inkstone
