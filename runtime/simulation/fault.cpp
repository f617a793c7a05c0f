#include "runtime/simulation/fault.hpp"

namespace edupulse::simulation {

namespace {

constexpr std::string_view names[fault_kinds] = {
    "kill",   "vanish", "restart",      "restart_fresh", "leave",     "pause",
    "resume", "copy",   "partition",    "heal",          "cut",       "one_way",
    "slow",   "flap",   "swizzle_clog", "reset",         "no_answer", "loss"};

bool is_of_two(fault_kind what) {
  return what == fault_kind::cut || what == fault_kind::one_way || what == fault_kind::slow ||
         what == fault_kind::flap || what == fault_kind::reset;
}
bool is_of_many(fault_kind what) {
  return what == fault_kind::partition || what == fault_kind::swizzle_clog;
}
constexpr fault_kind remedies[] = {fault_kind::heal, fault_kind::resume, fault_kind::restart};

duration between(duration least, duration most, random_source& chance) {
  return least + duration(static_cast<duration::rep>(chance.unit() *
                                                     static_cast<double>((most - least).count())));
}

} // namespace

std::string to_string(const fault& what) {
  std::string text(names[static_cast<std::size_t>(what.what)]);
  const auto ms = [](duration time) {
    return ' ' + std::to_string(time / std::chrono::milliseconds(1)) + "ms";
  };
  for (const auto one : what.side)
    text += ' ' + std::to_string(one);
  if (what.what == fault_kind::loss)
    text += ' ' + std::to_string(static_cast<int>(what.rate * 100)) + '%';
  else if (!is_of_many(what.what) && what.what != fault_kind::heal)
    text += ' ' + std::to_string(what.a);
  if (is_of_two(what.what))
    text += ' ' + std::to_string(what.b);
  if (what.delay > duration(0))
    text += ms(what.delay);
  if (what.period > duration(0))
    text += ms(what.period);
  if (what.what == fault_kind::slow && what.rate > 0)
    text += ' ' + std::to_string(static_cast<std::uint64_t>(what.rate)) + "B/s";
  return text;
}

fault_mix::fault_mix(random_source& chance) {
  for (auto& one : enabled_)
    one = chance.unit() < 0.5;
  for (const auto always : remedies)
    enabled_[static_cast<std::size_t>(always)] = true; // or it only gets worse
}

fault_mix::fault_mix(fault_kind one) {
  for (const auto always : remedies)
    enabled_[static_cast<std::size_t>(always)] = true;
  enabled_[static_cast<std::size_t>(one)] = true;
}

fault fault_mix::draw(random_source& chance, std::size_t nodes) const {
  using namespace std::chrono_literals;
  fault one;
  do
    one.what = static_cast<fault_kind>(chance.next() % fault_kinds);
  while (!has(one.what));
  one.a = chance.next() % nodes;
  one.b = (one.a + 1 + chance.next() % (nodes - 1)) % nodes;
  if (is_of_many(one.what))
    for (std::size_t at = 0; at < nodes; ++at)
      if (chance.unit() < 0.5)
        one.side.push_back(at);
  if (one.what == fault_kind::slow) {
    one.delay = between(1ms, 400ms, chance);
    one.rate = chance.unit() < 0.5 ? 0 : 4000 + 60'000 * chance.unit();
  }
  if (one.what == fault_kind::flap)
    one.period = between(100ms, 4s, chance);
  if (one.what == fault_kind::swizzle_clog)
    one.period = between(500ms, 8s, chance);
  if (one.what == fault_kind::loss)
    one.rate = 0.2 * chance.unit();
  return one;
}

// -- of the network -------------------------------------------------------------------------

bool network_faults::apply(const fault& what, const std::vector<place>& places) {
  const auto a = places[what.a];
  const auto b = places[what.b];
  switch (what.what) {
  case fault_kind::heal:
    heal();
    return true;
  case fault_kind::partition:
    partition(what, places);
    return true;
  case fault_kind::cut:
    block(b, a);
    [[fallthrough]];
  case fault_kind::one_way:
    block(a, b);
    return true;
  case fault_kind::slow:
    slow(a, b, what);
    slow(b, a, what);
    return true;
  case fault_kind::flap:
    flap(a, b, what.period / 2, calm_, false);
    return true;
  case fault_kind::swizzle_clog:
    swizzle(what, places);
    return true;
  case fault_kind::reset:
    net_.reset(a, b);
    return true;
  case fault_kind::no_answer:
    net_.set_deaf(a, true);
    deaf_.push_back(a);
    return true;
  case fault_kind::loss:
    net_.set_loss(what.rate);
    return true;
  default:
    return false;
  }
}

void network_faults::heal() {
  ++calm_;
  unblock_all(blocked_);
  for (const auto& [from, to] : std::exchange(slowed_, {}))
    net_.set_line(from, to, std::nullopt);
  for (const auto at : std::exchange(deaf_, {}))
    net_.set_deaf(at, false);
  net_.set_loss(0);
}

void network_faults::block(place from, place to) {
  net_.block(from, to);
  blocked_.emplace_back(from, to);
}

void network_faults::unblock_all(std::vector<way>& which) {
  for (const auto& [from, to] : std::exchange(which, {}))
    net_.unblock(from, to);
}

void network_faults::partition(const fault& what, const std::vector<place>& places) {
  std::vector<bool> is_here(places.size());
  for (const auto at : what.side)
    is_here[at] = true;
  for (std::size_t a = 0; a < places.size(); ++a)
    for (std::size_t b = 0; b < places.size(); ++b)
      if (is_here[a] != is_here[b])
        block(places[a], places[b]);
}

void network_faults::slow(place from, place to, const fault& how) {
  line_quality line;
  line.delay = how.delay;
  line.jitter = how.delay / 2;
  line.bytes_per_second = how.rate;
  net_.set_line(from, to, line);
  slowed_.emplace_back(from, to);
}

void network_faults::flap(place a, place b, duration half, std::uint64_t calm, bool down) {
  const auto pair = {way{a, b}, way{b, a}};
  if (down)
    for (const auto& one : pair)
      if (const auto at = std::find(blocked_.begin(), blocked_.end(), one); at != blocked_.end()) {
        net_.unblock(one.first, one.second);
        blocked_.erase(at);
      }
  if (!down)
    for (const auto& [from, to] : pair)
      block(from, to);
  time_.in(half, [=, this] {
    if (calm_ == calm)
      flap(a, b, half, calm, !down);
  });
}

std::vector<std::size_t> network_faults::shuffled(std::vector<std::size_t> all) {
  for (std::size_t left = all.size(); left > 1; --left)
    std::swap(all[left - 1], all[chance_.next() % left]);
  return all;
}

/// FoundationDB's: one after the other loses its network, and they get it back in another order.
void network_faults::swizzle(const fault& what, const std::vector<place>& places) {
  auto ways = std::make_shared<std::map<std::size_t, std::vector<way>>>();
  duration when{};
  for (const auto one : shuffled(what.side)) {
    when = between(duration(0), what.period, chance_);
    time_.in(when, [=, this, calm = calm_] {
      if (calm_ == calm)
        clog(places[one], places, (*ways)[one]);
    });
  }
  when = what.period;
  for (const auto one : shuffled(what.side)) {
    when += between(duration(0), what.period, chance_) / 2;
    time_.in(when, [=, this, calm = calm_] {
      for (const auto& back : std::exchange((*ways)[one], {}))
        if (const auto at = std::find(blocked_.begin(), blocked_.end(), back);
            calm_ == calm && at != blocked_.end()) {
          net_.unblock(back.first, back.second);
          blocked_.erase(at);
        }
    });
  }
}

void network_faults::clog(place which, const std::vector<place>& places, std::vector<way>& into) {
  for (const auto other : places)
    if (other != which)
      for (const auto& one : {way{which, other}, way{other, which}}) {
        block(one.first, one.second);
        into.push_back(one);
      }
}

} // namespace edupulse::simulation
