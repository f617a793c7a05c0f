#include "schemas/topic.hpp"
#include "tests/support/catch.hpp"

using namespace edupulse;

namespace {

bool matches(std::string_view filter, std::string_view topic) {
  REQUIRE(check_topic(topic));
  return topic_filter::parse(filter).value().matches(topic);
}

std::string filter_fault(std::string_view text) {
  const auto filter = topic_filter::parse(text);
  REQUIRE_FALSE(filter);
  CHECK(filter.error().code == errc::bad_filter);
  return filter.error().text;
}

std::string topic_fault(std::string_view text) {
  const auto ok = check_topic(text);
  REQUIRE_FALSE(ok);
  CHECK(ok.error().code == errc::bad_topic);
  return ok.error().text;
}

bool says(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

std::string tokens(std::size_t count) {
  std::string text = "t";
  for (std::size_t i = 1; i < count; ++i)
    text += ".t";
  return text;
}

} // namespace

TEST_CASE("topic: a filter matches position by position") {
  struct row {
    const char* filter;
    const char* topic;
    bool expected;
  };
  const row table[] = {
      {"lesson.published", "lesson.published", true},
      {"lesson.published", "lesson.publishe", false},
      {"lesson.published", "lesson.published.eu", false},
      {"lesson.published", "lesson", false},
      {"lesson.publish", "lesson.published", false},
      {"*", "lesson", true},
      {"*", "lesson.published", false},
      {"*.published", "lesson.published", true},
      {"*.published", "published", false},
      {"lesson.*", "lesson.published", true},
      {"lesson.*", "lesson", false},
      {"lesson.*", "lesson.published.eu", false},
      {"lesson.*.eu", "lesson.published.eu", true},
      {"lesson.*.eu", "lesson.eu", false},
      {"*.*", "lesson.published", true},
      {"*.*", "lesson", false},
      {"*.*", "a.b.c", false},
      {">", "lesson", true},
      {">", "lesson.published.eu.math", true},
      {"lesson.>", "lesson", false},
      {"lesson.>", "lesson.published", true},
      {"lesson.>", "lesson.published.eu.math", true},
      {"lesson.>", "lessons.published", false},
      {"*.published.>", "lesson.published.eu", true},
      {"*.published.>", "lesson.published", false},
      {"lesson.*.>", "lesson.published", false},
      {"lesson.*.>", "lesson.published.eu.math", true},
      {"$node.joined", "$node.joined", true},
      {"$node.>", "$node.joined", true},
      {"$node.*", "$node.joined", true},
      {">", "$node.joined", false},
      {"*.joined", "$node.joined", false},
      {"*", "$node", false},
  };
  for (const auto& [filter, topic, expected] : table) {
    INFO(filter << " and " << topic);
    CHECK(matches(filter, topic) == expected);
  }
}

TEST_CASE("topic: a typed subscription's filter matches the name and any subject below it") {
  const auto filter = topic_filter::name_and_below("lesson.published").value();
  CHECK(filter.matches("lesson.published"));
  CHECK(filter.matches("lesson.published.eu"));
  CHECK(filter.matches("lesson.published.eu.math"));
  CHECK_FALSE(filter.matches("lesson"));
  CHECK_FALSE(filter.matches("lesson.publishedx"));
  CHECK_FALSE(filter.matches("lesson.updated.eu"));
  CHECK(filter.text() == "lesson.published(.>)");
  CHECK(filter.includes_itself_and_below());
  CHECK_FALSE(topic_filter::name_and_below("lesson.*"));
}

TEST_CASE("topic: bad filters are refused with the rule they break") {
  CHECK(says(filter_fault(""), "an empty filter"));
  CHECK(says(filter_fault(" "), "a character that is none of"));
  CHECK(says(filter_fault("lesson published"), "a character that is none of"));
  CHECK(says(filter_fault("lesson. published"), "in token 2"));
  CHECK(says(filter_fault("lesson.>.eu"), "\">\" before the end"));
  CHECK(says(filter_fault(">.>"), "in token 1"));
  CHECK(says(filter_fault("lesson.pub*"), "a wildcard inside a token"));
  CHECK(says(filter_fault("lesson.>x"), "a wildcard inside a token"));
  CHECK(says(filter_fault("**"), "a wildcard inside a token"));
  CHECK(says(filter_fault(".lesson"), "an empty token"));
  CHECK(says(filter_fault("lesson."), "an empty token"));
  CHECK(says(filter_fault("lesson..eu"), "in token 2"));
  CHECK(says(filter_fault("lesson.$eu"), "it may only begin the first token"));
  CHECK(says(filter_fault("$"), "nothing behind it"));
  CHECK(says(filter_fault("le\xc3\xa7on"), "a character that is none of"));
  CHECK(says(filter_fault(std::string_view("a\0b", 3)), "a character that is none of"));
}

TEST_CASE("topic: a filter of one MiB is refused unread, and the message stays short") {
  const auto fault = filter_fault(std::string(1024 * 1024, '*'));
  CHECK(says(fault, "1048576 bytes: the limit is 512"));
  CHECK(fault.size() < 200);
}

TEST_CASE("topic: the limits are 512 bytes and 32 tokens") {
  CHECK(check_topic(std::string(512, 'x')));
  CHECK(says(topic_fault(std::string(513, 'x')), "the limit is 512"));
  CHECK(check_topic(tokens(32)));
  CHECK(says(topic_fault(tokens(33)), "more than 32 tokens"));
  CHECK(topic_filter::parse(tokens(31) + ".>"));
  CHECK(says(filter_fault(tokens(32) + ".>"), "more than 32 tokens"));
}

TEST_CASE("topic: topics have no wildcards") {
  CHECK(says(topic_fault("lesson.*"), "only filters have them"));
  CHECK(says(topic_fault("lesson.>"), "only filters have them"));
  CHECK(says(topic_fault(""), "an empty topic"));
  CHECK(check_topic("a-b_c:d@e+F.9"));
  CHECK(check_topic("$node.joined"));
}

TEST_CASE("topic: a filter that was never parsed matches nothing") {
  CHECK_FALSE(topic_filter().matches("lesson"));
}
