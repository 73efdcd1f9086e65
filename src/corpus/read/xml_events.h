// XML, event by event.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/message.h"

namespace inkstone {

struct XmlAttribute {
  std::string_view name;  // without its prefix
  std::string value;
};

using XmlAttributes = std::span<const XmlAttribute>;

// The value of the attribute, "" where there is none.
std::string_view value_of(XmlAttributes attributes, std::string_view name);

// Names are without their prefixes. What is thrown ends the parsing and passes through parse_xml.
class XmlEvents {
 public:
  virtual ~XmlEvents() = default;
  virtual void start(std::string_view name, XmlAttributes attributes) = 0;
  virtual void end(std::string_view name) = 0;
  virtual void text(std::string_view) {}
};

// Parses a whole document, in the encoding that it declares. No entity is taken from the document
// or from elsewhere but the five of XML. Returns "" when it is well formed, else the first fault
// ("line 3: ..."): what stands before it has been given. At most 2 GiB, 256 elements deep.
Message parse_xml(std::string_view document, XmlEvents& events);

}  // namespace inkstone
