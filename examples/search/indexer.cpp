#include "indexer.hpp"
#include "clock.hpp"
#include "lesson.capnp.h"
#include <edupulse/event.hpp>
#include <utility>

namespace edupulse::search {

namespace {

std::string copy(capnp::Text::Reader text) { return std::string(text.begin(), text.size()); }

template <class T> change put_of(const typename T::Reader& lesson) {
  return {change::kind::put, copy(lesson.getLessonId()), copy(lesson.getTeacherId()),
          copy(lesson.getTitle()), copy(lesson.getBody())};
}

} // namespace

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

} // namespace edupulse::search
