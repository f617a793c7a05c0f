#pragma once
// The other nodes, as the router sees them: a link to each, and what their subscriptions want. To
// the routing table a subscription of a peer is a subscriber like any other; its index says whose
// it is.

#include "actors/announced_names.hpp"
#include "actors/groups.hpp"
#include "actors/interest.hpp"
#include "actors/link.hpp"
#include "actors/slots.hpp"
#include "actors/status.hpp"
#include "actors/subscriber_index.hpp"
#include "actors/subscriptions.hpp"
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tsl/robin_map.h>
#include <utility>
#include <vector>

namespace edupulse {

/// What a link asks of the shell of its node.
struct peer_message {
  link_effect what;
};
inline effects::to_peer said_to(std::uint32_t peer, link_effect&& what) {
  return {peer, std::make_shared<peer_message>(peer_message{std::move(what)})};
}
using peer_control = link_control;

class peers {
public:
  static constexpr std::uint32_t most = 1u << subscriber_index::peer_bits;
  static constexpr std::uint32_t most_subscriptions = 1u << subscriber_index::number_bits;
  static constexpr duration orphans_kept = std::chrono::seconds(10);
  /// About so many bytes: they fit into one control frame.
  static constexpr std::size_t announced_at_once = 192u << 10;

  peers(subscriptions& table, groups& shared, ledger& book)
      : table_(table), shared_(shared), book_(book) {}

  // -- peers come and go ------------------------------------------------------------------
  /// One start of a node. Errors: `refused` when there are too many.
  expected<std::uint32_t> add(std::string name, link::settings how,
                              const std::vector<announced_subscription>& ours);
  /// The node has started anew. What its subscriptions were owed waits for those of the same names;
  /// what it has not announced `orphans_kept` after its first announcement is dropped.
  void restart(std::uint32_t peer, const std::vector<announced_subscription>& ours, time_point now,
               effect_list& out);
  /// Everything it was owed is dropped for `why`, and counted.
  void remove(std::uint32_t peer, drop_reason why, effect_list& out);
  /// It is believed dead: from now on it is owed nothing new. What it is owed is kept until
  /// `gives_up`, when `on_tick` buries it and removes the peer. A session, or a new start, before
  /// then takes that back. A session that it still has is cut: only a new one speaks for it.
  void away(std::uint32_t peer, time_point gives_up, time_point now, effect_list& out);
  /// It does not come back.
  void give_up(std::uint32_t peer, obituary how, effect_list& out);
  /// Whose time has run out.
  std::vector<std::uint32_t> overdue(time_point now) const;
  /// It gave this node up while this node did not: restart it, and remember the new link.
  bool has_begun_anew(std::uint32_t peer, const link_resume& what) const {
    const auto* at = peers_.find(peer);
    return at != nullptr && at->to->is_with_another(what);
  }
  void meet(std::uint32_t peer, std::uint64_t its_link) { peers_[peer].to->meet(its_link); }
  bool knows(std::uint32_t peer) const { return peers_.contains(peer); }
  const std::string& node(std::uint32_t peer) const { return peers_[peer].name; }
  /// The number of its present start: no other start of any peer ever has it.
  std::uint32_t start_of(std::uint32_t peer) const { return peers_[peer].start; }
  /// A subscription by its name, "indexer@api-2", that is owed new events.
  std::optional<std::uint32_t> find(std::string_view name) const;
  void redrive(std::uint32_t index, dead_letter&& letter, effect_list& out);
  /// Of a subscription of a peer, by its index: see announced_names.hpp.
  const std::string& name(std::uint32_t index) const { return names_[index].name; }
  const topic_filter& filter(std::uint32_t index) const { return names_[index].filter; }
  /// Appends what all peers but those believed dead have announced.
  void append_subscriptions(std::vector<cluster_subscription>& to) const;

  // -- subscriptions of this node ---------------------------------------------------------
  void announce(const announced_subscription& what);
  void withdraw(std::uint32_t number);

  // -- events -----------------------------------------------------------------------------
  /// `targets`: indexes of one or more peers, rising.
  void offer(const slice& what, std::span<const std::uint32_t> targets, time_point now,
             effect_list& out);
  /// What became here of events that a peer sent.
  void acknowledge(const edupulse::effects::acknowledge& what);
  /// All of it, at once.
  void tell_conclusions();

  // -- sessions and the wire ----------------------------------------------------------------
  void on_session(std::uint32_t peer, time_point now, effect_list& out);
  void on_session_lost(std::uint32_t peer, time_point now);
  /// Errors: `protocol`, `malformed`: cut the session.
  expected<void> on_control(std::uint32_t peer, peer_control&& what, time_point now,
                            effect_list& out);
  expected<void> on_events(std::uint32_t peer, std::vector<incoming_run>&& runs);
  void on_arriving(std::uint32_t peer);
  void on_written(std::uint32_t peer);

  // -- time and reading ---------------------------------------------------------------------
  void on_tick(time_point now, effect_list& out);
  /// Lets every link that has something to say say it: `say(peer, link_effect&&)`.
  template <class F> void flush(time_point now, F say) {
    for (std::size_t i = 0; i < touched_.size(); ++i) {
      const auto id = touched_[i];
      auto& one = peers_[id];
      one.touched = false;
      one.to->flush(now, one.io);
      for (auto& what : one.io)
        say(id, std::move(what));
      one.io.clear();
      note_deadline(id, one);
    }
    touched_.clear();
  }
  std::optional<time_point> next_deadline() const;
  std::size_t owed() const;
  bool waits_for_wire() const noexcept { return waiting_for_wire_ > 0; }
  /// `f(index, event)`.
  template <class F> void for_each_owed(F f) const {
    peers_.for_each([&](std::uint32_t, const entry& one) { one.to->owed().for_each_owed(f); });
  }
  /// `f(peer, name, link)`.
  template <class F> void for_each(F f) const {
    peers_.for_each(
        [&](std::uint32_t id, const entry& one) { f(id, one.name, std::as_const(*one.to)); });
  }
  bool is_up(std::uint32_t peer) const;
  void check() const;

private:
  struct entry {
    std::string name;
    std::unique_ptr<link> to;
    std::uint64_t interest_sent = 0;
    std::uint64_t interest_seen = 0;
    std::uint32_t next_number = 0;
    std::uint32_t start = 0;
    std::optional<time_point> gives_up;      ///< believed dead, until then
    std::optional<time_point> orphans_until; ///< they are forgotten then
    struct known {
      std::uint32_t index;
      std::string name; ///< "indexer@api-2"
    };
    std::map<std::uint32_t, known> known_by_number; ///< the peer's number
    std::map<std::string, known> orphans;           ///< of its earlier start, by name
    link::effects io;
    time_point due = time_point::max(); ///< as in `due_`
    bool waits = false;                 ///< for the wire
    bool touched = false;               ///< in `touched_`

    time_point earliest() const;
  };

  /// `f(subscription)` for each of the peer's, those of its earlier start too.
  template <class F> static void for_each_known(const entry& of, F f) {
    for (const auto& [number, what] : of.known_by_number)
      f(what);
    for (const auto& [name, what] : of.orphans)
      f(what);
  }
  void carry(entry& to, std::vector<announced_subscription> added,
             std::vector<std::uint32_t> removed);
  expected<void> on_interest(std::uint32_t id, entry& from, std::span<const std::byte> bytes,
                             time_point now, effect_list& out);
  expected<void> on_added(std::uint32_t id, entry& from, announced_subscription& one,
                          time_point now, effect_list& out);
  void enlist(entry& from, std::uint32_t index, const announced_subscription& one,
              const std::string& name, effect_list& out);
  void begin_start(std::uint32_t id, entry& of);
  void touch(std::uint32_t id, entry& what);
  void note_deadline(std::uint32_t id, entry& of);
  void back(entry& who, time_point now, effect_list& out);
  void keep_orphans_a_while(entry& of, time_point now, effect_list& out);
  void forget_orphans(entry& of, time_point now, effect_list& out);
  void forget(entry& from, const entry::known& what, drop_reason why, effect_list& out);

  subscriptions& table_;
  groups& shared_;
  ledger& book_;
  slots<entry> peers_;
  announced_names names_;
  tsl::robin_map<std::uint32_t, std::uint32_t> by_start_; ///< peer of a start
  std::uint32_t next_start_ = 0;
  /// Whatever happens to a peer makes it one of these. The `flush` at the end of the turn lets its
  /// link speak, and notes what it waits for: asked after a turn, nobody looks at all peers.
  std::vector<std::uint32_t> touched_;
  std::set<std::pair<time_point, std::uint32_t>> due_;
  std::size_t waiting_for_wire_ = 0;
  std::uint32_t next_peer_ = 0;
};

} // namespace edupulse
