#pragma once
// Which nodes are there: SWIM (Das, Gupta, Motivala, "SWIM: Scalable Weakly-consistent
// Infection-style Process Group Membership", 2002) with Lifeguard (Dadgar, Phillips, Currey, 2018),
// without the I/O. Feed it what happened and what time it is; carry out the effects it appends, in
// order.
//
//     alive --no ack--> suspect --time is up--> dead        left: said so itself
//       ^                  |                      |
//       +-----refutes------+----------------------+         replaced: a new start, met in person
//
// Each member is probed in turn. One that does not answer, not even to others, is suspected aloud;
// it hears of that and refutes by raising its incarnation, which nobody else may raise. News rides
// on every message and is gossiped; tables are compared now and then, which repairs what was missed
// and lets the two sides of a healed partition agree.
//
// Four things differ from the papers. What travels over reliable connections is delayed rather
// than lost, so a frame may be 16 KiB. A node that did not run for a while (stopped, swapped out)
// extends every suspicion by that time before it judges anybody. Whom others call dead gets to
// answer first. And what is said about another start of a node is hearsay, acted on only by
// dialling it: an epoch is believed from a hello alone, and nobody is fenced by gossip.
//
// Not thread-safe; `now` never steps back. After any call, ask `next_deadline` again.

#include "actors/dial_hints.hpp"
#include "actors/gossip_queue.hpp"
#include "actors/membership_effect.hpp"
#include "actors/membership_options.hpp"
#include "actors/probing.hpp"
#include "actors/refutation_limit.hpp"
#include "actors/seed_list.hpp"
#include "actors/suspicion.hpp"
#include "schemas/membership_codec.hpp"
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace edupulse {

class membership {
public:
  using effects = std::vector<membership_effect>;
  static constexpr std::uint16_t version_major = 1;
  static constexpr std::uint16_t version_minor = 0;
  static constexpr std::uint32_t max_health = 7;

  /// `self` is checked: `invalid_option` for a name, address or metadata out of bounds. Two nodes
  /// must not have the same `seed`: they would move in step.
  static expected<membership> make(const membership_options& how, peer_identity self,
                                   std::span<const std::byte> meta, std::uint64_t seed);

  // -- what happens -------------------------------------------------------------
  /// Empty, or only this node's own address: it is the first of its cluster. At most 64 seeds.
  void join(const std::vector<std::string>& seeds, time_point now, effects& out);
  /// Says goodbye, and `left` when enough others know, or after `leave_timeout`.
  void leave(time_point now, effects& out);
  void set_meta(std::span<const std::byte> meta, time_point now, effects& out);

  /// A connection was made, by the peer or, with the address that was dialled, by this node; before
  /// any frame on it.
  hello_verdict on_hello(const peer_identity& peer, std::string_view dialed, time_point now,
                         effects& out);
  /// This node's own hello was refused by the peer: what the peer's `refusal` said.
  void on_refused(node_id by, const membership_refused& what, time_point now, effects& out);
  /// A frame from a connection whose hello was `accepted`.
  void receive(const peer_identity& peer, std::span<const std::byte> bytes, time_point now,
               effects& out);
  void link_up(node_id peer, time_point now, effects& out);
  /// A hint, not a verdict: the member is probed at once.
  void link_down(node_id peer, time_point now, effects& out);
  void tick(time_point now, effects& out);

  // -- what reads it ------------------------------------------------------------
  /// Call `tick` at that time. May be in the past.
  std::optional<time_point> next_deadline() const;
  self_state state() const noexcept { return state_; }
  const peer_identity& self() const noexcept { return self_; }
  /// Raised by refuting; lower is healthier, 0 to `max_health`. Timeouts are (this + 1) times as
  /// long: a node that is slow itself should not judge others.
  std::uint32_t health() const noexcept { return health_; }
  const membership_counts& counts() const noexcept { return counts_; }
  const member_table& table() const noexcept { return table_; }
  /// What to tell a peer whose hello had this verdict.
  membership_refused refusal(const peer_identity& peer, hello_verdict why) const;
  std::optional<member_status> find(node_id who) const;
  /// All that are remembered, this node first.
  std::vector<member_status> members() const;
  /// Asserts the invariants. Linear in the number of members; for debug builds and tests.
  void check() const;

private:
  enum class source : std::uint8_t { gossip, table, first_table };

  membership(const membership_options& how, peer_identity self, std::uint64_t seed);

  bool is_over() const noexcept { return state_ >= self_state::left; }
  std::size_t size() const noexcept { return table_.live().size() + 1; }

  // membership.cpp: time, and this node's own state
  void notice_pause(time_point now);
  void become(self_state state, std::string text, effects& out);
  void become_joined(std::string text, time_point now, effects& out);
  void finish_leaving_if_done(time_point now, effects& out);
  void worsen_health(std::uint32_t by) noexcept;
  void dial_seed(time_point now, effects& out);
  void reconnect(time_point now, effects& out);
  void reap(time_point now);
  void forget(member_slot which);
  duration random_part(duration of) { return below(of, chance_); }

  // membership_probes.cpp
  void run_probes(time_point now, effects& out);
  void start_probe(member_slot who, time_point now, effects& out);
  void ask_helpers(probe& one, effects& out);
  void probe_failed(const probe& one, time_point now, effects& out);
  void on_ack(node_id from, std::uint32_t seq, time_point now, effects& out);
  void on_nack(node_id from, std::uint32_t seq);
  void on_ping_request(const peer_identity& from, std::uint32_t seq, node_id target, time_point now,
                       effects& out);
  void run_relays(time_point now, effects& out);
  void ask_suspects(time_point now, effects& out);
  void ask_suspects_later(time_point now);

  // membership_send.cpp
  membership_header header() const;
  member_update update_of(member_slot which, bool in_table) const;
  void send(member_slot to, const membership_message& what, effects& out,
            member_slot first = no_member, bool over_data_link = false);
  void send_to(const peer_identity& to, const membership_message& what, effects& out,
               member_slot first = no_member);
  void send_bare(const peer_identity& to, const membership_message& what, effects& out);
  std::vector<std::byte> with_news(const membership_message& what, std::uint32_t times,
                                   member_slot first);
  membership_refused refusal(const peer_identity& peer, membership_refusal why) const;
  void refuse(const peer_identity& peer, membership_refusal why, effects& out);
  template <class Message> void send_parts(member_slot to, Message what, effects& out);
  enum class table_kind : std::uint8_t { join_ok, wanted, answer };
  void send_table(member_slot to, table_kind kind, time_point now, effects& out);
  void send_gossip(effects& out);
  void compare_with_somebody(time_point now, effects& out);
  void agreed_with(const peer_identity& peer, time_point now);
  std::vector<member_slot> random_live(std::size_t count, node_id but = {}, bool suspects = true);

  // membership_receive.cpp
  hello_verdict meet(const peer_identity& peer, time_point now, effects& out);
  hello_verdict meet_own_id(const peer_identity& peer, time_point now, effects& out);
  void take_name(member_slot which, member_slot holder, time_point now, effects& out);
  void accept_start(member_slot which, const peer_identity& peer, time_point now, effects& out);
  bool has_name_again(member_slot which, const peer_identity& peer, time_point now, effects& out);
  void supersede(member_slot which, time_point now);
  member_slot add_in_person(const peer_identity& peer, std::uint64_t inc, bool limited,
                            time_point now, effects& out);
  void handle(const peer_identity& peer, const membership_frame& frame, time_point now,
              effects& out);
  void handle_outside(const peer_identity& peer, const membership_frame& frame, time_point now,
                      effects& out);
  void on_join(const peer_identity& peer, const membership_frame& frame, time_point now,
               effects& out);
  void on_offer(const peer_identity& peer, std::uint64_t digest, time_point now, effects& out);
  void on_table_end(const peer_identity& peer, bool last, bool wanted, time_point now,
                    effects& out);
  void penalize(node_id peer, time_point now, effects& out);
  bool is_quarantined(member_slot which, time_point now);

  // membership_news.cpp
  void apply_all(const peer_identity& peer, const membership_frame& frame, time_point now,
                 effects& out);
  void apply(const member_update& what, source how, node_id peer, time_point now, effects& out);
  void apply_known(member_slot which, const member_update& what, source how, node_id peer,
                   time_point now, effects& out);
  void apply_unknown(const member_update& what, source how, time_point now, effects& out);
  void about_self(const member_update& what, time_point now, effects& out);
  member_slot add(const member_record& what, const member_profile_view& profile, bool limited,
                  time_point now);
  void hear_directly(const peer_identity& peer, std::uint64_t inc, time_point now, effects& out);
  void set_live_key(member_slot which, std::uint64_t boot_epoch, std::uint64_t inc, time_point now);
  void set_alive(member_slot which, std::uint64_t inc, time_point now, effects& out);
  void set_details(member_slot which, std::string_view address, std::span<const std::byte> meta,
                   effects& out);
  void set_suspect(member_slot which, std::uint64_t inc, node_id by, time_point now, effects& out);
  void set_gone(member_slot which, std::uint64_t inc, member_state state, node_id by,
                time_point now, effects& out);
  void hint(node_id who, std::uint64_t boot_epoch, std::string_view address, time_point now,
            effects& out);
  void tell(member_event what, member_slot about, node_id by, effects& out, std::string text = {});
  void news_of(member_slot which, time_point now);
  void sync_within(duration time, time_point now);
  member_status status_of(member_slot which) const;

  membership_options how_;
  peer_identity self_;
  std::uint64_t cluster_;
  random_source chance_;
  self_state state_ = self_state::idle;
  std::uint32_t health_ = 0;
  membership_counts counts_;

  member_table table_;
  gossip_queue news_;
  suspicion_timers suspects_;
  probe_order order_;
  std::vector<probe> probes_;
  std::vector<relayed_ping> relays_;
  seed_list seeds_;
  dial_hints hints_;
  rate_limit new_members_;
  refutation_limit raises_;
  std::uint32_t seq_ = 0;

  time_point next_probe_{};
  time_point next_asking_{}; ///< of suspects, while there are any
  member_slot last_asked_ = 0;
  time_point next_gossip_{};
  time_point next_sync_{};
  time_point next_reconnect_{};
  time_point next_reap_{};
  time_point leave_by_{};
  std::vector<std::pair<node_id, std::uint32_t>> goodbyes_; // leave messages without an ack
  time_point next_refusal_told_{};
};

} // namespace edupulse
