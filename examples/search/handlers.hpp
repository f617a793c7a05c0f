#pragma once
// The three handlers that work side by side on the lessons.

#include "indexer.hpp"
#include <atomic>
#include <edupulse/node.hpp>
#include <map>
#include <mutex>

namespace edupulse::search {

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
