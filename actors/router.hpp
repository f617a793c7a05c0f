#pragma once
// The path of an event, stop 2 of 5. Before: runtime/node.cpp. Next: actors/delivery.cpp,
// and actors/outbox.cpp for subscriptions on other nodes.
//
// The router decides who gets an event, and what happens to handlers that end. It owns the
// subscriptions, one delivery for each, the supervision of their handlers and the ledger. It is a
// core: its shell, router_actor, feeds it and carries its effects out.
//
// A handler actor's life, per lane of a subscription:
//
//     down --start_handler--> starting --started--> up --down--> down (supervision decides)
//                                |                   |
//                                +--failed--> down   +--stop_handler--> stopping --down--> down
//                                                    +--stuck--> down at once; the next start is on
//                                                                a thread of its own

#include "actors/delivery.hpp"
#include "actors/effect.hpp"
#include "actors/inquiries.hpp"
#include "actors/ledger.hpp"
#include "actors/peers.hpp"
#include "actors/status.hpp"
#include "actors/stuck_calls.hpp"
#include "actors/subscriptions.hpp"
#include "actors/supervision.hpp"
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace edupulse {

class router {
public:
  struct settings {
    std::string node_name = "node";
    std::uint64_t seed = 1;
    std::int64_t wall_offset_ms = 0; ///< Unix milliseconds at `time_point{}`
    stuck_calls::limits stuck{};
    /// What a peer is owed that is believed dead is kept so long. Too short: a node that only
    /// restarts slowly makes dead letters. Too long: the memory of its backlog is held.
    duration unreachable_after = std::chrono::seconds(60);
    /// Bytes of events kept for one peer, and for all of them.
    std::size_t peer_budget = std::size_t{32} << 20;
    std::size_t budget = std::size_t{256} << 20;
  };
  explicit router(settings how);
  // -- events -----------------------------------------------------------------------
  void on_events(const chunk_ptr& events, time_point now, effect_list& out);
  void on_report(const batch_ptr& work, time_point now, effect_list& out);
  void on_completion(std::uint32_t subscription, std::uint64_t seq, std::uint32_t attempt,
                     outcome&& what, time_point now, effect_list& out);
  void on_wake(time_point now, effect_list& out);

  // -- subscriptions ------------------------------------------------------------------
  /// Errors: `duplicate_name`, `invalid_option`, `refused`, `stopping`.
  expected<std::uint32_t> subscribe(std::string name, topic_filter filter,
                                    subscription_options options, time_point now, effect_list& out);
  /// Errors: `not_found`. Complete with `effects::unsubscribed`.
  expected<void> unsubscribe(std::uint32_t which, time_point now, effect_list& out);
  expected<void> pause(std::uint32_t which, time_point now, effect_list& out);
  /// Ends a pause, and the quarantine of its scope.
  expected<void> resume(std::uint32_t which, time_point now, effect_list& out);
  expected<void> add_scope(std::string name, scope_options options);
  std::optional<std::uint32_t> find(std::string_view name) const;
  /// Starts its handlers anew without charging anyone: their factory was exchanged.
  expected<void> restart_handlers(std::uint32_t which, time_point now, effect_list& out);
  /// Of a live subscription, those that `delivery::change` takes; `execution` from the next start
  /// of a handler on.
  void change_options(std::uint32_t which, const subscription_options& to);
  /// Errors: `not_found`; those of `supervision::change_limits`.
  expected<void> change_limits(const std::string& scope, const scope_options& to);

  // -- handler actors -------------------------------------------------------------------
  void on_handler_up(std::uint32_t which, std::uint32_t lane, std::uint32_t generation,
                     time_point now, effect_list& out);
  void on_handler_down(std::uint32_t which, std::uint32_t lane, std::uint32_t generation,
                       exit_kind how, std::string why, time_point now, effect_list& out);

  // -- other nodes --------------------------------------------------------------------------
  /// One start of a node, which from now on is owed what its subscriptions want.
  expected<std::uint32_t> add_peer(std::string name, const link::settings& how, time_point now,
                                   effect_list& out);
  /// It has started anew: what it had not concluded is sent again.
  void restart_peer(std::uint32_t peer, time_point now, effect_list& out);
  /// A peer is owed more than its wire has taken.
  bool waits_for_wire() const { return peers_.waits_for_wire(); }
  bool has_peer(std::uint32_t peer) const { return peers_.knows(peer); }
  /// It is believed dead, or has left (and may be starting again): owed nothing new, and given up
  /// after `unreachable_after` unless a session or a new start says otherwise. What it was owed is
  /// then a dead letter here, cause "unreachable"; `best_effort` events are dropped;
  /// `effects::peer_gone` says that it is over.
  void on_peer_dead(std::uint32_t peer, time_point now, effect_list& out);
  void remove_peer(std::uint32_t peer, drop_reason why, time_point now, effect_list& out);
  void on_session(std::uint32_t peer, time_point now, effect_list& out);
  void on_session_lost(std::uint32_t peer, time_point now, effect_list& out);
  void on_control(std::uint32_t peer, peer_control&& what, time_point now, effect_list& out);
  void on_frame(std::uint32_t peer, std::vector<incoming_run>&& runs, time_point now,
                effect_list& out);
  /// More of a frame of events has come that has been on its way in for a while.
  void on_arriving(std::uint32_t peer, time_point now, effect_list& out);
  /// A frame of events has left for the peer.
  void on_written(std::uint32_t peer, time_point now, effect_list& out);
  /// Asks every connected peer what it has published; ends with `effects::ledgers`. `query`: not
  /// open. Errors: `refused` when too many are.
  expected<void> ask_ledgers(std::uint64_t query, time_point deadline, time_point now,
                             effect_list& out);
  // These carry out effects.
  void acknowledge(const effects::acknowledge& what, time_point now, effect_list& out);
  void withdraw(const effects::unsubscribed& what, time_point now, effect_list& out);

  // -- dead letters -----------------------------------------------------------------------
  /// Errors: `not_found` when its subscription is neither here nor at a peer that can be reached;
  /// the letter stays where it is.
  expected<void> redrive(dead_letter letter, time_point now, effect_list& out);
  /// A letter was thrown away by hand, or pushed out by newer ones.
  void on_discarded(const std::string& subscription, const envelope& event, time_point now,
                    effect_list& out);
  /// Letters found in the store at start: they count as published and dead.
  void carry_over(const std::string& subscription, const envelope& event);

  // -- the end ----------------------------------------------------------------------------
  /// This node's id runs elsewhere. What others are owed cannot leave: nobody waits for that.
  void on_fenced(time_point now, effect_list& out);
  /// Answers with `effects::drained` once nothing is owed any more.
  void drain(time_point now, effect_list& out);
  /// Peers learn at once what has become of their events here: the node is about to leave.
  void tell_conclusions(time_point now, effect_list& out);
  /// Drops what is owed, stops every handler.
  void stop(time_point now, effect_list& out);

  // -- reading ----------------------------------------------------------------------------
  std::optional<time_point> next_deadline() const;
  std::vector<subscription_status> status() const;
  /// See `delivery::oldest_ms`.
  std::optional<std::int64_t> oldest_ms(std::uint32_t subscription) const;
  /// Of all that are owed anything by this node, its own and others'.
  std::vector<backlog_status> backlogs() const;
  /// Those of this node, and what peers that are not believed dead have announced; by node and
  /// name.
  std::vector<cluster_subscription> cluster_subscriptions() const;
  /// What has been published here or come from peers.
  std::vector<topic_status> topics();
  /// Those of a ledger, without topics of the runtime's that nobody has asked for.
  std::vector<topic_status> topics(const std::vector<ledger_topic>& of);
  ledger_view ledger_snapshot() const;
  /// As its part of the cluster's.
  node_ledger published() const;
  std::size_t owed() const;
  /// Of that, by subscriptions of this node.
  std::size_t owed_here() const;
  /// Bytes of events that are kept for each peer, by the name of its node.
  std::map<std::string, std::size_t> kept_for_peers() const;
  std::size_t stuck() const noexcept { return stuck_.size(); }
  /// Subscriptions whose filter matches.
  std::size_t count_matching(std::string_view topic);
  /// Also of subscriptions that have ended.
  const std::string& name(std::uint32_t which) const;
  const subscription_options& options(std::uint32_t which) const;
  const topic_filter& filter(std::uint32_t which) const;
  void check() const;

private:
  enum class lane_phase : std::uint8_t { down, starting, up, stopping };
  struct lane {
    supervision::child_id child = 0;
    lane_phase phase = lane_phase::down;
    std::uint32_t generation = 0;
    std::optional<std::uint32_t> next_generation; ///< waits for the old one to be gone
    bool fresh_thread = false;                    ///< of the next start
    bool on_worker = false; ///< waits for one of the threads that all shared handlers share
  };
  struct slot {
    std::unique_ptr<delivery> owed;
    topic_filter filter;
    supervision::scope_id scope = 0;
    bool own_scope = false;
    bool removing = false;
    bool ended_by_itself = false;
    bool touched = false;
    std::vector<lane> lanes;
    std::optional<time_point> wake;
  };
  struct place {
    std::uint32_t which;
    std::uint32_t lane;
    friend bool operator==(const place&, const place&) = default;
  };
  struct start_order {
    place at;
    std::uint32_t generation;
  };

  slot* live(std::uint32_t which);
  void touch(std::uint32_t which);
  void give_up_peer(std::uint32_t peer, std::string_view why, time_point now, effect_list& out);
  void finish_turn(time_point now, effect_list& out);
  void offer_run(const chunk_ptr& events, std::uint32_t begin, std::uint32_t end, const route& to,
                 time_point now, effect_list& out);
  void offer_shared(const slice& events, std::span<const std::uint32_t> shared,
                    std::span<const std::uint32_t> theirs, time_point now, effect_list& out);
  void share_out(time_point now, effect_list& out);
  void follow(supervision::effects&& asked, time_point now, effect_list& out);
  void start_lane(place at, std::uint32_t generation, effect_list& out);
  void start_in_order(place at, std::uint32_t generation, effect_list& out);
  void start_waiting(effect_list& out);
  void stop_lane(place at, std::uint32_t generation, time_point now, effect_list& out);
  void quarantine(supervision::scope_id scope, bool on, time_point now, effect_list& out);
  void end_subscription(std::uint32_t which, drop_reason why, time_point now, effect_list& out);
  void lane_gone(place at, std::string_view why, time_point now, effect_list& out);
  void fence_stuck(std::uint32_t which, time_point now, effect_list& out);
  void fence(place at, time_point now, effect_list& out);
  void leave_workers(time_point now, effect_list& out);
  void move_lane(place at, time_point now, supervision::effects& asked, effect_list& out);
  void finish_removal(std::uint32_t which, effect_list& out);
  std::vector<announced_subscription> announcements() const;
  announced_subscription announcement(std::uint32_t which) const;
  template <class F> void for_each_pending(F count) const;
  expected<void> on_inquiry(std::uint32_t peer, peer_control& what, time_point now,
                            effect_list& out);
  void cut_unless(std::uint32_t peer, const expected<void>& good, time_point now, effect_list& out);
  void tell(std::uint32_t peer, link_effect&& what, effect_list& out);
  void flush_peers(time_point now, effect_list& out);
  std::string state_of(const slot& what) const;

  settings how_;
  random_source links_{how_.seed ^ 0x6c696e6b}; ///< numbers of links
  subscriptions table_;
  supervision supervision_;
  stuck_calls stuck_;
  ledger book_;
  budget kept_; ///< for other nodes
  groups groups_{table_, book_, kept_};
  peers peers_{table_, groups_, book_};
  inquiries inquiries_;
  std::vector<std::unique_ptr<slot>> slots_;
  std::unordered_map<std::string, std::uint32_t> names_;
  std::vector<std::string> all_names_;
  std::unordered_map<supervision::child_id, place> places_;
  /// Of scopes whose children start one after the other: the first is starting, or waits for the
  /// end of its predecessor.
  std::map<supervision::scope_id, std::deque<start_order>> starts_;
  std::vector<std::uint32_t> touched_;
  std::set<std::pair<time_point, std::uint32_t>> wakes_;
  bool fenced_ = false;
  bool draining_ = false;
  bool drained_said_ = false;
  bool stopped_ = false;
};

} // namespace edupulse
