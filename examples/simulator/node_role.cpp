// What the parent says, a line each, and what is answered:
//
//   line ADDRESS BLOCKED_TO BLOCKED_FROM DELAY_MS BYTES_PER_SECOND    of the relay
//   reset ADDRESS
//   begin                      the node is started: "up ADDRESS EPOCH", or "failed WHY"
//   ready SECONDS TOPIC N ...  "ready" or "unready WHY"
//   publish FIRST COUNT RATE   from the FIRST event of the input on; "done ADMITTED REFUSED" later
//   drain SECONDS              "drained" or "undrained WHY"
//   books                      "row ...", "letter ...", "balanced" or "unbalanced", "end"
//   stop SECONDS               the node leaves, and the process ends
//
// Untold it says "member WHAT NAME AT_NS"; four times a second "work AT_NS PUBLISHED OWED"; "views
// NAME=STATE ..." when they have changed; "trouble WHAT"; "skipped WHAT". SIGTERM is a stop of ten
// seconds; the end of standard input is the end of the process at once.

#include "node_role.hpp"
#include "clock.hpp"
#include "journal.hpp"
#include "line_source.hpp"
#include "node_plugins.hpp"
#include "pace.hpp"
#include "rest.hpp"
#include "schemas/hash.hpp"
#include "schemas/member_event.hpp"
#include "workload.hpp"
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <edupulse/faulty_wire.hpp>
#include <edupulse/node.hpp>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>
#include <unistd.h>

namespace edupulse::simulator {

namespace {

using namespace std::chrono_literals;

std::mutex saying;

void say(const std::string& line) {
  const std::lock_guard guard(saying);
  std::cout << line << '\n' << std::flush;
}

/// Waits as somebody does who calls a slow service.
void take(double milliseconds) {
  const auto ns = static_cast<std::int64_t>(milliseconds * 1e6);
  const timespec span{ns / 1'000'000'000, ns % 1'000'000'000};
  ::ppoll(nullptr, 0, &span, nullptr);
}

class node_process {
public:
  node_process(const plan& what, const role& self)
      : plan_(what), self_(self), journal_(self.journal, self.records),
        wire_(what.needs_relay() ? std::make_shared<faulty_wire>() : nullptr),
        plugins_(what, self, [this](record_kind kind, const record& entry) { note(kind, entry); }) {
  }
  ~node_process() { end_publishing(); }

  bool is_ready() const noexcept { return journal_.is_open(); }
  bool obey(const std::string& line); ///< false: it is over

private:
  expected<void> begin();
  node_options options() const;
  expected<void> subscribe(std::size_t which);
  outcome handle(std::size_t which, const envelope& event, context& ctx);
  void set_line(std::istringstream& words);
  void say_when_ready(std::istringstream& words);
  void publish(std::uint64_t first, std::uint64_t count, double rate);
  bool publish_one(workload& from);
  void end_publishing();
  void say_how_it_is();
  void say_books() const;
  void say_work() const;
  void stop(double seconds);
  void note(record_kind what, const record& entry);

  const plan& plan_;
  const role& self_;
  journal_writer journal_;
  std::shared_ptr<faulty_wire> wire_;
  std::optional<node> node_;
  node_plugins plugins_;
  std::atomic<bool> enough_{false};
  std::thread publisher_;
  std::uint64_t number_ = 0;
  std::vector<std::unique_ptr<std::atomic<std::uint64_t>>> calls_; ///< by handler
  std::mutex mutex_;
  std::condition_variable over_;
  bool ends_ = false;
  std::thread teller_;
};

node_options node_process::options() const {
  node_options how;
  how.name = name_of(self_.node);
  how.data_dir = self_.place / how.name;
  how.cluster.name = "simulation";
  how.cluster.listen = self_.listen;
  how.cluster.join = self_.join;
  how.cluster.hook = wire_;
  how.cluster.profile = plan_.profile == "wan"   ? network_profile::wan
                        : plan_.profile == "lan" ? network_profile::lan
                                                 : network_profile::local;
  how.cluster.unreachable_after = seconds_of(plan_.unreachable_after);
  how.seed = plan_.seed * 1000 + self_.start + 1;
  how.log = log_level::warning;
  return how;
}

expected<void> node_process::begin() {
  auto started = node::start(options());
  if (!started)
    return tl::unexpected(started.error());
  node_.emplace(std::move(*started));
  auto watch = node_->subscribe<MemberChanged>("watch", [](auto member, const event_info& info) {
    say("member " + std::string(info.topic().substr(info.topic().rfind('.') + 1)) + " " +
        std::string(member.getName().cStr()) + " " + std::to_string(search::now_ns()));
  });
  if (!watch)
    return tl::unexpected(watch.error());
  for (std::size_t which = 0; which < plan_.handlers.size(); ++which)
    calls_.push_back(std::make_unique<std::atomic<std::uint64_t>>(0));
  for (std::size_t which = 0; which < plan_.handlers.size(); ++which)
    if (plan_.handlers[which].runs_on(self_.node) && !plan_.handlers[which].of_plugin)
      if (auto good = subscribe(which); !good)
        return good;
  if (auto good = plugins_.open(*node_); !good)
    return good;
  for (const auto& one : plugins_.crashes())
    say("crash " + on_one_line(one));
  if (auto good = plugins_.load(); !good) // from here on it may crash again
    return good;
  say("up " + node_->address() + " " + std::to_string(node_->epoch()));
  teller_ = std::thread([this] { say_how_it_is(); });
  return {};
}

expected<void> node_process::subscribe(std::size_t which) {
  const auto& one = plan_.handlers[which];
  auto handler = [this, which](const envelope& event, context& ctx) {
    return handle(which, event, ctx);
  };
  const auto made = node_->subscribe(">", one.name, handler, one.options());
  return made ? expected<void>() : tl::unexpected(made.error());
}

void node_process::note(record_kind what, const record& entry) {
  auto whole = entry;
  whole.start = self_.start;
  if (!journal_.put(what, whole))
    say("trouble the journal is full");
}

outcome node_process::handle(std::size_t which, const envelope& event, context& ctx) {
  const auto& one = plan_.handlers[which];
  const auto call = ++*calls_[which];
  if (one.takes_ms > 0)
    take(one.takes_ms);
  auto entry = note_of(event, ctx.attempt(), ctx.gap());
  entry.handler = static_cast<std::uint32_t>(which);
  entry.at_ns = search::now_ns();
  // What goes wrong is drawn from the event and the attempt: the same in each run of a seed.
  const auto dice = mix_bits(entry.id_low ^ plan_.seed ^ ctx.attempt() << 8 ^ which);
  if (one.poison_every > 0 && is_poison(event, one.poison_every)) {
    note(record_kind::failed, entry);
    return outcome::reject("poison: every " + std::to_string(one.poison_every) + "th event is");
  }
  if (call <= one.crash_loop_for || static_cast<double>(dice >> 11) * 0x1p-53 < one.throws) {
    note(record_kind::failed, entry);
    throw std::runtime_error(call <= one.crash_loop_for ? "not ready yet" : "as planned");
  }
  note(record_kind::handled, entry);
  return outcome::ok();
}

// -- publishing -----------------------------------------------------------------------------

bool node_process::publish_one(workload& from) {
  record entry;
  const auto made = from.next(plan_.level == "best_effort", entry);
  if (!made)
    return false;
  entry.number = ++number_;
  while (!enough_) {
    entry.at_ns = search::now_ns();
    note(record_kind::intended, entry);
    const auto given = from.publish(*node_);
    if (given) {
      entry.id_high = high_half(given->id().value);
      entry.id_low = low_half(given->id().value);
      note(record_kind::published, entry);
      return true;
    }
    note(record_kind::refused, entry);
    if (given.error().code != errc::back_pressure || plan_.level == "best_effort") {
      if (given.error().code != errc::back_pressure)
        say("trouble " + on_one_line(given.error().text));
      return given.error().code == errc::back_pressure;
    }
  }
  return false;
}

void node_process::publish(std::uint64_t first, std::uint64_t count, double rate) {
  workload from(plan_, self_.node, first,
                [this](std::string_view event) { return plugins_.type_of(event); });
  pace turns(rate);
  std::uint64_t done = 0;
  for (; done < count && !enough_; ++done) {
    turns.wait_for_turn(enough_);
    if (enough_ || !publish_one(from))
      break;
  }
  for (const auto& one : from.skipped())
    say("skipped " + on_one_line(one));
  say("done " + std::to_string(done));
}

void node_process::end_publishing() {
  enough_ = true;
  if (publisher_.joinable())
    publisher_.join();
  enough_ = false;
}

// -- what is said ---------------------------------------------------------------------------

void node_process::say_how_it_is() {
  std::string known;
  std::unique_lock guard(mutex_);
  while (!over_.wait_for(guard, 250ms, [&] { return ends_; })) {
    guard.unlock();
    say_work();
    std::string views = "views";
    for (const auto& one : node_->members())
      if (!one.self)
        views += " " + one.name + "=" +
                 (one.state == member_state::alive && !one.connected
                      ? "apart"
                      : std::string(to_string(one.state)));
    if (views != known)
      say(known = views);
    guard.lock();
  }
}

void node_process::say_work() const {
  work_report now{search::now_ns(), 0, 0};
  for (const auto& topic : node_->topics())
    now.published += topic.published;
  for (const auto& line : node_->ledger().lines) // after the topics: see rest.hpp
    now.owed += line.received ? 0 : line.pending;
  say("work " + std::to_string(now.at_ns) + " " + std::to_string(now.published) + " " +
      std::to_string(now.owed));
}

void node_process::say_books() const {
  const auto view = node_->ledger();
  for (const auto& line : view.lines) {
    if (line.received || line.topic.starts_with('$'))
      continue;
    std::ostringstream text;
    const bool is_own = line.subscription.find('@') == std::string::npos;
    text << "row " << line.topic << ' ' << line.subscription << (is_own ? "@" + node_->name() : "")
         << ' ' << line.published << ' ' << line.handled << ' ' << line.dead << ' ' << line.expired
         << ' ' << line.pending;
    for (std::size_t why = 0; why < drop_reasons; ++why)
      if (line.dropped[why] > 0)
        text << ' ' << to_string(static_cast<drop_reason>(why)) << '=' << line.dropped[why];
    say(text.str());
  }
  if (const auto letters = node_->dead_letters())
    for (const auto& one : *letters)
      say("letter " + one.subscription + " " + on_one_line(one.reason));
  say(view.balances() ? "balanced" : "unbalanced");
  say("end");
}

void node_process::stop(double seconds) {
  end_publishing();
  {
    const std::lock_guard guard(mutex_);
    ends_ = true;
    over_.notify_all();
  }
  if (teller_.joinable())
    teller_.join();
  if (!node_)
    return;
  static_cast<void>(node_->drain(seconds_of(seconds)));
  say_books();
  node_->stop(0s);
  say("stopped");
}

void node_process::set_line(std::istringstream& words) {
  std::string address;
  int to = 0;
  int from = 0;
  double delay_ms = 0;
  wire_line how;
  words >> address >> to >> from >> delay_ms >> how.to.bytes_per_second;
  how.to.blocked = to != 0;
  how.from.blocked = from != 0;
  how.from.bytes_per_second = how.to.bytes_per_second;
  how.to.delay = how.from.delay = seconds_of(delay_ms / 1000);
  wire_->set(address, how);
}

void node_process::say_when_ready(std::istringstream& words) {
  std::int64_t seconds = 0;
  words >> seconds;
  std::string topic;
  for (std::size_t count = 0; words >> topic >> count;)
    if (const auto done = node_->ready(topic, count, std::chrono::seconds(seconds)); !done)
      return say("unready " + on_one_line(done.error().text));
  say("ready");
}

bool node_process::obey(const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  std::string text;
  words >> verb;
  if (verb == "line") {
    set_line(words);
  } else if (verb == "reset") {
    words >> text;
    wire_->reset(text);
  } else if (verb == "begin") {
    if (const auto good = begin(); !good) {
      say("failed " + on_one_line(good.error().text));
      return false;
    }
  } else if (verb == "ready") {
    say_when_ready(words);
  } else if (verb == "publish") {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    double rate = 0;
    words >> first >> count >> rate;
    end_publishing();
    publisher_ = std::thread([=, this] { publish(first, count, rate); });
  } else if (verb == "drain") {
    std::int64_t seconds = 0;
    words >> seconds;
    end_publishing();
    const auto done = node_->drain(std::chrono::seconds(seconds));
    say(done ? "drained" : "undrained " + on_one_line(done.error().text));
  } else if (verb == "books") {
    say_books();
  } else if (verb == "stop") {
    double seconds = 0;
    words >> seconds;
    stop(seconds);
    return false;
  }
  return true;
}

/// SIGTERM becomes a command: the reader of commands is told through a pipe of its own.
int told_to_end[2] = {-1, -1};

extern "C" void on_term(int) {
  const char byte = 0;
  [[maybe_unused]] const auto written = ::write(told_to_end[1], &byte, 1);
}

} // namespace

int run_node(const plan& what, const role& self) {
  if (::pipe(told_to_end) != 0)
    return 1;
  if (!what.plugins.empty())
    watch_for_crashes();
  std::signal(SIGTERM, on_term);
  std::signal(SIGINT, SIG_IGN);
  node_process it(what, self);
  if (!it.is_ready()) {
    say("failed the journal " + self.journal.string() + " cannot be made");
    return 1;
  }
  line_source commands(STDIN_FILENO, told_to_end[0], "stop 10");
  std::string line;
  while (commands.next(line))
    if (!it.obey(line))
      return 0;
  ::_exit(3); // the parent is gone
}

} // namespace edupulse::simulator
