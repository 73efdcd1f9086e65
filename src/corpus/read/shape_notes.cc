#include "corpus/read/shape_notes.h"

#include "base/message.h"

namespace inkstone {

std::vector<Message> ShapeNotes::notes() const {
  std::vector<Message> notes;
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    notes.push_back(
        message("{} records are {}: the completion is trained, the prompt is not (--records text: "
                "they are text)",
                counts_[i], name_of(static_cast<RecordShape>(i))));
  }
  if (as_text_ > 0) {
    notes.push_back(
        message("{} records have a text and are {} too: they are taken as text (--records "
                "completion: only the completion is trained)",
                as_text_, name_of(as_text_shape_)));
  }
  return notes;
}

}  // namespace inkstone
