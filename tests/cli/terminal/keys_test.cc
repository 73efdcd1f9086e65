// What terminals send, as keys.
#include "cli/terminal/keys.h"

#include <gtest/gtest.h>

#include <vector>

namespace inkstone::cli {

bool operator==(const KeyPress& a, const KeyPress& b) { return a.key == b.key && a.text == b.text; }
void PrintTo(const KeyPress& press, std::ostream* out) {
  *out << "key " << static_cast<int>(press.key) << " '" << press.text << "'";
}

namespace {

using Presses = std::vector<KeyPress>;

Presses keys_of(std::string_view typed) {
  KeyDecoder decoder;
  decoder.feed(typed);
  Presses presses;
  while (auto press = decoder.next()) presses.push_back(*press);
  return presses;
}

TEST(KeysTest, TextAndControlsInOrder) {
  EXPECT_EQ(keys_of("却说a\x7f\x01"
                    "b\r"),
            (Presses{{Key::kText, "却说a"},
                     {Key::kBackspace},
                     {Key::kHome},
                     {Key::kText, "b"},
                     {Key::kEnter}}));
}

TEST(KeysTest, SequencesOfSeveralTerminals) {
  EXPECT_EQ(keys_of("\x1b[D\x1bOD\x1b[H\x1b[1~\x1bOH\x1b[3~\x1b[1;5C\x1b"
                    "f\x1b\x7f\x1b\r"),
            (Presses{{Key::kLeft},
                     {Key::kLeft},
                     {Key::kHome},
                     {Key::kHome},
                     {Key::kHome},
                     {Key::kDelete},
                     {Key::kWordRight},
                     {Key::kWordRight},
                     {Key::kKillWordLeft},
                     {Key::kNewLine}}));
}

TEST(KeysTest, WhatMeansNothingIsPassedOver) {
  // F5, Linux's F1, Shift-Tab, Alt-字, Tab, Ctrl-], a focus report, a mouse report.
  EXPECT_EQ(keys_of("\x1b[15~\x1b[[A\x1b[Z\x1b字\t\x1d\x1b[I\x1b[<0;1;1Mx"),
            (Presses{{Key::kText, "x"}}));
  // Broken off by text, and by another key.
  EXPECT_EQ(keys_of("\x1b[1;字"), (Presses{{Key::kText, "字"}}));
  EXPECT_EQ(keys_of("\x1b[\x1b[Cx"), (Presses{{Key::kRight}, {Key::kText, "x"}}));
  EXPECT_EQ(keys_of("\x1b\x1b[Cx"), (Presses{{Key::kRight}, {Key::kText, "x"}}));
  EXPECT_EQ(keys_of("\x1b[" + std::string(100, '1') + "x").back().text.back(), 'x')
      << "an endless sequence takes all that follows";
}

TEST(KeysTest, APasteIsOneTextWithItsLines) {
  EXPECT_EQ(keys_of("a\x1b[200~一\r二\r\n三\n\x1b[A\t四\x1b[201~b\r"),
            (Presses{{Key::kText, "a"},
                     {Key::kPaste, "一\n二\n三\n\x1b[A\t四"},
                     {Key::kText, "b"},
                     {Key::kEnter}}));
  EXPECT_EQ(keys_of("\x1b[200~\x1b[201~"), (Presses{{Key::kPaste, ""}}));
}

TEST(KeysTest, InPiecesTheSame) {
  const std::string typed = "a\x1b[1;5D却\x1b[200~一\r\n二\x1b[201~\x1bOH\r";
  const Presses whole = keys_of(typed);
  for (size_t cut = 0; cut <= typed.size(); ++cut) {
    if ((typed[cut] & 0xC0) == 0x80) continue;  // what comes is whole characters
    KeyDecoder decoder;
    Presses presses;
    const auto feed = [&](std::string_view part) {
      decoder.feed(part);
      while (auto press = decoder.next()) presses.push_back(*press);
    };
    feed(std::string_view(typed).substr(0, cut));
    feed(std::string_view(typed).substr(cut));
    EXPECT_EQ(presses, whole) << cut;
  }
}

TEST(KeysTest, AnUnfinishedPasteCanBeDropped) {
  KeyDecoder decoder;
  decoder.feed("\x1b[200~never ends");
  EXPECT_FALSE(decoder.next());
  decoder.drop_unfinished_paste();
  decoder.feed("x");
  EXPECT_EQ(*decoder.next(), (KeyPress{Key::kText, "x"}));
  decoder.feed("wai");
  decoder.drop_unfinished_paste();
  EXPECT_EQ(*decoder.next(), (KeyPress{Key::kText, "wai"})) << "what was not pasted was dropped";
}

}  // namespace
}  // namespace inkstone::cli
