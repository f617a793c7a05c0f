#include "run.hpp"
#include "clock.hpp"
#include "judge.hpp"
#include "rest.hpp"
#include "samples.hpp"
#include "tell.hpp"
#include "temporary_place.hpp"
#include "view.hpp"
#include <algorithm>

namespace edupulse::simulator {

namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 50ms;
constexpr auto settle_patience = 60s;

/// What is to happen when: each fault begins once and ends once, and one that flaps does so often.
class timetable {
public:
  explicit timetable(const plan& what) {
    for (const auto& one : what.faults) {
      if (one.what == fault_word::flap) {
        const auto lasts = one.lasts > 0 ? one.lasts : 2 * one.period;
        for (double at = 0; at < lasts; at += one.period)
          add(one, one.at + at, one.at + std::min(at + one.period / 2, lasts));
      } else {
        add(one, one.at, one.at + one.lasts);
      }
    }
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const step& a, const step& b) { return a.at < b.at; });
  }

  bool is_over() const noexcept { return next_ == steps_.size(); }
  double end() const { return steps_.empty() ? 0 : steps_.back().at; }
  /// Does what is due. Answers what began or ended.
  std::vector<std::string> carry_out(process_cluster& all, double now) {
    std::vector<std::string> said;
    for (; !is_over() && steps_[next_].at <= now; ++next_) {
      const auto& one = steps_[next_];
      if (one.begins)
        all.begin(*one.what);
      else
        all.end(*one.what);
      said.push_back(to_string(*one.what) + (one.begins ? "" : " is over"));
    }
    return said;
  }

private:
  struct step {
    double at;
    bool begins;
    const fault_plan* what;
  };
  void add(const fault_plan& what, double from, double until) {
    steps_.push_back({from, true, &what});
    if (until > from)
      steps_.push_back({until, false, &what});
  }
  std::vector<step> steps_;
  std::size_t next_ = 0;
};

class run {
public:
  run(const plan& what, const run_settings& how, const search::interrupt& stop,
      const std::filesystem::path& place)
      : plan_(what), stop_(stop), all_(what, place, how.arguments, stop), times_(what),
        view_(what, all_, times_.end(), how.quiet) {}

  expected<run_report> carry_out() {
    if (auto started = all_.start_all(); !started)
      return tl::unexpected(started.error());
    all_.go();
    publish();
    const bool whole = !stop_.happened() && settle();
    const auto seconds = all_.seconds();
    view_.say(stop_.happened() ? "interrupted: the nodes are stopped"
                               : "all is handled: the nodes say their ledgers and leave");
    all_.finish(stop_.happened() ? duration(1500ms) : duration(15s));
    view_.end();
    return conclude(whole, seconds);
  }

private:
  void look() {
    const auto until = std::min(search::now() + look_every, next_look_);
    all_.hear(std::max(duration::zero(), duration(until - search::now())));
    if (search::now() >= next_look_) {
      next_look_ = search::now() + look_every;
      owed_at now{all_.seconds(), {}};
      for (std::size_t node = 0; node < all_.size(); ++node)
        now.by_node.push_back(all_.view(node).work.owed);
      owed_.push_back(std::move(now));
      view_.redraw();
    }
  }

  void publish() {
    while (!stop_.happened() && all_.troubles().empty()) {
      for (const auto& said : times_.carry_out(all_, all_.seconds()))
        view_.say(said);
      if (times_.is_over() && all_.has_published())
        break;
      look();
    }
  }

  /// Until all see all, and are at rest: what drains takes no events of handlers any more.
  bool settle() {
    const auto until = search::now() + settle_patience;
    while (!all_.is_whole() && search::now() < until && !stop_.happened())
      look();
    const bool whole = all_.is_whole();
    rest_watch watch;
    while (!watch.is_at_rest(search::now_ns(), work()) && search::now() < until &&
           !stop_.happened() && all_.troubles().empty())
      look();
    if (auto good = all_.drain(5s); !good)
      undrained_ = good.error().text;
    return whole;
  }

  std::vector<work_report> work() const {
    std::vector<work_report> all;
    for (std::size_t node = 0; node < all_.size(); ++node)
      if (all_.view(node).up)
        all.push_back(all_.view(node).work);
    return all;
  }

  run_report conclude(bool whole, double seconds) {
    auto made = report_of(plan_);
    made.seconds = seconds;
    made.notes.insert(made.notes.end(), all_.notes().begin(), all_.notes().end());
    evidence seen{plan_, all_.starts(), all_.sightings(), all_.began_ns(), all_.troubles(), whole};
    if (stop_.happened()) {
      made.outcome.unchecked.push_back("the run was interrupted after " +
                                       std::to_string(static_cast<int>(seconds)) + " s");
      seen.whole = true;
    }
    if (!undrained_.empty())
      made.notes.push_back("not everything was concluded in time: " + undrained_);
    judge(seen, made);
    made.samples = samples_of(all_.starts(), owed_, plan_.nodes, all_.began_ns(), seconds);
    made.membership = sightings_of(all_.sightings(), all_.starts(), plan_.nodes, all_.began_ns());
    return made;
  }

  const plan& plan_;
  const search::interrupt& stop_;
  process_cluster all_;
  timetable times_;
  live_view view_;
  std::vector<owed_at> owed_;
  time_point next_look_{};
  std::string undrained_;
};

} // namespace

expected<run_report> run_processes(const plan& what, const run_settings& how,
                                   const search::interrupt& stop) {
  search::temporary_place place;
  const auto dir = place.make();
  if (!dir)
    return tl::unexpected(dir.error());
  return run(what, how, stop, *dir).carry_out();
}

} // namespace edupulse::simulator
