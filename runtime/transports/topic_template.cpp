#include "runtime/transports/topic_template.hpp"

#include <algorithm>

namespace edupulse {

namespace {

tl::unexpected<error> wrong(std::string_view text, std::size_t at, const std::string& why) {
  return fail(errc::invalid_option,
              "topic " + quote(text, 256) + ", byte " + std::to_string(at) + ": " + why);
}

std::string value_of(const envelope& event, std::string_view place) {
  if (place == "topic")
    return std::string(event.topic());
  if (place == "name")
    return std::string(event.name());
  if (place == "subject")
    return std::string(event.subject());
  if (place == "key")
    return std::string(event.key());
  if (place == "publisher")
    return to_string(event.publisher());
  return std::string(event.meta(place));
}

} // namespace

expected<topic_template> topic_template::parse(std::string_view text) {
  topic_template made;
  made.text_ = text;
  if (text.empty())
    return wrong(text, 0, "it is empty: write {topic} for the topic of the event");
  for (std::size_t at = 0; at < text.size();) {
    const bool is_place = text[at] == '{';
    const auto end = is_place ? text.find('}', at) : std::min(text.find('{', at), text.size());
    if (end == text.npos)
      return wrong(text, at, "this brace is never closed");
    const auto inside = text.substr(at + is_place, end - at - is_place);
    if (const auto brace = inside.find_first_of("{}"); brace != inside.npos)
      return wrong(text, at + is_place + brace, "a brace without its other one");
    if (is_place && inside.empty())
      return wrong(text, at,
                   "{} names nothing: write {topic}, {name}, {subject}, {key}, {publisher} or the "
                   "name of a metadata");
    made.parts_.push_back({std::string(inside), is_place});
    at = end + is_place;
  }
  return made;
}

expected<std::string> topic_template::of(const envelope& event) const {
  std::string made;
  for (const auto& one : parts_) {
    if (!one.is_place) {
      made += one.text;
      continue;
    }
    const auto value = value_of(event, one.text);
    if (value.empty())
      return fail(errc::bad_topic, "the event has no " + one.text + ", which the topic " +
                                       quote(text_, 256) + " asks for");
    made += value;
  }
  return made;
}

} // namespace edupulse
