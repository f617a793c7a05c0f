#include "actors/batch.hpp"

namespace edupulse {

bool batch::note(exception_note what) {
  return unless_closed([&] { notes_.push_back(std::move(what)); });
}

batch::results batch::close() {
  std::lock_guard guard(mutex_);
  closed_ = true;
  return {progress(), std::move(notes_)};
}

} // namespace edupulse
