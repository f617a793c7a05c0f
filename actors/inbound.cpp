#include "actors/inbound.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <string>

namespace edupulse {

void inbound::open(std::uint32_t subscription, std::size_t window) {
  streams_[subscription].window = window;
}

void inbound::close(std::uint32_t subscription, std::uint64_t withdrawn) {
  const auto at = streams_.find(subscription);
  if (at != streams_.end())
    at->second.withdrawn = withdrawn;
}

void inbound::forget(std::uint64_t heard) {
  std::erase_if(streams_, [&](const auto& one) {
    return one.second.withdrawn && *one.second.withdrawn <= heard &&
           (one.second.outstanding == 0 || planted("withdrawn_forgotten_early"));
  });
}

expected<inbound::accepted> inbound::accept(std::uint32_t subscription, std::uint64_t first,
                                            std::uint32_t count) {
  const auto at = streams_.find(subscription);
  if (at == streams_.end())
    return fail(errc::protocol, "the peer sent events for subscription " +
                                    std::to_string(subscription) + ", which it was not told of");
  auto& to = at->second;
  if (count == 0 || first == 0 || first > to.next)
    return fail(errc::protocol, "the peer sent event " + std::to_string(first) +
                                    " of subscription " + std::to_string(subscription) + " when " +
                                    std::to_string(to.next) + " was due");
  const auto skip =
      planted("repeats_taken_again")
          ? 0
          : static_cast<std::uint32_t>(std::min<std::uint64_t>(to.next - first, count));
  const auto fresh = count - skip;
  repeats_ += skip;
  if (to.outstanding + fresh > to.window)
    return fail(errc::protocol, "the peer sent more than the window of subscription " +
                                    std::to_string(subscription) + ", " +
                                    std::to_string(to.window) + " events, allows");
  to.next += fresh;
  to.outstanding += fresh;
  outstanding_ += fresh;
  if (!to.withdrawn || fresh == 0)
    return accepted{skip, fresh};
  concluded({subscription, first + skip, fresh, fate::dropped, drop_reason::unsubscribed});
  return accepted{count, 0};
}

void inbound::concluded(const ack_run& what) {
  const auto at = streams_.find(what.subscription);
  if (at == streams_.end())
    return;
  at->second.outstanding -= what.count;
  outstanding_ -= what.count;
  untold_ += what.count;
  if (!acks_.empty()) {
    auto& last = acks_.back();
    if (last.subscription == what.subscription && last.how == what.how && last.why == what.why &&
        last.first + last.count == what.first) {
      last.count += what.count;
      return;
    }
  }
  acks_.push_back(what);
}

std::vector<ack_run> inbound::take_acks(std::size_t most) {
  auto some = std::exchange(acks_, {});
  if (some.size() > most) {
    acks_.assign(some.begin() + static_cast<std::ptrdiff_t>(most), some.end());
    some.resize(most);
  }
  for (const auto& one : some)
    untold_ -= one.count;
  return some;
}

std::vector<inbound::expectation> inbound::expectations() const {
  std::vector<expectation> all;
  for (const auto& [subscription, what] : streams_)
    if (what.next > 1)
      all.push_back({subscription, what.next});
  return all;
}

} // namespace edupulse
