#include "batch_plan.hpp"
#include <algorithm>
#include <unordered_map>

namespace edupulse::search {

batch_plan::batch_plan(std::span<const change> batch) : batch_(batch) {
  std::unordered_map<std::string_view, std::size_t> places;
  for (const change& each : batch) {
    const auto [at, first] = places.emplace(each.lesson_id, sent_.size());
    if (first)
      sent_.push_back(&each);
    else
      sent_[at->second] = &each;
    place_.push_back(at->second);
  }
}

std::vector<outcome> batch_plan::spread(const std::vector<outcome>& of_sent) const {
  std::vector<outcome> result;
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    const outcome& theirs = of_sent[place_[i]];
    const bool speaks_for_itself = sent_[place_[i]] == &batch_[i];
    if (!speaks_for_itself && theirs.what() == outcome::kind::reject)
      result.push_back(
          outcome::retry("the lesson's next version was refused; this one may not be"));
    else
      result.push_back(theirs);
  }
  return result;
}

void send_in_halves(batch_part part,
                    const std::function<std::optional<std::string>(batch_part)>& send) {
  if (part.changes.empty())
    return;
  const auto refused = send(part);
  if (!refused)
    return;
  if (part.changes.size() == 1) {
    part.all(outcome::reject(*refused));
    return;
  }
  const auto half = part.changes.size() / 2;
  send_in_halves({part.changes.first(half), part.outcomes.first(half)}, send);
  send_in_halves({part.changes.subspan(half), part.outcomes.subspan(half)}, send);
}

std::vector<batch_part> parts_by_size(batch_part whole, std::size_t max_bytes) {
  const auto bytes_of = [](const change& what) {
    return what.lesson_id.size() + what.teacher_id.size() + what.title.size() + what.body.size();
  };
  std::vector<batch_part> parts;
  std::size_t begin = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i <= whole.changes.size(); ++i) {
    const std::size_t more = i < whole.changes.size() ? bytes_of(*whole.changes[i]) : 0;
    const bool full = i > begin && bytes + more > max_bytes;
    if (full || (i == whole.changes.size() && i > begin)) {
      parts.push_back(
          {whole.changes.subspan(begin, i - begin), whole.outcomes.subspan(begin, i - begin)});
      begin = i;
      bytes = 0;
    }
    bytes += more;
  }
  return parts;
}

} // namespace edupulse::search
