#pragma once
// One switchboard among peers that the test plays, byte by byte when it likes.

#include "actors/switchboard.hpp"
#include "tests/support/in_flight.hpp"
#include "tests/support/one_member.hpp"
#include <map>
#include <string>
#include <vector>

namespace edupulse::test {

class one_switchboard {
public:
  /// A frame that reached the router.
  struct routed {
    node_id from;
    std::uint64_t session;
    frame_kind kind;
  };

  explicit one_switchboard(switchboard::settings how = {})
      : core(how, membership::make(lan_profile(), one_member::self_identity(), {}, 42).value(), 7) {
    core.join({}, now, out_);
    settle();
  }

  // -- what happens -------------------------------------------------------------------
  connection_id accept(const std::string& from = "10.0.0.9") {
    core.on_accepted(++last_, from, now, out_);
    settle();
    return last_;
  }
  void says(connection_id which, std::span<const std::byte> bytes) {
    core.on_bytes(which, bytes, now, out_);
    settle();
  }
  template <class What> void says(connection_id which, const What& what) {
    frame_bytes bytes;
    append_frame(bytes, what);
    says(which, std::as_bytes(std::span(bytes)));
  }
  void says(connection_id which, frame_kind kind, std::span<const std::byte> body) {
    frame_bytes bytes;
    append_frame(bytes, kind, body);
    says(which, std::as_bytes(std::span(bytes)));
  }
  void ends(connection_id which) {
    core.on_closed(which, "the connection has ended", now, out_);
    settle();
  }
  void is_certified(connection_id which, const std::string& name) {
    core.on_secured(which, "school", name, now, out_);
    settle();
  }
  /// Connects what was dialled last.
  connection_id connected() {
    core.on_connected(dials.back().ticket, ++last_, now, out_);
    settle();
    return last_;
  }
  void seek(const std::string& address) {
    core.join({address}, now, out_);
    settle();
  }
  void wait(duration how_long) {
    const auto end = now + how_long;
    while (now < end) {
      now = std::min(end, std::max(now, core.next_deadline().value_or(end)));
      core.tick(now, out_);
      settle();
      if (core.next_deadline().value_or(end) <= now)
        now += std::chrono::milliseconds(1);
    }
  }

  // -- conversations --------------------------------------------------------------------
  static hello_message hello_of(const peer_identity& who, std::uint64_t session, bool bulk) {
    auto what = edupulse::hello_of(who, session, bulk);
    what.max_event_bytes = 1u << 20;
    return what;
  }
  static control_message resume() { return link_resume{}; }
  /// Both connections of a session that the peer dials, and its first word.
  std::pair<connection_id, connection_id> meet(const peer_identity& who, std::uint64_t session) {
    const auto control = accept();
    says(control, hello_of(who, session, false));
    const auto bulk = accept();
    says(bulk, hello_of(who, session, true));
    says(control, resume());
    return {control, bulk};
  }
  void asks_in(connection_id control, const peer_identity& who) {
    says(control, frame_kind::membership,
         one_member::frame(who, msg::join{who.cluster, 1, 0}, {about(who, member_state::alive)}));
  }
  /// As above, and it becomes a member: the session is up.
  std::pair<connection_id, connection_id> join(const peer_identity& who, std::uint64_t session) {
    const auto both = meet(who, session);
    asks_in(both.first, who);
    return both;
  }

  // -- what is seen -----------------------------------------------------------------------
  bool is_closed(connection_id which) const { return closed.contains(which); }
  std::vector<frame_kind> kinds_to(connection_id which) {
    std::vector<frame_kind> kinds;
    frames_to(which, [&](frame_kind kind, auto) { kinds.push_back(kind); });
    return kinds;
  }
  hello_message hello_to(connection_id which) {
    hello_message what;
    frames_to(which, [&](frame_kind kind, auto body) {
      if (kind == frame_kind::hello)
        what = decode_hello(body).value();
    });
    return what;
  }
  /// What was refused; `duplicate` without text when nothing was.
  refusal_message refusal_to(connection_id which) {
    refusal_message what{refusal_reason::duplicate, {}};
    frames_to(which, [&](frame_kind kind, auto body) {
      if (kind == frame_kind::refusal)
        what = decode_refusal(body).value();
    });
    return what;
  }

  switchboard core;
  time_point now{std::chrono::hours(100)};
  std::map<connection_id, std::string> closed; ///< and why
  std::vector<switchboard_effects::dial> dials;
  std::vector<peer_session> up;
  std::vector<std::uint64_t> lost; ///< numbers of sessions
  std::vector<routed> frames;
  std::vector<std::string> notices;

private:
  template <class F> void frames_to(connection_id which, F take) {
    frame_reader reader(link_limits::control_bytes);
    REQUIRE(reader.feed(std::as_bytes(std::span(written_[which])), [&](frame_kind kind, auto body) {
      take(kind, body);
      return true;
    }));
  }
  void settle() {
    namespace asks = switchboard_effects;
    for (auto& what : std::exchange(out_, {})) {
      if (const auto* w = std::get_if<asks::write>(&what)) {
        REQUIRE_FALSE(is_closed(w->to));
        written_[w->to].insert(written_[w->to].end(), w->bytes.begin(), w->bytes.end());
      } else if (const auto* c = std::get_if<asks::close>(&what)) {
        closed[c->which] = c->why;
      } else if (const auto* d = std::get_if<asks::dial>(&what)) {
        dials.push_back(*d);
      } else if (const auto* one = std::get_if<asks::session_up>(&what)) {
        up.push_back(one->with);
      } else if (const auto* gone = std::get_if<asks::session_lost>(&what)) {
        lost.push_back(gone->with.number);
      } else if (const auto* frame = std::get_if<asks::for_router>(&what)) {
        frames.push_back({frame->from, frame->session, frame->kind});
      } else if (const auto* text = std::get_if<asks::notice>(&what)) {
        notices.push_back(text->text);
      }
    }
    core.check();
  }

  connection_id last_ = 0;
  switchboard::effects out_;
  std::map<connection_id, frame_bytes> written_;
};

} // namespace edupulse::test
