#pragma once
// For overload_policy::latest_per_key, here and on its way to a peer.

#include "actors/batch.hpp"
#include "schemas/planted.hpp"
#include <deque>
#include <unordered_map>

namespace edupulse {

/// What stays of `waiting` when of each key only the newest event does; events without a key stay.
/// `drop(event, seq)` is called for the others, in order.
template <class F> std::deque<slice> newest_of_each_key(const std::deque<slice>& waiting, F drop) {
  std::unordered_map<std::uint64_t, const envelope*> newest;
  for (const auto& part : waiting)
    for (auto i = part.begin; i < part.end; ++i)
      if (const auto& event = part.events->entries[i].event;
          !planted("latest_per_key_keeps_oldest") || !newest.contains(event->key_hash()))
        newest[event->key_hash()] = event.get();
  std::deque<slice> kept;
  for (const auto& part : waiting)
    for (auto i = part.begin; i < part.end; ++i) {
      const auto& event = *part.events->entries[i].event;
      const auto seq = part.first_seq + i - part.begin;
      if (event.key_hash() != 0 && newest.at(event.key_hash()) != &event) {
        drop(event, seq);
        continue;
      }
      auto* last = kept.empty() ? nullptr : &kept.back();
      if (last != nullptr && last->events == part.events && last->end == i &&
          last->first_seq + last->size() == seq)
        ++last->end;
      else
        kept.push_back({part.events, i, i + 1, seq});
    }
  return kept;
}

} // namespace edupulse
