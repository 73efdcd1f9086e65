// Trains, or resumes if there is a checkpoint: the process that trainer_test kills. Arguments: DATA
// RUN.
#include <filesystem>

#include "corpus.h"

int main(int, char** arguments) {
  using namespace inkstone;
  TrainOptions o = test::tiny_run(arguments[1], arguments[2]);
  o.steps = 120, o.save_every = 5, o.eval_every = 15;
  const auto folder = o.run / "checkpoints";
  bool resumable = false;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      resumable |= entry.path().extension() != ".tmp";
    }
  }
  if (resumable) {
    resume({.run = o.run});
  } else {
    std::filesystem::remove_all(o.run);
    train(o);
  }
  return 0;
}
