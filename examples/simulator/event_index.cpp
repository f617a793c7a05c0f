#include "event_index.hpp"
#include "units.hpp"
#include <algorithm>
#include <cstdio>

namespace edupulse::simulator {

namespace {

std::string id_text(const record& what) {
  char text[40];
  std::snprintf(text, sizeof text, "%016llx-%016llx", static_cast<unsigned long long>(what.id_high),
                static_cast<unsigned long long>(what.id_low));
  return text;
}

} // namespace

event_index::event_index(const plan& what, std::vector<node_start>& starts)
    : plan_(what), starts_(starts) {
  ranges_.resize(starts.size());
  workloads_.resize(starts.size());
  handled_by_.resize(starts.size());
  for (auto& one : starts_)
    read_publisher(one);
  for (std::size_t at = 0; at < events_.size(); ++at)
    if (events_[at].is_accepted)
      by_id_.emplace(std::pair(events_[at].id_high, events_[at].id_low), at);
  for (auto& one : starts_)
    read_handlers(one);
}

void event_index::read_publisher(node_start& from) {
  const auto first = events_.size();
  for (const auto& one : from.journal.all()) {
    if (one.source != 0 || (one.kind != record_kind::intended &&
                            one.kind != record_kind::published && one.kind != record_kind::refused))
      continue;
    const auto at = first + static_cast<std::size_t>(one.number) - 1;
    if (at >= events_.size())
      events_.resize(at + 1);
    auto& what = events_[at];
    what.start = from.number;
    what.number = one.number;
    what.key = one.key;
    what.payload = one.payload;
    what.at_ns = one.at_ns;
    what.wanted = one.wanted;
    if (one.kind == record_kind::published) {
      what.id_high = one.id_high;
      what.id_low = one.id_low;
      what.is_accepted = true;
      ++accepted_;
    }
  }
  workloads_[from.number] = events_.size() - first;
  read_plugins(from);
  ranges_[from.number] = {first, events_.size() - first};
}

/// What handlers published is noted as they leave it behind, when it cannot be refused any more.
void event_index::read_plugins(node_start& from) {
  for (const auto& one : from.journal.all()) {
    if (one.source == 0 || one.kind != record_kind::published)
      continue;
    events_.push_back({from.number, one.source, one.number, one.handler, one.wanted, one.key,
                       one.payload, one.id_high, one.id_low, one.at_ns, true});
    ++accepted_;
    ++of_plugins_;
  }
}

/// What a publisher had begun to publish when it was killed has an id that nobody noted.
std::optional<std::size_t> event_index::adopt(const record& what) {
  for (const auto& start : starts_) {
    if (!start.killed)
      continue;
    const auto first = ranges_[start.number].first;
    const auto count = workloads_[start.number];
    for (auto at = first + count; at > first && at + 4 > first + count; --at) {
      auto& one = events_[at - 1];
      if (one.is_accepted || one.payload != what.payload || one.key != what.key)
        continue;
      one.id_high = what.id_high;
      one.id_low = what.id_low;
      by_id_.emplace(std::pair(what.id_high, what.id_low), at - 1);
      return at - 1;
    }
  }
  return {};
}

std::optional<std::size_t> event_index::find(const record& what) {
  const auto at = by_id_.find({what.id_high, what.id_low});
  return at == by_id_.end() ? adopt(what) : std::optional(at->second);
}

void event_index::read_handlers(node_start& from) {
  auto& by_handler = handled_by_[from.number];
  for (const auto& one : from.journal.all()) {
    if (one.kind != record_kind::handled)
      continue;
    ++handled_;
    const auto at = find(one);
    if (!at) {
      strangers_.push_back(
          {name_of(from.node) + " handled an event " + id_text(one) + " that nobody published",
           nullptr});
      continue;
    }
    const auto& what = events_[*at];
    if (what.key != one.key || what.payload != one.payload)
      strangers_.push_back({name_of(from.node) + " handled " + name(what) + " with another " +
                                (what.key != one.key ? "key" : "payload"),
                            &what});
    if (!is_wanted(what.wanted, one.handler))
      strangers_.push_back({name_of(from.node) + " gave " + plan_.handlers[one.handler].name + " " +
                                name(what) + ", which it does not take",
                            &what});
    if (by_handler.size() <= one.handler)
      by_handler.resize(one.handler + 1);
    by_handler[one.handler].push_back({*at, from.number, one.at_ns, one.gap});
  }
}

std::string event_index::name(const event& what) const {
  return "event " + std::to_string(what.number) + " of " +
         (what.source == 0 ? "" : plan_.handlers[what.handler].name + "@") +
         name_of(starts_[what.start].node);
}

std::vector<handling> event_index::handlings(std::size_t handler,
                                             const std::vector<std::size_t>& nodes) const {
  std::vector<handling> all;
  for (const auto& start : starts_)
    if (std::find(nodes.begin(), nodes.end(), start.node) != nodes.end() &&
        handled_by_[start.number].size() > handler) {
      const auto& those = handled_by_[start.number][handler];
      all.insert(all.end(), those.begin(), those.end());
    }
  std::stable_sort(all.begin(), all.end(),
                   [](const handling& a, const handling& b) { return a.at_ns < b.at_ns; });
  return all;
}

std::vector<record> event_index::records_of(const event& what) const {
  std::vector<record> all;
  for (auto& start : starts_)
    for (const auto& one : start.journal.all())
      if ((one.kind == record_kind::handled || one.kind == record_kind::failed) &&
          one.id_high == what.id_high && one.id_low == what.id_low)
        all.push_back(one);
  return all;
}

} // namespace edupulse::simulator
