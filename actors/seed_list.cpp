#include "actors/seed_list.hpp"

#include "actors/probing.hpp"
#include <algorithm>

namespace edupulse {

void seed_list::set(const std::vector<std::string>& addresses, std::string_view own, duration first,
                    duration cap, time_point now, random_source& chance) {
  seeds_.clear();
  for (const auto& address : addresses)
    if (seeds_.size() < max_seeds && !contains(address))
      seeds_.push_back({address, address == own ? seed_state::self : seed_state::wanted, {}});
  for (std::size_t left = seeds_.size(); left > 1; --left)
    std::swap(seeds_[left - 1], seeds_[below(left, chance)]);
  first_ = first;
  cap_ = cap;
  restart(now);
}

void seed_list::restart(time_point now) {
  for (auto& one : seeds_)
    if (one.state == seed_state::agreed)
      one.state = seed_state::wanted;
  pause_ = first_;
  patient_ = false;
  next_ = now;
}

void seed_list::lost(node_id who, time_point now) {
  for (auto& one : seeds_)
    if (one.who == who && one.state == seed_state::agreed) {
      if (!next()) {
        pause_ = first_;
        patient_ = true;
        next_ = now + first_;
      }
      one.state = seed_state::wanted;
    }
}

bool seed_list::only_self() const noexcept {
  return std::all_of(seeds_.begin(), seeds_.end(),
                     [](const seed& one) { return one.state == seed_state::self; });
}

std::optional<time_point> seed_list::next() const {
  const bool any = std::any_of(seeds_.begin(), seeds_.end(),
                               [](const seed& one) { return one.state == seed_state::wanted; });
  return any ? std::optional(next_) : std::nullopt;
}

std::optional<std::string> seed_list::take_due(time_point now, random_source& chance) {
  if (!next() || next_ > now)
    return std::nullopt;
  while (seeds_[turn_ % seeds_.size()].state != seed_state::wanted)
    ++turn_;
  next_ = now + pause_ / 2 + below(pause_ / 2, chance);
  pause_ = std::min(2 * pause_, patient_ ? 6 * cap_ : cap_);
  return seeds_[turn_++ % seeds_.size()].address;
}

bool seed_list::contains(std::string_view address) const noexcept {
  return std::any_of(seeds_.begin(), seeds_.end(),
                     [&](const seed& one) { return one.address == address; });
}

void seed_list::met(std::string_view address, node_id who) {
  for (auto& one : seeds_)
    if (one.address == address)
      one.who = who;
}

void seed_list::came(node_id who) {
  if (asked(who))
    return;
  if (callers_.size() == max_seeds)
    callers_.erase(callers_.begin());
  callers_.push_back(who);
}

void seed_list::is_self(std::string_view address) {
  for (auto& one : seeds_)
    if (one.address == address)
      one.state = seed_state::self;
}

void seed_list::agreed(node_id who) {
  for (auto& one : seeds_)
    if (one.who == who && one.state == seed_state::wanted)
      one.state = seed_state::agreed;
}

bool seed_list::asked(node_id who) const noexcept {
  return std::any_of(seeds_.begin(), seeds_.end(),
                     [&](const seed& one) { return one.who == who; }) ||
         std::find(callers_.begin(), callers_.end(), who) != callers_.end();
}

} // namespace edupulse
