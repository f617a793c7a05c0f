// What a node asks of its router: each command is an errand to the router's thread, awaited unless
// it is asked for on that very thread.

#include "runtime/completion_sink.hpp"
#include "runtime/node_impl.hpp"
#include <algorithm>

namespace edupulse {

namespace {
constexpr auto look_again = std::chrono::milliseconds(20);
constexpr auto longest_question = std::chrono::hours(1);
} // namespace

expected<void> node_impl::command(std::string_view verb, std::string_view name,
                                  expected<void> (router::*what)(std::uint32_t, time_point,
                                                                 effect_list&)) {
  return ask([verb = std::string(verb), name = std::string(name),
              what](desk& at) -> expected<void> {
    const auto which = at.core().find(name);
    if (!which)
      return fail(errc::not_found, "there is no subscription named '" + name + "' on this node");
    const auto when = std::chrono::steady_clock::now();
    return at.command(verb, name, when, [&](router& core, effect_list& out) {
      return (core.*what)(*which, when, out);
    });
  });
}

expected<void> node_impl::subscribe(std::string name, topic_filter filter, handler_recipe recipe,
                                    subscription_options options) {
  if (options.execution == execution_place::automatic)
    options.execution = recipe.blocks ? execution_place::own_thread : execution_place::shared;
  if (auto good = check_options(options); !good)
    return good;
  auto around = std::make_shared<runner_surroundings>();
  around->subscription = name;
  around->order = options.order;
  around->make = std::move(recipe.make);
  around->port = this;
  auto letters = letters_of(name);
  if (!letters)
    return tl::unexpected<error>(letters.error());
  return ask([this, name, filter = std::move(filter), options = std::move(options), around,
              letters = std::move(*letters)](desk& at) -> expected<void> {
    const auto when = std::chrono::steady_clock::now();
    return at.command("subscribe", name, when, [&](router& core, effect_list& out) {
      // Effects are carried out after this returns, so the index is known in time.
      auto added = core.subscribe(name, filter, options, when, out);
      if (!added)
        return expected<void>(tl::unexpected<error>(added.error()));
      around->completions = std::make_shared<completion_sink>(mail_, *added);
      for (const auto& letter : letters)
        core.carry_over(name, *letter.event);
      std::lock_guard guard(mutex_);
      around_[*added] = around;
      live_[name] = *added;
      changed_.notify_all();
      return expected<void>();
    });
  });
}

/// Letters of an earlier run, or of an earlier subscription of that name.
expected<std::vector<dead_letter>> node_impl::letters_of(const std::string& name) {
  std::vector<dead_letter> all;
  if (on_router_thread())
    return all; // the router does not wait for a disk
  dead_letter_filter page;
  page.subscription = name;
  for (;;) {
    auto some = keeper_->list(page);
    if (!some)
      return some;
    if (some->empty())
      return all;
    page.after = some->back().id;
    all.insert(all.end(), some->begin(), some->end());
  }
}

expected<void> node_impl::unsubscribe(const std::string& name) {
  auto begun = command("unsubscribe", name, &router::unsubscribe);
  if (begun && !on_runtime_thread())
    wait_unsubscribed(name);
  return begun;
}

bool node_impl::has(std::string_view name) {
  std::lock_guard guard(mutex_);
  return live_.contains(name);
}

void node_impl::wait_unsubscribed(const std::string& name) {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [&] { return !live_.contains(name) || stopped_; });
}

expected<void> node_impl::replace(const std::string& name, handler_recipe recipe) {
  std::shared_ptr<runner_surroundings> before; // ends behind the lock, as in `unsubscribed`
  {
    std::lock_guard guard(mutex_);
    const auto at = live_.find(name);
    const auto known = at == live_.end() ? around_.end() : around_.find(at->second);
    if (known == around_.end()) // it has ended, or is about to
      return fail(errc::not_found, "there is no subscription named '" + name + "' on this node");
    auto fresh = std::make_shared<runner_surroundings>(*known->second);
    fresh->make = std::move(recipe.make);
    before = std::exchange(known->second, std::move(fresh));
  }
  return command("restart", name, &router::restart_handlers);
}

expected<void> node_impl::change_options(const std::string& name, const subscription_options& to) {
  return ask([name, to](desk& at) -> expected<void> {
    const auto which = at.core().find(name);
    if (!which)
      return fail(errc::not_found, "there is no subscription named '" + name + "' on this node");
    at.core().change_options(*which, to);
    return {};
  });
}

expected<void> node_impl::change_limits(const std::string& scope, const scope_options& to) {
  return ask([scope, to](desk& at) { return at.core().change_limits(scope, to); });
}

expected<void> node_impl::redrive(std::uint64_t letter) {
  auto taken = keeper_->take_for_redrive(letter);
  if (!taken)
    return tl::unexpected<error>(taken.error());
  auto done = ask([taken = std::move(*taken)](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    return at.command("redrive", taken.subscription, when, [&](router& core, effect_list& out) {
      return core.redrive(taken, when, out);
    });
  });
  if (!done)
    keeper_->put_back(letter);
  return done;
}

expected<void> node_impl::discard(std::uint64_t letter) {
  auto gone = keeper_->discard(letter);
  if (!gone)
    return tl::unexpected<error>(gone.error());
  forget(std::move(*gone));
  return {};
}

/// The ledger moves it from dead to dropped. Begun here, done on the router's thread.
void node_impl::forget(dead_letter&& letter) {
  auto work = std::make_shared<errand>();
  work->run = [gone = std::move(letter)](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    at.command("discard", gone.subscription, when, [&](router& core, effect_list& out) {
      core.on_discarded(gone.subscription, *gone.event, when, out);
      return true;
    });
  };
  bell_->send(std::move(work));
}

expected<std::size_t> node_impl::for_all_letters(const std::string& subscription,
                                                 expected<void> (node_impl::*what)(std::uint64_t)) {
  std::size_t done = 0;
  for (std::uint64_t after = 0;;) {
    dead_letter_filter page;
    page.subscription = subscription;
    page.after = after;
    auto letters = keeper_->list(page);
    if (!letters)
      return tl::unexpected<error>(letters.error());
    if (letters->empty())
      return done;
    for (const auto& letter : *letters) {
      const auto good = (this->*what)(letter.id);
      const bool gone = !good && (good.error().code == errc::not_found ||
                                  good.error().code == errc::refused); // under way already
      if (!good && !gone)
        return tl::unexpected<error>(good.error());
      done += good.has_value();
      after = letter.id;
    }
  }
}

expected<void> node_impl::ready(const std::string& topic, std::size_t n, duration patience) {
  if (auto good = check_topic(topic); !good)
    return good;
  auto count = [&] { return ask([topic](desk& at) { return at.core().count_matching(topic); }); };
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto there = count();
    if (there >= n)
      return {};
    std::unique_lock guard(mutex_);
    const auto seen = live_.size();
    // What others subscribe to comes without a word to this thread: look again now and then.
    const auto look = std::min(deadline, std::chrono::steady_clock::now() + look_again);
    if (!changed_.wait_until(guard, look, [&] { return live_.size() != seen || stopped_; }) &&
        look == deadline)
      return fail(errc::timed_out, std::to_string(there) + " of " + std::to_string(n) +
                                       " subscriptions match '" + topic + "'");
    if (stopped_)
      return fail(errc::stopping, "the node has stopped");
  }
}

std::vector<std::pair<std::string, std::uint64_t>> node_impl::counters() {
  auto all = counters_.snapshot();
  if (cluster_)
    for (auto& one : cluster_->counters())
      all.push_back(std::move(one));
  return all;
}

std::vector<member> node_impl::members() {
  if (cluster_)
    if (auto all = cluster_->members(); !all.empty()) {
      const auto kept = ask([](desk& at) { return at.core().kept_for_peers(); });
      for (auto& one : all)
        if (const auto at = kept.find(one.name); at != kept.end() && !one.self)
          one.kept_bytes = at->second;
      return all;
    }
  member self;
  self.name = options_.name;
  self.id = identity_.id;
  self.epoch = identity_.epoch;
  self.self = true;
  return {std::move(self)};
}

expected<void> node_impl::reload_certificates() {
  if (!cluster_)
    return fail(errc::refused, "this node is in no cluster");
  return cluster_->reload_certificates();
}

ledger_view node_impl::ledger() {
  {
    std::lock_guard guard(mutex_);
    if (stopped_)
      return last_ledger_;
  }
  return ask([](desk& at) { return at.core().ledger_snapshot(); });
}

expected<cluster_ledger> node_impl::cluster_ledger(duration patience) {
  if (on_router_thread())
    return fail(errc::refused, "an inline handler cannot wait for other nodes: it holds the thread "
                               "that hears them. Ask on another one");
  std::uint64_t query = 0;
  std::future<effects::ledgers> later;
  {
    std::lock_guard guard(mutex_);
    query = next_query_++;
    later = ledgers_asked_for_[query].get_future();
  }
  const auto forget_it = [&] {
    std::lock_guard guard(mutex_);
    ledgers_asked_for_.erase(query);
  };
  patience = std::clamp(patience, duration::zero(), duration(longest_question));
  auto begun = ask([query, patience](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    return at.command("ask", "ledgers", when, [&](router& core, effect_list& out) {
      return core.ask_ledgers(query, when + patience, when, out);
    });
  });
  if (!begun) {
    forget_it();
    return tl::unexpected<error>(begun.error());
  }
  try {
    auto told = later.get(); // the router has the deadline
    return merge(std::move(told.told), std::move(told.silent));
  } catch (const std::future_error&) {
    return fail(errc::stopping, "the node has stopped");
  }
}

expected<cluster_topics> node_impl::cluster_topics(duration patience) {
  auto whole = cluster_ledger(patience);
  if (!whole)
    return tl::unexpected<error>(whole.error());
  auto topics = ask(
      [counted = std::move(whole->sum.topics)](desk& at) -> expected<std::vector<topic_status>> {
        return at.core().topics(counted);
      });
  if (!topics)
    return tl::unexpected<error>(topics.error());
  return edupulse::cluster_topics{std::move(*topics), std::move(whole->nodes),
                                  std::move(whole->silent)};
}

} // namespace edupulse
