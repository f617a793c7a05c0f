#include "actors/batch.hpp"

namespace edupulse {

/// Lets go of the events front to back, and looks ahead: they were last used a whole window ago.
chunk::~chunk() {
  constexpr std::size_t ahead = 4;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + ahead < entries.size())
      prefetch_lines<1>(entries[i + ahead].event.get());
    entries[i].event = {};
  }
}

bool batch::note(exception_note what) {
  return unless_closed([&] { notes_.push_back(std::move(what)); });
}

batch::results batch::close() {
  std::lock_guard guard(mutex_);
  closed_ = true;
  return {progress(), std::move(notes_)};
}

} // namespace edupulse
