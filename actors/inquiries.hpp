#pragma once
// Questions to the routers of other nodes, and their answers: what they have published, and what
// became of it. Travels on the control connection, and is over with the session: nothing is kept
// and nothing is said again, since whoever asks can ask once more.
//
// A long answer comes in parts, and each is asked for when the one before has come. So at most one
// part per peer lies in a write buffer, however long a ledger is and however slowly a peer reads.
// A peer is asked one thing at a time: queries that come meanwhile share the next answer.
//
//   queue                          bound                       when full
//   open queries                   most                        refused
//   lines of one peer's answer     those of a ledger           the session is cut
//   answers begun, of each peer    1                           the new one replaces it
//
// A peer that asks more than `asks_per_second` is not answered; this side keeps below that.

#include "actors/cluster_ledger.hpp"
#include "actors/effect.hpp"
#include "actors/link.hpp"
#include "actors/rate_limit.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace edupulse {

/// One thread.
class inquiries {
public:
  static constexpr std::size_t most = 16;
  static constexpr std::uint32_t asks_per_second = 20; ///< that are answered
  static constexpr std::uint32_t own_asks_per_second = 16;
  static constexpr std::size_t part_bytes = 128u << 10;

  struct who {
    std::uint32_t id;
    std::string name;
    bool connected;
  };

  // -- asking -------------------------------------------------------------------------
  /// Ends with `effects::ledgers`: when all connected peers have answered, or at `deadline`.
  /// `query`: of the caller's choice, and not open. Errors: `refused` when there are too many.
  expected<void> begin(std::uint64_t query, node_ledger own, const std::vector<who>& peers,
                       time_point deadline, time_point now, effect_list& out);
  /// Errors: `protocol`: cut the session.
  expected<void> on_answer(std::uint32_t from, link_answer&& what, time_point now,
                           effect_list& out);
  /// It does not answer any more, and asks no more.
  void on_lost(std::uint32_t which, effect_list& out);

  // -- answering ------------------------------------------------------------------------
  /// `own()` makes the ledger_view to be told; called once for each answer.
  template <class F>
  void on_ask(std::uint32_t from, const link_ask& what, F own, time_point now, effect_list& out) {
    if (what.part == 0 && may_ask(from, what, now, out))
      talks_[from].told = answer{what.id, own()};
    tell_part(from, what, out);
  }

  // -- time -----------------------------------------------------------------------------
  void on_tick(time_point now, effect_list& out);
  std::optional<time_point> next_deadline() const;
  std::size_t open() const noexcept { return queries_.size(); }

private:
  struct open_query {
    time_point deadline;
    std::vector<node_ledger> told;
    std::vector<std::string> silent;
    std::set<std::uint32_t> missing; ///< peers
  };
  struct answer {
    std::uint64_t id = 0;
    ledger_view lines{};
    std::uint32_t part = 0; ///< the next
    std::size_t topic = 0;  ///< the first that is not told
    std::size_t line = 0;
  };
  /// With one peer.
  struct talk {
    std::string name;
    std::uint64_t asked = 0; ///< the id of what it is asked now, or 0
    std::uint32_t part = 0;
    ledger_view heard;
    std::set<std::uint64_t> askers;  ///< queries that it is asked for
    std::set<std::uint64_t> waiting; ///< queries for the next time
    rate_limit asks{own_asks_per_second};
    std::optional<time_point> ask_at; ///< when that will be allowed
    std::optional<answer> told;
    rate_limit allowed{asks_per_second};
  };

  bool may_ask(std::uint32_t from, const link_ask& what, time_point now, effect_list& out);
  void tell_part(std::uint32_t from, const link_ask& what, effect_list& out);
  void ask_next(std::uint32_t whom, talk& with, time_point now, effect_list& out);
  void answered(std::uint32_t from, talk& with, effect_list& out);
  void finish_if_complete(std::uint64_t which, effect_list& out);
  void finish(std::uint64_t which, effect_list& out);

  std::map<std::uint64_t, open_query> queries_;
  std::map<std::uint32_t, talk> talks_;
  std::uint64_t next_id_ = 1;
};

} // namespace edupulse
