#pragma once
// Consumer groups, as one publisher sees them: all subscriptions with one group name, here and on
// other nodes, share the events, and each event goes to one of them. To the routing table a group
// is a subscriber like any other. Nodes need not agree on anything: every publisher chooses for
// what it publishes.
//
//     join --> serving --unsubscribes--> leaving --> part: what it was owed goes to the others
//       |         ^
//       |         +--the last serving member went--+
//       +--other terms than the members'--> refused+
//
// With a key, the member is chosen by rendezvous hashing (Thaler and Ravishankar, "A Name-Based
// Mapping Scheme for Rendezvous", 1996): each member gets a weight from a hash of key and member,
// and the heaviest wins, so that members that come and go move only the keys they win or had. A key
// with events on their way stays where they are until they are concluded; only such keys are
// remembered. Without a key: the member that owes this publisher the fewest conclusions, in turns
// among equals.
//
// Nothing else decides: a member that is paused, unavailable or full keeps its keys, which wait or
// meet its overload policy there, and gets fewer of the other events since it concludes fewer.
//
// A member that parts hands over what it had not concluded, in order. When nobody is left it is
// kept here, in a backlog as large as a member's, until somebody joins; and nothing new is owed.

#include "actors/backlog.hpp"
#include "actors/effect.hpp"
#include "actors/ledger.hpp"
#include "actors/subscriber_index.hpp"
#include "actors/subscriptions.hpp"
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace edupulse {

/// What all members of a group must agree on.
struct group_terms {
  topic_filter filter;
  event_order order = event_order::keyed;
  backlog::settings overload{};
};

class groups;

/// A member. Whoever keeps what it is owed (delivery, destination) says what became of it.
class group_seat {
public:
  /// An event that it was chosen for has ended there.
  void concluded(const envelope& event) noexcept;
  /// It is being unsubscribed: what it is owed is for others, once it has parted.
  void leave();
  /// It goes on after all: its node has started anew.
  void stay();
  std::uint64_t owed() const noexcept { return owed_; }

private:
  friend class groups;
  struct home; // the group
  enum class standing : std::uint8_t { serving, refused, leaving };

  groups* owner_ = nullptr;
  home* in_ = nullptr;
  std::uint32_t index_ = 0;
  std::string name_; ///< "indexer@api-2"
  std::uint64_t hash_ = 0;
  group_terms terms_;
  standing now_is_ = standing::serving;
  std::uint64_t owed_ = 0; ///< events chosen for it and not concluded
};

/// One thread.
class groups {
public:
  static constexpr std::size_t most = 65'536;
  static constexpr std::size_t most_members = 1024;

  groups(subscriptions& table, ledger& book, budget kept = {});
  ~groups();
  groups(const groups&) = delete;
  groups& operator=(const groups&) = delete;

  // -- members ------------------------------------------------------------------------
  /// Whether it could serve. Errors: `invalid_option`, with the value that differs and the one the
  /// members have; `refused` when there are too many groups or members.
  expected<void> may_join(const std::string& group, const std::string& member,
                          const group_terms& terms) const;
  /// Not null; a member that may not join is refused, which is an effect, and has its turn when the
  /// others are gone. Null: there is no room at all.
  group_seat* join(const std::string& group, std::uint32_t index, const std::string& member,
                   const group_terms& terms, effect_list& out);
  bool is_member(std::uint32_t index) const { return seats_.contains(index); }
  /// The node of `index` has started anew: is it the same member of the same group as before?
  bool is_same(std::uint32_t index, const std::string& group, const group_terms& terms) const;
  void leave(std::uint32_t index) { seats_.at(index)->leave(); }
  void stay(std::uint32_t index, effect_list& out);
  /// It is gone. `owed`: what it had not concluded, in order, taken off its books.
  void part(std::uint32_t index, std::vector<envelope_ptr>&& owed, effect_list& out);

  // -- events -------------------------------------------------------------------------
  /// Who gets it. A member that was chosen is owed the event from now on.
  std::uint32_t choose(std::uint32_t group, const envelope& event);
  /// What parted members have left to the others, to be offered before anything new: ask until
  /// there is none.
  struct legacy {
    std::uint32_t group = 0;
    std::vector<envelope_ptr> events; ///< in order; each to be given to `choose`
  };
  bool has_legacy() const noexcept { return !heirs_.empty(); }
  std::optional<legacy> next_legacy(effect_list& out);
  /// The node stops: what is kept for nobody is dropped, and so is what parts from now on.
  void stop(effect_list& out);

  // -- reading ------------------------------------------------------------------------
  const std::string& name(std::uint32_t group) const;
  /// Events kept while nobody is there.
  std::size_t kept() const noexcept { return kept_; }
  /// `f(index, event)` for these.
  template <class F> void for_each_kept(F f) const;
  void check() const;

private:
  friend class group_seat;
  using home = group_seat::home;

  home* find(const std::string& group) const;
  void settle(home& in);
  void keep(home& in, std::vector<envelope_ptr>&& owed, effect_list& out);
  void lose(home& in, const envelope& event, drop_reason why, effect_list& out);
  void bequeath_kept(home& in, effect_list& out);
  void bequeath(home& in, std::vector<envelope_ptr>&& owed);
  void forget_if_empty(home& in);

  subscriptions& table_;
  ledger& book_;
  budget budget_; ///< of the node, for what is kept while nobody is there
  std::map<std::uint32_t, std::unique_ptr<home>> homes_;
  std::unordered_map<std::string, std::uint32_t> names_;
  std::unordered_map<std::uint32_t, std::unique_ptr<group_seat>> seats_;
  std::vector<std::uint32_t> heirs_; ///< groups with a legacy
  std::uint32_t next_ = 0;
  std::size_t kept_ = 0;
  bool stopped_ = false;
};

struct group_seat::home {
  std::string name;
  std::uint32_t index = 0;
  std::vector<group_seat*> seats; ///< in order of joining
  std::vector<group_seat*> serving;
  std::size_t turn = 0;
  topic_filter filter; ///< as the routing table has it, when anybody serves
  backlog::settings overload{};
  struct held_key {
    group_seat* at = nullptr;
    std::uint64_t events = 0;
  };
  std::unordered_map<std::uint64_t, held_key> keys; ///< by hash; those with events on their way
  std::deque<envelope_ptr> kept;
  std::size_t kept_bytes = 0;
  std::vector<envelope_ptr> legacy; ///< waits for the end of a turn, on nobody's books
};

inline void group_seat::concluded(const envelope& event) noexcept {
  --owed_;
  if (event.key_hash() == 0)
    return;
  const auto at = in_->keys.find(event.key_hash());
  if (--at->second.events == 0)
    in_->keys.erase(at);
}

template <class F> void groups::for_each_kept(F f) const {
  for (const auto& [index, one] : homes_)
    for (const auto& event : one->kept)
      f(index, *event);
}

} // namespace edupulse
