#pragma once
// The handler that keeps a search index, whichever index that is.

#include "search_index.hpp"
#include <memory>
#include <mutex>
#include <optional>

namespace edupulse::search {

/// An outage is waited out, within reason: `unavailable` pauses the subscription and costs no event
/// its tries, but an index that is gone for good would hold its lessons for good. Past the limit
/// they become dead letters, to be redriven when the index is back. Any thread, one at a time.
class outage_patience {
public:
  explicit outage_patience(duration limit) : limit_(limit) {}
  /// What the indexer answers when the index says `what` at `now`.
  outcome judge(outcome what, time_point now);

private:
  duration limit_;
  std::optional<time_point> since_;
};

/// The index and what is known of its health: what outlives a handler that is started anew.
struct index_desk {
  index_desk(std::unique_ptr<search_index> with, duration outage_limit)
      : index(std::move(with)), patience(outage_limit) {}

  std::mutex mutex; ///< a handler that is stuck may meet its successor here
  std::unique_ptr<search_index> index;
  outage_patience patience;
};

/// What an event of a lesson asks of the index. Errors: `wrong_type` for any other event.
expected<change> change_of(const envelope& event);

/// Gathers a batch, sends it at its end, and answers each event with what the index said of it.
class indexer : public handler {
public:
  static constexpr bool blocks = true; // files and HTTP

  explicit indexer(std::shared_ptr<index_desk> desk) : desk_(std::move(desk)) {}
  outcome handle(const envelope& event, context& ctx) override;
  void end_of_batch() override;

private:
  std::shared_ptr<index_desk> desk_;
  std::vector<change> changes_;
  std::vector<deferral> answers_;
};

} // namespace edupulse::search
