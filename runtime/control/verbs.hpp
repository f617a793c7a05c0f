#pragma once
// What each request of schemas/control.capnp does: one function for each, by noun.

#include "runtime/control/plugin_desk.hpp"
#include "schemas/control.capnp.h"
#include "schemas/json.hpp"
#include <atomic>
#include <edupulse/node.hpp>
#include <mutex>
#include <string_view>
#include <vector>

namespace edupulse::control {

/// What the verbs work on.
struct bench {
  node& at;
  plugin_desk* plugins = nullptr;
  type_lookup types;
  std::function<expected<transport_ptr>(std::string_view)> transports{};
  std::function<expected<source_ptr>(std::string_view)> sources{};
  std::mutex one_plugin_call{};
  std::atomic<std::uint64_t> answered = 0;  ///< requests
  std::atomic<std::uint64_t> malformed = 0; ///< connections without one that could be read
  std::atomic<std::uint64_t> refused = 0;   ///< of other users
};

/// An error goes into the answer. Any thread.
void answer(bench& on, Request::Reader what, Answer::Builder to);
void put_error(const error& what, Answer::Builder to);

// -- the node and its subscriptions: node_verbs.cpp -----------------------------------------
void tell_version(NodeVersion::Builder to);
void tell_status(const node& at, NodeStatus::Builder to);
void tell_subscriptions(const node& at, Answer::Builder to);
void tell_counters(const bench& on, Answer::Builder to);
void tell_ledger(const node& at, Ledger::Builder to);
expected<void> pause(const node& at, std::string_view name, Answer::Builder to);
expected<void> resume(const node& at, std::string_view name, Answer::Builder to);

// -- events: event_verbs.cpp ------------------------------------------------------------------
expected<void> publish(const bench& on, Publish::Reader what, Answer::Builder to);

// -- dead letters: dead_verbs.cpp -----------------------------------------------------------
expected<void> list_dead(const bench& on, DeadList::Reader which, Answer::Builder to);
expected<void> show_dead(const bench& on, std::uint64_t id, Answer::Builder to);
expected<void> retry_dead(bench& on, DeadSelection::Reader which, Answer::Builder to);
expected<void> discard_dead(bench& on, DeadSelection::Reader which, Answer::Builder to);

// -- plugins: plugin_verbs.cpp --------------------------------------------------------------
expected<void> list_plugins(bench& on, Answer::Builder to);
expected<void> load_plugin(bench& on, PluginLoad::Reader what, Answer::Builder to);
expected<void> swap_plugin(bench& on, PluginSwap::Reader what, Answer::Builder to);
expected<void> roll_back_plugin(bench& on, std::string_view name, Answer::Builder to);
expected<void> list_crashes(bench& on, std::string_view plugin, Answer::Builder to);

// -- sources: source_verbs.cpp ----------------------------------------------------------------
void list_sources(const bench& on, Answer::Builder to);
expected<void> add_source(const bench& on, SourceAdd::Reader what, Answer::Builder to);
expected<void> remove_source(const bench& on, std::string_view name, Answer::Builder to);

// -- mirrors: mirror_verbs.cpp ----------------------------------------------------------------
void list_mirrors(const bench& on, Answer::Builder to);
expected<void> add_mirror(const bench& on, MirrorAdd::Reader what, Answer::Builder to);
expected<void> swap_mirror(const bench& on, MirrorSwap::Reader what, Answer::Builder to);
expected<void> remove_mirror(const bench& on, std::string_view name, Answer::Builder to);

// -- for all of them ------------------------------------------------------------------------
inline std::string_view view(capnp::Text::Reader text) noexcept {
  return {text.begin(), text.size()};
}
/// One of what was asked for, if it went well.
inline expected<void> tell_done(expected<void> how, Answer::Builder to) {
  if (how)
    to.initDone().setCount(1);
  return how;
}
inline unsigned count_of(std::size_t n) noexcept { return static_cast<unsigned>(n); }

} // namespace edupulse::control
