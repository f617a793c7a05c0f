#include "handlers.hpp"
#include "clock.hpp"
#include "lesson.capnp.h"
#include <charconv>
#include <edupulse/event.hpp>
#include <functional>
#include <stdexcept>

namespace edupulse::search {

namespace {

std::string copy(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }

template <class T> change put_of(const typename T::Reader& lesson) {
  return {change::kind::put, copy(lesson.getLessonId()), copy(lesson.getTeacherId()),
          copy(lesson.getTitle()), copy(lesson.getBody())};
}

} // namespace

// -- the search indexer ---------------------------------------------------------------------

outcome outage_patience::judge(outcome what, time_point now) {
  if (what.what() != outcome::kind::unavailable) {
    since_.reset();
    return what;
  }
  if (!since_)
    since_ = now;
  if (now - *since_ < limit_)
    return what;
  return outcome::reject(
      "gave up on the index, which did not work for " +
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - *since_).count()) +
      " s: " + std::string(what.reason()));
}

expected<change> change_of(const envelope& event) {
  payload_reader reader(event);
  if (event.name() == event_traits<LessonPublished>::name)
    return open<LessonPublished>(event, reader).map(put_of<LessonPublished>);
  if (event.name() == event_traits<LessonUpdated>::name)
    return open<LessonUpdated>(event, reader).map(put_of<LessonUpdated>);
  return open<LessonWithdrawn>(event, reader).map([](const LessonWithdrawn::Reader& lesson) {
    return change{change::kind::withdraw, copy(lesson.getLessonId())};
  });
}

outcome indexer::handle(const envelope& event, context& ctx) {
  auto asked = change_of(event);
  if (!asked)
    return outcome::reject(asked.error().text);
  changes_.push_back(std::move(*asked));
  answers_.push_back(ctx.defer());
  return outcome::deferred();
}

void indexer::end_of_batch() {
  if (changes_.empty())
    return;
  // Whatever throws below takes the deferrals with it, and a dropped deferral is a retry.
  const auto changes = std::exchange(changes_, {});
  auto answers = std::exchange(answers_, {});
  const std::lock_guard guard(desk_->mutex);
  auto outcomes = desk_->index->apply(changes);
  for (std::size_t i = 0; i < answers.size(); ++i)
    answers[i].complete(desk_->patience.judge(std::move(outcomes[i]), now()));
}

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
