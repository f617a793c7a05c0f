#include "feeder.hpp"
#include "clock.hpp"
#include "lesson.capnp.h"
#include "progress_view.hpp"
#include "schemas/json.hpp"
#include <algorithm>
#include <array>

namespace edupulse::search {

namespace {

constexpr std::uint64_t reports_max = 20; ///< a file of another kind has a million bad lines

const event_type* type_named(std::string_view name) {
  static const std::array known = {
      &event_traits<LessonPublished>::type(), &event_traits<LessonUpdated>::type(),
      &event_traits<LessonWithdrawn>::type(), &event_traits<StudentEnrolled>::type(),
      &event_traits<QuizSubmitted>::type()};
  const auto at = std::find_if(known.begin(), known.end(),
                               [&](const event_type* type) { return type->name == name; });
  return at == known.end() ? nullptr : *at;
}

} // namespace

expected<void> feeder::run(line_reader& from) {
  const time_point started = now();
  while (wait_for_turn(started)) {
    auto line = from.next();
    counts_.bytes_done = from.bytes_done();
    if (!line)
      return tl::unexpected(line.error());
    if (!*line)
      break;
    if ((*line)->too_long)
      skip((*line)->number, "longer than 1 MiB, which no event is");
    else if (auto done = publish(**line); !done)
      return done;
    if (how_.after_each && !how_.after_each())
      break;
  }
  if (counts_.skipped > reports_max)
    report_("... and " + with_commas(counts_.skipped - reports_max) + " more lines were skipped");
  return {};
}

expected<void> feeder::publish(const input_line& line) {
  json_options form;
  form.strict = how_.strict;
  const auto event = from_json(line.text, type_named, form);
  if (!event) {
    skip(line.number, event.error().text);
    return {};
  }
  publish_options options;
  options.subject = event->subject;
  options.key = event->key;
  options.meta = event->meta;
  const auto fill = [&](capnp::AnyPointer::Builder payload) {
    payload.setAs<capnp::DynamicStruct>(event->payload());
  };
  auto receipt = node_.publish(*event->type, fill, options);
  while (!receipt && receipt.error().code == errc::back_pressure && !stop_.happened())
    receipt = node_.publish(*event->type, fill, options);
  if (receipt) {
    ++counts_.published;
    counts_.unknown_fields += event->unknown_fields;
  } else if (receipt.error().code == errc::stopping) {
    return tl::unexpected(receipt.error());
  } else {
    skip(line.number, receipt.error().text);
  }
  return {};
}

void feeder::skip(std::size_t line, const std::string& why) {
  if (++counts_.skipped <= reports_max)
    report_("line " + std::to_string(line) + ": " + why + "; skipped");
}

bool feeder::wait_for_turn(time_point started) {
  if (how_.rate <= 0)
    return !stop_.happened();
  const double due = static_cast<double>(counts_.published) / how_.rate;
  while (!stop_.happened()) {
    const double ahead = due - std::chrono::duration<double>(now() - started).count();
    if (ahead <= 0)
      return true;
    stop_.wait_ms(static_cast<int>(std::clamp(ahead * 1000, 1.0, 1000.0)));
  }
  return false;
}

} // namespace edupulse::search
