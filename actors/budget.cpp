#include "actors/budget.hpp"
#include "schemas/planted.hpp"

namespace edupulse {

struct budget::kept_chunk {
  kept_chunk(const budget& where, std::size_t size) : of(where), bytes(size) { of.add(bytes); }
  ~kept_chunk() {
    if (!planted("budget_never_released"))
      of.take(bytes);
    if (planted("budget_released_twice"))
      of.take(bytes);
  }
  kept_chunk(const kept_chunk&) = delete;
  kept_chunk& operator=(const kept_chunk&) = delete;

  const budget of;
  const std::size_t bytes;
  chunk_ptr all; ///< or
  chunk some;
};

slice budget::keep(const slice& what, std::size_t bytes) const {
  auto kept = std::make_shared<kept_chunk>(*this, bytes);
  if (what.size() == what.events->entries.size()) {
    kept->all = what.events;
    return {chunk_ptr(kept, what.events.get()), what.begin, what.end, 0};
  }
  const auto first = what.events->entries.begin();
  kept->some.entries.assign(first + what.begin, first + what.end);
  return {chunk_ptr(kept, &kept->some), 0, what.size(), 0};
}

} // namespace edupulse
