// Subtitles: SubRip (SRT) and WebVTT.
#pragma once

#include <string_view>

#include "corpus/read/byte_source.h"

namespace inkstone {

// True for a text (UTF-8, without a byte order mark) that begins as one of the two do: "WEBVTT", or
// a time "00:00:01,000 --> 00:00:02,000" in its first line or behind a number.
bool looks_like_subtitles(std::string_view head);

// What is said, a line each, as a stream. `read` gives UTF-8. Left out are numbers, names of cues,
// times, settings, tags with the names of speakers in them (<i>, <v Name>, {\an8}), and WebVTT's
// notes, styles and regions. &amp; and its like are decoded. Of SubRip, whatever else stands
// between two times is said, blank lines or not.
ReadBytes speech_of_subtitles(ReadBytes read);

}  // namespace inkstone
