#include "actors/subscriptions.hpp"
#include "schemas/hash.hpp"
#include <algorithm>

namespace edupulse {

subscriptions::subscriptions() : cache_(first_size), mask_(first_size - 1) {}

void subscriptions::add(std::uint32_t subscriber, const topic_filter& filter) {
  auto& known = filters_[subscriber];
  const bool has_it = std::any_of(known.begin(), known.end(), [&](const topic_filter& one) {
    return one.text() == filter.text(); // the text of a filter says all about it
  });
  if (has_it)
    return;
  known.push_back(filter);
  trie_.insert(filter, subscriber);
  forget();
}

void subscriptions::remove(std::uint32_t subscriber) {
  const auto known = filters_.find(subscriber);
  if (known == filters_.end())
    return;
  for (const topic_filter& filter : known->second)
    trie_.erase(filter, subscriber);
  filters_.erase(known);
  forget();
}

const route& subscriptions::match_slowly(std::string_view topic, std::uint64_t topic_hash) {
  ++counts_.misses;
  if (cached_ >= max_cached_topics || routed_subscribers_ > max_cached_subscribers) {
    forget();
    ++counts_.cleared;
  }
  auto found = std::make_unique<route>();
  auto& list = found->subscribers;
  trie_.collect(topic, list);
  if (!std::is_sorted(list.begin(), list.end()))
    std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  const auto [to, is_new] = routes_.insert(std::move(found));
  if (is_new)
    routed_subscribers_ += (*to)->subscribers.size();
  keep(topic, topic_hash, to->get());
  return **to;
}

void subscriptions::keep(std::string_view topic, std::uint64_t topic_hash, const route* to) {
  if (++cached_ > cache_.size() / 2)
    grow();
  place({topic_hash, to, std::string(topic)});
}

/// Takes the first free place near its own, or its own from whoever has it.
void subscriptions::place(entry&& what) {
  for (std::size_t i = 0; i < probes; ++i) {
    entry& at = cache_[(what.hash + i) & mask_];
    if (at.to == nullptr) {
      at = std::move(what);
      return;
    }
  }
  --cached_;
  ++counts_.replaced;
  cache_[what.hash & mask_] = std::move(what);
}

void subscriptions::grow() {
  auto old = std::exchange(cache_, std::vector<entry>(cache_.size() * 2));
  mask_ = cache_.size() - 1;
  for (entry& one : old)
    if (one.to != nullptr)
      place(std::move(one));
}

void subscriptions::forget() {
  if (cached_ == 0)
    return;
  retired_ = std::exchange(routes_, {});
  routed_subscribers_ = 0;
  cache_.assign(first_size, {});
  mask_ = first_size - 1;
  cached_ = 0;
}

std::size_t
subscriptions::hash_of_route::operator()(const std::unique_ptr<const route>& what) const noexcept {
  std::uint64_t state = what->subscribers.size();
  for (const std::uint32_t one : what->subscribers)
    state = mix_bits(state ^ one) + one;
  return static_cast<std::size_t>(state);
}

} // namespace edupulse
