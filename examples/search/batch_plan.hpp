#pragma once
// What the two HTTP indexes do with a batch before and after it is sent.

#include "search_index.hpp"
#include <functional>

namespace edupulse::search {

/// Only the last change of each lesson is sent: a server may carry out one request's documents in
/// any order, and may refuse one of two. The changes before it share its outcome.
class batch_plan {
public:
  explicit batch_plan(std::span<const change> batch);

  const std::vector<const change*>& sent() const noexcept { return sent_; }
  /// From one outcome for each of `sent()` to one for each change of the batch.
  std::vector<outcome> spread(const std::vector<outcome>& of_sent) const;

private:
  std::vector<const change*> sent_;
  std::vector<std::size_t> place_; ///< for each change, which of `sent_` speaks for it
  std::span<const change> batch_;
};

/// A part of what is sent, and where its outcomes go.
struct batch_part {
  std::span<const change* const> changes;
  std::span<outcome> outcomes;

  void all(const outcome& what) const { std::fill(outcomes.begin(), outcomes.end(), what); }
};

/// Sends `part`. Refused as a whole, for a reason that must be in one of its documents, it is sent
/// again in halves until the culprit stands alone. `send` fills in the outcomes, or answers why the
/// whole was refused.
void send_in_halves(batch_part part,
                    const std::function<std::optional<std::string>(batch_part)>& send);

/// `whole` in parts of at most `max_bytes` of text (or of one document), in order.
std::vector<batch_part> parts_by_size(batch_part whole, std::size_t max_bytes);

} // namespace edupulse::search
