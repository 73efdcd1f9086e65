#include "model/gguf_model.h"

#include <algorithm>
#include <cstring>

#include "golden.h"
#include "inkstone/model.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using test::fixture;
using test::Golden;
using test::mentions;
using test::ScratchFolder;
using test::thrown_by;

OpenedModel open_fixture(const std::string& name) {
  return open_hf_model(fixture("model/" + name), {});
}

// How everything is converted to the type of a preset, with threads that live as long.
struct Conversion {
  explicit Conversion(const std::string& type)
      : preset(*quantize_preset(type)),
        how{.type_of =
                [this](const ParameterTable& table, int row) {
                  return quantized_type(preset, table, row, false);
                },
            .pool = runtime.pool()} {}
  Runtime runtime = Runtime({.threads = 2});
  QuantizePreset preset;
  GgufConversion how;
};

// With GPT-2's activation, as which the file will be read.
ModelConfig writable(ModelConfig config) {
  config.activation = Activation::kGeluTanh;
  return config;
}

void write(const fs::path& path, const OpenedModel& model, const std::string& type = "f32") {
  const Conversion conversion(type);
  write_gguf(path, gguf_model_metadata(writable(model.config), "test", conversion.preset),
             gguf_model_tensors(model.config, *model.source, conversion.how));
}

std::vector<float> values_of(const OpenedModel& model, const ParameterTable& table, int row) {
  std::vector<float> values(static_cast<size_t>(table[row].shape.count()));
  read_tensor(model.source->get(row), table[row], values);
  return values;
}

int row_of(const ParameterTable& table, const std::string& name) {
  const auto at = std::ranges::find(table.rows(), name, &ParameterRow::name);
  return at == table.rows().end() ? kNoRow : static_cast<int>(at - table.rows().begin());
}

TEST(GgufModel, NamesAreThoseOfLlamaCpp) {
  const ParameterTable table({.layers = 12, .tied_output = false});
  std::vector<std::string> names;
  for (const ParameterRow& row : table.rows()) names.push_back(gguf_tensor_name(row.name));
  const std::vector<std::string> first = {
      "token_embd.weight",        "position_embd.weight",   "blk.0.attn_norm.weight",
      "blk.0.attn_norm.bias",     "blk.0.attn_qkv.weight",  "blk.0.attn_qkv.bias",
      "blk.0.attn_output.weight", "blk.0.attn_output.bias", "blk.0.ffn_norm.weight",
      "blk.0.ffn_norm.bias",      "blk.0.ffn_up.weight",    "blk.0.ffn_up.bias",
      "blk.0.ffn_down.weight",    "blk.0.ffn_down.bias",    "blk.1.attn_norm.weight"};
  EXPECT_EQ(std::vector(names.begin(), names.begin() + static_cast<int64_t>(first.size())), first);
  const std::vector<std::string> last = {"blk.11.ffn_down.bias", "output_norm.weight",
                                         "output_norm.bias", "output.weight"};
  EXPECT_EQ(std::vector(names.end() - 4, names.end()), last);
  EXPECT_EQ(thrown_by([] { gguf_tensor_name("h.0.attn.bias"); }).code(), ErrorCode::kInternal);
}

// Python's gguf package wrote the weights of the fixture beside it.
TEST(GgufModel, ReadsWhatPythonWrote) {
  const OpenedModel expected = open_fixture("one_head_odd_width");
  const OpenedModel found = open_gguf_model(fixture("model/python.gguf"));
  EXPECT_EQ(found.config, expected.config);
  const ParameterTable table(expected.config);
  for (int row = 0; row < table.count(); ++row)
    EXPECT_EQ(values_of(found, table, row), values_of(expected, table, row)) << table[row].name;
}

TEST(GgufModel, WritesTheTensorsThatPythonWrote) {
  const ScratchFolder folder;
  write(folder / "a.gguf", open_fixture("one_head_odd_width"));
  const GgufFile ours(folder / "a.gguf"), theirs(fixture("model/python.gguf"));
  ASSERT_EQ(ours.content().tensors().size(), theirs.content().tensors().size());
  for (const GgufTensor& tensor : theirs.content().tensors()) {
    const GgufTensor& own = ours.content().tensor(tensor.name);
    EXPECT_EQ(own.shape, tensor.shape) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(own.bytes, tensor.bytes)) << tensor.name;
  }
  for (const GgufField& field : theirs.content().fields()) {
    const GgufValue* own = ours.content().find(field.key);
    ASSERT_NE(own, nullptr) << field.key;
    EXPECT_TRUE(own->type == field.value.type && own->bytes == field.value.bytes) << field.key;
  }
}

class GgufOfFixture : public ::testing::TestWithParam<const char*> {};

// Every value, but for what is folded into the weights or added to them.
TEST_P(GgufOfFixture, RoundTrips) {
  const ScratchFolder folder;
  const OpenedModel before = open_fixture(GetParam());
  write(folder / "a.gguf", before);
  const OpenedModel after = open_gguf_model(folder / "a.gguf");
  ModelConfig expected = writable(before.config);
  expected.biases = true;
  expected.scale_attention_by_inverse_layer = false;
  EXPECT_EQ(after.config, expected);
  const ParameterTable old_table(before.config), table(after.config);
  for (int row = 0; row < table.count(); ++row) {
    const std::string& name = table[row].name;
    const int old_row = row_of(old_table, name);
    std::vector<float> values(static_cast<size_t>(table[row].shape.count()));
    if (old_row != kNoRow) values = values_of(before, old_table, old_row);
    const bool is_folded = before.config.scale_attention_by_inverse_layer &&
                           name.find("attn.c_attn") != std::string::npos;
    if (is_folded) continue;
    EXPECT_EQ(values_of(after, table, row), values) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, GgufOfFixture,
                         ::testing::Values("two_layers", "one_head_odd_width",
                                           "inverse_layer_scale", "erf_narrow_untied",
                                           "relu_no_biases", "silu_wide"));

std::vector<float> logits_of(const Model& model, const Golden& golden) {
  std::vector<float> logits;
  const auto inputs = golden.tokens(0, 0);
  for (int64_t b = 0; b < golden.batch; ++b) {
    const auto row = model.logits(std::span(inputs).subspan(b * golden.context, golden.context));
    logits.insert(logits.end(), row.begin(), row.end());
  }
  return logits;
}

// Against Transformers', through a file: scaling by inverse layers too, which is in the weights.
TEST(GgufModel, GivesTheLogitsOfTransformers) {
  for (const char* name : {"two_layers", "one_head_odd_width", "inverse_layer_scale"}) {
    const ScratchFolder folder;
    const Golden golden(fixture("model/" + std::string(name)));
    write(folder / "a.gguf", open_fixture(name));
    const Model model = Model::load(folder / "a.gguf");
    const double error = test::relative_worst(logits_of(model, golden), golden.floats("logits"));
    EXPECT_LT(error, test::forward_bound(model.config())) << name;
  }
}

// The queries of layer l are divided by l + 1, and nothing else is.
TEST(GgufModel, FoldsScalingByInverseLayersIntoTheQueries) {
  const ScratchFolder folder;
  const OpenedModel before = open_fixture("inverse_layer_scale");
  ASSERT_TRUE(before.config.scale_attention_by_inverse_layer);
  ASSERT_GT(before.config.layers, 2);
  write(folder / "a.gguf", before);
  const OpenedModel after = open_gguf_model(folder / "a.gguf");
  const ParameterTable table(before.config);
  const auto C = static_cast<size_t>(before.config.width);
  for (int64_t l = 0; l < before.config.layers; ++l) {
    for (const int row : {table.layer(l).attn_weight, table.layer(l).attn_bias}) {
      std::vector<float> expected = values_of(before, table, row);
      for (size_t i = 0; i < expected.size(); ++i) {
        if (i % (3 * C) < C) expected[i] /= static_cast<float>(l + 1);
      }
      EXPECT_EQ(values_of(after, table, row), expected) << table[row].name;
    }
  }
}

TEST(GgufModel, IsSavedAsAHuggingFaceFolder) {
  const ScratchFolder folder;
  const Golden golden(fixture("model/one_head_odd_width"));
  Model::load(fixture("model/python.gguf")).save(folder / "saved");
  const Model saved = Model::load(folder / "saved");
  EXPECT_EQ(saved.config(), Model::load(golden.folder).config());
  EXPECT_LT(test::relative_worst(logits_of(saved, golden), golden.floats("logits")),
            test::forward_bound(saved.config()));
}

TEST(GgufModel, AnOutputThatIsACopyOfTheEmbeddingIsTied) {
  const ScratchFolder folder;
  const OpenedModel model = open_fixture("one_head_odd_width");
  const Conversion conversion("f32");
  auto tensors = gguf_model_tensors(model.config, *model.source, conversion.how);
  GgufTensorToWrite copy = tensors[0];
  copy.name = "output.weight";
  tensors.push_back(copy);
  const auto metadata = gguf_model_metadata(model.config, "", conversion.preset);
  write_gguf(folder / "a.gguf", metadata, tensors);
  EXPECT_EQ(open_gguf_model(folder / "a.gguf").config, model.config);
  tensors.back().write = [&](const GgufSink& sink) {
    std::vector<float> values(static_cast<size_t>(model.config.vocab_size * model.config.width));
    sink(std::as_bytes(std::span(values)));
  };
  write_gguf(folder / "b.gguf", metadata, tensors);
  EXPECT_FALSE(open_gguf_model(folder / "b.gguf").config.tied_output);
}

// The types that llama-quantize takes.
// Half floats lose 2^-11 of each number.
TEST(GgufModel, ConvertsToHalfFloatsWhileItWrites) {
  const ScratchFolder folder;
  const OpenedModel before = open_fixture("two_layers");
  write(folder / "a.gguf", before, "f16");
  const OpenedModel after = open_gguf_model(folder / "a.gguf");
  const ParameterTable table(before.config);
  for (int row = 0; row < table.count(); ++row) {
    const auto expected = values_of(before, table, row), found = values_of(after, table, row);
    const bool is_half = after.source->get(row).type == WeightType::kF16;
    EXPECT_EQ(is_half, table[row].shape.rank() == 2 && row != table.wpe());
    for (size_t i = 0; i < expected.size(); ++i) {
      // Below 2^-14 halves are 2^-24 apart.
      const double bound = is_half ? std::max(std::fabs(expected[i]) * 0x1p-11, 0x1p-25) : 0;
      ASSERT_LE(std::fabs(double{found[i]} - expected[i]), bound) << table[row].name;
    }
  }
  EXPECT_EQ(GgufFile(folder / "a.gguf").content().get_integer("general.file_type", 0, 99), 1);
}

TEST(GgufModel, RefusesToWriteOtherActivations) {
  for (const Activation activation : {Activation::kGelu, Activation::kRelu, Activation::kSilu}) {
    const Error error = thrown_by(
        [&] { gguf_model_metadata({.activation = activation}, "", *quantize_preset("f32")); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_TRUE(mentions(error, "'" + std::string(activation_name(activation)) + "'"));
  }
}

// A file of the smallest fixture, to be changed.
class ChangedFile {
 public:
  ChangedFile()
      : model_(open_fixture("one_head_odd_width")),
        metadata_(gguf_model_metadata(model_.config, "test", conversion_.preset)),
        tensors_(gguf_model_tensors(model_.config, *model_.source, conversion_.how)) {}
  ChangedFile& without(const std::string& name) {
    std::erase_if(metadata_, [&](const GgufEntry& entry) { return entry.key == name; });
    std::erase_if(tensors_, [&](const GgufTensorToWrite& one) { return one.name == name; });
    return *this;
  }
  ChangedFile& with(GgufEntry entry) {
    without(entry.key);
    metadata_.push_back(std::move(entry));
    return *this;
  }
  // Of zeros.
  ChangedFile& with_tensor(const std::string& name, std::vector<int64_t> shape) {
    without(name);
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    tensors_.push_back({.name = name,
                        .type = WeightType::kF32,
                        .shape = std::move(shape),
                        .write = [count](const GgufSink& sink) {
                          const std::vector<float> zeros(static_cast<size_t>(count));
                          sink(std::as_bytes(std::span(zeros)));
                        }});
    return *this;
  }
  Error error() const {
    const ScratchFolder folder;
    write_gguf(folder / "changed.gguf", metadata_, tensors_);
    return thrown_by([&] { open_gguf_model(folder / "changed.gguf"); });
  }

 private:
  Conversion conversion_ = Conversion("f32");
  OpenedModel model_;
  std::vector<GgufEntry> metadata_;
  std::vector<GgufTensorToWrite> tensors_;
};

void expect_error(const ChangedFile& file, ErrorCode code, const char* text) {
  const Error error = file.error();
  EXPECT_EQ(error.code(), code) << error.what();
  EXPECT_TRUE(mentions(error, text));
  EXPECT_TRUE(mentions(error, "changed.gguf'"));
}

TEST(GgufModel, NamesWhatIsWrongWithTheMetadata) {
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidData, kUnsupported = ErrorCode::kUnsupported;
  expect_error(ChangedFile().with(gguf_string("general.architecture", "llama")), kUnsupported,
               "'general.architecture' is 'llama', only 'gpt2' is supported");
  expect_error(ChangedFile().without("general.architecture"), kInvalid,
               "'general.architecture' is missing");
  expect_error(ChangedFile().with(gguf_u32("split.count", 3)), kUnsupported, "one of 3 parts");
  for (const char* key : {"gpt2.block_count", "gpt2.context_length", "gpt2.embedding_length",
                          "gpt2.attention.head_count"}) {
    expect_error(ChangedFile().without(key), kInvalid, "is missing");
    expect_error(ChangedFile().with(gguf_u32(key, 0)), kInvalid, "' is 0, expected 1 to ");
    expect_error(ChangedFile().with(gguf_u32(key, 4294967295)), kInvalid, "' is 4294967295");
    expect_error(ChangedFile().with(gguf_string(key, "1")), kInvalid, "expected an integer");
  }
  expect_error(ChangedFile().with(gguf_u32("gpt2.attention.head_count", 2)), kInvalid,
               "is 17, expected a multiple of 'gpt2.attention.head_count', 2");
  constexpr const char* kEpsilon = "gpt2.attention.layer_norm_epsilon";
  expect_error(ChangedFile().without(kEpsilon), kInvalid, "is missing");
  expect_error(ChangedFile().with(gguf_f32(kEpsilon, 0)), kInvalid, "expected above 0");
  expect_error(ChangedFile().with(gguf_f32(kEpsilon, NAN)), kInvalid, "expected above 0");
}

TEST(GgufModel, NamesWhatIsWrongWithTheTensors) {
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidData;
  expect_error(ChangedFile().without("token_embd.weight"), kInvalid,
               "there is no tensor 'token_embd.weight'");
  expect_error(ChangedFile().with_tensor("token_embd.weight", {31}), kInvalid,
               "tensor 'token_embd.weight' has shape [31], expected 1 to 10000000 rows");
  expect_error(ChangedFile().without("blk.0.ffn_up.bias"), kInvalid,
               "tensor 'blk.0.ffn_up.bias' is missing, the metadata imply it with shape [68]");
  expect_error(ChangedFile().with_tensor("blk.0.attn_qkv.weight", {17, 51}), kInvalid,
               "tensor 'blk.0.attn_qkv.weight' has shape [17, 51], the metadata imply [51, 17]");
  expect_error(ChangedFile().with(gguf_u32("gpt2.context_length", 39)), kInvalid,
               "tensor 'position_embd.weight' has shape [40, 17], the metadata imply [39, 17]");
  expect_error(ChangedFile().with_tensor("blk.1.attn_norm.weight", {17}), kInvalid,
               "tensor 'blk.1.attn_norm.weight' has no place in the model that the metadata "
               "describe (1 layers)");
}

TEST(GgufModel, MessagesShowTextsSafely) {
  const std::string bad = "\x1b[2J" + std::string(10'000, 'x');
  const std::string shown = "'\uFFFD[2J" + std::string(80 - 4, 'x') + "'";
  for (const Error& error : {ChangedFile().with(gguf_string("general.architecture", bad)).error(),
                             ChangedFile().with_tensor(bad, {17}).error()}) {
    EXPECT_TRUE(mentions(error, shown));
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  }
}

TEST(GgufModel, ATensorOfAnotherTypeIsNamed) {
  const ScratchFolder folder;
  write(folder / "a.gguf", open_fixture("one_head_odd_width"));
  std::string bytes = read_file(folder / "a.gguf");
  // The type's number stands behind name, two dimensions and their count.
  const size_t at = bytes.find("blk.0.ffn_up.weight") + 19 + 4 + 16;
  bytes[at] = 26;
  write_file(folder / "a.gguf", bytes);
  const Error error = thrown_by([&] { open_gguf_model(folder / "a.gguf"); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(mentions(error, "tensor 'blk.0.ffn_up.weight' is of type I32"));
}

// Without the key the width is four times that of the model; with it, any.
TEST(GgufModel, ReadsTheInnerWidth) {
  const ScratchFolder folder;
  const OpenedModel model = open_fixture("erf_narrow_untied");
  write(folder / "a.gguf", model);
  const GgufFile file(folder / "a.gguf");
  EXPECT_EQ(gguf_config(file).inner, 40);
  EXPECT_FALSE(gguf_config(file).tied_output);
}

}  // namespace
}  // namespace inkstone
