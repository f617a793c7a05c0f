#include "notifier.hpp"

notifier::notifier(const edupulse::plugin_settings& settings)
    : greeting_(settings.text("greeting")) {}

edupulse::outcome notifier::handle(LessonPublished::Reader lesson, edupulse::context& ctx) const {
  const auto sent = ctx.publish<NoticeWanted>([&](auto notice) {
    notice.setTeacherId(lesson.getTeacherId());
    notice.setText(greeting_ + lesson.getTitle().cStr());
  });
  return sent ? edupulse::outcome::ok() : edupulse::outcome::retry(sent.error().text);
}

EDUPULSE_PLUGIN(edupulse::plugin("notifier", "1.0.0")
                    .about("Tells followers of a teacher about new lessons")
                    .setting("greeting", "New: ", "what a notice begins with")
                    .publishes<NoticeWanted>()
                    .handler<LessonPublished, notifier>("notifier", {.concurrency = 2}));
