#include "tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <map>

#include "samples.h"
#include "tokenizer/bpe_encoder.h"

namespace inkstone {
namespace {

// Byte b has id b; random merges of tokens that exist, so products are often out of reach of their
// own bytes and ranks are in no helpful order.
struct RandomModel {
  std::array<TokenId, 256> bytes;
  std::vector<Merge> merges;
  std::vector<std::string> tokens;  // by id

  // ordered: every merge stands below those that make its parts, as in a trained list; products may
  // still be out of reach of their own bytes.
  RandomModel(std::mt19937& random, size_t count, bool ordered = false) {
    for (size_t i = 0; i < 256; ++i) {
      bytes[i] = static_cast<TokenId>(i);
      tokens.push_back(std::string(1, static_cast<char>(i)));
    }
    std::map<uint64_t, bool> known;
    while (merges.size() < count) {
      const auto pick = [&] {
        const size_t made = tokens.size() - 256;
        return static_cast<TokenId>(random() % 3 != 0 || made == 0 ? 'a' + random() % 3
                                                                   : 256 + random() % made);
      };
      const Merge merge{pick(), pick(), static_cast<TokenId>(tokens.size())};
      if (std::exchange(known[merge.pair()], true)) continue;
      merges.push_back(merge);
      tokens.push_back(tokens[static_cast<size_t>(merge.left)] +
                       tokens[static_cast<size_t>(merge.right)]);
    }
    if (!ordered) std::shuffle(merges.begin(), merges.end(), random);
  }

  // The definition, word for word.
  std::vector<TokenId> encode(std::string_view piece) const {
    std::vector<TokenId> ids;
    for (const char c : piece) ids.push_back(static_cast<uint8_t>(c));
    while (true) {
      size_t best_rank = merges.size(), best_at = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        for (size_t rank = 0; rank < best_rank; ++rank) {
          if (merges[rank].left == ids[i] && merges[rank].right == ids[i + 1])
            best_rank = rank, best_at = i;
        }
      }
      if (best_rank == merges.size()) return ids;
      ids[best_at] = merges[best_rank].product;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
  }
};

std::string random_piece(std::mt19937& random, size_t size) {
  std::string piece;
  for (size_t i = 0; i < size; ++i) piece += static_cast<char>('a' + random() % 3);
  return piece;
}

std::vector<TokenId> encode(const BpeModel& bpe, std::string_view piece,
                            BpeModel::Workspace& workspace) {
  std::vector<TokenId> ids;
  bpe.encode(piece, workspace, ids);
  return ids;
}

TEST(BpeModel, MergesTheLowestRankLeftmostFirst) {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    const RandomModel model(random, 1 + random() % 60);
    const BpeModel bpe(model.bytes, model.merges);
    BpeModel::Workspace workspace;
    // 64 bytes is the last size that is scanned; above it a heap takes over.
    for (const size_t size : {1u, 2u, 3u, 7u, 31u, 63u, 64u, 65u, 200u, 5u}) {
      const std::string piece = random_piece(random, size);
      ASSERT_EQ(encode(bpe, piece, workspace), model.encode(piece)) << "size " << size;
    }
  }
}

// Above 64 bytes LongPieceEncoder takes over, which does not merge at all.
TEST(BpeModel, LongPiecesOfOrderedListsAreWhatMergingGives) {
  std::mt19937 random(12);
  for (int round = 0; round < 200; ++round) {
    const RandomModel model(random, 1 + random() % 80, true);
    const BpeModel bpe(model.bytes, model.merges);
    BpeModel::Workspace workspace;
    for (const size_t size : {65u, 66u, 150u, 300u}) {
      const std::string piece = random_piece(random, size);
      ASSERT_EQ(encode(bpe, piece, workspace), model.encode(piece))
          << "round " << round << ", size " << size;
    }
    const std::string run(100 + random() % 100, 'a');
    ASSERT_EQ(encode(bpe, run, workspace), model.encode(run)) << "round " << round;
  }
}

// A part of three bytes that is one character is looked up.
TEST(BpeModel, CharactersOfThreeBytesAreWhatMergingGives) {
  std::mt19937 random(13);
  BpeModel::Workspace workspace;
  RandomModel model(random, 0);
  const auto add = [&](TokenId left, TokenId right) {
    const TokenId product = static_cast<TokenId>(model.tokens.size());
    model.merges.push_back({left, right, product});
    model.tokens.push_back(model.tokens[static_cast<size_t>(left)] +
                           model.tokens[static_cast<size_t>(right)]);
    return product;
  };
  const TokenId middle = add(0xB8, 0xAD);  // 中 is E4 B8 AD
  add(0xE4, 0xBD);
  add(0xE4, middle);
  add(0xAD, 0xE5);  // reaches from 中 into 国, E5 9B BD
  const BpeModel bpe(model.bytes, model.merges);
  for (const std::string piece :
       {"中", "国", "中国", "国中", "国国中中国", "\xE4\xB8", "\xE4\xB8\xAD\xAD", "\xC0\xB8\xAD"}) {
    EXPECT_EQ(encode(bpe, piece, workspace), model.encode(piece)) << piece;
  }
}

TEST(BpeModel, WithoutMergesGivesBytes) {
  RandomModel model(*std::make_unique<std::mt19937>(1), 0);
  const BpeModel bpe(model.bytes, {});
  BpeModel::Workspace workspace;
  EXPECT_EQ(encode(bpe, "ab", workspace), (std::vector<TokenId>{'a', 'b'}));
  EXPECT_EQ(encode(bpe, std::string(300, 'x'), workspace), std::vector<TokenId>(300, 'x'));
}

// a+a, aa+aa, ...: with a rescan per merge four million letters would take days.
TEST(BpeModel, MillionsOfOneLetterTakeNearLinearTime) {
  std::array<TokenId, 256> bytes;
  for (size_t i = 0; i < 256; ++i) bytes[i] = static_cast<TokenId>(i);
  std::vector<Merge> merges;
  TokenId last = 'a';
  for (TokenId product = 256; product < 266; last = product++)
    merges.push_back({last, last, product});
  const BpeModel bpe(bytes, merges);
  BpeModel::Workspace workspace;
  EXPECT_EQ(encode(bpe, std::string(size_t{1} << 22, 'a'), workspace),
            std::vector<TokenId>(1 << 12, 265));
}

// A piece that is a token is looked up instead of merged; that must not change any id.
TEST(BpeEncoder, WholePiecesAreThoseThatMergesGive) {
  std::mt19937 random(12);
  for (int round = 0; round < 40; ++round) {
    const RandomModel model(random, 1 + random() % 60);
    const Vocabulary vocabulary(model.tokens);
    const BpeEncoder encoder(vocabulary, std::vector<bool>(model.tokens.size(), true),
                             {.byte_tokens = model.bytes, .merges = model.merges});
    for (const std::string& token : model.tokens) {
      if (static_cast<uint8_t>(token[0]) >= 0x80) continue;
      const std::string text = token + " " + token + "1";
      std::vector<TokenId> expected = model.encode(token), ids;
      for (const TokenId id : model.encode(" " + token)) expected.push_back(id);
      if (token.find_first_not_of("abc") != std::string::npos) continue;  // other cuts
      expected.push_back('1');
      EncodeScratch scratch;
      encoder.encode(text, scratch, ids);
      ASSERT_EQ(ids, expected) << text;
    }
  }
}

TEST(BpeEncoder, IgnoreMergesPrefersTheWholePiece) {
  std::array<TokenId, 256> bytes;
  std::vector<std::string> tokens;
  for (int i = 0; i < 256; ++i) {
    bytes[static_cast<size_t>(i)] = i;
    tokens.push_back(std::string(1, static_cast<char>(i)));
  }
  tokens.push_back("abc");
  tokens.push_back("a long token of more bytes than a slot holds");
  tokens.push_back(std::string(40, 'z'));
  const Vocabulary vocabulary(tokens);
  const std::vector<bool> ordinary(tokens.size(), true);
  const auto first = [&](bool ignore_merges, std::string_view text) {
    const BpeEncoder encoder(vocabulary, ordinary,
                             {.byte_tokens = bytes, .merges = {}, .ignore_merges = ignore_merges});
    std::vector<TokenId> ids;
    EncodeScratch scratch;
    encoder.encode(text, scratch, ids);
    return ids.front();
  };
  EXPECT_EQ(first(false, "abc"), 'a');
  EXPECT_EQ(first(true, "abc"), 256);
  EXPECT_EQ(first(false, tokens[258]), 'z');
  EXPECT_EQ(first(true, tokens[258]), 258);
}

// Sizes 1 to 15 at the very end of a buffer, where 16 bytes cannot be read, and before it.
TEST(WholePieces, FindsPiecesOfEverySizeAtEveryPlace) {
  const std::string text("abcdefghijklmno\0pqrst", 21);
  WholePieces pieces(64);
  const auto find = [&](std::string_view piece, size_t readable_bytes) {
    const PieceKey key = PieceKey::of(piece, readable_bytes);
    return pieces.find(key, key.hash());
  };
  for (size_t size = 1; size <= PieceKey::kMaxSize_bytes; ++size) {
    pieces.insert(PieceKey::of(std::string_view(text).substr(3, size), size),
                  static_cast<TokenId>(size));
  }
  pieces.insert(PieceKey::of(std::string_view("d\0", 2), 2), 100);
  for (size_t size = 1; size <= PieceKey::kMaxSize_bytes; ++size) {
    EXPECT_EQ(find(std::string_view(text).substr(3, size), text.size() - 3),
              static_cast<TokenId>(size));
    const std::vector<char> exact(text.begin() + 3,
                                  text.begin() + 3 + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(find({exact.data(), size}, size), static_cast<TokenId>(size));
  }
  EXPECT_EQ(find(std::string_view("d\0", 2), 2), 100);
  EXPECT_EQ(find("e", 1), -1);
}

TEST(PieceMemo, GivesThePiecesOwnTokensOrNone) {
  PieceMemo memo;
  std::mt19937 random(14);
  std::map<std::string, std::vector<TokenId>> truth;
  for (int i = 0; i < 50000; ++i) {
    std::string piece = random_piece(random, 1 + random() % 15);
    const PieceKey key = PieceKey::of(piece, piece.size());
    const auto known = memo.find(key, key.hash());
    if (!known.empty()) {
      ASSERT_EQ(std::vector<TokenId>(known.begin(), known.end()), truth.at(piece));
      continue;
    }
    std::vector<TokenId>& tokens = truth[piece];
    if (tokens.empty()) tokens.assign(1 + random() % 7, static_cast<TokenId>(random() % 1000));
    memo.insert(key, key.hash(), tokens);
    ASSERT_EQ(memo.find(key, key.hash()).size(),
              tokens.size() <= PieceMemo::kMaxTokens ? tokens.size() : 0);
  }
}

}  // namespace
}  // namespace inkstone
