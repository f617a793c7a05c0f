#pragma once
// The node processes of a run, as their parent sees them: starts them, breaks them, hears what they
// say. One thread, the main one.

#include "child_process.hpp"
#include "journal.hpp"
#include "plan.hpp"
#include "report.hpp"
#include "rest.hpp"
#include <map>
#include <memory>
#include <set>

namespace edupulse::simulator {

using search::child_process;
using search::interrupt;

/// What a node said of its own ledger.
struct books {
  std::vector<run_report::ledger_row> rows{};
  std::vector<std::pair<std::string, std::string>> letters{}; ///< subscription and cause
  bool balanced = false;
};

/// One start of one node.
struct node_start {
  std::uint32_t number = 0;
  std::size_t node = 0;
  journal_reader journal{};
  std::int64_t begin_ns = 0;
  std::optional<std::int64_t> end_ns{};
  bool killed = false;         ///< nobody knows what it had in hand
  std::optional<books> said{}; ///< its last words
};

/// A change in what one node believes of another.
struct sighting {
  std::int64_t at_ns = 0;
  std::size_t by = 0;
  std::size_t who = 0;
  run_report::member_state state{};
};

class process_cluster {
public:
  /// `arguments`: those of this program, which its nodes read the plan from.
  process_cluster(const plan& what, std::filesystem::path place, std::vector<std::string> arguments,
                  const interrupt& stop);

  /// All but those that come late. Errors: of the first that does not start.
  expected<void> start_all();
  /// Publishers begin; time counts from here.
  void go();
  void begin(const fault_plan& what);
  void end(const fault_plan& what);
  /// Hears what the nodes say, waiting up to `patience` for the first of it.
  void hear(duration patience);

  // -- looking --------------------------------------------------------------------------
  struct node_view {
    bool up = false;
    bool paused = false;
    work_report work{};
    std::map<std::string, std::string> sees{};
  };
  const node_view& view(std::size_t node) const { return nodes_[node].seen; }
  std::size_t size() const noexcept { return nodes_.size(); }
  /// All that was to be published has been, and every process is there that should be.
  bool has_published() const;
  /// All that run see all that run, alive and connected.
  bool is_whole() const;
  std::vector<node_start>& starts() noexcept { return starts_; }
  const std::vector<sighting>& sightings() const noexcept { return sightings_; }
  const std::vector<std::string>& troubles() const noexcept { return troubles_; }
  const std::vector<std::string>& notes() const noexcept { return notes_; }
  std::int64_t began_ns() const noexcept { return began_ns_; }
  double seconds() const; ///< since `go`

  // -- the end ----------------------------------------------------------------------------
  /// Publishers wait until all is concluded. Errors: `timed_out`, who is owed something still.
  expected<void> drain(duration patience);
  /// All say their books, leave and end.
  void finish(duration patience);
  void kill_all();

private:
  struct slot {
    std::unique_ptr<child_process> process{};
    node_view seen{};
    std::string address{};
    bool expected_up = false; ///< by the plan
    bool leaving = false;
    bool publishes = false;
    std::uint64_t published = 0;             ///< events of all its starts that have ended
    bool start_again = false;                ///< once its process has ended
    std::size_t crashes = 0;                 ///< that the plan allows
    std::optional<time_point> up_again_at{}; ///< after one of them
    books saying{};
    std::size_t start = 0; ///< in `starts_`
  };

  std::filesystem::path journal_of(const node_start& which) const;
  expected<void> launch(std::size_t which);
  expected<std::string> await(std::size_t which, std::initializer_list<std::string_view> words,
                              duration patience);
  void heard(std::size_t which, const std::string& line);
  void heard_row(std::size_t which, const std::string& rest);
  void ended(std::size_t which);
  void publish_rest(std::size_t which);
  std::uint64_t share_of(std::size_t publisher) const;
  void kill(std::size_t which);
  void launch_again(std::size_t which);
  void change_lines(const fault_plan& what, bool begins);
  void set_lines();
  void tell_lines(std::size_t which);
  std::size_t subscriptions(std::string_view topic) const;
  std::string ready_for_all(std::size_t seconds) const;
  void crashed(std::size_t which);
  void launch_crashed();
  bool publishes(std::size_t which) const noexcept { return which < plan_.publishers; }

  struct pair_fault {
    int blocked = 0;
    double delay_ms = 0;
    double bytes_per_second = 0;
  };

  const plan& plan_;
  std::filesystem::path place_;
  std::vector<std::string> arguments_;
  const interrupt& stop_;
  std::vector<slot> nodes_;
  std::vector<node_start> starts_;
  std::vector<sighting> sightings_;
  std::vector<std::string> troubles_;
  std::vector<std::string> notes_;
  std::map<std::pair<std::size_t, std::size_t>, pair_fault> lines_; ///< from, to
  std::int64_t began_ns_ = 0;
};

} // namespace edupulse::simulator
