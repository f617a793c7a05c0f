#pragma once
// What has happened to events, as a bystander sees it who watches publishers and handlers: what was
// given to publish and what became of that, which handler succeeded with what, how the publisher's
// router says that each delivery has ended. The judge compares.

#include "actors/ledger_view.hpp"
#include "schemas/envelope.hpp"
#include "schemas/topic.hpp"
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tsl/robin_map.h>
#include <vector>

namespace edupulse::simulation {

/// A start of a node: its name and its number of all starts of nodes.
using start_number = std::uint32_t;
using event_number = std::uint32_t;

struct published_event {
  event_id id{};
  start_number by = 0;
  std::uint64_t hash = 0; ///< of its bytes
  std::uint64_t key = 0;  ///< its hash; 0: none
  std::string topic{};
  delivery_level level = delivery_level::acknowledged;
  bool accepted = false;
  bool expires = false;
  time_point when{};
  std::int64_t owed = -1; ///< subscriptions; -1: not routed
};

struct subscription_known {
  std::string name;   ///< "indexer@n2"
  std::string filter; ///< as `read_filter` takes it
  std::string group;
  bool drops = false; ///< when it cannot keep up
};

enum class step_kind : std::uint8_t { handled, failed, settled, buried };

/// One thing that happened to an event.
struct event_step {
  time_point when;
  event_number event;
  start_number where;
  std::uint32_t subscription; ///< number in `subscriptions`
  step_kind what;
  fate how = fate::handled;  ///< of `settled`
  std::uint32_t attempt = 0; ///< of `handled` and `failed`
  bool is_known = true;      ///< what was handled is what was published
};

struct start_known {
  std::string node; ///< name
  std::uint64_t epoch = 0;
  time_point begin{};
  time_point end = time_point::max();
};

/// One node has given the other up: what it owed is buried, and what it had received is forgotten.
struct parting {
  std::string by;
  std::string whom;
  time_point when;
};

class record {
public:
  // -- nodes
  start_number begin_start(std::string node, std::uint64_t epoch, time_point now);
  void end_start(start_number which, time_point now) { starts_[which].end = now; }
  void parted(start_number by, std::string whom, time_point now);
  std::uint32_t subscription(subscription_known what);
  std::uint32_t subscription(const std::string& name);

  // -- events
  event_number published(const envelope& event, start_number by, bool accepted, time_point now);
  void routed(const envelope& event, std::uint32_t owed);
  void handled(const envelope& event, start_number where, std::uint32_t subscription,
               std::uint32_t attempt, bool succeeded, time_point now);
  void settled(const envelope& event, start_number where, const std::string& subscription, fate how,
               time_point now);
  void buried(const envelope& event, start_number where, const std::string& subscription,
              time_point now);
  /// A rule that is watched all the time was broken.
  void broken(std::string what, time_point now);

  // -- reading
  const std::deque<published_event>& events() const noexcept { return events_; }
  const std::deque<event_step>& steps() const noexcept { return steps_; }
  const std::vector<start_known>& starts() const noexcept { return starts_; }
  const std::vector<subscription_known>& subscriptions() const noexcept { return known_; }
  const std::vector<parting>& partings() const noexcept { return partings_; }
  const std::vector<std::string>& rules_broken() const noexcept { return broken_; }
  /// All that is known of one event, a line each.
  std::vector<std::string> story(event_number which) const;
  std::string start_name(start_number which) const;

private:
  std::uint64_t number_of(const envelope& event, bool& is_known);
  void add(event_step what) { steps_.push_back(what); }

  std::deque<published_event> events_;
  tsl::robin_map<event_id, event_number> numbers_;
  std::deque<event_step> steps_;
  std::vector<start_known> starts_;
  std::vector<subscription_known> known_;
  std::map<std::string, std::uint32_t> names_;
  std::vector<parting> partings_;
  std::vector<std::string> broken_;
};

/// As `topic_filter::text` writes them, those of one event and all below it among them.
expected<topic_filter> read_filter(std::string_view text);

/// Of the bytes of an event, as they are published and as they are handled.
std::uint64_t content_hash(const envelope& event);

} // namespace edupulse::simulation
