// Addresses, and how connections come about.

#include "runtime/simulation/network.hpp"
#include <charconv>

namespace edupulse::simulation {

namespace {

constexpr std::string_view first_part = "10.";
constexpr std::string_view last_part = ":7000";
/// A dial whose packets are lost is repeated by the system, and given up by the dialer.
constexpr std::chrono::seconds dial_repeats[] = {std::chrono::seconds(1), std::chrono::seconds(2)};

} // namespace

std::string address_of(place where) {
  return std::string(first_part) + std::to_string(where >> 16) + "." +
         std::to_string(where >> 8 & 255) + "." + std::to_string(where & 255) +
         std::string(last_part);
}

std::optional<place> place_of(std::string_view address) {
  if (!address.starts_with(first_part) || !address.ends_with(last_part))
    return std::nullopt;
  const auto* at = address.data() + first_part.size();
  const auto* end = address.data() + address.size() - last_part.size();
  place where = 0;
  for (int part = 0; part < 3; ++part) {
    std::uint32_t number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc())
      return std::nullopt;
    where = where << 8 | number;
    at = read.ptr + (part < 2 ? 1 : 0);
  }
  return where;
}

void network::dial(place from, std::uint64_t ticket, std::string_view address) {
  const auto start = host_of(from).start;
  if (const auto to = place_of(address))
    return try_connect(from, start, ticket, *to, 0);
  answer_dial(from, start, how_.line.delay, [this, from, ticket] {
    host_of(from).who->on_dial_failed(ticket, "there is no such address");
  });
}

/// `what` runs at the dialling process, if that is still the same one.
void network::answer_dial(place from, std::uint64_t start, duration after,
                          std::function<void()> what) {
  time_.in(after, [this, from, start, what = std::move(what)] {
    if (host_of(from).start == start)
      run_at(from, what);
  });
}

void network::try_connect(place from, std::uint64_t start, std::uint64_t ticket, place to,
                          int tries) {
  const auto& there = host_of(to);
  if (!is_blocked(from, to) && !is_blocked(to, from) && !there.vanished) {
    const auto delay = draw_delay(line_of(from, to));
    return time_.in(delay, [=, this] { connect(from, start, ticket, to); });
  }
  if (tries < 2)
    return time_.in(dial_repeats[tries],
                    [=, this] { try_connect(from, start, ticket, to, tries + 1); });
  answer_dial(from, start, duration(0), [this, from, ticket] {
    host_of(from).who->on_dial_failed(ticket, "nobody answers");
  });
}

void network::connect(place from, std::uint64_t start, std::uint64_t ticket, place to) {
  const auto back = draw_delay(line_of(to, from));
  const auto& there = host_of(to);
  if (host_of(from).start != start || host_of(from).who == nullptr)
    return;
  if (there.who == nullptr && !there.deaf)
    return answer_dial(from, start, back, [this, from, ticket] {
      host_of(from).who->on_dial_failed(ticket, "nobody listens there");
    });
  const auto here = next_id_++;
  const auto other = there.deaf ? 0 : next_id_++;
  auto& one = ends_[here];
  one.owner = from;
  one.peer = to;
  one.there = other;
  one.last_arrival = time_.now() + back; // it hears nothing before it knows that it is connected
  if (other != 0) {
    auto& two = ends_[other];
    two.owner = to;
    two.peer = from;
    two.there = here;
    two.last_arrival = time_.now();
    run_at(to, [this, other, to, from] { host_of(to).who->on_accepted(other, from); });
  }
  answer_dial(from, start, back,
              [this, from, ticket, here] { host_of(from).who->on_connected(ticket, here); });
}

} // namespace edupulse::simulation
