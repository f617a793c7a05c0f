// A broker's message, which anybody may have put there, as a source reads it. The input is as a
// request of HTTP: lines "name: value", an empty one, and the body.

#include "lesson.capnp.h"
#include "runtime/sources/inbound_reader.hpp"
#include "schemas/codec.hpp"
#include "tests/fuzz/must.hpp"
#include "tests/fuzz/targets.hpp"
#include <algorithm>
#include <edupulse/transports.hpp>
#include <string>
#include <string_view>

namespace edupulse::fuzz {

namespace {

constexpr std::size_t most = 1u << 20;
const envelope_header own{
    event_id{make_node_id(1, 2).value}, make_node_id(3, 4), 1'700'000'000'000, {}, {}, {}};

source_options options(std::string event) {
  source_options made;
  made.event = std::move(event);
  made.types = types_of<LessonPublished>();
  return made;
}

inbound_message message_of(std::string_view text) {
  inbound_message made;
  made.place = "place/1";
  made.key = "key";
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty())
      break;
    const auto colon = std::min(line.find(": "), line.size());
    std::string name(line.substr(0, colon));
    std::string value(line.substr(std::min(colon + 2, line.size())));
    if (name == "content-type")
      made.content_type = std::move(value);
    else
      made.headers.emplace_back(std::move(name), std::move(value));
  }
  made.body = text;
  return made;
}

} // namespace

void inbound(std::span<const std::byte> bytes) {
  static const inbound_reader readers[] = {{options({}), "redis://h", most},
                                           {options("lesson.published"), "redis://h", most}};
  const auto message = message_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const auto& reader : readers) {
    const auto read = reader.read(message, own);
    if (!read) {
      must(!read.error().text.empty());
      continue;
    }
    must((*read)->publisher() == own.publisher);
    must(!(*read)->topic().starts_with('$'));
    must(decode(std::as_bytes((*read)->words()), {.max_bytes = most}).has_value());
  }
}

} // namespace edupulse::fuzz
