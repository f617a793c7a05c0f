#pragma once
// All connections of a node, and who is at their other ends. The switchboard dials and is dialled,
// says hello and judges hellos, pairs a control with a bulk connection into a session, and keeps
// exactly one session with each member. Membership lives in it: its frames travel on the same
// connections, and it alone says who is a member.
//
//   dialled   (securing) -> greeting: own hello sent -> open: the peer's hello was good
//   accepted  (securing) -> greeting: waits for a hello -> open: own hello sent
//
// A session is begun by the side that dials: control first, then bulk. It is complete for the
// dialer when both are open, and for the other side when the dialer then speaks: so nothing can
// come on one connection before the other one is known. It is up, and the router hears of it, once
// the peer is a living member, too: of whom membership does not know nobody would say that he is
// gone. When both sides dial at once there are two sessions for a moment; the one that the node
// with the smaller id has dialled survives, on both sides by the same rule.
//
// A core: the shell moves bytes (and does TLS), and carries out effects in order. Connections that
// are not open `greet_within` after they were made are closed, and so are sessions that are not up.

#include "actors/frame_reader.hpp"
#include "actors/id_map.hpp"
#include "actors/membership.hpp"
#include "actors/switchboard_effect.hpp"
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tsl/robin_map.h>
#include <vector>

namespace edupulse {

class switchboard {
public:
  using effects = std::vector<switchboard_effect>;
  static constexpr std::uint16_t version_major = 1;
  static constexpr std::uint16_t version_minor = 0;
  static constexpr std::uint64_t features = 0; ///< none yet

  struct settings {
    std::vector<std::pair<std::string, std::string>> agreed{}; ///< between members, in the hello
    std::uint32_t max_event_bytes = 1u << 20; ///< taken, and sent: who takes less is refused
    duration greet_within = std::chrono::seconds(5);
    std::size_t strangers = 256; ///< accepted connections that have not said who they are, in all
    std::size_t strangers_of_address = 64; ///< and from one address
    /// Between tries to reach a member: full jitter up to this, doubled each time.
    retry_options redial{std::chrono::milliseconds(100), 2.0, std::chrono::seconds(5)};
    std::size_t dials = 64; ///< under way at once
    bool secure = false;    ///< connections are TLS: `on_secured` tells who is there
  };
  struct counts {
    std::uint64_t accepted = 0;
    std::uint64_t strangers_refused = 0; ///< beyond the limits
    std::uint64_t too_slow = 0;          ///< not open in time
    std::uint64_t refused = 0;           ///< hellos that were answered with a refusal
    std::uint64_t broken = 0;            ///< connections cut for bytes that break the protocol
    std::uint64_t dials = 0;
    std::uint64_t dials_failed = 0;
    std::uint64_t duplicates = 0; ///< sessions given up because both sides had dialled
    std::uint64_t cut = 0;        ///< sessions ended here, mostly for what the peer said
  };

  switchboard(settings how, edupulse::membership members, std::uint64_t seed);

  // -- membership ---------------------------------------------------------------------
  void join(const std::vector<std::string>& seeds, time_point now, effects& out);
  void leave(time_point now, effects& out);
  const edupulse::membership& members() const noexcept { return members_; }
  bool is_connected(node_id who) const;

  // -- connections ----------------------------------------------------------------------
  /// `from`: the address of whoever connected, without the port.
  void on_accepted(connection_id which, std::string from, time_point now, effects& out);
  /// Answers a `dial`.
  void on_connected(std::uint64_t ticket, connection_id which, time_point now, effects& out);
  void on_dial_failed(std::uint64_t ticket, std::string_view why, time_point now, effects& out);
  /// The certificate of the other end was good. Only with `settings::secure`.
  void on_secured(connection_id which, std::string cluster, std::string name, time_point now,
                  effects& out);
  void on_bytes(connection_id which, std::span<const std::byte> bytes, time_point now,
                effects& out);
  /// It has ended, or failed.
  void on_closed(connection_id which, std::string_view why, time_point now, effects& out);
  /// The router, or the shell, is through with a session.
  void cut(node_id who, std::uint64_t session, std::string_view why, time_point now, effects& out);
  void close_all(std::string_view why, time_point now, effects& out);

  // -- time and reading -------------------------------------------------------------------
  void tick(time_point now, effects& out);
  std::optional<time_point> next_deadline() const;
  const counts& counted() const noexcept { return counts_; }
  std::size_t connections() const noexcept { return connections_.size(); }
  std::size_t strangers() const noexcept { return strangers_; }
  std::size_t addresses_of_strangers() const noexcept { return strangers_by_address_.size(); }
  void check() const;

private:
  enum class phase : std::uint8_t { securing, greeting, open };
  struct peer;
  struct connection {
    phase now = phase::greeting;
    bool dialed = false;
    bool bulk = false;
    std::string address;          ///< that was dialled, or where it came from
    node_id peer;                 ///< when open; before that, who is hoped for
    struct peer* owner = nullptr; ///< when open: it has this one in its session
    std::uint64_t session = 0;
    std::uint64_t ticket = 0; ///< of the dial it came from
    time_point deadline = time_point::max();
    std::optional<std::pair<std::string, std::string>> certificate; ///< cluster and name
    frame_reader reader{link_limits::hello_bytes};
  };
  struct peer {
    std::string address;
    std::optional<peer_session> session;
    bool session_dialed = false;
    bool session_up = false;
    time_point session_since{};
    std::vector<std::byte> first_word; ///< of a dialer, until its session is up
    bool wanted = false;               ///< a live member: there should be a session
    std::uint64_t ticket = 0;          ///< of the dial that is under way
    std::uint32_t failures = 0;
    time_point next_try{};
    time_point noted = time_point::max();        ///< as in `tries_`
    std::vector<std::vector<std::byte>> waiting; ///< membership's frames, for the next session

    bool lacks_session() const noexcept {
      return (wanted || !waiting.empty()) && !session && ticket == 0;
    }
    bool is_complete() const noexcept {
      return session && session->bulk != 0 && (session_dialed || !first_word.empty());
    }
    bool is_forgettable() const noexcept;
  };
  struct dialing {
    std::string address;
    node_id to;                ///< nil: whoever answers
    std::uint64_t session = 0; ///< of a bulk connection
  };

  std::size_t events_limit() const noexcept;
  hello_message own_hello(std::uint64_t session, bool bulk) const;
  void forget_stranger(const connection& what);
  void set_deadline(connection_id which, connection& of, time_point when);
  void greet(connection_id which, const connection& what, effects& out);
  bool on_frame(connection_id which, frame_kind kind, std::span<const std::byte> body,
                time_point now, effects& out);
  bool on_first_frame(connection_id which, frame_kind kind, std::span<const std::byte> body,
                      time_point now, effects& out);
  bool on_control_hello(connection_id which, hello_message&& what, time_point now, effects& out);
  bool on_bulk_hello(connection_id which, const hello_message& what, time_point now, effects& out);
  void on_refusal(connection_id which, const refusal_message& what, time_point now, effects& out);
  std::optional<refusal_message> judge(const connection& from, const hello_message& what) const;
  std::optional<refusal_message> judge_claim(const hello_message& what) const;
  bool met_itself(connection_id which, const hello_message& what, time_point now, effects& out);
  bool survives(const peer& old, const peer_identity& who, bool new_dialed, time_point now) const;
  void adopt(connection_id which, hello_message&& what, const peer_identity& who, time_point now,
             effects& out);
  bool is_met_as_member(peer& one, time_point now, effects& out);
  void bring_up_if_member(peer& one, time_point now, effects& out);
  void end_session(node_id who, peer& one, std::string_view why, time_point now, effects& out);
  void refuse(connection_id which, refusal_message what, time_point now, effects& out);
  void drop(connection_id which, std::string_view why, time_point now, effects& out);
  bool break_off(connection_id which, std::string_view why, time_point now, effects& out);
  void dial_ended(node_id to, std::uint64_t ticket, std::uint64_t session, std::string_view why,
                  time_point now, effects& out);
  void give_up_on(node_id who, std::string_view why, time_point now, effects& out);
  peer& peer_of(node_id who);
  void forget_peers();
  bool is_answered(const membership_effects::dial& what, time_point now, effects& out);
  bool is_under_way(const std::string& address) const;
  bool start_dial(dialing what, effects& out);
  void want_sessions(time_point now, effects& out);
  void note_try(node_id who, peer& one);
  void try_later(peer& one, time_point now);
  void follow(edupulse::membership::effects&& asked, time_point now, effects& out);
  void follow_change(const membership_effects::changed& what, time_point now, effects& out);
  void send(const membership_effects::send& what, time_point now, effects& out);

  settings how_;
  edupulse::membership members_;
  random_source chance_;
  counts counts_;
  id_map<connection> connections_;
  std::set<std::pair<time_point, connection_id>> urgent_; ///< those with a deadline, by it
  std::map<node_id, peer> peers_;
  std::set<node_id> alone_;                        ///< those without a session
  std::set<std::pair<time_point, node_id>> tries_; ///< of those that lack one: the next, each
  tsl::robin_map<std::uint64_t, node_id> numbers_; ///< of sessions, and with whom they are
  std::map<std::uint64_t, dialing> dials_;
  std::map<std::string, std::size_t> strangers_by_address_;
  std::size_t strangers_ = 0;
  std::uint64_t next_ticket_ = 1;
  frame_reader reading_{0}; ///< of the connection that is being read
};

/// How a node of that identity introduces itself; settings and limits are to be added.
hello_message hello_of(const peer_identity& who, std::uint64_t session, bool bulk);

} // namespace edupulse
