#pragma once
// A link: the reliable, ordered, flow-controlled conversation with one start of one peer, over
// connections that come and go. A session is a pair of them: bulk for events, control for all else,
// so that an acknowledgement never waits behind a megabyte. They fail together.
//
//     down --session--> greeting --the peer's resume--> up --lost, cut--> down
//
// Two kinds of things must not be lost with a session, and each has numbers of its own. Events are
// numbered for each destination; the receiver says at the start of a session from where on they are
// missing. Control messages (conclusions, interest) are numbered in one line for the link; they are
// kept until the peer has said that it has them, and said again in the next session.
//
// A core: what is to be written, delivered or cut is an effect. `flush` at the end of a turn.

#include "actors/inbound.hpp"
#include "actors/link_control.hpp"
#include "actors/outbox.hpp"
#include "schemas/quiet_deque.hpp"
#include <string>
#include <variant>
#include <vector>

namespace edupulse {

namespace link_effects {

struct send_events {
  std::vector<outgoing_run> runs;
};
struct send_control {
  link_control what;
};
/// Events for a subscription of this node; `events.first_seq` is the number of the first.
struct deliver {
  std::uint32_t subscription;
  slice events;
  std::uint64_t missed; ///< events it was not given just before
};
/// Something that the other side's owner put into `carry`.
struct carried {
  std::vector<std::byte> what;
};
/// Close both connections; a new session may follow.
struct cut {
  std::string why;
};

} // namespace link_effects

using link_effect = std::variant<link_effects::send_events, link_effects::send_control,
                                 link_effects::deliver, link_effects::carried, link_effects::cut>;

/// One run of a received frame; `events` has one entry for each event of the run.
struct incoming_run {
  slice events;
  std::vector<outgoing_run::target> targets;
};

class link {
public:
  struct settings {
    outbox::limits frames{};
    budget kept{}; ///< what the peer is owed counts in it
    /// Frames handed to the wire and not written: what lies in user space is this many times
    /// `frames.frame_bytes`.
    std::uint32_t frames_in_hand = 2;
    /// Conclusions are told with the turn that brings them, but not more often than this, unless
    /// so many events wait for it.
    duration ack_every = std::chrono::microseconds(250);
    std::uint64_t acks_at_once = 512;
    /// What no later turn takes along is told by then. Later than `ack_every`: while events flow,
    /// the next turn comes first, and no timer has to wake anybody.
    duration ack_at_latest = std::chrono::milliseconds(1);
    std::size_t acks_in_message = 512;
    /// Subscriptions in one resume: 16 bytes each, in a control frame.
    std::size_t expected_in_message = 8192;
    /// A peer that takes nothing for so long, though there is something to take, is cut.
    duration cut_after = std::chrono::seconds(10);
    /// Tells this link from those to the same start of the peer before it, which were given up.
    std::uint64_t number = 0;
    /// Numbered control messages that the peer has not confirmed; one more cuts the session.
    std::size_t kept_controls = 65'536;
  };
  using effects = std::vector<link_effect>;
  explicit link(settings how) : how_(how), outbox_(how.frames, how.kept) {}

  // -- sessions -------------------------------------------------------------------------
  void on_session(time_point now, effects& io);
  void on_session_lost(time_point now);
  /// The peer has started anew, and remembers nothing of this link.
  void begin_anew();
  /// The peer has given this node up meanwhile, and its link is another one: begin anew.
  bool is_with_another(const link_resume& what) const noexcept {
    return peer_link_ != 0 && what.link != 0 && what.link != peer_link_;
  }
  void meet(std::uint64_t peer_link) noexcept { peer_link_ = peer_link; }
  bool is_up() const noexcept { return state_ == state::up; }
  bool has_session() const noexcept { return state_ != state::down; }

  // -- from the wire; errors are `protocol`: cut the session ------------------------------------
  expected<void> on_resume(const link_resume& what, time_point now, effects& io);
  expected<void> on_taken(const link_taken& what, time_point now);
  expected<void> on_numbered(link_numbered&& what, time_point now, effect_list& out, effects& io);
  expected<void> on_events(std::vector<incoming_run>&& runs, effects& io);
  /// A frame of events has been on its way in for a while, and more of it has come: the peer is
  /// told, lest it takes a slow line for somebody who reads nothing.
  void on_arriving(effects& io);
  /// A frame of events has left this process.
  void on_written() noexcept { in_hand_ -= in_hand_ > 0; }

  // -- from this node -----------------------------------------------------------------------
  outbox& owed() noexcept { return outbox_; }
  const outbox& owed() const noexcept { return outbox_; }
  inbound& received() noexcept { return inbound_; }
  /// Behind the conclusions there are: who is withdrawn has had its last.
  void carry(std::vector<std::byte> what);
  /// Conclusions do not wait for more of them: the next `flush` says all there are.
  void number_acks();
  /// The last that was carried withdraws this subscription of this node.
  void close(std::uint32_t subscription) { inbound_.close(subscription, next_control_ - 1); }
  /// Sends what may be sent. Call at the end of each turn, and after `on_written`.
  void flush(time_point now, effects& io);
  /// It has more to send than the wire has taken.
  bool waits_for_wire() const noexcept {
    return state_ == state::up && in_hand_ > 0 && outbox_.has_anything_to_send();
  }
  void on_tick(time_point now, effect_list& out, effects& io);
  std::optional<time_point> next_deadline() const;
  void check() const { outbox_.check(); }

private:
  enum class state : std::uint8_t { down, greeting, up };

  void number(decltype(link_numbered::what) what);
  void send_resume(effects& io);
  void send_controls(effects& io);
  void tell_taken(effects& io);
  void say_taken(effects& io);
  std::uint64_t confirmed() const noexcept { return next_control_ - 1 - controls_.size(); }
  void confirm(std::uint64_t seen);
  bool acks_are_due(time_point now) const;
  bool is_idle() const;

  settings how_;
  outbox outbox_;
  inbound inbound_;
  state state_ = state::down;
  std::uint64_t peer_link_ = 0;
  quiet_deque<inbound::expectation> unsaid_; ///< of this session, like the two below
  std::vector<outbox::expectation> expects_; ///< the peer, as far as it has said
  bool peer_spoke_ = false;

  quiet_deque<link_numbered> controls_; ///< not confirmed; from `sent_controls_` on not sent
  std::size_t sent_controls_ = 0;
  std::uint64_t next_control_ = 1;
  std::uint64_t control_seen_ = 0;

  std::uint32_t in_hand_ = 0;
  std::uint64_t frames_sent_ = 0;  ///< in this session, like the four below
  std::uint64_t frames_taken_ = 0; ///< by the peer
  std::uint64_t frames_read_ = 0;  ///< from the peer
  std::uint64_t frames_told_ = 0;  ///< to the peer, of those
  std::uint64_t control_told_ = 0;
  time_point last_taken_{}; ///< when the peer last moved, or had nothing to take
  time_point last_acks_{};
  time_point next_check_ = time_point::max();
};

} // namespace edupulse
