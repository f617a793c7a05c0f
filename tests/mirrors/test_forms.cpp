// What a mirror writes: addresses, topics, forms.

#include "runtime/transports/broker_message.hpp"
#include "runtime/transports/broker_url.hpp"
#include "schemas/codec.hpp"
#include "tests/mirrors/broker.hpp"
#include "tests/support/lessons.hpp"
#include <algorithm>
#include <capnp/serialize.h>
#include <cstring>
#include <edupulse/transports.hpp>
#include <nlohmann/json.hpp>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

/// The envelope of one lesson.
envelope_ptr lesson(const std::string& key, const std::string& title, publish_options more = {}) {
  testing::bus bus;
  envelope_ptr seen;
  REQUIRE(bus.subscribe(">", "watch",
                        [&](const envelope& event) { seen = envelope_ptr::share(event); }));
  REQUIRE(publish_lesson(bus, key, title, std::move(more)));
  REQUIRE(seen);
  return seen;
}

message_options how(message_form form, const std::string& topic = "{topic}") {
  message_options made;
  made.topic = topic_template::parse(topic).value();
  made.form = form;
  return made;
}

kj::Array<capnp::word> words_of(const std::string& body) {
  REQUIRE(body.size() % sizeof(capnp::word) == 0);
  auto words = kj::heapArray<capnp::word>(body.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), body.data(), body.size());
  return words;
}

} // namespace

// -- topics -----------------------------------------------------------------------------------

TEST_CASE("G114: a topic is a template of the event's names and metadata") {
  publish_options more;
  more.subject = "math";
  more.meta = {{"tenant", "north"}};
  const auto event = lesson("k1", "Quantum", more);
  const auto of = [&](const char* text) {
    return topic_template::parse(text).value().of(*event).value();
  };
  CHECK(of("fixed") == "fixed");
  CHECK(of("{topic}") == "lesson.published.math");
  CHECK(of("edu.{name}") == "edu.lesson.published");
  CHECK(of("{tenant}/{subject}/{key}") == "north/math/k1");
  CHECK(of("{publisher}") == to_string(event->publisher()));
}

TEST_CASE("G114: a topic that asks for what an event has not is an error of that event") {
  const auto event = lesson("", "Quantum");
  for (const auto* text : {"{subject}", "{key}", "{tenant}"}) {
    const auto none = topic_template::parse(text).value().of(*event);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == errc::bad_topic);
    CHECK_THAT(none.error().text, Contains(text));
  }
}

TEST_CASE("a topic that makes no sense is refused, with the place") {
  for (const auto* text : {"", "{", "a{b", "}", "a}b", "{a{b}}", "{}"})
    CHECK_FALSE(topic_template::parse(text));
  CHECK_THAT(topic_template::parse("edu.{name").error().text, Contains("byte 4"));
}

// -- addresses --------------------------------------------------------------------------------

TEST_CASE("a broker's address has a scheme, credentials, hosts, a path and settings") {
  const auto url = broker_url::parse("amqp://me:p%40ss%3A@a:1,b:2/v%2Fhost?topic=x.{name}&n=3");
  REQUIRE(url);
  CHECK(url->scheme == "amqp");
  CHECK(url->user == "me");
  CHECK(url->password == "p@ss:");
  CHECK(url->hosts == "a:1,b:2");
  CHECK(url->path == "v/host");
  CHECK(url->settings.at("topic") == "x.{name}");
  CHECK(url->shown() == "amqp://a:1,b:2/v/host");
}

TEST_CASE("an address or a setting that makes no sense is refused, and no password is shown") {
  const auto refused = [](const std::string& text) {
    const auto made = open_transport(text);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == errc::invalid_option);
    CHECK(made.error().text.find("hunter2") == std::string::npos);
    return made.error().text;
  };
  CHECK_THAT(refused("redis"), Contains("scheme"));
  CHECK_THAT(refused("reddis://:hunter2@h"), Contains("redis"));
  CHECK_THAT(refused("redis://:hunter2@h:0"), Contains("port"));
  CHECK_THAT(refused("redis://:hunter2@h:70000"), Contains("port"));
  CHECK_THAT(refused("redis://:hunter2%4@h"), Contains("hexadecimal"));
  CHECK_THAT(refused("redis://:hunter2@h?topik=x"), Contains("did you mean \"topic\""));
  CHECK_THAT(refused("redis://:hunter2@h?max_length=-1"), Contains("max_length"));
  CHECK_THAT(refused("redis://:hunter2@h?max_length=5&max_length=6"), Contains("twice"));
  CHECK_THAT(refused("redis://:hunter2@h?ack_timeout=10"), Contains("10s"));
  CHECK_THAT(refused("redis://:hunter2@h?ack_timeout=0ms"), Contains("1ms"));
  CHECK_THAT(refused("redis://:hunter2@h?format=xml"), Contains("flattened"));
  CHECK_THAT(refused("redis://:hunter2@h?topic={"), Contains("brace"));
  CHECK_THAT(refused("redis://:hunter2@h?mark=two words"), Contains("spaces"));
  CHECK_THAT(refused("redis://"), Contains("host"));
}

TEST_CASE("an address with an IPv6 host has its port behind the brackets") {
  const auto of = [](const char* text) {
    return only_host(broker_url::parse(text).value(), 6379).value();
  };
  CHECK(of("redis://[::1]:7000").host == "::1");
  CHECK(of("redis://[::1]:7000").port == 7000);
  CHECK(of("redis://[::1]").port == 6379);
  CHECK(of("redis://h").port == 6379);
}

// -- forms ------------------------------------------------------------------------------------

TEST_CASE("G114: CloudEvents in structured mode are one JSON document") {
  const auto event = lesson("k1", "Quantum");
  const auto made = to_message(*event, how(message_form::cloudevents)).value();
  CHECK(made.content_type == "application/cloudevents+json");
  CHECK(made.headers.empty());
  const auto json = nlohmann::json::parse(made.body);
  CHECK(json.at("id") == to_string(event->id()));
  CHECK(json.at("data").at("title") == "Quantum");
}

TEST_CASE("G114: CloudEvents in binary mode are headers and the payload alone") {
  publish_options more;
  more.subject = "math";
  more.meta = {{"tenant", "north"}, {"correlation-id", "c1"}, {"Odd Name", "x"}};
  const auto event = lesson("k1", "Quantum", more);
  for (const auto form : {message_form::cloudevents_json, message_form::cloudevents_capnp}) {
    const auto made = to_message(*event, how(form)).value();
    CHECK(header_of(made.headers, "ce-specversion") == "1.0");
    CHECK(header_of(made.headers, "ce-id") == to_string(event->id()));
    CHECK(header_of(made.headers, "ce-source") == "urn:uuid:" + to_string(event->publisher()));
    CHECK(header_of(made.headers, "ce-type") == "lesson.published");
    CHECK(header_of(made.headers, "ce-subject") == "math");
    CHECK(header_of(made.headers, "ce-partitionkey") == "k1");
    CHECK(header_of(made.headers, "ce-tenant") == "north");
    CHECK(header_of(made.headers, "ce-correlationid") == "c1");
    CHECK(header_of(made.headers, "ce-edupulsemeta") == "{\"Odd Name\":\"x\"}");
    CHECK(header_of(made.headers, "ce-datacontenttype") == "none"); // it is the message's own
    if (form == message_form::cloudevents_json) {
      CHECK(made.content_type == "application/json");
      CHECK(nlohmann::json::parse(made.body).at("title") == "Quantum");
    } else {
      const auto words = words_of(made.body);
      capnp::FlatArrayMessageReader reader(words);
      CHECK(reader.getRoot<LessonPublished>().getTitle() == "Quantum");
    }
  }
}

TEST_CASE("G114: the flattened form and the envelope are what they were") {
  const auto event = lesson("k1", "Quantum");
  const auto flat = to_message(*event, how(message_form::flattened)).value();
  CHECK(flat.content_type == "application/json");
  CHECK(nlohmann::json::parse(flat.body).at("title") == "Quantum");
  const auto whole = to_message(*event, how(message_form::envelope)).value();
  const auto words = words_of(whole.body);
  capnp::FlatArrayMessageReader reader(words);
  CHECK(reader.getSegment(0).size() == event->words().size());
}

TEST_CASE("G114: a mirror adds its mark to those of the clusters that an event came through") {
  auto marked = how(message_form::cloudevents);
  marked.mark = "lyon";
  CHECK(header_of(to_message(*lesson("k", "t"), marked).value().headers, "edupulse-via") == "lyon");
  publish_options more;
  more.meta = {{"via", "paris nice"}};
  CHECK(header_of(to_message(*lesson("k", "t", more), marked).value().headers, "edupulse-via") ==
        "paris nice lyon");
}

TEST_CASE("G114: a mirror can want events with certain metadata alone") {
  publish_options more;
  more.meta = {{"tenant", "north"}, {"kind", "test"}};
  const auto event = lesson("k", "t", more);
  const auto wants = [&](std::vector<std::pair<std::string, std::string>> only) {
    auto some = how(message_form::cloudevents);
    some.only = std::move(only);
    return is_wanted(*event, some);
  };
  CHECK(wants({}));
  CHECK(wants({{"tenant", "north"}}));
  CHECK(wants({{"tenant", "north"}, {"kind", "test"}}));
  CHECK_FALSE(wants({{"tenant", "south"}}));
  CHECK_FALSE(wants({{"tenant", "north"}, {"other", "x"}}));
}

TEST_CASE("G114: headers that are lines are percent-encoded") {
  auto lines = how(message_form::cloudevents_json);
  lines.escapes_headers = true;
  publish_options more;
  more.meta = {{"tenant", "a b\"c%\r\n\x7F"}};
  CHECK(header_of(to_message(*lesson("k", "t", more), lines).value().headers, "ce-tenant") ==
        "a%20b%22c%25%0D%0A%7F");
}

TEST_CASE("G114: text that is not UTF-8 is an error of that event, in every form of JSON") {
  const auto event = lesson("k", "\xFF");
  for (const auto form :
       {message_form::cloudevents, message_form::cloudevents_json, message_form::flattened})
    CHECK_FALSE(to_message(*event, how(form)));
  CHECK(to_message(*event, how(message_form::envelope)));
}

TEST_CASE("G114: an event of a type that nobody here was compiled with needs its schema") {
  auto known = how(message_form::cloudevents);
  known.types = [](std::string_view name) {
    return name == "lesson.published" ? &event_traits<LessonPublished>::type() : nullptr;
  };
  const auto typed = lesson("k", "t");
  const auto bare = decode(std::as_bytes(typed->words())).value();
  CHECK_FALSE(to_message(*bare, how(message_form::cloudevents)));
  const auto made = to_message(*bare, known);
  REQUIRE(made);
  CHECK(nlohmann::json::parse(made->body).at("data").at("title") == "t");
}
