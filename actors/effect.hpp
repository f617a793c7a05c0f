#pragma once
// Everything the router's core asks its shell to do. A core never acts: it appends effects, and the
// shell carries them out in order. Observers see each of them, so that the log, the counters and
// the golden conversations of the tests cannot drift apart.

#include "actors/batch.hpp"
#include "actors/cluster_ledger.hpp"
#include "actors/dead_letters.hpp"
#include "actors/ledger_view.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace edupulse {

struct peer_message; // actors/peers.hpp

namespace effects {

/// Hand this batch to the handler actor of its lane.
struct dispatch {
  batch_ptr work;
};
/// Make a handler actor. `fresh_thread`: on a thread of its own, whatever its options say, since a
/// call that does not return may hold the worker it would get.
struct start_handler {
  std::uint32_t subscription;
  std::uint32_t lane;
  std::uint32_t generation;
  bool fresh_thread;
};
/// Revoke a generation: it finishes the call it is in, handles nothing more, and ends.
struct stop_handler {
  std::uint32_t subscription;
  std::uint32_t lane;
  std::uint32_t generation;
  bool stuck; ///< past its time limit: do not wait for it
};
/// Keep what a subscription gave up on.
struct bury {
  std::uint32_t subscription;
  dead_letter letter;
};
/// A redriven letter has ended; `how` is never `dead` without a new `bury` of the same letter.
struct settle_redrive {
  std::uint64_t letter;
  fate how;
};
/// Tell the tracker of `event` how many subscriptions are owed it.
struct routed {
  envelope_ptr event;
  std::uint32_t owed;
};
/// Tell the tracker of `event` how one of them ended.
struct settle {
  envelope_ptr event;
  std::uint32_t subscription;
  fate how;
};
/// Tell the peer that published them how events [first, first + count), by its numbers, ended here.
struct acknowledge {
  std::uint32_t start; ///< which start of which peer: one that it has no more hears nothing
  std::uint32_t subscription;
  std::uint64_t first;
  std::uint64_t count;
  fate how;
  drop_reason why; ///< of dropped ones
};
/// Write this to a peer's connections, or cut them.
struct to_peer {
  std::uint32_t peer;
  std::shared_ptr<peer_message> what;
};
/// A peer was given up, or has left: its number means nothing from here on. What it was owed was
/// buried, or dropped, just before.
struct peer_gone {
  std::uint32_t peer;
  std::string name;
  std::size_t buried;
};
/// Publishers of matching topics wait (closed) or go on (open).
struct gate {
  std::uint32_t subscription;
  bool closed;
};
/// An unsubscribe is complete: no call is running and nothing is owed. Tell the peers.
struct unsubscribed {
  std::uint32_t subscription;
};
/// A subscription ended by itself (a temporary or transient handler).
struct ended {
  std::uint32_t subscription;
};
/// A question for the ledgers of the cluster has its answer: those of the nodes that have answered,
/// this one's among them, and the names of the others.
struct ledgers {
  std::uint64_t query;
  std::vector<node_ledger> told;
  std::vector<std::string> silent;
};
/// All that was admitted has been concluded, or cannot be while things stay as they are.
struct drained {};

// -- decisions: nothing to carry out, everything to observe ------------------------

struct retrying {
  std::uint32_t subscription;
  event_id event;
  std::uint32_t attempt; ///< the one that failed
  time_point due;
  outcome why;
};
struct stepped_aside {
  std::uint32_t subscription;
  event_id event;
};
struct breaker_opened {
  std::uint32_t subscription;
  time_point until;
  std::string why;
};
struct breaker_closed {
  std::uint32_t subscription;
};
struct stalled {
  std::uint32_t subscription;
};
struct recovered {
  std::uint32_t subscription;
  std::uint64_t missed;
};
/// The first of a run of events that its overload policy drops; the ledger counts them all.
struct dropping {
  std::uint32_t subscription;
  std::string_view reason; ///< static storage
};
/// Calls that do not return hold every worker: `moved` handlers go on with threads of their own,
/// `left` must wait for a worker.
struct workers_held {
  std::size_t workers;
  std::size_t moved;
  std::size_t left;
};
struct quarantined {
  std::string scope;
  std::string why;
};
struct resumed {
  std::string scope;
};
struct backing_off {
  std::uint32_t subscription;
  std::uint32_t lane;
  time_point until;
};
struct handler_down {
  std::uint32_t subscription;
  std::uint32_t lane;
  std::uint32_t generation;
  std::string why;
};
/// A subscription of a peer says it is of a group, and is not given the group's events.
struct member_refused {
  std::string group;
  std::string member;
  std::string why;
};
/// A member of a group has gone, and what it had not concluded is the others'.
struct reassigned {
  std::string group;
  std::string member;
  std::size_t events;
  bool taken; ///< false: nobody is left, and they are kept until somebody joins
};
/// A peer asks for what this node does not know, or too often.
struct unanswered_ask {
  std::uint32_t peer;
};
/// A peer answers what it was not asked, or too late.
struct unknown_answer {
  std::uint32_t peer;
};

} // namespace effects

using effect =
    std::variant<effects::dispatch, effects::start_handler, effects::stop_handler, effects::bury,
                 effects::settle_redrive, effects::routed, effects::settle, effects::gate,
                 effects::unsubscribed, effects::ended, effects::drained, effects::retrying,
                 effects::stepped_aside, effects::breaker_opened, effects::breaker_closed,
                 effects::stalled, effects::recovered, effects::dropping, effects::quarantined,
                 effects::resumed, effects::backing_off, effects::handler_down,
                 effects::workers_held, effects::acknowledge, effects::to_peer,
                 effects::member_refused, effects::reassigned, effects::peer_gone, effects::ledgers,
                 effects::unanswered_ask, effects::unknown_answer>;
using effect_list = std::vector<effect>;

} // namespace edupulse
