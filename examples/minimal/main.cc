// minimal MODEL PROMPT: continues the prompt with a trained model, the text appearing as it is
// written.
#include <inkstone/generator.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: minimal MODEL PROMPT   (MODEL: a run, or a Hugging Face folder)\n";
    return 2;
  }
  const auto folder = inkstone::find_model(argv[1]);
  inkstone::Generator generator(inkstone::Model::load(folder), inkstone::Tokenizer::load(folder));
  const std::vector<std::string> prompts = {argv[2]};
  std::cout << prompts[0];
  generator.generate(
      prompts, {.sampling = {.temperature = 0.8, .top_p = 0.95}, .max_tokens = 100, .seed = 1},
      [](size_t, int64_t, std::string_view text) { return bool(std::cout << text << std::flush); });
  std::cout << '\n';
} catch (const inkstone::Error& error) {
  std::cerr << "minimal: " << error.what() << '\n';
  return 1;
}
