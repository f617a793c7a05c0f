#pragma once
// What subscriptions of one node tell the publishers on others about themselves, and how it travels
// (schemas/interest.capnp).

#include "actors/backlog.hpp"
#include "schemas/error.hpp"
#include "schemas/topic.hpp"
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edupulse {

struct announced_subscription {
  std::uint32_t number = 0;
  std::string name;
  topic_filter filter;
  backlog::settings overload{};
  std::size_t window_events = 8192;
  std::size_t window_bytes = 4u << 20;
  std::string group{}; ///< empty: none
  event_order order = event_order::keyed;
};

struct interest_message {
  std::uint64_t version = 0;
  std::vector<announced_subscription> added;
  std::vector<std::uint32_t> removed;
};

std::vector<std::byte> encode(const interest_message& what);
/// Errors: `malformed`, naming what cannot be: a filter that breaks the rules, an empty name,
/// a group that is no text, limits beyond those of subscription_options.
expected<interest_message> decode_interest(std::span<const std::byte> bytes);

} // namespace edupulse
