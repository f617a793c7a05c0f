// A node for the fault tests (faults.py): publishes on command, handles what comes, and notes both
// in a file. One command a line on standard input, answers on standard output:
//
//   publish N RATE KEYS [best]   N events at RATE a second (0: as fast as it goes); "done ..."
//   later enough                       ends that before its time members | ledger | counters  what
//   the node says of itself, ended by "end" ready N SECONDS              until N subscriptions of
//   the cluster match drain SECONDS                until everything that was published has been
//   concluded slow MICROSECONDS            each call of the handler takes so long from now on stop
//   SECONDS                 as SIGTERM: drains, says what is left, ends
//
// The end of standard input ends the process at once, as does a second SIGTERM. It dies with the
// process that started it, even when it is stopped.

#include "examples/simulator/line_source.hpp"
#include "fault.capnp.h"
#include "tests/cluster/fault_journal.hpp"
#include <CLI/CLI.hpp>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <edupulse/node.hpp>
#include <iostream>
#include <mutex>
#include <poll.h>
#include <sstream>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <thread>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

constexpr auto topic = "fault.probe";

struct setup {
  node_options node;
  std::string profile = "local";
  std::string log = "info";
  std::string journal;
  std::size_t records = 1u << 20;
  std::size_t filling = 200;
  std::uint32_t start = 1;
  rlim_t files = 0;
  bool consume = false;
  std::string group;
  std::string overload = "wait";
  std::int64_t stall_ms = 2000;
  std::int64_t unreachable_ms = 60'000;
};

/// Whole lines, whoever writes them.
void say(const std::string& line) {
  static std::mutex guard;
  std::lock_guard lock(guard);
  std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
  std::fflush(stdout);
}

/// Lets events go at a steady rate, in portions of a hundredth of a second.
class pace {
public:
  explicit pace(std::uint64_t rate) : rate_(rate), timer_(make_timer()) {}
  /// False: it is over.
  bool wait_for_turn(int end) {
    if (rate_ == 0 || left_ > 0) {
      left_ -= left_ > 0;
      return true;
    }
    while (left_ == 0) {
      pollfd either[2] = {{timer_.number(), POLLIN, 0}, {end, POLLIN, 0}};
      ::poll(either, 2, -1);
      if ((either[1].revents & POLLIN) != 0)
        return false;
      std::uint64_t ticks = 0;
      if (::read(timer_.number(), &ticks, sizeof ticks) != sizeof ticks)
        continue;
      owed_ += ticks * rate_;
      left_ = owed_ / 100;
      owed_ %= 100;
    }
    --left_;
    return true;
  }

private:
  static int make_timer() {
    const int made = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    const itimerspec every{{0, 10'000'000}, {0, 1}};
    ::timerfd_settime(made, 0, &every, nullptr);
    return made;
  }
  std::uint64_t rate_;
  descriptor timer_;
  std::uint64_t left_ = 0;
  std::uint64_t owed_ = 0; ///< in hundredths
};

class fault_node {
public:
  explicit fault_node(const setup& how)
      : how_(how), journal_(how.journal, how.records), end_(::eventfd(0, EFD_CLOEXEC)),
        bytes_(how.filling) {}
  ~fault_node() { end_publishing(); }

  /// Errors: as of the node.
  expected<void> start();
  /// False: the node has stopped.
  bool obey(const std::string& line);
  void stop(std::int64_t seconds);

private:
  void handle(const FaultProbe::Reader& probe, const event_info& info);
  void publish(std::uint64_t count, std::uint64_t rate, std::uint32_t lanes, bool best_effort);
  bool publish_one(std::uint32_t lane, bool best_effort);
  void end_publishing();
  void say_members() const;
  void say_ledger() const;

  const setup& how_;
  fault_journal journal_;
  descriptor end_; ///< of publishing
  std::vector<std::byte> bytes_;
  std::optional<node> node_;
  std::thread publisher_;
  std::uint64_t number_ = 0;
  std::atomic<int> slow_us_{0};
};

expected<void> fault_node::start() {
  if (!journal_.is_open())
    return fail(errc::io, "the journal " + quote(how_.journal) + " cannot be made");
  auto started = node::start(how_.node);
  if (!started)
    return tl::unexpected<error>(started.error());
  node_.emplace(std::move(*started));
  auto watch = node_->subscribe<MemberChanged>("watch", [](auto member, const event_info& info) {
    say("member " + std::string(info.topic().substr(info.topic().rfind('.') + 1)) + " " +
        std::string(member.getName().cStr()) + " " + std::to_string(member.getEpoch()));
  });
  if (!watch)
    return tl::unexpected<error>(watch.error());
  if (how_.consume) {
    subscription_options options;
    options.group = how_.group;
    options.stall_after = std::chrono::milliseconds(how_.stall_ms);
    options.overload = how_.overload == "strict" ? overload_policy::strict : overload_policy::wait;
    auto sink = node_->subscribe<FaultProbe>(
        "sink", [this](auto probe, const event_info& info) { handle(probe, info); }, options);
    if (!sink)
      return tl::unexpected<error>(sink.error());
  }
  say("up " + node_->address() + " " + to_string(node_->id()) + " " +
      std::to_string(node_->epoch()));
  return {};
}

void fault_node::handle(const FaultProbe::Reader& probe, const event_info& info) {
  fault_record what;
  what.start = probe.getStart();
  what.number = probe.getNumber();
  what.lane = probe.getLane();
  what.attempt = info.attempt();
  what.gap = info.gap();
  what.id_high = high_half(info.id().value);
  what.id_low = low_half(info.id().value);
  what.best_effort = info.event().level() == delivery_level::best_effort;
  const auto filling = probe.getFilling();
  for (const auto one : filling)
    what.damaged |= one != static_cast<kj::byte>(what.number);
  what.damaged |= filling.size() != how_.filling || info.key() != "k" + std::to_string(what.lane);
  if (!journal_.put(seen::handled, what))
    say("trouble the journal is full");
  if (const int us = slow_us_; us > 0) {
    const timespec span{us / 1'000'000, us % 1'000'000 * 1000L};
    ::ppoll(nullptr, 0, &span, nullptr);
  }
}

bool fault_node::publish_one(std::uint32_t lane, bool best_effort) {
  fault_record what;
  what.start = how_.start;
  what.number = ++number_;
  what.lane = lane;
  what.best_effort = best_effort;
  if (!journal_.put(seen::intended, what))
    say("trouble the journal is full");
  const auto key = "k" + std::to_string(lane);
  publish_options options;
  options.level = best_effort ? delivery_level::best_effort : delivery_level::acknowledged;
  auto done = node_->publish<FaultProbe>(
      [&](auto to) {
        to.setKey(key);
        to.setStart(what.start);
        to.setNumber(what.number);
        to.setLane(lane);
        auto filling = to.initFilling(static_cast<unsigned>(how_.filling));
        std::memset(filling.begin(), static_cast<int>(what.number & 0xff), filling.size());
      },
      options);
  if (done) {
    what.id_high = high_half(done->id().value);
    what.id_low = low_half(done->id().value);
  }
  journal_.put(done ? seen::published : seen::refused, what);
  return done.has_value();
}

void fault_node::publish(std::uint64_t count, std::uint64_t rate, std::uint32_t lanes,
                         bool best_effort) {
  pace turns(rate);
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < count && turns.wait_for_turn(end_.number()); ++i)
    ++(publish_one(static_cast<std::uint32_t>(i % lanes), best_effort) ? admitted : refused);
  say("done " + std::to_string(admitted) + " " + std::to_string(refused));
}

void fault_node::say_members() const {
  for (const auto& one : node_->members())
    say("is " + one.name + " " + std::string(to_string(one.state)) +
        (one.self || one.connected ? " connected " : " apart ") + std::to_string(one.epoch) + " " +
        one.address);
  say("end");
}

void fault_node::say_ledger() const {
  const auto view = node_->ledger();
  for (const auto& line : view.lines) {
    if (line.topic != topic)
      continue;
    std::ostringstream text;
    text << "line " << (line.received ? "received " : "own ") << line.subscription << ' '
         << line.published << ' ' << line.handled << ' ' << line.dead << ' ' << line.expired << ' '
         << line.pending;
    for (std::size_t why = 0; why < drop_reasons; ++why)
      text << ' ' << to_string(static_cast<drop_reason>(why)) << '=' << line.dropped[why];
    say(text.str());
  }
  say(view.balances() ? "balances" : "differs");
  say("end");
}

void fault_node::end_publishing() {
  if (!publisher_.joinable())
    return;
  ::eventfd_write(end_.number(), 1);
  publisher_.join();
  eventfd_t any = 0;
  ::eventfd_read(end_.number(), &any);
}

void fault_node::stop(std::int64_t seconds) {
  end_publishing();
  const auto left = node_->stop(std::chrono::seconds(seconds));
  say_ledger();
  say("stopped " + std::string(left.drained ? "drained " : "undrained ") +
      std::to_string(left.dropped));
}

bool fault_node::obey(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::string level;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint32_t c = 1;
  words >> verb >> a >> b >> c >> level;
  if (verb == "publish") {
    end_publishing();
    publisher_ = std::thread([=, this] { publish(a, b, std::max(c, 1u), level == "best"); });
  } else if (verb == "enough") {
    end_publishing();
  } else if (verb == "members") {
    say_members();
  } else if (verb == "ledger") {
    say_ledger();
  } else if (verb == "counters") {
    for (const auto& [name, value] : node_->counters())
      say("counter " + name + " " + std::to_string(value));
    say("end");
  } else if (verb == "ready") {
    const auto done = node_->ready(topic, a, std::chrono::seconds(b));
    say(done ? "ready" : "unready " + done.error().text);
  } else if (verb == "slow") {
    slow_us_ = static_cast<int>(a);
  } else if (verb == "stop") {
    stop(static_cast<std::int64_t>(a));
    return false;
  } else {
    say("trouble there is no '" + verb + "'");
  }
  return true;
}

/// The first SIGTERM is told to the reader of commands, the second ends the process.
void wait_for_signals(sigset_t which, int tell) {
  int number = 0;
  ::sigwait(&which, &number);
  ::eventfd_write(tell, 1);
  ::sigwait(&which, &number);
  ::_exit(143);
}

void add_options(CLI::App& app, setup& how) {
  app.add_option("--name", how.node.name)->required();
  app.add_option("--journal", how.journal)->required();
  app.add_option("--listen", how.node.cluster.listen);
  app.add_option("--advertise", how.node.cluster.advertise);
  app.add_option("--join", how.node.cluster.join);
  app.add_option("--tls", how.node.cluster.tls);
  app.add_option("--data", how.node.data_dir);
  app.add_option("--cluster", how.node.cluster.name);
  app.add_option("--profile", how.profile)->check(CLI::IsMember({"local", "lan", "wan"}));
  app.add_option("--log", how.log)->check(CLI::IsMember({"debug", "info", "warning"}));
  app.add_option("--records", how.records);
  app.add_option("--filling", how.filling);
  app.add_option("--start", how.start);
  app.add_option("--files", how.files, "RLIMIT_NOFILE");
  app.add_option("--group", how.group);
  app.add_option("--overload", how.overload);
  app.add_option("--stall-ms", how.stall_ms);
  app.add_option("--unreachable-ms", how.unreachable_ms);
  app.add_flag("--consume", how.consume);
  app.add_flag("--insecure", how.node.cluster.insecure_plaintext);
}

int run(setup& how) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (how.files > 0) {
    const rlimit limit{how.files, how.files};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  how.node.cluster.profile = how.profile == "lan"   ? network_profile::lan
                             : how.profile == "wan" ? network_profile::wan
                                                    : network_profile::local;
  how.node.cluster.unreachable_after = std::chrono::milliseconds(how.unreachable_ms);
  how.node.log = how.log == "debug"  ? log_level::debug
                 : how.log == "info" ? log_level::info
                                     : log_level::warning;
  sigset_t term;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, nullptr); // before there are other threads
  const descriptor terminated(::eventfd(0, EFD_CLOEXEC));
  std::thread([=, tell = terminated.number()] { wait_for_signals(term, tell); }).detach();
  fault_node it(how);
  if (const auto good = it.start(); !good) {
    say("failed " + good.error().text);
    return 1;
  }
  simulator::line_source from(STDIN_FILENO, terminated.number(), "stop 5");
  for (std::string line; from.next(line);)
    if (!it.obey(line))
      return 0;
  ::_exit(3);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app("A node for the fault tests");
  setup how;
  add_options(app, how);
  CLI11_PARSE(app, argc, argv);
  return run(how);
}
