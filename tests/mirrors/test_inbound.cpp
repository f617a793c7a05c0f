// What a source reads: every form that a mirror writes, what others write, and what nobody should.

#include "runtime/sources/inbound_reader.hpp"
#include "runtime/transports/broker_message.hpp"
#include "runtime/transports/done_prefix.hpp"
#include "runtime/transports/via.hpp"
#include "schemas/codec.hpp"
#include "schemas/member_event.hpp"
#include "schemas/typed_event.hpp"
#include "tests/mirrors/broker.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/seed.hpp"
#include <edupulse/transports.hpp>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

const node_id here = make_node_id(1, 2);
const node_id elsewhere = make_node_id(3, 4);
const event_id fresh{make_node_id(5, 6).value};

envelope_header own() { return {fresh, here, 1'700'000'000'000, {}, {}, {}}; }

source_options known() {
  source_options made;
  made.types = types_of<LessonPublished, MemberChanged>();
  return made;
}

inbound_reader reader(source_options how = known()) {
  return {std::move(how), "redis://h:6379", 1u << 20};
}

/// One of another node's, with everything that an event can have.
envelope_ptr lesson() {
  static const std::pair<std::string_view, std::string_view> meta[] = {
      {"tenant", "north"}, {"correlation-id", "c1"}, {"Odd Name", "a b%\""}};
  const event_id id{make_node_id(7, 8).value};
  return to_event<LessonPublished>(
             [](auto to) {
               to.setLessonId("k1");
               to.setTitle("Quantum \"1\"");
             },
             {id, elsewhere, 1'600'000'000'123, "math", {}, meta})
      .value();
}

inbound_message written(const envelope& event, message_form form, const std::string& prefix) {
  message_options how;
  how.topic = topic_template::parse("lessons").value();
  how.form = form;
  how.header_prefix = prefix;
  const auto made = to_message(event, how).value();
  return {1, "lessons/1", made.topic, std::string(made.content_type), made.headers, "", made.body};
}

inbound_message json(std::string body) {
  inbound_message made;
  made.place = "lessons/7";
  made.body = std::move(body);
  return made;
}

std::string problem_of(const inbound_message& what, source_options how = known()) {
  const auto made = reader(std::move(how)).read(what, own());
  REQUIRE_FALSE(made);
  return to_string(made.error());
}

std::string title_of(const envelope& event) {
  payload_reader payload(event);
  return open<LessonPublished>(event, payload).value().getTitle().cStr();
}

constexpr auto forms = {message_form::cloudevents, message_form::cloudevents_json,
                        message_form::cloudevents_capnp, message_form::flattened,
                        message_form::envelope};

} // namespace

TEST_CASE("G116: what a mirror writes in any form is the same event when it is read") {
  const auto event = lesson();
  for (const auto form : forms)
    for (const std::string prefix : {"ce-", "ce_", "cloudEvents:"}) {
      CAPTURE(to_string(form), prefix);
      const auto back = reader().read(written(*event, form, prefix), own());
      REQUIRE(back);
      const auto& read = **back;
      CHECK(read.id() == event->id());
      CHECK(read.topic() == event->topic());
      CHECK(read.key() == "k1");
      CHECK(read.occurred_at_ms() == event->occurred_at_ms());
      CHECK(read.meta("tenant") == "north");
      CHECK(read.meta("correlation-id") == "c1");
      CHECK(read.meta("Odd Name") == "a b%\"");
      CHECK(title_of(read) == "Quantum \"1\"");
      CHECK(read.publisher() == here);
      CHECK(read.meta("originalsource") == "urn:uuid:" + to_string(elsewhere));
    }
}

TEST_CASE("G116: an event that is copied on and on keeps who made it at first") {
  const auto first = reader().read(written(*lesson(), message_form::cloudevents, "ce-"), own());
  auto second_own = own();
  second_own.publisher = make_node_id(9, 9);
  const auto second =
      reader().read(written(**first, message_form::cloudevents, "ce-"), second_own).value();
  CHECK(second->meta("originalsource") == "urn:uuid:" + to_string(elsewhere));
}

TEST_CASE("G116: CloudEvents of others need no UUID: theirs make one, and always the same") {
  const auto of = [](const std::string& source, const std::string& id) {
    return reader()
        .read(json(R"({"specversion":"1.0","type":"lesson.published","source":")" + source +
                   R"(","id":")" + id + R"(","data":{"title":"t"}})"),
              own())
        .value();
  };
  const auto event = of("/school", "A-1");
  CHECK(event->meta("originalid") == "A-1");
  CHECK(event->meta("originalsource") == "/school");
  CHECK(event->id() == of("/school", "A-1")->id());
  CHECK_FALSE(event->id() == of("/school", "A-2")->id());
  CHECK_FALSE(event->id() == of("/scho", "olA-1")->id());
}

TEST_CASE("G116: a message without an id has one of its place at the broker, or a new one") {
  auto message = json(R"({"name":"lesson.published","title":"t"})");
  const auto event = reader().read(message, own()).value();
  CHECK(event->id() == reader().read(message, own()).value()->id());
  CHECK(event->occurred_at_ms() == own().occurred_at_ms);
  message.place = "lessons/8";
  CHECK_FALSE(event->id() == reader().read(message, own()).value()->id());
  message.place.clear();
  CHECK(reader().read(message, own()).value()->id() == fresh);
}

TEST_CASE("G116: messages that name no event are the one that the source is told they are") {
  auto how = known();
  how.event = "lesson.published";
  auto message = json(R"({"lessonId":"k2","title":"plain"})");
  const auto event = reader(how).read(message, own()).value();
  CHECK(title_of(*event) == "plain");
  CHECK(event->key() == "k2");
  CHECK_THAT(problem_of(json("[1]"), how), Contains("object"));
  CHECK_THAT(problem_of(json(""), how), Contains("bad_json")); // no payload, and not an empty one
  CHECK_THAT(problem_of(json(R"({}, "type": "$cluster.member")"), how), Contains("byte"));
  how.strict = true;
  CHECK_THAT(problem_of(json(R"({"titel":"plain"})"), how), Contains("titel"));
}

TEST_CASE("G116: names of headers may be written in any case") {
  auto message = json(R"({"title":"t"})");
  message.content_type = "Application/JSON; charset=utf-8";
  message.headers = {{"CE-SpecVersion", "1.0"},
                     {"Ce-Type", "lesson.published"},
                     {"ce-Source", "/x"},
                     {"ce-id", "1"}};
  CHECK(title_of(*reader().read(message, own()).value()) == "t");
}

TEST_CASE("G116: what is no event says why") {
  CHECK_THAT(problem_of(json("")), Contains("bad_json"));
  CHECK_THAT(problem_of(json("{\"name\":\"lesson.published\"")), Contains("byte"));
  CHECK_THAT(problem_of(json(R"({"name":"lesson.lost"})")), Contains("unknown_schema"));
  CHECK_THAT(problem_of(json(R"({"name":"lesson.published","title":7})")), Contains("title"));
  CHECK_THAT(problem_of(json(R"({"specversion":"0.3","type":"lesson.published"})")),
             Contains("specversion"));
  CHECK_THAT(problem_of(json(R"({"specversion":"1.0","id":"1","source":"/x",)"
                             R"("type":"$cluster.member"})")),
             Contains("runtime's own"));
  CHECK_THAT(problem_of(json(R"({"name":"lesson.published"})"), {}), Contains("types"));
  auto batch = json("[]");
  batch.content_type = "application/cloudevents-batch+json";
  CHECK_THAT(problem_of(batch), Contains("one each"));
}

TEST_CASE("G116: a header cannot pass for the body, nor the body for a header") {
  auto message = json(R"({"title":"t"},"type":"lesson.lost")");
  message.headers = {{"ce-specversion", "1.0"},
                     {"ce-type", "lesson.published"},
                     {"ce-source", "/x"},
                     {"ce-id", "1"}};
  CHECK_THAT(problem_of(message), Contains("byte"));
  message.body = R"({"title":"t"})";
  message.headers.emplace_back("ce-data", R"({"title":"other"})");
  message.headers.emplace_back("ce-tenant", "a\",\"type\":\"lesson.lost");
  const auto event = reader().read(message, own()).value();
  CHECK(title_of(*event) == "t");
  CHECK(event->meta("tenant") == "a\",\"type\":\"lesson.lost");
}

TEST_CASE("G116: an event that a mirror of this cluster sent is an echo") {
  auto how = known();
  how.mark = "lyon";
  const auto is_echo = [&](const std::string& via) {
    auto message = json("{}");
    message.headers = {{"edupulse-via", via}};
    return reader(how).is_echo(message);
  };
  CHECK(is_echo("lyon"));
  CHECK(is_echo("paris lyon"));
  CHECK(is_echo("lyon paris"));
  CHECK_FALSE(is_echo(""));
  CHECK_FALSE(is_echo("lyons"));
  CHECK_FALSE(is_echo("paris nice"));
  how.mark.clear();
  CHECK_FALSE(is_echo(""));
}

TEST_CASE("G116: through which clusters an event came is told to the next one") {
  auto message = written(*lesson(), message_form::cloudevents, "ce-");
  message.headers.emplace_back("edupulse-via", "paris nice");
  CHECK(reader().read(message, own()).value()->meta("via") == "paris nice");
}

TEST_CASE("G116: no bytes do harm") {
  random_numbers chance;
  const auto event = lesson();
  for (const auto form : forms) {
    const auto good = written(*event, form, "ce-");
    for (std::size_t size = 1; size < good.body.size(); ++size) {
      auto cut = good;
      cut.body.resize(size);
      CHECK_FALSE(reader().read(cut, own()));
    }
    for (int i = 0; i < rounds(500); ++i) {
      auto bent = good;
      for (auto changes = 1 + chance.below(4); changes > 0; --changes)
        bent.body[chance.below(bent.body.size())] = static_cast<char>(chance.below(256));
      if (const auto read = reader().read(bent, own()))
        CHECK(decode(std::as_bytes((*read)->words())));
    }
  }
}

// -- how far all have come ----------------------------------------------------------------------

TEST_CASE("a prefix of numbers is done when all of it is") {
  done_prefix numbers;
  for (const std::uint64_t one : {3, 5, 6, 9})
    numbers.push(one);
  numbers.push(9); // given out already
  CHECK_FALSE(numbers.take());
  numbers.done(5);
  numbers.done(4); // never given out
  CHECK_FALSE(numbers.take());
  numbers.done(3);
  CHECK(numbers.take() == 5);
  CHECK_FALSE(numbers.take());
  numbers.done(9);
  CHECK_FALSE(numbers.take());
  numbers.done(6);
  CHECK(numbers.take() == 9);
  CHECK(numbers.size() == 0);
}
