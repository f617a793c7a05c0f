#include "actors/ledger.hpp"
#include "schemas/hash.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {
namespace {

constexpr std::string_view other_topics = "(other topics)";
constexpr std::string_view other_subscriptions = "(other subscriptions)";

template <class Rows> auto position_of(Rows& rows, std::uint32_t subscription) {
  return std::lower_bound(rows.begin(), rows.end(), subscription,
                          [](const auto& one, std::uint32_t index) { return one.first < index; });
}

} // namespace

// -- subscriptions ----------------------------------------------------------------

void ledger::name_subscription(std::uint32_t index, std::string name) {
  const auto before = subscriptions_.find(index);
  const bool again = before != subscriptions_.end() && before->second.retired;
  if ((again || subscriptions_.size() >= max_rows) && retired_ > 0)
    fold_retired();
  if (subscriptions_.size() < max_rows)
    subscriptions_[index].name = std::move(name);
}

void ledger::retire_subscription(std::uint32_t index) {
  const auto found = subscriptions_.find(index);
  if (found != subscriptions_.end() && !std::exchange(found->second.retired, true))
    ++retired_;
}

const std::string* ledger::name_of(std::uint32_t index) const {
  const auto found = subscriptions_.find(index);
  return found == subscriptions_.end() ? nullptr : &found->second.name;
}

/// Adds the rows of retired subscriptions to the shared one.
void ledger::fold_retired() {
  for (auto& [key, entry] : topics_)
    fold_retired(entry);
  fold_retired(other_topics_);
  std::erase_if(subscriptions_, [](const auto& one) { return one.second.retired; });
  retired_ = 0;
}

void ledger::fold_retired(topic_entry& where) {
  std::erase_if(where.rows, [this](const auto& one) {
    if (!subscriptions_.at(one.first).retired)
      return false;
    everything_else_[is_received(one.first)] += *one.second;
    *one.second = row();
    free_rows_.push_back(one.second);
    return true;
  });
}

// -- counting -----------------------------------------------------------------------

void ledger::count_published(std::string_view topic, std::uint64_t topic_hash, std::uint64_t events,
                             bool has_subscriber) {
  topic_entry& entry = entry_of(topic, topic_hash);
  entry.published += events;
  if (!has_subscriber)
    entry.no_subscriber += events;
}

ledger::topic_entry& ledger::entry_of(std::string_view topic, std::uint64_t topic_hash) {
  assert(topic_hash == text_hash(topic));
  if (const auto found = topics_.find(topic_name{topic, topic_hash}); found != topics_.end())
    return found->second;
  if (topics_.size() >= max_topics)
    return other_topics_;
  return topics_[topic_key{std::string(topic), topic_hash}];
}

/// Where an event is counted must not change while it is owed. So a topic without a line of its
/// own never gets one, and neither does a subscription that once found no room for a new line.
ledger::row& ledger::row_of(std::string_view topic, std::uint64_t topic_hash,
                            std::uint32_t subscription) {
  topic_entry& entry = entry_of(topic, topic_hash);
  if (row* known = find_in(entry, subscription))
    return *known;
  const auto who = subscriptions_.find(subscription);
  if (who == subscriptions_.end() || who->second.overflowed)
    return everything_else_[is_received(subscription)];
  row* made = make_row();
  if (made == nullptr) {
    who->second.overflowed = true;
    return everything_else_[is_received(subscription)];
  }
  entry.rows.insert(position_of(entry.rows, subscription), {subscription, made});
  return *made;
}

ledger::row* ledger::dead_row(std::string_view topic, std::uint64_t topic_hash,
                              std::string_view name) {
  for (const auto& [index, counts] : entry_of(topic, topic_hash).rows)
    if (counts->dead > 0 && !is_received(index) && subscriptions_.at(index).name == name)
      return counts;
  return everything_else_[0].dead > 0 ? &everything_else_[0] : nullptr;
}

ledger::row* ledger::find_in(const topic_entry& where, std::uint32_t subscription) noexcept {
  const auto at = position_of(where.rows, subscription);
  return at != where.rows.end() && at->first == subscription ? at->second : nullptr;
}

/// Null when there is no room.
ledger::row* ledger::make_row() {
  if (free_rows_.empty() && rows_.size() >= max_rows && retired_ > 0)
    fold_retired();
  if (!free_rows_.empty()) {
    row* again = free_rows_.back();
    free_rows_.pop_back();
    return again;
  }
  return rows_.size() < max_rows ? &rows_.emplace_back() : nullptr;
}

// -- looking ------------------------------------------------------------------------

const ledger::row& ledger::find_row(std::string_view topic, std::uint32_t subscription) const {
  const auto found = topics_.find(topic_name{topic, text_hash(topic)});
  const row* known = find_in(found == topics_.end() ? other_topics_ : found->second, subscription);
  return known == nullptr ? everything_else_[is_received(subscription)] : *known;
}

ledger_view ledger::make_view(const pending_map& pending, const std::string* own_node) const {
  std::vector<const decltype(topics_)::value_type*> sorted;
  for (const auto& one : topics_)
    sorted.push_back(&one);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first.text < b->first.text; });
  ledger_view view;
  for (const auto* one : sorted)
    append_lines(one->first.text, one->second, pending, own_node, view);
  if (other_topics_.published > 0 || !other_topics_.rows.empty())
    append_lines(other_topics, other_topics_, pending, own_node, view);
  for (const bool received : {false, true}) {
    const auto& counts = everything_else_[received];
    const auto rest = pending.find(&counts);
    if ((counts.published > 0 || rest != pending.end()) && !(received && own_node != nullptr))
      view.lines.push_back({counts, std::string(other_topics), std::string(other_subscriptions),
                            rest == pending.end() ? 0 : rest->second, received});
  }
  return view;
}

void ledger::append_lines(std::string_view topic, const topic_entry& from,
                          const pending_map& pending, const std::string* own_node,
                          ledger_view& to) const {
  if (own_node == nullptr || from.published > 0)
    to.topics.push_back({std::string(topic), from.published, from.no_subscriber});
  const auto first = to.lines.size();
  for (const auto& [index, counts] : from.rows) {
    const auto waiting = pending.find(counts);
    if (is_received(index) && counts->published == 0 && waiting == pending.end())
      continue; // it was only asked about
    if (is_received(index) && own_node != nullptr)
      continue;
    auto name = subscriptions_.at(index).name;
    if (own_node != nullptr && is_of_this_node(index))
      name += "@" + *own_node;
    to.lines.push_back({*counts, std::string(topic), std::move(name),
                        waiting == pending.end() ? 0 : waiting->second, is_received(index)});
  }
  std::sort(to.lines.begin() + static_cast<std::ptrdiff_t>(first), to.lines.end(),
            [](const auto& a, const auto& b) {
              return a.subscription != b.subscription ? a.subscription < b.subscription
                                                      : a.received < b.received;
            });
}

} // namespace edupulse
