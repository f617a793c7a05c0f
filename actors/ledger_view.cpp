#include "actors/ledger_view.hpp"
#include <algorithm>
#include <numeric>

namespace edupulse {
namespace {

constexpr std::string_view reason_names[drop_reasons] = {
    "shed_stalled", "drop_newest", "drop_oldest", "superseded",  "best_effort_full", "unsubscribed",
    "stopped",      "discarded",   "reassigned",  "unreachable", "unknown",
};

/// Cells of a table: the first two to the left, numbers to the right.
using cells = std::vector<std::string>;
constexpr std::size_t text_columns = 2;

cells cells_of(const ledger_line& line) {
  const std::uint64_t numbers[] = {line.published,        line.handled, line.dead,    line.expired,
                                   line.dropped_in_all(), line.pending, line.retries, line.crashes};
  cells row{line.topic, line.subscription + (line.received ? " (received)" : "")};
  for (const std::uint64_t number : numbers)
    row.push_back(std::to_string(number));
  return row;
}

void print(const std::vector<cells>& table, std::string& to) {
  std::vector<std::size_t> widths(table.front().size());
  for (const cells& row : table)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  for (const cells& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      to += i > 0 ? "  " : "";
      to += i < text_columns ? row[i] + padding : padding + row[i];
    }
    to += '\n';
  }
}

void print_drops(const ledger_line& total, std::string& to) {
  for (std::size_t i = 0; i < drop_reasons; ++i)
    if (total.dropped[i] > 0)
      to += "dropped " + std::string(reason_names[i]) + ": " + std::to_string(total.dropped[i]) +
            '\n';
}

} // namespace

std::string_view to_string(drop_reason why) noexcept {
  return reason_names[static_cast<std::size_t>(why)];
}

std::string_view to_string(fate what) noexcept {
  switch (what) {
  case fate::handled:
    return "handled";
  case fate::dead:
    return "dead";
  case fate::expired:
    return "expired";
  case fate::dropped:
    return "dropped";
  }
  return "unknown";
}

std::uint64_t ledger_counts::dropped_in_all() const noexcept {
  return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
}

void ledger_counts::count(fate how, drop_reason why) noexcept {
  switch (how) {
  case fate::handled:
    ++handled;
    break;
  case fate::dead:
    ++dead;
    break;
  case fate::expired:
    ++expired;
    break;
  case fate::dropped:
    ++dropped[static_cast<std::size_t>(why)];
    break;
  }
}

ledger_counts& ledger_counts::operator+=(const ledger_counts& other) noexcept {
  published += other.published;
  handled += other.handled;
  dead += other.dead;
  expired += other.expired;
  for (std::size_t i = 0; i < drop_reasons; ++i)
    dropped[i] += other.dropped[i];
  retries += other.retries;
  crashes += other.crashes;
  return *this;
}

ledger_line ledger_view::total() const {
  ledger_line sum;
  sum.topic = sum.subscription = "all";
  for (const ledger_line& line : lines) {
    sum += line;
    sum.pending += line.pending;
  }
  return sum;
}

bool ledger_view::balances() const noexcept {
  return std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.balances(); });
}

const ledger_line* ledger_view::find(std::string_view topic,
                                     std::string_view subscription) const noexcept {
  const auto at = std::find_if(lines.begin(), lines.end(), [&](const ledger_line& line) {
    return line.topic == topic && line.subscription == subscription && !line.received;
  });
  return at == lines.end() ? nullptr : &*at;
}

ledger_line ledger_view::of_subscription(std::string_view subscription) const {
  ledger_line sum;
  sum.topic = "all";
  sum.subscription = subscription;
  for (const ledger_line& line : lines) {
    if (line.subscription != subscription)
      continue;
    sum += line;
    sum.pending += line.pending;
  }
  return sum;
}

std::string to_string(const ledger_view& what) {
  std::vector<cells> table{{"topic", "subscription", "published", "handled", "dead", "expired",
                            "dropped", "pending", "retries", "crashes"}};
  for (const ledger_line& line : what.lines)
    table.push_back(cells_of(line));
  const ledger_line total = what.total();
  table.push_back(cells_of(total));
  std::string text;
  print(table, text);
  print_drops(total, text);
  for (const ledger_topic& one : what.topics)
    if (one.no_subscriber > 0)
      text += "no subscriber for " + std::to_string(one.no_subscriber) + " of " +
              std::to_string(one.published) + " events: " + one.topic + '\n';
  text += what.balances() ? "balanced: published = handled + dead + expired + dropped + pending\n"
                          : "NOT BALANCED: please report this as a bug\n";
  return text;
}

} // namespace edupulse
