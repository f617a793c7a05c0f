#include "handlers.hpp"
#include "lesson.capnp.h"
#include <charconv>
#include <functional>
#include <stdexcept>

namespace edupulse::search {

namespace {

std::string copy(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }

} // namespace

// -- the notifier ---------------------------------------------------------------------------

void notice_board::new_lesson(std::string_view teacher) {
  const std::lock_guard guard(mutex_);
  const auto at = by_teacher_.find(teacher);
  if (at == by_teacher_.end())
    by_teacher_.emplace(teacher, 1);
  else
    ++at->second;
}

std::pair<std::string, std::size_t> notice_board::busiest() const {
  const std::lock_guard guard(mutex_);
  std::pair<std::string, std::size_t> most;
  for (const auto& [teacher, lessons] : by_teacher_)
    if (lessons > most.second)
      most = {teacher, lessons};
  return most;
}

// -- the auditor ----------------------------------------------------------------------------

std::uint64_t lesson_number(std::string_view lesson_id) {
  const auto last_other = lesson_id.find_last_not_of("0123456789");
  const auto digits = last_other == lesson_id.npos ? lesson_id : lesson_id.substr(last_other + 1);
  std::uint64_t number = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || end.ec != std::errc{})
    return std::hash<std::string_view>{}(lesson_id);
  return number;
}

outcome audit(std::string_view lesson_id, std::string_view title, std::uint32_t attempt,
              const audit_rules& rules) {
  const std::uint64_t number = lesson_number(lesson_id);
  if (rules.reject_every != 0 && number % rules.reject_every == 0)
    return outcome::reject("the audit refuses one lesson in " + std::to_string(rules.reject_every) +
                           ", and this is one: " + std::string(title));
  if (rules.throw_every != 0 && number % rules.throw_every == 0 && attempt == 1)
    throw std::runtime_error("the audit stumbles at the first try of one lesson in " +
                             std::to_string(rules.throw_every));
  return outcome::ok();
}

audit_rules rules_for(std::uint64_t fail_every) {
  return {fail_every, fail_every == 0 ? 0U : 251U};
}

// -- their subscriptions ----------------------------------------------------------------------

namespace {
expected<void> without_handle(const expected<subscription>& made) {
  return made ? expected<void>() : tl::unexpected(made.error());
}
} // namespace

expected<void> subscribe_indexer(node& to, std::shared_ptr<index_desk> desk) {
  using namespace std::chrono_literals;
  subscription_options patient;
  patient.overload = overload_policy::strict; // an index that is down stops us: no lesson is missed
  patient.time_limit = 60s;                   // above what a batch of slow requests may take
  return without_handle(to.subscribe(
      "lesson.>", "search-indexer",
      [desk = std::move(desk)] { return std::make_unique<indexer>(desk); }, patient));
}

expected<void> subscribe_notifier(node& to, notice_board& notices) {
  return without_handle(to.subscribe<LessonPublished>(
      "notifier", [&notices](LessonPublished::Reader lesson, const event_info&) {
        notices.new_lesson(copy(lesson.getTeacherId()));
      }));
}

expected<void> subscribe_auditor(node& to, audit_rules rules) {
  return without_handle(to.subscribe<LessonPublished>(
      "auditor", [rules](LessonPublished::Reader lesson, const event_info& info) {
        return audit(copy(lesson.getLessonId()), copy(lesson.getTitle()), info.attempt(), rules);
      }));
}

} // namespace edupulse::search
