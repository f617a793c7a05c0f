#pragma once
// A subscription on another node, as its publisher sees it: what it is owed, what of that was sent,
// and what it has concluded. It is to a peer what `delivery` is to a handler.
//
//     offered --> waiting --> sent --> handled | dead | expired | dropped   (as the peer says)
//                    ^          |
//                    +- resumed-+   the peer has not seen it: sent again, under the same number
//
// Events are numbered as they are sent (`dseq`, contiguous from 1 for one start of this node and
// one of the peer), so the peer knows a repeat or a gap by looking at one number. At most a window
// of events is sent and not concluded: that is the credit, and conclusions give it back.
//
// Mostly several subscriptions of a peer want the same events, and one copy serves all. Then the
// events wait in the peer's outbox, and this object only counts them: it is *in step*. When its
// window is full it falls *behind*: what it is owed waits here, and goes out on its own.

#include "actors/backlog.hpp"
#include "actors/batch.hpp"
#include "actors/effect.hpp"
#include "actors/groups.hpp"
#include "actors/ledger.hpp"
#include <deque>
#include <map>
#include <string>
#include <unordered_map>

namespace edupulse {

/// Of a peer: why what it was owed cannot reach it.
struct obituary {
  std::string node;   ///< this one
  std::string reason; ///< "unreachable: ..."
  std::int64_t died_ms = 0;
  time_point now{};
};

class destination {
public:
  struct settings {
    std::uint32_t index = 0;  ///< its place in the router: effects and ledger go by it
    std::uint32_t remote = 0; ///< its number at the peer
    std::string name;         ///< "indexer@api-2"
    backlog::settings overload{};
    /// Sent and not concluded, at most. Too small: the link idles for a round trip. Too large: more
    /// to send again after a cut, and more memory at the peer.
    std::size_t window_events = 8192;
    std::size_t window_bytes = 4u << 20;
    budget shared{}; ///< of the peer: its outbox counts in it
  };
  destination(settings how, ledger& book, time_point now);
  /// It is a member of a group.
  void sit(group_seat* at) noexcept { seat_ = at; }

  // -- owed -------------------------------------------------------------------------
  /// These are owed, `bytes` in all. True: they wait in the outbox, since it is in step. False:
  /// what the overload policy let in waits here; an outbox lets a destination fall behind first
  /// that does not take them all.
  bool offer(const slice& what, std::size_t bytes, time_point now, effect_list& out);
  /// All of this could be owed without a word from the overload policy.
  bool takes_all(std::size_t events, std::size_t bytes) const noexcept {
    return !removed_ && !owed_.stalled() && !owed_.would_be_over(events, bytes);
  }
  /// What waits in the outbox at `place` is sent for this destination along with others.
  bool in_step(std::uint64_t place) const noexcept { return !behind_ && place >= joined_at_; }
  bool behind() const noexcept { return behind_; }
  /// `unsent`: what waits for it in the outbox, in order. It waits here from now on.
  void fall_behind(std::deque<slice>&& unsent);

  // -- sending ------------------------------------------------------------------------
  /// How many of these the window has room for, counted from the first.
  std::uint32_t room_for(const chunk& events, std::uint32_t begin,
                         std::uint32_t end) const noexcept;
  struct ticket {
    std::uint64_t dseq;   ///< of the first
    std::uint64_t missed; ///< events it was not given just before that one
  };
  /// They go out now, in step or not.
  ticket send(const chunk_ptr& events, std::uint32_t begin, std::uint32_t end);
  /// What goes out on its own: first what is sent again, then what waits, at most `events` and
  /// about `bytes`; false when there is nothing or no room. `into` says where the events are.
  bool next(std::uint32_t events, std::size_t bytes, slice& into, ticket& as);
  /// When it has caught up: events offered from `place` on may go along with others again.
  bool rejoin(std::uint64_t place) noexcept;
  void join(std::uint64_t place) noexcept { joined_at_ = place; }

  // -- the peer's news ------------------------------------------------------------------
  /// Events [first, first + count) ended so. Repeats change nothing. Errors: `protocol`, when they
  /// were never sent.
  expected<void> conclude(std::uint64_t first, std::uint64_t count, fate how, drop_reason why,
                          time_point now, effect_list& out);
  /// A new connection: the peer has everything before `next`. Errors: `protocol`.
  expected<void> resume(std::uint64_t next);
  /// The peer has started anew and remembers nothing: what it has not concluded waits again, until
  /// the peer has said that the subscription is still there.
  void restart();
  /// It is, under this number and with these limits.
  void rebind(std::uint32_t remote, std::size_t window_events, std::size_t window_bytes) noexcept;
  /// The peer is believed dead: nobody waits for it. It is back: its limits hold again.
  void set_away(bool away, time_point now, effect_list& out);
  /// It does not come back. What it was owed is dead (`acknowledged`), expired or dropped.
  void give_up(const obituary& how, effect_list& out);
  /// A letter that was buried for it is owed again, before all that was never sent.
  void redrive(dead_letter&& letter, effect_list& out);
  /// Nothing is owed any more; all that was is dropped for `why`, and what is offered later too.
  void remove(drop_reason why, effect_list& out);
  /// What it is owed is somebody else's from now on: all that is not concluded, in order, and no
  /// longer on its books. Only of a destination that is behind.
  std::vector<envelope_ptr> hand_over(effect_list& out);

  // -- time and reading -------------------------------------------------------------------
  void on_check(time_point now, effect_list& out);
  const settings& about() const noexcept { return how_; }
  std::size_t owed() const noexcept { return owed_.events(); }
  std::size_t owed_bytes() const noexcept { return owed_.bytes(); }
  bool stalled() const noexcept { return owed_.stalled(); }
  std::size_t in_flight() const noexcept { return in_flight_events_; }
  bool removed() const noexcept { return removed_; }
  bool has_own_work() const noexcept { return resend_at_ < next_dseq_ || !waiting_.empty(); }
  bool may_send() const noexcept { return !orphaned_; }
  /// `f(event)` for all that is owed and does not wait in the outbox.
  template <class F> void for_each_kept(F f) const;
  void check(std::size_t in_outbox) const;

private:
  using parts = std::deque<slice>; // of what was sent: `first_seq` is the dseq

  bool admit(const envelope& event, effect_list& out);
  bool keep_latest(effect_list& out);
  bool drop_oldest(effect_list& out);
  void drop_superseded(effect_list& out);
  void drop(const envelope& event, drop_reason why, effect_list& out);
  void lose(const envelope& event, drop_reason why, effect_list& out);
  void update_gate(effect_list& out);
  void shed_beyond_budget(effect_list& out);
  bool next_repeat(std::uint32_t events, std::size_t bytes, slice& into);
  void conclude_part(std::uint64_t from, std::uint64_t to, fate how, drop_reason why,
                     effect_list& out);
  void note_done(std::uint64_t from, std::uint64_t to);
  void forget_concluded();
  void settle(const envelope_ptr& event, fate how, effect_list& out);
  void bury(const envelope_ptr& event, const obituary& how, effect_list& out);
  ledger::row& row_of(const envelope& event);

  settings how_;
  ledger& book_;
  group_seat* seat_ = nullptr; ///< of a group, or none
  backlog owed_;
  parts waiting_;                               ///< never sent; `first_seq` means nothing yet
  parts sent_;                                  ///< from `base_` to `next_dseq_`, without gaps
  std::map<std::uint64_t, std::uint64_t> done_; ///< concluded out of turn: [first, end)
  std::uint64_t base_ = 1;                      ///< everything before it is concluded
  std::uint64_t next_dseq_ = 1;
  std::uint64_t resend_at_ = 1; ///< from here on the peer has to be told again
  std::size_t in_flight_events_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::uint64_t missed_ = 0;                    ///< since the last event sent
  std::map<std::uint64_t, std::uint64_t> gaps_; ///< told with an event that is not concluded
  std::uint64_t joined_at_ = 0;
  bool behind_ = false;
  bool removed_ = false;
  bool away_ = false;
  /// Letters that are owed again, by their events, each of which is owed once.
  std::unordered_map<const envelope*, dead_letter> letters_;
  bool orphaned_ = false; ///< the peer's new start has not announced it yet
  drop_reason removed_why_ = drop_reason::unsubscribed;
  std::uint64_t last_topic_ = 0;
  ledger::row* last_row_ = nullptr;
};

/// Appends entry `at` to the last part, when it is the next one there, or as a part of its own.
void append_to(std::deque<slice>& to, const chunk_ptr& events, std::uint32_t at);

template <class F> void destination::for_each_kept(F f) const {
  for (const auto& part : waiting_)
    for (auto i = part.begin; i < part.end; ++i)
      f(*part.events->entries[i].event);
  for (const auto& part : sent_)
    for (auto i = part.begin; i < part.end; ++i) {
      const auto dseq = part.first_seq + i - part.begin;
      auto after = done_.upper_bound(dseq);
      const bool concluded = after != done_.begin() && dseq < std::prev(after)->second;
      if (!concluded && dseq >= base_)
        f(*part.events->entries[i].event);
    }
}

} // namespace edupulse
