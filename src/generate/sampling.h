// The ordinary strategy: samples of one prompt, each drawn token by token.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "generate/group.h"
#include "generate/sequence.h"
#include "generate/strategy.h"
#include "inkstone/engine.h"

namespace inkstone {

// What is written, for whom.
struct SamplingTask {
  std::vector<TokenId> prompt;  // all of it, at least one token
  int64_t kept = 0;             // of which the model is given the last ones
  std::string seed_text;        // of sequence_seed()
  int64_t first_sample = 0;     // its number there
  GenerateOptions options;
  const CharacterTable* characters = nullptr;  // as Sequence takes it
  std::function<void(int64_t sample, const WrittenToken&)> on_token = {};
  std::function<bool(int64_t sample, std::string_view)> on_text = {};
  std::function<void(std::vector<Completion>, std::exception_ptr)> on_end = {};
};

// The prompt is fed once; samples are forked from it as there is room for them.
class Sampling : public Strategy {
 public:
  Sampling(const Tokenizer& tokenizer, SamplingTask task);

  Demand demand() const override;
  void read(const Results& results) override;
  void decide(Group& group) override;
  void cancel() override;
  void end(std::exception_ptr error) noexcept override;

 private:
  struct Sample {
    int64_t number;
    Sequence sequence;
    std::optional<NextToken> next = {};
    bool has_chosen = false;
  };

  int64_t unbegun() const { return task_.options.samples - begun_; }
  SequenceListener listener(int64_t number) const;
  Sample make(int64_t number) const;
  bool take(Sample& sample);
  void go_on(Group& group);
  void begin(Group& group);
  void finish(Sample& sample);

  const Tokenizer* tokenizer_;
  SamplingTask task_;
  std::vector<float> prompt_logits_;  // after the prompt, until the last sample is begun
  int64_t begun_ = 0;
  std::map<MemberId, Sample> samples_;  // that are being written
  std::vector<Completion> results_;
};

}  // namespace inkstone
