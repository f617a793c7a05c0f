#pragma once
// What others say about starts of nodes that this one has not met: a later epoch, another id under
// a known name. It is hearsay, so it changes nothing; it only makes this node dial the address and
// see. Bounded, each at most once in five seconds, and so many a second in all: nobody can be made
// to dial more by inventing nodes.

#include "actors/rate_limit.hpp"
#include "schemas/ids.hpp"
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

class dial_hints {
public:
  static constexpr std::size_t max_hints = 256;
  static constexpr duration memory = std::chrono::seconds(5);

  explicit dial_hints(std::uint32_t per_second) noexcept : rate_(per_second) {}

  /// The address to dial now. Nothing when it was told in the last five seconds, or there are too
  /// many; news is repeated, so a hint that is dropped comes again.
  bool add(node_id who, std::uint64_t boot_epoch, std::string_view address, time_point now) {
    std::erase_if(hints_, [now](const hint& one) { return one.forget_at <= now; });
    const bool known = std::any_of(hints_.begin(), hints_.end(), [&](const hint& one) {
      return one.who == who && one.boot_epoch >= boot_epoch;
    });
    if (known || address.empty() || hints_.size() >= max_hints || !rate_.allow(now))
      return false;
    hints_.push_back({who, boot_epoch, std::string(address), now + memory});
    return true;
  }
  /// Whether the node at this address was dialled because of a hint, lately.
  bool contains(std::string_view address) const noexcept {
    return std::any_of(hints_.begin(), hints_.end(),
                       [&](const hint& one) { return one.address == address; });
  }

private:
  struct hint {
    node_id who;
    std::uint64_t boot_epoch;
    std::string address;
    time_point forget_at;
  };

  std::vector<hint> hints_;
  rate_limit rate_;
};

} // namespace edupulse
