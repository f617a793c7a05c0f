#pragma once
// The three handlers that work side by side on the lessons.

#include "search_index.hpp"
#include <atomic>
#include <edupulse/node.hpp>
#include <map>
#include <mutex>
#include <optional>

namespace edupulse::search {

// -- the search indexer ---------------------------------------------------------------------

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
class indexer final : public handler {
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

// -- the notifier ---------------------------------------------------------------------------

/// Stands for what would send messages: counts what each teacher's followers are told. Any thread.
class notice_board {
public:
  void new_lesson(std::string_view teacher);
  /// Who published most, with how much.
  std::pair<std::string, std::size_t> busiest() const;

private:
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t, std::less<>> by_teacher_;
};

// -- the auditor ----------------------------------------------------------------------------

/// Fails on purpose, by the lesson's number, so that what failure looks like can be seen: the first
/// try of every `throw_every`-th lesson throws, and every `reject_every`-th is refused for good. 0:
/// never.
struct audit_rules {
  std::uint64_t throw_every = 97;
  std::uint64_t reject_every = 251;
};

/// The digits at the end of an id, or a hash of an id without any.
std::uint64_t lesson_number(std::string_view lesson_id);

/// Throws std::runtime_error, as rules say.
outcome audit(std::string_view lesson_id, std::string_view title, std::uint32_t attempt,
              const audit_rules& rules);
/// Throws at every `fail_every`-th lesson; 0: never fails at all.
audit_rules rules_for(std::uint64_t fail_every);

// -- their subscriptions ----------------------------------------------------------------------

/// Errors of all three: as `subscribe`.
expected<void> subscribe_indexer(node& to, std::shared_ptr<index_desk> desk);
/// `notices` must outlive the node.
expected<void> subscribe_notifier(node& to, notice_board& notices);
expected<void> subscribe_auditor(node& to, audit_rules rules);

} // namespace edupulse::search
