#include "runtime/node_impl.hpp"
#include <random>
#include <thread>

namespace edupulse {

namespace {

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::uint64_t draw_seed(std::uint64_t given) {
  if (given != 0)
    return given;
  std::random_device chance;
  return (static_cast<std::uint64_t>(chance()) << 32) ^ chance();
}

/// Carries the answers of deferrals home. Holds no part of the node but its inbox.
class completion_sink final : public deferral::sink {
public:
  completion_sink(std::shared_ptr<inbox> mail, std::uint32_t subscription)
      : mail_(std::move(mail)), subscription_(subscription) {}
  void complete(std::uint64_t seq, std::uint32_t attempt, outcome&& what) override {
    mail_->complete({subscription_, seq, attempt, std::move(what)});
  }

private:
  std::shared_ptr<inbox> mail_;
  std::uint32_t subscription_;
};

} // namespace

// -- bell -------------------------------------------------------------------------------

void bell::ring() {
  std::lock_guard guard(mutex_);
  if (to_)
    caf_shim::send(to_, wake{});
}

void bell::send(errand_ptr what) {
  std::lock_guard guard(mutex_);
  if (to_)
    caf_shim::send(to_, std::move(what));
}

void bell::set(caf::actor to) {
  std::lock_guard guard(mutex_);
  to_ = std::move(to);
}

// -- the beginning ------------------------------------------------------------------------

node_impl::node_impl(node_options options, node_id id)
    : options_(std::move(options)), id_(id), ids_(draw_seed(options_.seed)) {}

node_impl::~node_impl() { close_down(false); }

expected<void> node_impl::open(caf::actor_system* given) {
  log_ = std::make_unique<log_observer>(options_.name, options_.log, options_.log_sink);
  bell_ = std::make_shared<bell>();
  auto kept =
      keeper::open({options_.data_dir, options_.dead_letters_max},
                   {[this](log_level level, std::string_view text) { log_->say(level, text); },
                    [this](dead_letter&& letter) { forget(std::move(letter)); }});
  if (!kept)
    return tl::unexpected<error>(kept.error());
  keeper_ = std::move(*kept);
  mail_ = std::make_shared<inbox>(inbox::limits{options_.inbox_events, options_.inbox_bytes},
                                  [to = bell_] { to->ring(); });
  alarm_ = std::make_unique<alarm>([mail = mail_] { mail->ring(); });
  system_ = given;
  if (system_ == nullptr) {
    const auto cores = std::max<std::size_t>(2, std::thread::hardware_concurrency());
    config_ = std::make_unique<caf::actor_system_config>();
    caf_shim::configure(*config_, options_.workers > 0 ? options_.workers : cores);
    own_system_ = std::make_unique<caf::actor_system>(*config_);
    system_ = own_system_.get();
  }
  const router::settings core{options_.name, draw_seed(options_.seed), wall_ms() - steady_ms()};
  router_ = system_->spawn<caf::detached>(router_behavior, router_setup{core, mail_, this});
  bell_->set(router_);
  caf_shim::leave_system(); // the node may be stopped on another thread than this
  ask([this](desk& at) {
    at.add_observer(&counters_);
    at.add_observer(log_.get());
    return true;
  });
  return {};
}

// -- publishing -----------------------------------------------------------------------------

expected<receipt> node_impl::publish(envelope_writer& writer, std::string_view key,
                                     const publish_options& options) {
  const auto now_ms = wall_ms();
  std::vector<std::pair<std::string_view, std::string_view>> meta(options.meta.begin(),
                                                                  options.meta.end());
  auto made = writer.finish({ids_.next(now_ms), id_, now_ms, options.subject, key, meta},
                            options_.max_event_bytes);
  if (!made)
    return tl::unexpected<error>(made.error());
  auto event = std::move(*made);
  const auto id = event->id();
  receipt_tracker* tracked = nullptr;
  if (options.track || options.expires_in > duration::zero() ||
      options.level != delivery_level::acknowledged) {
    const auto expires = options.expires_in > duration::zero()
                             ? std::chrono::steady_clock::now() + options.expires_in
                             : time_point::max();
    if (options.track) {
      tracked = new receipt_tracker; // one reference here, one for the envelope
      tracked->retain();
    }
    envelope_writer::set_travel(event, options.level, expires, tracked,
                                tracked != nullptr ? receipt_tracker::release_tracker : nullptr);
  }
  receipt given(id, tracked);
  const auto patience = on_runtime_thread() || options.level == delivery_level::best_effort
                            ? duration::zero()
                            : options.deadline;
  if (auto admitted = mail_->admit(std::move(event), patience); !admitted)
    return tl::unexpected<error>(admitted.error());
  return given;
}

expected<envelope_ptr> node_impl::make(const event_type& type,
                                       const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                       std::string_view subject, std::string_view key,
                                       metadata meta) {
  envelope_writer writer(type);
  fill(writer.payload());
  const auto now_ms = wall_ms();
  std::string own_key;
  if (key.empty() && type.key_of != nullptr) {
    own_key = type.key_of(writer.payload().asReader());
    key = own_key;
  }
  return writer.finish({ids_.next(now_ms), id_, now_ms, subject, key, meta},
                       options_.max_event_bytes);
}

// -- commands -----------------------------------------------------------------------------------

expected<void> node_impl::command(std::string_view verb, std::string_view name,
                                  expected<void> (router::*what)(std::uint32_t, time_point,
                                                                 effect_list&)) {
  return ask([this, verb = std::string(verb), name = std::string(name),
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
  {
    std::lock_guard guard(mutex_);
    const auto at = live_.find(name);
    if (at == live_.end())
      return fail(errc::not_found, "there is no subscription named '" + name + "' on this node");
    auto fresh = std::make_shared<runner_surroundings>(*around_.at(at->second));
    fresh->make = std::move(recipe.make);
    around_[at->second] = std::move(fresh);
  }
  return command("restart", name, &router::restart_handlers);
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
    if (!changed_.wait_until(guard, deadline, [&] { return live_.size() != seen || stopped_; }))
      return fail(errc::timed_out, std::to_string(there) + " of " + std::to_string(n) +
                                       " subscriptions match '" + topic + "'");
    if (stopped_)
      return fail(errc::stopping, "the node has stopped");
  }
}

ledger_view node_impl::ledger() {
  {
    std::lock_guard guard(mutex_);
    if (stopped_)
      return last_ledger_;
  }
  return ask([](desk& at) { return at.core().ledger_snapshot(); });
}

// -- router_host
// ------------------------------------------------------------------------------------

void node_impl::settle_redrive(std::uint64_t letter, fate how) {
  keeper_->settle_redrive(letter, how);
}

void node_impl::unsubscribed(std::uint32_t subscription) {
  std::lock_guard guard(mutex_);
  around_.erase(subscription);
  std::erase_if(actors_, [&](const auto& one) { return one.first.first == subscription; });
  std::erase_if(live_, [&](const auto& one) { return one.second == subscription; });
  changed_.notify_all();
}

void node_impl::drained() {
  std::lock_guard guard(mutex_);
  drained_ = true;
  changed_.notify_all();
}

std::shared_ptr<const runner_surroundings> node_impl::surroundings(std::uint32_t which) {
  std::lock_guard guard(mutex_);
  return around_.at(which);
}

void node_impl::started(std::uint32_t subscription, std::uint32_t lane, const caf::actor& who) {
  std::lock_guard guard(mutex_);
  actors_[{subscription, lane}] = who.address();
}

std::vector<caf::actor> node_impl::handler_actors(std::string_view name) {
  std::lock_guard guard(mutex_);
  std::vector<caf::actor> all;
  const auto which = live_.find(name);
  for (const auto& [at, address] : actors_)
    if (which != live_.end() && at.first == which->second)
      if (auto alive = caf::actor_cast<caf::actor>(address))
        all.push_back(std::move(alive));
  return all;
}

void node_impl::stuck(std::uint32_t, bool came_back) {
  std::lock_guard guard(mutex_);
  stuck_ = came_back ? stuck_ - 1 : stuck_ + 1;
  changed_.notify_all();
}

// -- the end
// ------------------------------------------------------------------------------------------

expected<void> node_impl::drain(duration patience) {
  mail_->close();
  if (on_runtime_thread())
    return fail(errc::refused, "a handler cannot wait for the node to drain: it would wait for "
                               "itself. Call node::stop, which is begun and not awaited here");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  ask([](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    return at.command("drain", "", when, [&](router& core, effect_list& out) {
      core.drain(when, out);
      return true;
    });
  });
  std::unique_lock guard(mutex_);
  if (changed_.wait_until(guard, deadline, [&] { return drained_; }))
    return {};
  guard.unlock();
  const auto left = ask([](desk& at) { return at.core().owed(); });
  return fail(errc::timed_out, std::to_string(left) + " deliveries are not concluded yet: give it "
                                                      "more time, or stop and they are dropped");
}

stop_report node_impl::stop(duration patience) {
  if (on_runtime_thread()) {
    std::thread([self = shared_from_this(), patience] { self->stop(patience); }).detach();
    return {};
  }
  {
    std::unique_lock guard(mutex_);
    if (std::exchange(stopping_, true)) {
      changed_.wait(guard, [&] { return stopped_; });
      return report_;
    }
  }
  stop_report report;
  report.drained = drain(patience).has_value();
  report.dropped = ask([](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    const auto left = at.core().owed();
    return at.command("stop", "", when, [&](router& core, effect_list& out) {
      core.stop(when, out);
      return static_cast<std::uint64_t>(left);
    });
  });
  const bool all_down = wait_all_down(std::chrono::seconds(2));
  if (report.dropped > 0)
    log_->say(log_level::warning, "stop: " + std::to_string(report.dropped) +
                                      " deliveries were dropped; see the ledger");
  std::unique_lock guard(mutex_);
  report.stuck_calls = std::max(stuck_, all_down ? 0 : live_.size());
  guard.unlock();
  last_ledger_ = ask([](desk& at) { return at.core().ledger_snapshot(); });
  guard.lock();
  report_ = report;
  guard.unlock();
  close_down(report.stuck_calls > 0);
  guard.lock();
  stopped_ = true;
  changed_.notify_all();
  return report;
}

bool node_impl::wait_all_down(duration patience) {
  std::unique_lock guard(mutex_);
  return changed_.wait_for(guard, patience, [&] { return live_.empty(); });
}

/// Takes the node apart in reverse order. With a call that never returned, CAF would wait for its
/// thread for ever: the actor system is left to a thread of its own, which ends when the call does.
void node_impl::close_down(bool somebody_is_stuck) {
  if (!router_)
    return;
  auto gone = std::make_shared<std::promise<void>>();
  caf_shim::send(router_, finish{gone});
  gone->get_future().wait();
  bell_->set(nullptr);
  router_ = nullptr;
  alarm_.reset();
  if (somebody_is_stuck && own_system_) {
    log_->say(log_level::error, "stop: a handler has not returned; its thread is left behind");
    std::thread([self = shared_from_this(), system = std::move(own_system_),
                 config = std::move(config_)]() mutable {
      system.reset();
    }).detach();
  }
  own_system_.reset();
  config_.reset();
}

} // namespace edupulse
