#include "runtime/node_impl.hpp"
#include "runtime/caf_system.hpp"
#include "runtime/chance.hpp"
#include "runtime/wall_clock.hpp"
#include <thread>

namespace edupulse {

namespace {

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::uint64_t draw_seed(std::uint64_t given) { return given != 0 ? given : draw_number(); }

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

node_impl::node_impl(node_options options) : options_(std::move(options)) {}

node_impl::~node_impl() { close_down(false); }

expected<void> node_impl::open(caf::actor_system* given) {
  if (auto good = open_cluster(); !good)
    return good;
  log_ = std::make_unique<log_observer>(options_.name, options_.log, options_.log_sink);
  bell_ = std::make_shared<bell>();
  if (auto good = check_data_dir(options_.data_dir); !good)
    return good;
  auto kept =
      keeper::open({options_.data_dir, options_.dead_letters_max},
                   {[this](log_level level, std::string_view text) { log_->say(level, text); },
                    [this](dead_letter&& letter) { forget(std::move(letter)); }});
  if (!kept)
    return tl::unexpected<error>(kept.error());
  keeper_ = std::move(*kept); // the data directory is ours from here on
  auto known = load_identity(options_.data_dir);
  if (!known)
    return tl::unexpected<error>(known.error());
  identity_ = *known;
  stamper_ =
      std::make_unique<stamper>(draw_seed(options_.seed), identity_.id, options_.max_event_bytes);
  mail_ = std::make_shared<inbox>(inbox::limits{options_.inbox_events, options_.inbox_bytes},
                                  [to = bell_] { to->ring(); });
  alarm_ = std::make_unique<alarm>([mail = mail_] { mail->ring(); });
  system_ = given;
  if (system_ == nullptr) {
    const auto cores = std::max<std::size_t>(2, std::thread::hardware_concurrency());
    config_ = std::make_unique<caf::actor_system_config>();
    configure(*config_, options_.workers > 0 ? options_.workers : cores);
    if (cluster_)
      config_->load<caf::io::middleman>();
    own_system_ = std::make_unique<caf::actor_system>(*config_);
    system_ = own_system_.get();
  }
  const router::settings core{options_.name,
                              draw_seed(options_.seed),
                              wall_ms() - steady_ms(),
                              {system_->scheduler().num_workers(), options_.stuck_calls_max},
                              options_.cluster.unreachable_after,
                              options_.cluster.peer_budget,
                              options_.cluster.budget};
  if (auto good = start_cluster(); !good)
    return good;
  caf_shim::before_spawn_or_end();
  router_ = cluster_
                ? cluster_->spawn_router({core, mail_, this})
                : system_->spawn<caf::detached>(router_behavior, router_setup{core, mail_, this});
  bell_->set(router_);
  caf_shim::leave_system(); // the node may be stopped on another thread than this
  ask([this](desk& at) {
    at.add_observer(&counters_);
    at.add_observer(log_.get());
    return true;
  });
  return {};
}

expected<void> node_impl::open_cluster() {
  if (options_.cluster.listen.empty() && options_.cluster.join.empty())
    return {};
  auto opened = cluster::open(options_);
  if (!opened)
    return tl::unexpected<error>(opened.error());
  cluster_ = std::move(*opened);
  options_.name = cluster_->name();
  return {};
}

expected<void> node_impl::start_cluster() {
  if (!cluster_)
    return {};
  return cluster_->start(
      {*system_, identity_, draw_seed(options_.seed), mail_,
       [this](log_level level, std::string_view text) { log_->say(level, text); },
       [this](const membership_effects::changed& what) { tell_of(what); }});
}

/// On the local bus, past its bounds: the membership limits how often its members change.
void node_impl::tell_of(const membership_effects::changed& what) {
  const auto text = std::string(to_string(what.what));
  log_->say(what.what == member_event::suspect || what.what == member_event::dead
                ? log_level::warning
                : log_level::info,
            "member " + quote(what.member.name) + " at " + quote(what.member.address) + ": " +
                text + (what.text.empty() ? "" : ", " + what.text));
  const auto fill = [&](capnp::AnyPointer::Builder payload) {
    auto to = payload.initAs<MemberChanged>();
    to.setWhat(static_cast<MemberChanged::What>(what.what));
    to.setName(what.member.name);
    to.setNodeId(to_string(what.member.node));
    to.setEpoch(what.member.boot_epoch);
    to.setAddress(what.member.address);
    if (!what.by.is_nil())
      to.setBy(to_string(what.by));
    to.setText(what.text);
  };
  auto made = stamper_->make(event_traits<MemberChanged>::type(), fill, text, {}, {}, wall_ms());
  if (!made)
    return log_->say(log_level::error, "cannot publish a change of members: " + made.error().text);
  std::vector<envelope_ptr> events;
  events.push_back(std::move(*made));
  mail_->commit(std::move(events));
}

// -- publishing -----------------------------------------------------------------------------

expected<receipt> node_impl::publish(envelope_writer& writer, std::string_view key,
                                     const publish_options& options) {
  const auto expires = options.expires_in > duration::zero()
                           ? std::chrono::steady_clock::now() + options.expires_in
                           : time_point::max();
  auto made = stamper_->publish(writer, key, options, wall_ms(), expires);
  if (!made)
    return tl::unexpected<error>(made.error());
  const bool best_effort = made->event->level() == delivery_level::best_effort;
  const auto patience = on_runtime_thread() || best_effort ? duration::zero() : options.deadline;
  if (auto admitted = mail_->admit(std::move(made->event), patience); !admitted)
    return tl::unexpected<error>(admitted.error());
  return std::move(made->given);
}

envelope_header node_impl::absent_header() { return stamper_->absent(wall_ms()); }

receipt node_impl::send_off(envelope_ptr& event, bool track) {
  const auto level = event->type() != nullptr ? event->type()->level : delivery_level::acknowledged;
  return stamper::send_off(event, level, time_point::max(), track);
}

expected<void> node_impl::admit(envelope_ptr event, duration patience) {
  return mail_->admit(std::move(event), on_runtime_thread() ? duration::zero() : patience);
}

expected<envelope_ptr> node_impl::make(const event_type& type,
                                       const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                       std::string_view subject, std::string_view key,
                                       metadata meta) {
  return stamper_->make(type, fill, subject, key, meta, wall_ms());
}

// -- router_host ------------------------------------------------------------------------

void node_impl::settle_redrive(std::uint64_t letter, fate how) {
  keeper_->settle_redrive(letter, how);
}

/// What its handlers were made with ends outside the lock, since it may call the node, and before
/// whoever waits for the end of the subscription hears of it.
void node_impl::unsubscribed(std::uint32_t subscription) {
  decltype(around_)::node_type made_with;
  {
    std::lock_guard guard(mutex_);
    made_with = around_.extract(subscription);
  }
  made_with = {};
  std::lock_guard guard(mutex_);
  std::erase_if(actors_, [&](const auto& one) { return one.first.first == subscription; });
  std::erase_if(live_, [&](const auto& one) { return one.second == subscription; });
  std::erase_if(mirrors_, [&](const auto& one) { return !live_.contains(one.first); });
  changed_.notify_all();
}

void node_impl::drained() {
  std::lock_guard guard(mutex_);
  drained_ = true;
  changed_.notify_all();
}

void node_impl::ledgers(effects::ledgers&& what) {
  std::lock_guard guard(mutex_);
  if (auto asked = ledgers_asked_for_.extract(what.query))
    asked.mapped().set_value(std::move(what));
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

// -- the end ----------------------------------------------------------------------------

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
  quiesce_sources();
  if (cluster_)
    cluster_->quiesce();
  report.drained = drain(patience).has_value();
  end_sources();
  if (cluster_) {
    tell_conclusions();
    cluster_->leave();
  }
  report.dropped = ask([](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    const auto left = at.core().owed();
    return at.command("stop", "", when, [&](router& core, effect_list& out) {
      core.stop(when, out);
      return static_cast<std::uint64_t>(left);
    });
  });
  report.drained = report.drained && report.dropped == 0; // a fenced node waits for nobody else
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

/// The publishers of what was handled here would take it for unreachable, and for a while wait for
/// this node to return. Once the router runs the second errand, the wire has what the first one
/// said: whatever it is asked for now comes behind that.
void node_impl::tell_conclusions() {
  ask([](desk& at) {
    const auto when = std::chrono::steady_clock::now();
    return at.command("tell", "conclusions", when, [&](router& core, effect_list& out) {
      core.tell_conclusions(when, out);
      return true;
    });
  });
  ask([](desk&) { return true; });
}

bool node_impl::wait_all_down(duration patience) {
  std::unique_lock guard(mutex_);
  return changed_.wait_for(guard, patience, [&] { return live_.empty(); });
}

/// Takes the node apart in reverse order. With a call that never returned, CAF would wait for its
/// thread for ever: the actor system is left to a thread of its own, which ends when the call does.
void node_impl::close_down(bool somebody_is_stuck) {
  end_sources();
  if (cluster_)
    cluster_->stop();
  if (!router_)
    return;
  decltype(mirrors_) mirrors;
  auto gone = std::make_shared<std::promise<void>>();
  caf_shim::send(router_, finish{gone});
  gone->get_future().wait();
  bell_->set(nullptr);
  router_ = nullptr;
  {
    std::lock_guard guard(mutex_);
    ledgers_asked_for_.clear(); // whoever waits is told that the node has stopped
    mirrors.swap(mirrors_);
  }
  mirrors.clear();
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
  reaper_->finish();
}

} // namespace edupulse
