#include "rest.hpp"
#include <algorithm>
#include <utility>

namespace edupulse::simulator {

bool rest_watch::is_at_rest(std::int64_t now_ns, std::span<const work_report> all) {
  const bool owes = std::any_of(all.begin(), all.end(), [](const auto& one) { return one.owed; });
  if (begun_ns_ == 0 || owes) {
    begun_ns_ = now_ns;
    published_.clear();
    return false;
  }
  if (std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.at_ns <= begun_ns_; }))
    return false; // the round is not over
  std::vector<std::uint64_t> published;
  for (const auto& one : all)
    published.push_back(one.published);
  begun_ns_ = now_ns;
  return published == std::exchange(published_, published);
}

} // namespace edupulse::simulator
