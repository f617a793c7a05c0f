#include "schemas/json.hpp"

#include "kinds.capnp.h"
#include "schemas/codec.hpp"
#include "tests/schemas/samples.hpp"
#include "tests/support/catch.hpp"
#include <string>

using namespace edupulse;
using namespace kinds::inner;
using test::sample_header;
using test::sample_lesson;

namespace {

const event_type* types(std::string_view name) {
  for (const event_type* type :
       {&event_traits<LessonPublished>::type(), &event_traits<HasId>::type(),
        &event_traits<Everything>::type(), &event_traits<Tree>::type()})
    if (type->name == name)
      return type;
  return nullptr;
}

using meta_list = std::vector<std::pair<std::string_view, std::string_view>>;

const meta_list rich_meta = {{"tenant", "school-1"},       {"correlation-id", "c-9"},
                             {"causation-id", "c-8"},      {"traceparent", "00-ab-cd-01"},
                             {"correlationid", "literal"}, {"X-Header", "\xc3\xa9\"\\"},
                             {"source", "not the node"},   {"a-name-that-is-longer-than-20", ""}};

envelope_ptr rich_lesson() {
  auto header = sample_header();
  header.subject = "eu.math";
  header.meta = rich_meta;
  return sample_lesson(header);
}

json_options options_of(json_form form, bool strict = false) {
  json_options options;
  options.form = form;
  options.strict = strict;
  return options;
}

expected<json_event> flat(std::string_view json, bool strict = false) {
  return from_json(json, types, options_of(json_form::flattened, strict));
}

expected<json_event> cloud(std::string_view json, bool strict = false) {
  return from_json(json, types, options_of(json_form::cloudevents, strict));
}

std::string fault_of(const expected<json_event>& result, errc code = errc::bad_json) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code == code);
  return result.error().text;
}

/// Equal in all that travels.
void check_equal(const envelope& a, const envelope& b) {
  CHECK(a.id() == b.id());
  CHECK(a.publisher() == b.publisher());
  CHECK(a.occurred_at_ms() == b.occurred_at_ms());
  CHECK(a.topic() == b.topic());
  CHECK(a.key() == b.key());
  CHECK(a.schema_id() == b.schema_id());
  REQUIRE(a.meta_count() == b.meta_count());
  for (std::size_t i = 0; i < a.meta_count(); ++i)
    CHECK(b.meta(a.meta_at(i).first) == a.meta_at(i).second);
  payload_reader of_a(a);
  payload_reader of_b(b);
  CHECK(of_a.as<LessonPublished>().getTitle() == of_b.as<LessonPublished>().getTitle());
  CHECK(of_a.as<LessonPublished>().getBody() == of_b.as<LessonPublished>().getBody());
}

} // namespace

TEST_CASE("json: the CloudEvents form is the one of the specification") {
  auto header = sample_header();
  header.subject = "eu";
  const meta_list meta = {{"correlation-id", "c-9"}, {"tenant", "school-1"}, {"X", "1"}};
  header.meta = meta;
  CHECK(to_json(*sample_lesson(header), json_form::cloudevents).value() ==
        R"({"specversion":"1.0","id":"01890a5d-ac96-7001-8000-00000000002a",)"
        R"("source":"urn:uuid:11112222-3333-4444-9555-666677778888","type":"lesson.published",)"
        R"("subject":"eu","time":"2025-11-24T16:00:00.125Z","datacontenttype":"application/json",)"
        R"("partitionkey":"lesson-42","correlationid":"c-9","tenant":"school-1",)"
        R"("edupulsemeta":"{\"X\":\"1\"}",)"
        R"("data":{"lessonId":"lesson-42","teacherId":"teacher-7",)"
        R"("title":"Quantum Mechanics 101","body":"Nobody understands it."}})");
}

TEST_CASE("json: the flattened form has the payload's fields beside id, name, time and meta") {
  auto header = sample_header();
  const meta_list meta = {{"tenant", "school-1"}};
  header.meta = meta;
  CHECK(to_json(*sample_lesson(header), json_form::flattened).value() ==
        R"({"id":"01890a5d-ac96-7001-8000-00000000002a","name":"lesson.published",)"
        R"("occurred_at":"2025-11-24T16:00:00.125Z",)"
        R"("meta":{"tenant":"school-1","$publisher":"11112222-3333-4444-9555-666677778888"},)"
        R"("lessonId":"lesson-42","teacherId":"teacher-7",)"
        R"("title":"Quantum Mechanics 101","body":"Nobody understands it."})");
}

TEST_CASE("json: an envelope survives both forms with all that it carries") {
  auto header = sample_header();
  header.subject = "eu.math";
  header.meta = rich_meta;
  header.key = "a key that the payload does not have";
  for (const auto& what : {rich_lesson(), sample_lesson(), sample_lesson(header)})
    for (const json_form form : {json_form::cloudevents, json_form::flattened}) {
      const std::string text = to_json(*what, form).value();
      INFO(text);
      const auto event = from_json(text, types, options_of(form, true)).value();
      CHECK(event.unknown_fields == 0);
      check_equal(*what, *to_envelope(event, {}).value());
    }
}

TEST_CASE("json: CloudEvents of other programs are read") {
  const auto event = cloud(R"({
      "specversion" : "1.0",
      "type" : "lesson.published",
      "source" : "https://github.com/cloudevents/spec/pull",
      "subject" : "123",
      "id" : "01890a5d-ac96-7001-8000-00000000002a",
      "time" : "2018-04-05T17:31:00Z",
      "comexampleextension1" : "value",
      "comexampleothervalue" : 5,
      "comexampleflag" : true,
      "datacontenttype" : "application/json; charset=utf-8",
      "dataschema" : "https://example.com/lesson",
      "data" : { "lessonId" : "42", "title" : "Quantum" }
  })")
                         .value();
  CHECK(event.type->name == "lesson.published");
  CHECK(event.id == test::sample_event);
  CHECK(event.occurred_at_ms == 1'522'949'460'000);
  CHECK_FALSE(event.publisher);
  CHECK(event.subject == "123");
  CHECK(event.unknown_fields == 0);
  REQUIRE(event.meta.size() == 3);
  CHECK(event.meta[0] == std::pair<std::string, std::string>("comexampleextension1", "value"));
  CHECK(event.meta[1].second == "5");
  CHECK(event.meta[2].second == "true");
  CHECK(event.payload().get("title").as<capnp::Text>() == "Quantum");
  const auto what = to_envelope(event, sample_header()).value();
  CHECK(what->publisher() == test::sample_node);
  CHECK(what->key() == "42");
}

TEST_CASE("json: CloudEvents that break the specification are refused with the attribute") {
  const auto with = [](std::string_view more) {
    return std::string(R"({"specversion":"1.0","type":"lesson.published","source":"/s",)"
                       R"("id":"01890a5d-ac96-7001-8000-00000000002a")") +
           std::string(more) + "}";
  };
  REQUIRE(cloud(with("")));
  CHECK(fault_of(cloud("{}")) == "field \"specversion\": it is missing");
  CHECK(fault_of(cloud(R"({"specversion":"0.3"})")) == "field \"specversion\": \"0.3\" is not 1.0");
  CHECK(fault_of(cloud(R"({"specversion":"1.0"})")) == "field \"type\": it is missing");
  CHECK(fault_of(cloud(R"({"specversion":"1.0","type":"lesson.published"})")) ==
        "field \"source\": it is missing");
  CHECK(fault_of(cloud(with(R"(,"time":"yesterday")"))).find("field \"time\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"time":5)"))).find("field \"time\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"id":"A234-1234-1234")"))).find("field \"id\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"subject":5)"))).find("field \"subject\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"data":"text")"))).find("field \"data\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"data":{"title":5})"))) ==
        "field \"data.title\": a string is expected, not a number");
  CHECK(fault_of(cloud(with(R"(,"data_base64":"AAE=")"))).find("field \"data_base64\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"datacontenttype":"text/xml")"))).find("text/xml") !=
        std::string::npos);
  CHECK(fault_of(cloud(with(R"(,"edupulsemeta":"{")"))).find("field \"edupulsemeta\"") == 0);
  CHECK(fault_of(cloud(with(R"(,"edupulsemeta":"[]")"))).find("field \"edupulsemeta\"") == 0);
}

TEST_CASE("json: a lesson that was never an event is read, and says what is to be given") {
  const auto event =
      flat(R"({"name":"lesson.published","lessonId":"7","title":"Fields","body":"..."})").value();
  CHECK_FALSE(event.id);
  CHECK_FALSE(event.occurred_at_ms);
  CHECK_FALSE(event.publisher);
  CHECK(event.meta.empty());
  const auto what = to_envelope(event, sample_header()).value();
  CHECK(what->id() == test::sample_event);
  CHECK(what->occurred_at_ms() == test::sample_time);
  CHECK(what->publisher() == test::sample_node);
  CHECK(what->key() == "7");
  CHECK(from_event<LessonPublished>(what).value()->getTitle() == "Fields");
}

TEST_CASE("json: unknown fields are counted, and refused when strict") {
  const std::string line =
      R"({"name":"lesson.published","lessonId":"7","level":3,"meta":{"a":"b","c":{}}})";
  CHECK(flat(line).value().unknown_fields == 2);
  CHECK(fault_of(flat(line, true)) == "field \"meta.c\": it has no meaning here");
  CHECK(fault_of(flat(R"({"name":"lesson.published","level":3})", true)) ==
        "field \"level\": the schema has no such field");
  const std::string event = R"({"specversion":"1.0","type":"lesson.published","source":"/s",
                                "object":{},"data":{"level":3}})";
  CHECK(cloud(event).value().unknown_fields == 2);
  CHECK(fault_of(cloud(event, true)) == "field \"object\": it has no meaning here");
}

TEST_CASE("json: a payload with a field of the flattened form is refused, and the field is named") {
  const auto id = to_event<HasId>([](auto) {}, sample_header()).value();
  const auto name = to_event<HasName>([](auto) {}, sample_header()).value();
  const auto meta = to_event<HasMeta>([](auto) {}, sample_header()).value();
  for (const auto& [what, field] :
       {std::pair(id, "\"id\""), {name, "\"name\""}, {meta, "\"meta\""}}) {
    const auto text = to_json(*what, json_form::flattened);
    REQUIRE_FALSE(text);
    CHECK(text.error().code == errc::bad_json);
    CHECK(text.error().text.find(std::string("has a field ") + field) != std::string::npos);
    CHECK(to_json(*what, json_form::cloudevents));
  }
  CHECK(fault_of(flat(R"({"name":"kinds.has-id","id":"x"})")).find("has a field \"id\"") !=
        std::string::npos);
}

TEST_CASE("json: metadata that the flattened form uses itself is refused") {
  auto header = sample_header();
  const meta_list meta = {{"$key", "mine"}};
  header.meta = meta;
  CHECK(to_json(*sample_lesson(header), json_form::flattened).error().code == errc::bad_json);
  CHECK(to_json(*sample_lesson(header), json_form::cloudevents));
}

TEST_CASE("json: bad texts are refused with the place, in both forms") {
  for (const auto& read : {flat, cloud}) {
    CHECK(fault_of(read(R"({"name":"lesson.published")", false)).find("ends too early") !=
          std::string::npos);
    CHECK(fault_of(read(std::string(10'000, '['), false)).find("nested deeper") == 0);
    CHECK(fault_of(read("{\"name\":\"\xff\"}", false)) == "not UTF-8 at byte 10");
    CHECK(fault_of(read("[]", false)) == "an object is expected, not a list");
    CHECK(fault_of(read("", false)).find("ends too early") != std::string::npos);
  }
  CHECK(fault_of(flat("{}")) == "field \"name\": it is missing");
  CHECK(fault_of(flat(R"({"name":7})")) == "field \"name\": a string is expected, not a number");
  CHECK(fault_of(flat(R"({"name":"lesson.published","title":7})")) ==
        "field \"title\": a string is expected, not a number");
  CHECK(fault_of(flat(R"({"name":"lesson.published","meta":[]})")) ==
        "field \"meta\": an object is expected, not a list");
  CHECK(fault_of(flat(R"({"name":"lesson.published","id":"7"})")).find("field \"id\"") == 0);
  CHECK(fault_of(flat(R"({"name":"lesson.published","meta":{"$publisher":"7"}})"))
            .find("field \"$publisher\"") == 0);
}

TEST_CASE("json: an event that nobody here knows is refused with its name") {
  CHECK(fault_of(flat(R"({"name":"lesson.burned"})"), errc::unknown_schema) ==
        "no event of the name \"lesson.burned\" is known here");
}

TEST_CASE("json: a text beyond the limit is refused unread") {
  json_options options = options_of(json_form::flattened);
  options.max_bytes = 10;
  CHECK(fault_of(from_json(R"({"name":"x"})", types, options)).find("12 bytes: the limit is 10") !=
        std::string::npos);
}

TEST_CASE("json: an envelope from elsewhere needs its type to be written") {
  const auto copy = decode(encode(*sample_lesson())).value();
  CHECK(to_json(*copy, json_form::flattened).error().code == errc::unknown_schema);
  CHECK(to_json(*copy, json_form::flattened, &event_traits<LessonPublished>::type()));
  CHECK(to_json(*copy, json_form::flattened, &event_traits<LessonUpdated>::type()).error().code ==
        errc::wrong_type);
}

TEST_CASE("json: what cannot be written is an error, not a crash") {
  auto header = sample_header();
  header.occurred_at_ms = INT64_MAX;
  CHECK(to_json(*sample_lesson(header), json_form::flattened).error().text.find("years") !=
        std::string::npos);
  const auto bad_text =
      to_event<LessonPublished>([](auto lesson) { lesson.setTitle("\xff"); }, sample_header());
  CHECK(to_json(**bad_text, json_form::cloudevents).error().text.find("not UTF-8") !=
        std::string::npos);
  const auto deep = to_event<Tree>(
      [](Tree::Builder tree) {
        for (int i = 0; i < 10'000; ++i)
          tree = tree.initChild();
      },
      sample_header());
  CHECK(to_json(**deep, json_form::cloudevents).error().code == errc::bad_json);
}

TEST_CASE("json: what a text says beyond the limits of envelopes is refused when it is made") {
  const auto event =
      flat(R"({"name":"lesson.published","meta":{"$subject":"not a topic"}})").value();
  CHECK(to_envelope(event, sample_header()).error().code == errc::bad_topic);
}
