#pragma once
// What one peer is owed: the sending half of a link. An event that several subscriptions of the
// peer want is sent once, with the list of them. Events wait in publish order in one queue for all
// destinations that are in step; one whose window is full falls behind, and what it is owed goes
// out on its own until it has caught up, so that it delays nobody.
//
// Pulled, not pushed: the link asks for the next frame when the wire can take one. So an idle link
// sends an event at once, and a busy one fills its frames by itself.

#include "actors/destination.hpp"
#include "schemas/quiet_deque.hpp"
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace edupulse {

/// One event, or several in a row, and who they are for.
struct outgoing_run {
  struct target {
    std::uint32_t remote; ///< the subscription's number at the peer
    std::uint64_t dseq;   ///< of the run's first event; the others follow
    std::uint64_t missed; ///< events it was not given just before
  };
  static constexpr std::size_t most_targets = 1024;
  slice events;
  std::vector<target> targets;
  delivery_level level = delivery_level::acknowledged;
  duration expires_in{}; ///< zero: never
};

class outbox {
public:
  struct limits {
    std::size_t frame_bytes = 256u << 10; ///< about; a larger event has a frame of its own
    std::size_t frame_events = 1024;
  };
  /// `kept`: what all destinations hold together counts in it, and is bounded by it.
  explicit outbox(limits bounds, budget kept = {}) noexcept
      : bounds_(bounds), kept_(std::move(kept)) {}

  // -- destinations ---------------------------------------------------------------------
  destination& open(destination::settings how, ledger& book, time_point now);
  /// Drops what it is owed, counted.
  void close(std::uint32_t index, drop_reason why, effect_list& out);
  /// As `destination::hand_over`. Close it next.
  std::vector<envelope_ptr> hand_over(std::uint32_t index, effect_list& out);
  /// The peer does not come back: buries what it is owed.
  void give_up(std::uint32_t index, const obituary& how, effect_list& out);
  void redrive(std::uint32_t index, dead_letter&& letter, effect_list& out);
  destination* find(std::uint32_t index);
  destination* find_remote(std::uint32_t remote);

  // -- events -----------------------------------------------------------------------------
  /// These are owed to `targets` (their `index`es).
  void offer(const slice& what, std::span<const std::uint32_t> targets, time_point now,
             effect_list& out);
  bool has_anything_to_send() const;
  /// Enough to fill half a frame: worth its overhead.
  bool has_a_frame_to_send() const noexcept { return queued_bytes_ >= bounds_.frame_bytes / 2; }
  /// The next frame's worth; empty when nothing can go now.
  std::vector<outgoing_run> next_frame(time_point now);

  // -- the peer ---------------------------------------------------------------------------
  struct expectation {
    std::uint32_t remote;
    std::uint64_t next;
  };
  /// A new connection to the same start of the peer. Destinations that it does not name it has
  /// nothing of. Errors: `protocol`.
  expected<void> resume(std::span<const expectation> known);
  /// The peer has started anew: nothing it was sent counts, and nothing is sent before `rebind`.
  void restart();
  void rebind(std::uint32_t index, std::uint32_t remote, std::size_t window_events,
              std::size_t window_bytes);

  // -- time and reading ---------------------------------------------------------------------
  void on_check(time_point now, effect_list& out);
  std::size_t owed() const;
  std::size_t kept_bytes() const noexcept { return kept_.kept(); }
  template <class F> void for_each_owed(F f) const;
  /// `f(destination)`, of those that are open.
  template <class F> void for_each(F f) const {
    for (const auto& [index, which] : by_index_)
      f(*which);
  }
  void check() const;

private:
  struct item {
    slice events;
    std::vector<std::uint32_t> targets;
    std::uint64_t place;
  };

  void offer_some(const slice& what, std::size_t bytes, std::span<const std::uint32_t> targets,
                  time_point now, effect_list& out);
  void forget(destination& which);
  std::deque<slice> unsent_of(const destination& which) const;
  void let_fall_behind(destination& which);
  void take_shared(std::vector<outgoing_run>& into, std::size_t& bytes, std::size_t& events,
                   time_point now);
  void take_all_own(std::vector<outgoing_run>& into, std::size_t& bytes, std::size_t& events,
                    time_point now);
  void take_own(destination& from, std::vector<outgoing_run>& into, std::size_t& bytes,
                std::size_t& events, time_point now);
  std::size_t add_runs(const slice& what, std::span<const outgoing_run::target> targets,
                       time_point now, std::vector<outgoing_run>& into) const;

  limits bounds_;
  budget kept_;
  std::vector<std::unique_ptr<destination>> all_; ///< by order of opening; null when closed
  std::map<std::uint32_t, destination*> by_index_;
  std::map<std::uint32_t, destination*> by_remote_;
  quiet_deque<item> queue_;
  std::size_t queued_bytes_ = 0; ///< in `queue_`
  std::uint64_t next_place_ = 1;
  std::size_t turn_ = 0; ///< who of those behind goes first next time
};

template <class F> void outbox::for_each_owed(F f) const {
  for (const auto& [index, which] : by_index_) {
    which->for_each_kept([&, i = index](const envelope& event) { f(i, event); });
    for (const auto& part : unsent_of(*which))
      for (auto i = part.begin; i < part.end; ++i)
        f(index, *part.events->entries[i].event);
  }
}

} // namespace edupulse
