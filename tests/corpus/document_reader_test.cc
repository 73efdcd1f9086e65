// Documents in pieces: the same documents whatever the size of the pieces, and the same ids.
#include "corpus/read/document_reader.h"

#include <cstring>
#include <random>

#include "corpus_support.h"

namespace inkstone {
namespace {

DocumentReader reader_of(std::string text, size_t piece_bytes) {
  return DocumentReader(
      [text = std::move(text), at = size_t{0}](char* out, size_t size_bytes) mutable {
        const size_t n = std::min(size_bytes, text.size() - at);
        std::memcpy(out, text.data() + at, n);
        at += n;
        return n;
      },
      piece_bytes);
}

// All documents as lists of pieces.
std::vector<std::vector<std::string>> pieces_of(const std::string& text, size_t piece_bytes) {
  DocumentReader reader = reader_of(text, piece_bytes);
  std::vector<std::vector<std::string>> documents;
  DocumentPiece piece;
  bool inside = false;
  while (reader.next(piece)) {
    EXPECT_EQ(piece.first, !inside);
    if (piece.first) documents.emplace_back();
    documents.back().emplace_back(piece.text);
    inside = !piece.last;
  }
  EXPECT_FALSE(inside);
  EXPECT_EQ(reader.bytes_read(), static_cast<int64_t>(text.size()));
  return documents;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

// In one block, so that every document is one piece.
std::vector<std::string> documents_of(const std::string& text) {
  std::vector<std::string> documents;
  for (const auto& pieces : pieces_of(text, text.size() + 1)) documents.push_back(joined(pieces));
  return documents;
}

// Text that is hard to cut: white space of every kind, contractions, bytes that are no UTF-8,
// separator lines.
std::string random_text(std::mt19937& random, size_t parts) {
  static const std::string kParts[] = {" ",
                                       "  ",
                                       "\n",
                                       "\n\n",
                                       "\t",
                                       "\r\n",
                                       "\v\f",
                                       "\xC2\xA0",
                                       "\xE3\x80\x80",
                                       "\xE2\x80\xA8",
                                       "a",
                                       "word",
                                       "'",
                                       "'s",
                                       "'ll",
                                       "It's",
                                       "42",
                                       ".",
                                       "...",
                                       "!?",
                                       "\xE5\xAD\x97",
                                       "\xE3\x80\x82",
                                       "\xF0\x9F\x98\x80",
                                       "\xCC\x81",
                                       "\xFF",
                                       "\xE5\xAD",
                                       "\x80",
                                       "\x7F",
                                       std::string(1, '\0'),
                                       "\x1C",
                                       "<|endoftext|>",
                                       "\n<|endoftext|>\n",
                                       "\n<|endoftext|>\r\n",
                                       "\r<|endoftext|>\r",
                                       "\xE2\x80\xA8<|endoftext|>\xC2\x85",
                                       "<|endof",
                                       "text|>",
                                       "\n<"};
  std::string text;
  for (size_t i = 0; i < parts; ++i) text += kParts[random() % std::size(kParts)];
  return text;
}

using Documents = std::vector<std::string>;

TEST(DocumentReader, OnlyAWholeLineSeparates) {
  EXPECT_EQ(documents_of("one\n"), Documents{"one\n"});
  EXPECT_EQ(documents_of("one\n<|endoftext|>\ntwo"), (Documents{"one\n", "two"}));
  EXPECT_EQ(documents_of("one\r\n<|endoftext|>\r\ntwo\r\n"), (Documents{"one\r\n", "two\r\n"}));
  EXPECT_EQ(documents_of("one\n<|endoftext|>"), Documents{"one\n"});
  EXPECT_EQ(documents_of("one\n<|endoftext|>\r"), Documents{"one\n"});
  EXPECT_EQ(documents_of("<|endoftext|>\none"), Documents{"one"});
  for (const std::string text :
       {"one <|endoftext|>\ntwo", "one\n<|endoftext|> \ntwo", "one\n <|endoftext|>\ntwo",
        "one\n<|endoftext|><|endoftext|>\ntwo", "<|endoftext|>one", "one\n<|endoftext|",
        "one<|endoftext|>", "one\n<|endoftext|>\xE2\x80", "one\xC2\xA0<|endoftext|>\ntwo"}) {
    EXPECT_EQ(documents_of(text), Documents{text});
  }
}

// What cleaning makes "\n" of ends a line here too, wherever the blocks are cut.
TEST(DocumentReader, EveryLineEndSeparates) {
  for (const std::string end :
       {"\n", "\r\n", "\r", "\v", "\f", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    const std::string text = "one" + end + "<|endoftext|>" + end + "two" + end + "<|endoftext|>" +
                             end + "three<|endoftext|>" + end;
    const Documents documents = {"one" + end, "two" + end, "three<|endoftext|>" + end};
    for (size_t piece_bytes = 1; piece_bytes < text.size() + 2; ++piece_bytes) {
      Documents found;
      for (const auto& pieces : pieces_of(text, piece_bytes)) found.push_back(joined(pieces));
      EXPECT_EQ(found, documents) << testing::PrintToString(end) << piece_bytes;
    }
  }
}

TEST(DocumentReader, LeavesOutBlankDocuments) {
  EXPECT_EQ(documents_of(""), Documents{});
  EXPECT_EQ(documents_of(" \t\r\n\v\f"), Documents{});
  EXPECT_EQ(documents_of("<|endoftext|>\n<|endoftext|>\n\n<|endoftext|>\n x \n<|endoftext|>\n"),
            Documents{" x \n"});
}

TEST(DocumentReader, SizesOfPiecesChangeNoDocument) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 300; ++trial) {
    const std::string text = random_text(random, 1 + random() % 60);
    const auto expected = documents_of(text);
    for (const size_t piece_bytes : {1, 2, 3, 7, 13, 14, 16, 40, 100}) {
      const auto documents = pieces_of(text, piece_bytes);
      ASSERT_EQ(documents.size(), expected.size())
          << testing::PrintToString(text) << " in " << piece_bytes;
      for (size_t i = 0; i < documents.size(); ++i) ASSERT_EQ(joined(documents[i]), expected[i]);
    }
  }
}

void expect_same_ids(const Tokenizer& tokenizer, const std::string& text, size_t piece_bytes,
                     size_t& pieces) {
  for (const auto& document : pieces_of(text, piece_bytes)) {
    std::vector<TokenId> ids;
    for (const std::string& piece : document) {
      const auto more = tokenizer.encode(piece);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    ASSERT_EQ(ids, tokenizer.encode(joined(document)))
        << testing::PrintToString(joined(document)) << " in " << piece_bytes;
    pieces += document.size();
  }
}

TEST(DocumentReader, SizesOfPiecesChangeNoId) {
  // Merges across every kind of white space, so that a wrong cut shows.
  std::mt19937 random(2);
  std::string sample;
  for (int i = 0; i < 4000; ++i) sample += random_text(random, 3);
  for (const TokenizerType type :
       {TokenizerType::kBpe, TokenizerType::kChar, TokenizerType::kByte}) {
    const Tokenizer tokenizer = test::make_tokenizer(type, sample);
    size_t pieces = 0;
    for (int trial = 0; trial < 400; ++trial) {
      expect_same_ids(tokenizer, random_text(random, 1 + random() % 60), 1 + random() % 12, pieces);
    }
    EXPECT_GT(pieces, 2000u);
  }
}

TEST(DocumentReader, SizesOfPiecesChangeNoIdOfGpt2) {
  INK_SHARED_DATA_OR_SKIP(vocabulary, "gpt2");
  const Tokenizer tokenizer = Tokenizer::load(vocabulary);
  for (const char* name : {"text/tinyshakespeare.txt", "text/红楼梦.txt"}) {
    INK_SHARED_DATA_OR_SKIP(path, name);
    const std::string text = read_file(path).substr(0, 300'000);
    size_t pieces = 0;
    expect_same_ids(tokenizer, text, 100, pieces);
    EXPECT_GT(pieces, 300u);  // the novel has no spaces and long paragraphs
  }
}

TEST(DocumentReader, PiecesAreAboutAsLongAsAsked) {
  std::string words;
  for (int i = 0; i < 10'000; ++i) words += "word ";
  const auto short_pieces = pieces_of(words, 1000).front();
  EXPECT_GE(short_pieces.size(), 50u);
  for (const std::string& piece : short_pieces) EXPECT_LE(piece.size(), 1000u);
  // The first cut after 1000 bytes without one.
  const auto pieces = pieces_of(std::string(5000, 'x') + " " + std::string(5000, 'y') + " z", 1000)
                          .front();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0], std::string(5000, 'x'));
  EXPECT_EQ(pieces[1], " " + std::string(5000, 'y'));
  EXPECT_EQ(pieces[2], " z");
}

TEST(DocumentReader, CountsBlankDocuments) {
  DocumentReader reader = reader_of(
      "\n<|endoftext|>\n<|endoftext|>\nx\n<|endoftext|>\n \n<|endoftext|>\n", 8);
  DocumentPiece piece;
  ASSERT_TRUE(reader.next(piece));
  EXPECT_EQ(piece.text, "x\n");
  EXPECT_FALSE(reader.next(piece));
  // A blank line before the first mark and one after the third; between the first two marks is
  // nothing at all.
  EXPECT_EQ(reader.blank_documents(), 2);
}

}  // namespace
}  // namespace inkstone
