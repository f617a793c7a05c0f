#pragma once
// What is on its way between simulated ends of a link.

#include "actors/link_frames.hpp"
#include <algorithm>
#include <deque>
#include <optional>
#include <span>

namespace edupulse::test {

/// The body of one whole frame.
inline std::span<const std::byte> body_of(const frame_bytes& frame) {
  return std::as_bytes(std::span(frame)).subspan(frame_header::size);
}

/// As whoever reads it would: is it too long?
inline expected<frame_header> header_of(const frame_bytes& frame, std::size_t most) {
  return decode_header(std::as_bytes(std::span(frame)).first<frame_header::size>(), most);
}

/// Takes the earliest of what has arrived by `now`; of several, the one sent first. Each has
/// `when`.
template <class Arrival>
std::optional<Arrival> take_due(std::deque<Arrival>& in_flight, time_point now) {
  const auto first =
      std::min_element(in_flight.begin(), in_flight.end(),
                       [](const Arrival& a, const Arrival& b) { return a.when < b.when; });
  if (first == in_flight.end() || first->when > now)
    return std::nullopt;
  std::optional<Arrival> one(std::move(*first));
  in_flight.erase(first);
  return one;
}

} // namespace edupulse::test
