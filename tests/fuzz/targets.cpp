#include "tests/fuzz/targets.hpp"
#include "actors/interest.hpp"
#include "schemas/codec.hpp"
#include "tests/fuzz/must.hpp"
#include <algorithm>

namespace edupulse::fuzz {

namespace {

constexpr time_point start{std::chrono::hours(100)};

template <class What> std::span<const std::byte> body_of(const What& what, frame_bytes& bytes) {
  append_frame(bytes, what);
  return std::as_bytes(std::span(bytes)).subspan(frame_header::size);
}

void decode_frame(frame_kind kind, std::span<const std::byte> body) {
  frame_bytes again;
  switch (kind) {
  case frame_kind::hello:
    if (const auto what = decode_hello(body))
      must(decode_hello(body_of(*what, again)).value() == *what);
    break;
  case frame_kind::refusal:
    if (const auto what = decode_refusal(body))
      must(decode_refusal(body_of(*what, again)).value() == *what);
    break;
  case frame_kind::control:
    if (const auto what = decode_control(body)) {
      must(decode_control(body_of(*what, again)).has_value());
      if (const auto* one = std::get_if<link_numbered>(&*what))
        if (const auto* carried = std::get_if<std::vector<std::byte>>(&one->what))
          static_cast<void>(decode_interest(*carried));
    }
    break;
  case frame_kind::events:
    if (const auto runs = decode_events(body, make_node_id(1, 2), start, {}))
      for (const auto& run : *runs)
        must(run.events.size() > 0 && !run.targets.empty());
    break;
  case frame_kind::membership:
    static_cast<void>(decode_membership(body));
    break;
  case frame_kind::none:
    must(false);
  }
}

/// Two connections of one switchboard, and what has to hold of what it asks for.
class conversation {
public:
  conversation() : core_(subject()) {}

  void accept_both() {
    for (const connection_id which : {1U, 2U})
      core_.on_accepted(which, "10.0.0.9", now_, out_);
    settle();
  }
  void dial() {
    core_.join({"elsewhere:1"}, now_, out_);
    settle();
  }
  void play(std::span<const std::byte> bytes) {
    while (bytes.size() >= 3) {
      const auto what = static_cast<step>(static_cast<unsigned>(bytes[0]) % 4);
      const auto number = static_cast<std::size_t>(bytes[1]) | static_cast<std::size_t>(bytes[2])
                                                                   << 8;
      bytes = bytes.subspan(3);
      if (what == step::wait) {
        now_ += std::chrono::milliseconds(10) * static_cast<int>(number);
        core_.tick(now_, out_);
      } else if (what == step::end) {
        core_.on_closed(1 + number % 2, "the end", now_, out_);
      } else {
        const auto size = std::min(number, bytes.size());
        core_.on_bytes(what == step::first_says ? 1 : 2, bytes.first(size), now_, out_);
        bytes = bytes.subspan(size);
      }
      settle();
    }
  }

private:
  void settle() {
    namespace asks = switchboard_effects;
    for (const auto& one : std::exchange(out_, {})) {
      if (const auto* up = std::get_if<asks::session_up>(&one)) {
        must(up->with.control != 0 && up->with.bulk != 0 && session_ == 0);
        session_ = up->with.number;
      } else if (const auto* lost = std::get_if<asks::session_lost>(&one)) {
        must(std::exchange(session_, 0) == lost->with.number);
      } else if (const auto* frame = std::get_if<asks::for_router>(&one)) {
        must(session_ == frame->session);
        decode_frame(frame->kind, frame->body);
      } else if (const auto* dial = std::get_if<asks::dial>(&one)) {
        if (made_ < 2)
          tickets_.push_back(dial->ticket);
      }
    }
    core_.check();
    must(core_.connections() <= 2);
    while (!tickets_.empty()) {
      const auto ticket = tickets_.back();
      tickets_.pop_back();
      core_.on_connected(ticket, ++made_, now_, out_);
      settle();
    }
  }

  switchboard core_;
  time_point now_ = start;
  switchboard::effects out_;
  std::uint64_t session_ = 0;
  connection_id made_ = 0;
  std::vector<std::uint64_t> tickets_;
};

} // namespace

switchboard subject() {
  const peer_identity self{make_node_id(5, 5), 5, 77, "self", "school", "self:1"};
  return {switchboard::settings{.agreed = {{"profile", "lan"}}},
          membership::make(lan_profile(), self, {}, 42).value(), 7};
}

void frames(std::span<const std::byte> bytes) {
  frame_reader reader(link_limits{}.events_bytes());
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min<std::size_t>(bytes.size(), 100));
    bytes = bytes.subspan(part.size());
    const auto good = reader.feed(part, [](frame_kind kind, std::span<const std::byte> body) {
      decode_frame(kind, body);
      return true;
    });
    must(reader.kept() <= frame_header::size + link_limits{}.events_bytes());
    if (!good)
      return;
  }
}

void envelope(std::span<const std::byte> bytes) {
  const auto event = decode(bytes, {1u << 20});
  if (event)
    must((*event)->words().size_bytes() == bytes.size());
}

void membership_frame(std::span<const std::byte> bytes) {
  static const peer_identity who{make_node_id(1, 2), 1, 9, "peer", "school", "peer:1"};
  const peer_identity self{make_node_id(5, 5), 5, 77, "self", "school", "self:1"};
  auto core = membership::make(lan_profile(), self, {}, 42).value();
  membership::effects out;
  core.join({}, start, out);
  core.on_hello(who, {}, start, out);
  core.receive(who, bytes, start, out);
  core.receive(who, bytes, start + std::chrono::seconds(1), out);
  core.tick(start + std::chrono::seconds(2), out);
  core.check();
  must(core.state() == self_state::joined && core.members().size() <= 200);
}

void acceptor(std::span<const std::byte> bytes) {
  conversation with;
  with.accept_both();
  with.play(bytes);
}

void dialer(std::span<const std::byte> bytes) {
  conversation with;
  with.dial();
  with.play(bytes);
}

} // namespace edupulse::fuzz
