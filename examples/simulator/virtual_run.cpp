#include "virtual_run.hpp"
#include "runtime/simulation/cluster.hpp"
#include "virtual_report.hpp"
#include "watched_handler.hpp"
#include "workload.hpp"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

namespace edupulse::simulator {

namespace {

using namespace std::chrono_literals;

constexpr double rate_without_limit =
    10'000; ///< events a second: what "as fast as it goes" is here
constexpr auto meets_within = 60s;
constexpr auto settles_within = 120s;
constexpr duration least_pace = 20us; ///< of a call

simulation::subscription_order order_of(const handler_plan& one) {
  simulation::subscription_order made;
  made.name = one.name;
  made.filter = ">";
  made.options = one.options();
  made.how.crash = one.throws;
  made.how.crash_loop_for = one.crash_loop_for;
  if (one.poison_every > 0)
    made.how.is_poison = [every = one.poison_every](const envelope& event) {
      return is_poison(event, every);
    };
  made.how.pace = std::max<duration>(seconds_of(one.takes_ms / 1000), least_pace);
  return made;
}

/// Completions on threads that virtual time knows nothing of. They keep their tokens here.
struct foreign_threads {
  std::mutex mutex;
  std::vector<deferral> tokens;
  std::string who; ///< whose they are, the first
  std::atomic<bool> seen{false};
};

/// Tells the simulation what a handler of a plugin does.
class simulated_watch final : public handler_watch {
public:
  simulated_watch(simulation::call_end tell, std::string who,
                  std::shared_ptr<foreign_threads> others)
      : tell_(std::move(tell)), who_(std::move(who)), others_(std::move(others)) {}
  void ended(const envelope& event, std::uint32_t attempt, std::uint64_t, bool succeeded) override {
    tell_(event, attempt, succeeded);
  }
  bool keeps(deferral& token) override {
    if (std::this_thread::get_id() == own_)
      return false;
    const std::lock_guard guard(others_->mutex);
    others_->tokens.push_back(std::move(token));
    if (!others_->seen) {
      others_->who = who_;
      others_->seen = true;
    }
    return true;
  }

private:
  simulation::call_end tell_;
  std::string who_;
  std::shared_ptr<foreign_threads> others_;
  std::thread::id own_ = std::this_thread::get_id();
};

class virtual_run {
public:
  virtual_run(const plan& what, const virtual_settings& how, const search::interrupt& stop)
      : plan_(what), stop_(stop), all_(settings_of(what, how)), watch_(what, all_) {
    for (std::size_t node = 0; node < plan_.nodes; ++node)
      if (!comes_late(node))
        places_.push_back(node);
    for (std::size_t node = 0; node < plan_.nodes; ++node)
      if (comes_late(node))
        places_.push_back(node);
    for (std::size_t publisher = 0; publisher < plan_.publishers; ++publisher)
      sources_.push_back({workload(
          plan_, publisher, 0, [this](std::string_view event) { return type_in_plugins(event); })});
    steps_of_faults();
  }

  run_report carry_out() {
    for (std::size_t at = 0; at < all_.size(); ++at)
      subscribe(at);
    const bool met = all_.run_until([&] { return whole(); }, meets_within);
    began_ = all_.now();
    watch_.begin(began_);
    if (met)
      play();
    all_.run_for(1s); // what was published last is on its way
    const bool rests =
        met && !is_over() &&
        all_.run_until([&] { return others_->seen || (whole() && all_.is_at_rest()); },
                       settles_within);
    watch_.look(seconds());
    if (others_->seen)
      untried_.push_back("handler " + others_->who +
                         " answers from a thread of its own, which virtual time does not wait for: "
                         "use --mode processes");
    const auto found = all_.judge(rests && !others_->seen);
    auto told = watch_.conclude(found, rests ? std::string() : all_.unrest(), seconds(),
                                stop_.happened(), untried_);
    if (const auto of_plugins = found.published - asked_; of_plugins > 0)
      told.notes.push_back(std::to_string(of_plugins) + " of the events were published by plugins");
    for (std::size_t publisher = 0; publisher < sources_.size(); ++publisher)
      for (const auto& line : sources_[publisher].events.skipped())
        told.notes.push_back(name_of(publisher) + ": " + line);
    return told;
  }

private:
  struct supply {
    workload events;
    bool is_dry = false;
  };
  struct step {
    double at;
    bool begins;
    const fault_plan* what;
  };

  static simulation::cluster::settings settings_of(const plan& what, const virtual_settings& how) {
    simulation::cluster::settings made;
    made.seed = what.seed;
    made.nodes = what.nodes;
    for (const auto& one : what.faults)
      if (one.what == fault_word::late)
        made.nodes -= one.nodes.size();
    made.first_name = 1;
    made.net.seed = what.seed;
    made.members = what.profile == "wan"   ? wan_profile()
                   : what.profile == "lan" ? lan_profile()
                                           : local_profile();
    made.unreachable_after = seconds_of(what.unreachable_after);
    made.trace = how.trace;
    return made;
  }
  bool comes_late(std::size_t node) const {
    return std::any_of(plan_.faults.begin(), plan_.faults.end(), [&](const fault_plan& one) {
      return one.what == fault_word::late &&
             std::find(one.nodes.begin(), one.nodes.end(), node) != one.nodes.end();
    });
  }
  /// Where a node of the plan is in the cluster.
  std::size_t at(std::size_t node) const {
    return static_cast<std::size_t>(std::find(places_.begin(), places_.end(), node) -
                                    places_.begin());
  }
  double seconds() const { return std::chrono::duration<double>(all_.now() - began_).count(); }
  bool whole() const { return all_.is_whole() && all_.is_informed(); }

  void subscribe(std::size_t place) {
    const auto node = places_[place];
    for (const auto& one : plan_.handlers)
      if (one.runs_on(node) && !one.of_plugin)
        static_cast<void>(all_.subscribe(place, order_of(one)));
    for (const auto& one : plan_.plugins)
      for (const auto& each : one.code->handlers)
        if (one.runs_on(node))
          if (const auto good = all_.subscribe(place, plugin_order(*one.code, each)); !good)
            untried_.push_back("handler " + each.subscription + " on " + name_of(node) + ": " +
                               good.error().text);
  }
  /// An object of its own for each start of each node.
  simulation::subscription_order plugin_order(const plugin_parts& of,
                                              const plugin_parts::handler& which) const {
    simulation::subscription_order made;
    made.name = which.subscription;
    made.filter = which.filter.text();
    made.options = which.options;
    made.scope = of.scope;
    made.how.pace = least_pace;
    made.make = [make = which.recipe.make, who = which.subscription,
                 others = others_](const simulation::call_end& tell) {
      return watched(make(), std::make_shared<simulated_watch>(tell, who, others));
    };
    return made;
  }
  const event_type* type_in_plugins(std::string_view event) const {
    for (const auto& one : plan_.plugins)
      if (const auto* type = one.code->type_of(event))
        return type;
    return nullptr;
  }
  bool is_over() const { return stop_.happened() || others_->seen; }

  void steps_of_faults() {
    for (const auto& one : plan_.faults) {
      steps_.push_back({one.at, true, &one});
      if (one.lasts > 0)
        steps_.push_back({one.at + one.lasts, false, &one});
    }
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const step& a, const step& b) { return a.at < b.at; });
  }

  /// Publishes at the plan's rate, and breaks what is due.
  void play() {
    const double rate = plan_.rate > 0 ? plan_.rate : rate_without_limit;
    std::uint64_t published = 0;
    std::size_t next = 0;
    while ((has_events(published) || next < steps_.size()) && !is_over()) {
      const double event = has_events(published) ? static_cast<double>(published) / rate : 1e9;
      const double fault = next < steps_.size() ? steps_[next].at : 1e9;
      advance(std::min(event, fault));
      if (fault <= event)
        carry_out(steps_[next++]);
      else
        publish(published++);
    }
  }
  void advance(double until) {
    while (seconds() < until) {
      const double look = watch_.next_look();
      all_.run_for(std::max<duration>(seconds_of(std::min(until, look) - seconds()), 1us));
      if (seconds() >= look)
        watch_.look(seconds());
    }
  }
  bool has_events(std::uint64_t published) const {
    return published < plan_.events && std::any_of(sources_.begin(), sources_.end(),
                                                   [](const auto& one) { return !one.is_dry; });
  }
  void publish(std::uint64_t number) {
    auto& source = sources_[number % plan_.publishers];
    const auto publisher = at(number % plan_.publishers);
    record unused;
    source.is_dry = source.is_dry || !source.events.next(plan_.level == "best_effort", unused);
    if (source.is_dry)
      return;
    const auto& options = source.events.options();
    simulation::event_order_form form;
    form.subject = options.subject;
    form.key = source.events.key();
    form.level = *options.level;
    form.meta.assign(options.meta.begin(), options.meta.end());
    form.type = &source.events.type();
    form.fill = [&](capnp::AnyPointer::Builder payload) { source.events.fill(payload); };
    // Who is down publishes nothing; who is held up tries again.
    for (int tries = 0; tries < 10'000 && all_.is_up(publisher) && !all_.is_paused(publisher);
         ++tries) {
      ++asked_;
      const auto done = all_.publish(publisher, form);
      if (done || done.error().code != errc::back_pressure ||
          form.level == delivery_level::best_effort)
        return;
      all_.run_for(1ms);
    }
  }

  void apply(simulation::fault_kind what, std::size_t a, std::size_t b = 0, double period = 0,
             const fault_plan* how = nullptr) {
    simulation::fault made;
    made.what = what;
    made.a = a;
    made.b = b;
    made.period = seconds_of(period);
    if (how != nullptr) {
      made.delay = seconds_of(how->delay_ms / 1000);
      made.rate = how->bytes_per_second;
    }
    all_.apply(made);
  }
  void each_pair(const fault_plan& of, simulation::fault_kind what) {
    for (std::size_t i = 0; i < of.nodes.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        apply(what, at(of.nodes[j]), at(of.nodes[i]), of.period, &of);
  }

  void carry_out(const step& what) {
    if (what.begins)
      begin(*what.what);
    else
      end(*what.what);
  }
  void begin(const fault_plan& what) {
    using kind = simulation::fault_kind;
    switch (what.what) {
    case fault_word::kill:
      for (const auto one : what.nodes)
        apply(kind::kill, at(one));
      return;
    case fault_word::stop:
      for (const auto one : what.nodes)
        apply(kind::pause, at(one));
      return;
    case fault_word::leave:
      for (const auto one : what.nodes)
        apply(kind::leave, at(one));
      return;
    case fault_word::late:
      for (std::size_t i = 0; i < what.nodes.size(); ++i) {
        const auto place = all_.add_node();
        subscribe(place);
        all_.start(place);
      }
      return;
    case fault_word::reset:
      return each_pair(what, kind::reset);
    default:
      networked_.push_back(&what);
      return network(what);
    }
  }
  void network(const fault_plan& what) {
    using kind = simulation::fault_kind;
    if (what.what == fault_word::partition) {
      simulation::fault made;
      made.what = kind::partition;
      for (const auto one : what.nodes)
        made.side.push_back(at(one));
      return all_.apply(made);
    }
    if (what.what == fault_word::one_way)
      return apply(kind::one_way, at(what.nodes[0]), at(what.nodes[1]));
    each_pair(what, what.what == fault_word::slow   ? kind::slow
                    : what.what == fault_word::flap ? kind::flap
                                                    : kind::cut);
  }
  void end(const fault_plan& what) {
    using kind = simulation::fault_kind;
    if (what.what == fault_word::kill || what.what == fault_word::leave) {
      for (const auto one : what.nodes)
        apply(kind::restart, at(one));
    } else if (what.what == fault_word::stop) {
      for (const auto one : what.nodes)
        apply(kind::resume, at(one));
    } else if (what.is_of_network()) { // those that are left are made anew
      std::erase(networked_, &what);
      apply(kind::heal, 0);
      for (const auto* one : networked_)
        network(*one);
    }
  }

  const plan& plan_;
  const search::interrupt& stop_;
  std::shared_ptr<foreign_threads> others_ = std::make_shared<foreign_threads>();
  std::vector<std::string> untried_; ///< and so not checked
  std::size_t asked_ = 0;            ///< calls of `publish`
  simulation::cluster all_;
  virtual_watch watch_;
  std::vector<std::size_t> places_; ///< node of the plan, by place in the cluster
  std::vector<supply> sources_;     ///< of each publisher
  std::vector<step> steps_;
  std::vector<const fault_plan*> networked_;
  time_point began_{};
};

} // namespace

run_report run_virtual(const plan& what, const virtual_settings& how,
                       const search::interrupt& stop) {
  return virtual_run(what, how, stop).carry_out();
}

plan shrunk(const plan& failing, const search::interrupt& stop) {
  auto best = failing;
  for (std::size_t at = 0; at < best.faults.size() && !stop.happened();) {
    auto less = best;
    less.faults.erase(less.faults.begin() + static_cast<std::ptrdiff_t>(at));
    if (run_virtual(less, {}, stop).outcome.ok)
      ++at;
    else
      best = std::move(less);
  }
  return best;
}

} // namespace edupulse::simulator
