// `inkstone merge` and `inkstone convert`: LoRA adapters as a whole model, and as a file for
// llama.cpp.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/command.h"
#include "inkstone/adapter.h"

namespace inkstone::cli {
namespace {

struct MergeArguments {
  std::string model, adapter, output;
};

void note_message(const Message& text) { note(message("inkstone: note: {}", text)); }

int run_merge(const MergeArguments& a) {
  if (a.output.ends_with(".gguf")) {
    fail(ErrorCode::kUsage,
         "merge writes a folder: 'inkstone quantize MODEL --adapter DIR -o {} --type f32' (or "
         "another type) merges into a GGUF file, and 'inkstone convert ADAPTER {}' writes the "
         "adapter alone",
         a.output, a.output);
  }
  merge_adapter(a.model, a.adapter, a.output, note_message);
  return kExitDone;
}

int run_convert(const MergeArguments& a) {
  if (!a.output.ends_with(".gguf")) {
    fail(ErrorCode::kUsage, "'{}' does not end in .gguf: an adapter is converted to a GGUF file",
         a.output);
  }
  write_adapter_gguf(a.adapter, a.model, a.output);
  return kExitDone;
}

}  // namespace

void add_merge_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<MergeArguments>();
  CLI::App* c = add_command(
      app, selection, "merge", "Make a model folder of a model and a LoRA adapter",
      marked("  inkstone merge model --adapter lora -o merged\n"
             "  inkstone merge lora -o merged     # the adapter names its model itself"),
      [a] { return run_merge(*a); });
  c->add_option("MODEL", a->model, "model, run or adapter folder, or .gguf file")->required();
  add_adapter_option(c, a->adapter);
  c->add_option("-o,--output", a->output,
                "folder for the merged model, as Hugging Face's libraries read it")
      ->required()
      ->type_name("DIR");
}

void add_convert_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<MergeArguments>();
  CLI::App* c = add_command(
      app, selection, "convert", "Write a LoRA adapter as a GGUF file for llama.cpp's --lora",
      marked("  inkstone convert lora lora.gguf --model model"), [a] { return run_convert(*a); });
  c->add_option("ADAPTER", a->adapter, "folder with an adapter of PEFT's format")->required();
  c->add_option("FILE", a->output, "the GGUF file")->required();
  c->add_option("--model", a->model, "what the adapter is for; absent: the model that it names")
      ->type_name("MODEL");
}

}  // namespace inkstone::cli
