#pragma once
// All events of a run, by id, and who handled them: from the journals of its nodes.

#include "cluster.hpp"
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace edupulse::simulator {

struct event {
  std::uint32_t start = 0;   ///< of its publisher
  std::uint64_t source = 0;  ///< there: 0 is the workload, others are objects of plugins
  std::uint64_t number = 0;  ///< of that source, from 1
  std::uint32_t handler = 0; ///< of a plugin, that published it
  std::uint64_t wanted = ~std::uint64_t{0}; ///< by handlers of the plan
  std::uint64_t key = 0;
  std::uint64_t payload = 0;
  std::uint64_t id_high = 0;
  std::uint64_t id_low = 0;
  std::int64_t at_ns = 0;
  bool is_accepted = false; ///< else: refused, or nobody knows
};

/// One success.
struct handling {
  std::size_t event = 0;
  std::uint32_t start = 0;
  std::int64_t at_ns = 0;
  std::uint64_t gap = 0;
};

class event_index {
public:
  event_index(const plan& what, std::vector<node_start>& starts);

  std::size_t size() const noexcept { return events_.size(); }
  const event& operator[](std::size_t at) const { return events_[at]; }
  /// The place of the first event of a start, and how many there are.
  std::pair<std::size_t, std::size_t> of(std::uint32_t start) const { return ranges_[start]; }
  std::uint64_t accepted() const noexcept { return accepted_; }
  std::uint64_t of_plugins() const noexcept { return of_plugins_; }
  std::uint64_t handled() const noexcept { return handled_; }
  std::string name(const event& what) const;

  /// What was handled and had not been published so.
  struct stranger {
    std::string why;
    const event* about; ///< or null
  };
  const std::vector<stranger>& strangers() const noexcept { return strangers_; }
  /// Successes of a handler of the plan on these nodes, in order of time.
  std::vector<handling> handlings(std::size_t handler, const std::vector<std::size_t>& nodes) const;
  /// Calls that were made with it, in no order.
  std::vector<record> records_of(const event& what) const;

private:
  struct id_hash {
    std::size_t operator()(const std::pair<std::uint64_t, std::uint64_t>& id) const noexcept {
      return id.second ^ id.first * 0x9e3779b97f4a7c15ULL;
    }
  };

  void read_publisher(node_start& from);
  void read_plugins(node_start& from);
  void read_handlers(node_start& from);
  std::optional<std::size_t> find(const record& what);
  std::optional<std::size_t> adopt(const record& what);

  const plan& plan_;
  std::vector<node_start>& starts_;
  std::vector<event> events_;
  std::vector<std::pair<std::size_t, std::size_t>> ranges_; ///< by start
  std::vector<std::size_t>
      workloads_; ///< by start: so many of these are of the workload, the first
  std::unordered_map<std::pair<std::uint64_t, std::uint64_t>, std::size_t, id_hash> by_id_;
  std::vector<std::vector<std::vector<handling>>> handled_by_; ///< by start and handler
  std::vector<stranger> strangers_;
  std::uint64_t accepted_ = 0;
  std::uint64_t of_plugins_ = 0;
  std::uint64_t handled_ = 0;
};

} // namespace edupulse::simulator
