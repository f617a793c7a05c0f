#pragma once
// Ways to get events from one process to others, ours and those of the peers, and one driver that
// puts the same load on each of them.
//
// What a publisher says and hears: "address A", hears "go", "published". A subscriber: "ready",
// then "done FIRST LAST COUNT" (nanoseconds of the first and the last event) when it has seen all,
// or when it hears "stop"; it may answer "seen" with "seen COUNT". Of a latency run a subscriber
// says "percentiles P50 P99 P999" instead.

#include "bench.hpp"
#include "children.hpp"
#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace bench {

struct load {
  std::uint64_t events = 1'000'000;
  int subscribers = 1;
  std::size_t bytes = payload_bytes;
};

struct throughput_seen {
  double per_second = 0; ///< deliveries, over all subscribers
  std::uint64_t missing = 0;
};

struct percentiles {
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
};

/// Starts the publisher, then a subscriber at its address.
struct contender {
  std::string name;
  std::string missing; ///< why it cannot run here; empty: it can
  std::function<child(const load&)> publisher;
  std::function<child(const load&, const std::string& address)> subscriber;
};

struct running {
  child publisher;
  std::vector<child> subscribers;
};
/// Until "go" was said.
running start(const contender& who, const load& what);

struct counted {
  std::int64_t first = 0; ///< nanoseconds
  std::int64_t last = 0;
  std::uint64_t count = 0;
  static counted parse(const std::string& line);
};
/// After all was published. Who has seen nothing new for a second then has lost the rest.
counted figures_of(child& subscriber);

throughput_seen drive(const contender& who, const load& what);
/// `publisher` and `subscriber` must be those of a paced run.
percentiles drive_paced(const contender& who, const load& what);

/// Five runs (two when quick), taking turns. `figures[i]` are those of `who[i]`; the first is ours.
struct duel {
  std::vector<spread> figures;
  std::vector<spread> ratios; ///< of the first to each, run by run
  std::vector<std::uint64_t> missing;
};
duel take_turns(const std::vector<contender>& who, const load& what, int rounds);

// -- the peers ----------------------------------------------------------------------

contender zeromq();
contender zeromq_paced();
contender nats();
contender redis();
contender erlang();
contender raw_tcp();

using roles = std::map<std::string, std::function<int(const std::vector<std::string>&)>>;
void add_node_roles(roles& to);
void add_cluster_roles(roles& to);
void add_tcp_roles(roles& to);
void add_zeromq_roles(roles& to);
void add_nats_roles(roles& to);
void add_redis_roles(roles& to);
void add_kafka_roles(roles& to);
void add_mirror_roles(roles& to);

/// Counts events in a subscriber of any kind and says "done". `one` is for one thread at a time;
/// `finish` for any.
class tally {
public:
  explicit tally(std::uint64_t expected) : expected_(expected) {}
  void one() {
    const auto seen = seen_.load(std::memory_order_relaxed) + 1;
    seen_.store(seen, std::memory_order_relaxed);
    if (seen == 1)
      first_ = now_ns();
    // Should some be lost, this is when the last one came, give or take 255.
    if (seen % 256 == 0 || seen == expected_)
      last_.store(now_ns(), std::memory_order_relaxed);
    if (seen == expected_)
      finish();
  }
  void finish();
  std::uint64_t seen() const noexcept { return seen_.load(std::memory_order_relaxed); }

private:
  const std::uint64_t expected_;
  std::atomic<std::uint64_t> seen_{0};
  std::atomic<std::int64_t> first_{0};
  std::atomic<std::int64_t> last_{0};
  std::atomic<bool> said_{false};
};
/// The rest of a subscriber's life, beside whoever counts: "stop" is answered, the end ends it.
[[noreturn]] void serve_until_the_end(tally& what);

/// Collects ages of events in a subscriber of any kind and says "percentiles".
class ages {
public:
  explicit ages(std::uint64_t expected) { micros_.reserve(expected_ = expected); }
  void one(std::int64_t sent_ns);

private:
  std::uint64_t expected_;
  std::vector<double> micros_;
};

/// Calls `send(i)` every 200 microseconds: 5,000 a second.
void paced(std::uint64_t events, const std::function<void(std::uint64_t)>& send);

} // namespace bench
