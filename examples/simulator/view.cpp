#include "view.hpp"
#include "progress_view.hpp"
#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace edupulse::simulator {

namespace {

constexpr double redraw_every = 0.25; ///< seconds, on a terminal
constexpr double plain_every = 2;     ///< elsewhere
constexpr std::size_t faults_shown = 4;
constexpr std::size_t other_rows = 5; ///< title, bar, heading, and two that stay free

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string rate_text(double rate) {
  return search::with_commas(static_cast<std::uint64_t>(rate + 0.5));
}

std::string bar(const view_numbers& now, std::size_t width) {
  const auto percent = std::to_string(static_cast<int>(now.fraction * 100)) + " %";
  auto tail = "  " + percent;
  if (now.left)
    tail += ", " + one_decimal(*now.left) + " s left";
  if (width < tail.size() + 12)
    return percent;
  const auto room = std::min<std::size_t>(width - tail.size() - 2, 60);
  const auto full = static_cast<std::size_t>(now.fraction * static_cast<double>(room));
  return "[" + std::string(full, '=') + std::string(room - full, ' ') + "]" + tail;
}

std::size_t terminal_rows() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

} // namespace

std::vector<std::string> draw(const view_numbers& now, std::size_t width, std::size_t rows) {
  std::vector<std::string> lines;
  lines.push_back(now.title + "  " + one_decimal(now.seconds) + " s  published " +
                  search::with_commas(now.published) + "  handled " +
                  search::with_commas(now.handled));
  lines.push_back(bar(now, width));
  std::vector<std::vector<std::string>> table = {
      {"node", "state", "published/s", "handled/s", "owed", "misses"}};
  const auto room = std::max<std::size_t>(
      rows > other_rows + now.faults.size() ? rows - other_rows - now.faults.size() : 1, 1);
  const auto shown = std::min(room, now.nodes.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& one = now.nodes[i];
    table.push_back({one.name, one.state, rate_text(one.published_rate),
                     rate_text(one.handled_rate), search::with_commas(one.owed), one.sees});
  }
  const auto text = search::aligned_table(table, width);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (shown < now.nodes.size())
    lines.push_back("... and " + std::to_string(now.nodes.size() - shown) + " nodes more");
  for (const auto& one : now.faults)
    lines.push_back(one);
  for (auto& one : lines)
    one = search::fit(one, width);
  return lines;
}

std::string plain_line(const view_numbers& now) {
  std::uint64_t owed = 0;
  std::string down;
  for (const auto& one : now.nodes) {
    owed += one.owed;
    if (one.state != "up")
      down += (down.empty() ? "; " : ", ") + one.name + " is " + one.state;
  }
  return one_decimal(now.seconds) + " s: " + search::with_commas(now.published) + " published, " +
         search::with_commas(now.handled) + " handled, " + search::with_commas(owed) + " owed" +
         down;
}

live_view::live_view(const plan& what, process_cluster& all, double faults_end, bool quiet)
    : plan_(what), all_(all), faults_end_(faults_end), quiet_(quiet) {}

view_numbers live_view::numbers(double now) {
  view_numbers made;
  made.title = plan_.scenario + ", seed " + std::to_string(plan_.seed);
  made.seconds = now;
  made.nodes.resize(all_.size());
  const double passed = std::max(now - std::max(last_, 0.0), 0.001);
  for (auto& start : all_.starts())
    for (const auto& one : start.journal.fresh()) {
      auto& node = made.nodes[start.node];
      published_ += one.kind == record_kind::published;
      of_plugins_ += one.kind == record_kind::published && one.source != 0;
      handled_ += one.kind == record_kind::handled;
      node.published_rate += (one.kind == record_kind::published) / passed;
      node.handled_rate += (one.kind == record_kind::handled) / passed;
    }
  made.published = published_;
  made.handled = handled_;
  for (std::size_t at = 0; at < all_.size(); ++at) {
    const auto& seen = all_.view(at);
    auto& node = made.nodes[at];
    node.name = name_of(at);
    node.state = seen.paused ? "stopped" : seen.up ? "up" : "down";
    node.owed = seen.work.owed;
    for (const auto& [who, state] : seen.sees)
      if (state != "alive" && seen.up)
        node.sees += (node.sees.empty() ? "" : " ") + who + ":" + state;
  }
  const auto by_events =
      static_cast<double>(published_ - of_plugins_) / static_cast<double>(plan_.events);
  made.fraction = faults_end_ > 0 ? std::min(by_events, now / faults_end_) : by_events;
  made.fraction = std::clamp(made.fraction, 0.0, 1.0);
  if (const auto seconds = plan_.seconds())
    made.left = std::max(0.0, std::max(*seconds, faults_end_) - now);
  made.faults.assign(faults_.begin(), faults_.end());
  return made;
}

void live_view::redraw() {
  const double now = all_.seconds();
  if (quiet_ || now - last_ < (screen_.is_terminal() ? redraw_every : plain_every))
    return;
  const auto seen = numbers(now);
  last_ = now;
  if (!screen_.is_terminal())
    return screen_.say(plain_line(seen));
  auto text = std::string();
  const auto lines = draw(seen, screen_.width(), terminal_rows());
  clear();
  for (const auto& one : lines)
    text += one + "\n";
  std::fputs(text.c_str(), stderr);
  drawn_ = lines.size();
}

/// The cursor goes back to where the block began.
void live_view::clear() {
  if (drawn_ > 0)
    std::fprintf(stderr, "\x1b[%zuA\x1b[J", std::exchange(drawn_, 0));
}

void live_view::say(const std::string& what) {
  const auto line = one_decimal(all_.seconds()) + " s: " + what;
  if (!screen_.is_terminal()) {
    if (!quiet_)
      screen_.say(line);
    return;
  }
  faults_.push_back(line);
  if (faults_.size() > faults_shown)
    faults_.pop_front();
}

void live_view::end() { clear(); }

} // namespace edupulse::simulator
