// The testing bus: the desk and the runner of a node with hands that do everything at once, on the
// caller's thread, at the time the caller says.

#include "actors/desk.hpp"
#include "actors/runner.hpp"
#include "actors/trace.hpp"
#include "runtime/mirror.hpp"
#include "runtime/stamper.hpp"
#include <algorithm>
#include <deque>
#include <edupulse/testing.hpp>
#include <map>
#include <mutex>
#include <stdexcept>

namespace edupulse::testing {

namespace {

/// What the test asked to go wrong, per subscription; shared with the handlers it is wrapped
/// around.
struct planned_faults {
  std::size_t crashes = 0;
  std::deque<outcome> answers;
};

struct planned_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class faulty_handler final : public handler {
public:
  faulty_handler(std::unique_ptr<handler> inner, std::shared_ptr<planned_faults> faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}
  outcome handle(const envelope& event, context& ctx) override {
    if (faults_->crashes > 0) {
      --faults_->crashes;
      throw planned_failure("planned by the test");
    }
    if (!faults_->answers.empty()) {
      auto answer = std::move(faults_->answers.front());
      faults_->answers.pop_front();
      return answer;
    }
    return inner_->handle(event, ctx);
  }
  void end_of_batch() override { inner_->end_of_batch(); }

private:
  std::unique_ptr<handler> inner_;
  std::shared_ptr<planned_faults> faults_;
};

/// Deferrals answer here, from any thread, and may outlive the bus.
class completion_box final : public deferral::sink {
public:
  struct letters {
    std::mutex mutex;
    std::vector<completion> all;
  };
  completion_box(std::shared_ptr<letters> to, std::uint32_t which)
      : to_(std::move(to)), which_(which) {}
  void complete(deferral::answer&& one) override {
    std::lock_guard guard(to_->mutex);
    to_->all.push_back({which_, one.seq, one.attempt, std::move(one.what)});
  }

private:
  std::shared_ptr<letters> to_;
  std::uint32_t which_;
};

constexpr std::int64_t wall_at_start_ms = 1'700'000'000'000; // a fixed day in 2023
constexpr time_point first_moment{std::chrono::hours(1)};

} // namespace

class bus_impl final : public router_hands, public event_port, public observer {
public:
  explicit bus_impl(bus::settings how)
      : how_(std::move(how)), stamper_(how_.seed, {}, how_.max_event_bytes),
        desk_({how_.name, how_.seed,
               wall_at_start_ms - std::chrono::duration_cast<std::chrono::milliseconds>(
                                      first_moment.time_since_epoch())
                                      .count()},
              *this) {
    desk_.add_observer(this);
  }

  // -- hands ------------------------------------------------------------------------
  void dispatch(const batch_ptr& work) override { waiting_.push_back(work); }
  void start_handler(const effects::start_handler& what) override {
    auto control = std::make_shared<handler_control>();
    auto self = std::make_unique<runner>(around_.at(what.subscription), control);
    auto why = self->start(what.lane);
    if (!why)
      lives_[{what.subscription, what.lane}] = {what.generation, std::move(self), control};
    later_.emplace_back([this, what, why] {
      if (why)
        desk_.on_handler_down(what.subscription, what.lane, what.generation,
                              exit_kind::failed_start, *why, now_);
      else
        desk_.on_handler_up(what.subscription, what.lane, what.generation, now_);
    });
  }
  void stop_handler(const effects::stop_handler& what) override {
    end({what.subscription, what.lane}, what.generation, exit_kind::shutdown, "stopped");
  }
  void bury(effects::bury&& what) override {
    std::vector<dead_letter> one;
    one.push_back(std::move(what.letter));
    static_cast<void>(letters_.add(one));
  }
  void settle_redrive(const effects::settle_redrive& what) override {
    static_cast<void>(letters_.settle_redrive(what.letter, what.how == fate::handled ||
                                                               what.how == fate::expired));
  }
  void set_gate(std::uint32_t which, bool closed) override {
    if (closed)
      gates_.push_back(which);
    else
      std::erase(gates_, which);
  }
  void unsubscribed(std::uint32_t which) override { around_.erase(which); }
  void drained() override {}

  // -- event_port ---------------------------------------------------------------------
  expected<envelope_ptr> make(const event_type& type,
                              const std::function<void(capnp::AnyPointer::Builder)>& fill,
                              std::string_view subject, std::string_view key,
                              metadata meta) override {
    return stamper_.make(type, fill, subject, key, meta, wall_ms());
  }
  expected<void> may_publish(const envelope& event) override {
    for (const auto which : gates_)
      if (event.level() != delivery_level::best_effort &&
          desk_.core().filter(which).matches(event.topic()))
        return fail(errc::back_pressure, "subscription '" + desk_.core().name(which) +
                                             "' is behind and its backlog is full");
    return {};
  }
  void commit(std::vector<envelope_ptr>&& events) override {
    for (auto& event : events) {
      published_.push_back(event);
      arrived_.push_back(std::move(event));
    }
  }
  time_point now() override { return now_; }

  // -- observer -------------------------------------------------------------------------
  void on_input(const input& what, const router& core, time_point) override {
    if (auto text = trace_line(what, core, first_moment); !text.empty())
      trace_.push_back("< " + text);
  }
  void on_effect(const effect& what, const router& core, time_point) override {
    trace_.push_back("> " + trace_line(what, core, first_moment));
  }

  // -- the loop ---------------------------------------------------------------------------
  void run() {
    while (step()) {
    }
  }
  bool step() {
    if (auto doing = std::exchange(later_, {}); !doing.empty()) {
      for (auto& what : doing)
        what();
      return true;
    }
    inbox::contents mail;
    {
      std::lock_guard guard(completions_->mutex);
      mail.completions = std::exchange(completions_->all, {});
    }
    if (auto events = take_arrived())
      mail.events.push_back(std::move(events));
    if (!mail.empty()) {
      desk_.on_contents(mail, now_);
      return true;
    }
    if (held_ || waiting_.empty())
      return false;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    handle(work);
    return true;
  }
  void advance(duration by) {
    const auto until = now_ + by;
    run();
    for (auto due = desk_.core().next_deadline(); due && *due <= until;
         due = desk_.core().next_deadline()) {
      now_ = std::max(now_, *due);
      desk_.on_tick(now_);
      run();
    }
    now_ = until;
    run();
  }

  std::int64_t wall_ms() const {
    return wall_at_start_ms +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_ - first_moment).count();
  }
  void arrive(envelope_ptr event) { arrived_.push_back(std::move(event)); }
  std::shared_ptr<planned_faults> faults(std::string_view name) {
    auto& there = faults_[std::string(name)];
    if (!there)
      there = std::make_shared<planned_faults>();
    return there;
  }
  handler_recipe with_faults(const std::string& name, handler_recipe recipe) {
    return {[make = std::move(recipe.make), plan = faults(name)]() -> std::unique_ptr<handler> {
              return std::make_unique<faulty_handler>(make(), plan);
            },
            recipe.blocks};
  }
  void end(std::pair<std::uint32_t, std::uint32_t> at, std::uint32_t generation, exit_kind how,
           std::string why) {
    const auto found = lives_.find(at);
    if (found == lives_.end() || found->second.generation != generation)
      return;
    lives_.erase(found);
    later_.emplace_back([this, at, generation, how, why = std::move(why)] {
      desk_.on_handler_down(at.first, at.second, generation, how, why, now_);
    });
  }

  struct life {
    std::uint32_t generation = 0;
    std::unique_ptr<runner> self;
    std::shared_ptr<handler_control> control;
  };

  const bus::settings how_;
  stamper stamper_;
  time_point now_ = first_moment;
  desk desk_;
  bool held_ = false;
  std::map<std::uint32_t, std::shared_ptr<runner_surroundings>> around_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, life> lives_;
  std::map<std::string, std::shared_ptr<planned_faults>, std::less<>> faults_;
  std::deque<batch_ptr> waiting_;
  std::vector<std::function<void()>> later_;
  std::vector<envelope_ptr> arrived_;
  std::vector<envelope_ptr> published_;
  std::size_t published_taken_ = 0;
  std::vector<std::uint32_t> gates_;
  std::vector<std::string> trace_;
  memory_dead_letters letters_;
  std::shared_ptr<completion_box::letters> completions_ =
      std::make_shared<completion_box::letters>();

private:
  void handle(const batch_ptr& work) {
    const std::pair at{work->subscription, work->lane};
    const auto found = lives_.find(at);
    if (found == lives_.end() || found->second.generation != work->generation)
      return;
    const auto control = found->second.control;
    switch (found->second.self->run(*work)) {
    case runner::ending::done:
    case runner::ending::revoked:
      desk_.on_report(work, now_);
      break;
    case runner::ending::crashed:
      end(at, work->generation, exit_kind::error, control->why_it_ended);
      break;
    }
  }
  chunk_ptr take_arrived() {
    if (arrived_.empty())
      return nullptr;
    auto events = std::make_shared<chunk>();
    for (auto& event : std::exchange(arrived_, {}))
      events->entries.push_back(make_entry(std::move(event)));
    return events;
  }
};

// -- bus ------------------------------------------------------------------------------------

bus::bus() : bus(settings{}) {}
bus::bus(settings how) : impl_(std::make_unique<bus_impl>(std::move(how))) {}
bus::~bus() = default;

expected<receipt> bus::finish_publish(envelope_writer& writer, std::string_view key,
                                      const publish_options& options) {
  const auto expires =
      options.expires_in > duration::zero() ? impl_->now_ + options.expires_in : time_point::max();
  auto made = impl_->stamper_.publish(writer, key, options, impl_->wall_ms(), expires);
  if (!made)
    return tl::unexpected<error>(made.error());
  if (auto good = publish(std::move(made->event)); !good)
    return tl::unexpected<error>(good.error());
  return std::move(made->given);
}

expected<void> bus::publish(envelope_ptr event) {
  if (auto good = impl_->may_publish(*event); !good)
    return good;
  impl_->arrive(std::move(event));
  if (!impl_->held_)
    impl_->run();
  return {};
}

expected<void> bus::add(std::string name, expected<topic_filter> filter, handler_recipe recipe,
                        subscription_options options) {
  if (!filter)
    return tl::unexpected<error>(filter.error());
  auto around = std::make_shared<runner_surroundings>();
  around->subscription = name;
  around->order = options.order;
  around->make = impl_->with_faults(name, std::move(recipe)).make;
  around->port = impl_.get();
  auto added = impl_->desk_.command(
      "subscribe", name, impl_->now_, [&](router& core, effect_list& out) -> expected<void> {
        auto which = core.subscribe(name, std::move(*filter), options, impl_->now_, out);
        if (!which)
          return tl::unexpected<error>(which.error());
        around->completions = std::make_shared<completion_box>(impl_->completions_, *which);
        impl_->around_[*which] = around;
        return {};
      });
  impl_->run();
  return added;
}

expected<void> bus::scope(std::string name, scope_options options) {
  return impl_->desk_.command("scope", name, impl_->now_, [&](router& core, effect_list&) {
    return core.add_scope(name, options);
  });
}

namespace {
expected<void> about(bus_impl& at, std::string_view verb, std::string_view name,
                     expected<void> (router::*what)(std::uint32_t, time_point, effect_list&)) {
  const auto which = at.desk_.core().find(name);
  if (!which)
    return fail(errc::not_found, "there is no subscription named '" + std::string(name) + "'");
  auto done = at.desk_.command(verb, name, at.now_, [&](router& core, effect_list& out) {
    return (core.*what)(*which, at.now_, out);
  });
  at.run();
  return done;
}
} // namespace

expected<void> bus::unsubscribe(std::string_view name) {
  return about(*impl_, "unsubscribe", name, &router::unsubscribe);
}
expected<void> bus::pause(std::string_view name) {
  return about(*impl_, "pause", name, &router::pause);
}
expected<void> bus::resume(std::string_view name) {
  return about(*impl_, "resume", name, &router::resume);
}

expected<void> bus::attach_mirror(std::string name, std::string_view filter, transport_ptr to,
                                  subscription_options options) {
  return add(std::move(name), topic_filter::parse(filter), mirror_recipe(std::move(to)),
             std::move(options));
}

expected<void> bus::swap_mirror(std::string_view name, transport_ptr to) {
  const auto which = impl_->desk_.core().find(name);
  if (!which)
    return fail(errc::not_found, "there is no mirror named '" + std::string(name) + "'");
  auto fresh = std::make_shared<runner_surroundings>(*impl_->around_.at(*which));
  fresh->make = impl_->with_faults(std::string(name), mirror_recipe(std::move(to))).make;
  impl_->around_[*which] = std::move(fresh);
  return about(*impl_, "restart", name, &router::restart_handlers);
}

expected<void> bus::redrive(std::uint64_t letter) {
  auto taken = impl_->letters_.take_for_redrive(letter);
  if (!taken)
    return tl::unexpected<error>(taken.error());
  auto done = impl_->desk_.command(
      "redrive", taken->subscription, impl_->now_,
      [&](router& core, effect_list& out) { return core.redrive(*taken, impl_->now_, out); });
  if (!done)
    static_cast<void>(impl_->letters_.settle_redrive(letter, false));
  impl_->run();
  return done;
}

expected<void> bus::discard(std::uint64_t letter) {
  auto gone = impl_->letters_.discard(letter);
  if (!gone)
    return tl::unexpected<error>(gone.error());
  impl_->desk_.command("discard", gone->subscription, impl_->now_,
                       [&](router& core, effect_list& out) {
                         core.on_discarded(gone->subscription, *gone->event, impl_->now_, out);
                         return true;
                       });
  impl_->run();
  return {};
}

// -- time -------------------------------------------------------------------------------------

void bus::advance(duration by) { impl_->advance(by); }
void bus::run() { impl_->run(); }
void bus::hold(bool on) {
  impl_->held_ = on;
  if (!on)
    impl_->run();
}
time_point bus::now() const { return impl_->now_; }

// -- faults -------------------------------------------------------------------------------------

void bus::fail_next(std::string_view name, std::size_t n) { impl_->faults(name)->crashes += n; }
void bus::answer_next(std::string_view name, std::size_t n, outcome what) {
  for (std::size_t i = 0; i < n; ++i)
    impl_->faults(name)->answers.push_back(what);
}
void bus::kill(std::string_view name) {
  const auto which = impl_->desk_.core().find(name);
  if (!which)
    return;
  impl_->run(); // what was published before it, it has
  std::vector<std::pair<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>> all;
  for (const auto& [at, life] : impl_->lives_)
    if (at.first == *which)
      all.emplace_back(at, life.generation);
  for (const auto& [at, generation] : all)
    impl_->end(at, generation, exit_kind::kill, "killed");
  impl_->run();
}

// -- looking --------------------------------------------------------------------------------------

const std::vector<envelope_ptr>& bus::published_by_handlers() const { return impl_->published_; }

envelope_ptr bus::take_published(std::string_view event_name) {
  for (auto& at = impl_->published_taken_; at < impl_->published_.size();)
    if (impl_->published_[at++]->name() == event_name)
      return impl_->published_[at - 1];
  return {};
}

std::vector<dead_letter> bus::dead_letters() const {
  dead_letter_filter all;
  all.limit = max_listed_dead_letters;
  return *impl_->letters_.list(all);
}

std::optional<dead_letter> bus::expect_dead_letter(std::string_view subscription,
                                                   std::string_view text) const {
  auto all = dead_letters();
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    const bool said =
        at->reason.find(text) != std::string::npos ||
        (!at->attempts.empty() && at->attempts.back().text.find(text) != std::string::npos);
    if (at->subscription == subscription && said)
      return *at;
  }
  return std::nullopt;
}

std::uint64_t bus::handled(std::string_view subscription) const {
  return ledger().of_subscription(subscription).handled;
}
ledger_view bus::ledger() const { return impl_->desk_.core().ledger_snapshot(); }
std::vector<subscription_status> bus::subscriptions() const { return impl_->desk_.core().status(); }
std::vector<std::string> bus::take_trace() { return std::exchange(impl_->trace_, {}); }
void bus::check() const { impl_->desk_.check(); }

} // namespace edupulse::testing
