#pragma once
// What is seen of a run while it runs: on a terminal a block that is redrawn in place, elsewhere a
// line every two seconds. `draw` is a pure function from numbers to text.

#include "cluster.hpp"
#include "console.hpp"
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace edupulse::simulator {

struct view_numbers {
  struct node {
    std::string name{};
    std::string state{};       ///< "up", "stopped", "down"
    double published_rate = 0; ///< events a second
    double handled_rate = 0;   ///< events a second
    std::uint64_t owed = 0;    ///< events
    std::string sees{};        ///< whom it does not see alive
  };
  std::string title{};
  double seconds = 0;
  double fraction = 0;          ///< of the run, as far as can be known
  std::optional<double> left{}; ///< seconds
  std::uint64_t published = 0;
  std::uint64_t handled = 0;
  std::vector<node> nodes{};
  std::vector<std::string> faults{}; ///< the last few, as they happened
};

/// Lines of at most `width` columns. On fewer rows than nodes the middle of the table is left out.
std::vector<std::string> draw(const view_numbers& now, std::size_t width, std::size_t rows);
std::string plain_line(const view_numbers& now);

class live_view {
public:
  /// `faults_end`: seconds, of the last fault. `all` outlives it.
  live_view(const plan& what, process_cluster& all, double faults_end, bool quiet);

  void redraw();
  /// Something happened.
  void say(const std::string& what);
  void end();

private:
  view_numbers numbers(double now);
  void clear();

  const plan& plan_;
  process_cluster& all_;
  double faults_end_;
  bool quiet_;
  search::console screen_;
  std::size_t drawn_ = 0; ///< lines
  double last_ = -1;      ///< seconds, when it was drawn
  std::uint64_t published_ = 0;
  std::uint64_t of_plugins_ = 0; ///< of those published
  std::uint64_t handled_ = 0;
  std::deque<std::string> faults_;
};

} // namespace edupulse::simulator
