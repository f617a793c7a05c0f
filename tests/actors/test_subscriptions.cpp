#include "actors/subscriptions.hpp"
#include "schemas/hash.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <algorithm>
#include <map>

using namespace edupulse;
using subscriber_list = std::vector<std::uint32_t>;

namespace {

topic_filter filter(std::string_view text) { return topic_filter::parse(text).value(); }

subscriber_list who(subscriptions& table, std::string_view topic) {
  return table.match(topic, text_hash(topic)).subscribers;
}

std::string numbered(std::string_view name, std::size_t number, std::string_view rest = {}) {
  return std::string(name).append(std::to_string(number)).append(rest);
}

/// Does a filter match a topic, according to the tree?
bool matches(const topic_filter& one, std::string_view topic) {
  subscriptions table;
  table.add(7, one);
  return who(table, topic) == subscriber_list{7};
}

} // namespace

// -- filters ------------------------------------------------------------------------

TEST_CASE("subscriptions: a filter without wildcards matches its own topic only") {
  CHECK(matches(filter("lesson.published"), "lesson.published"));
  CHECK_FALSE(matches(filter("lesson.published"), "lesson.published.eu"));
  CHECK_FALSE(matches(filter("lesson.published"), "lesson"));
  CHECK_FALSE(matches(filter("lesson.published"), "lesson.updated"));
}

TEST_CASE("subscriptions: * stands for exactly one token") {
  CHECK(matches(filter("*"), "lesson"));
  CHECK(matches(filter("lesson.*.eu"), "lesson.published.eu"));
  CHECK_FALSE(matches(filter("lesson.*"), "lesson"));
  CHECK_FALSE(matches(filter("lesson.*"), "lesson.published.eu"));
  CHECK_FALSE(matches(filter("*.published"), "lesson.updated"));
}

TEST_CASE("subscriptions: > stands for one or more tokens at the end") {
  CHECK(matches(filter(">"), "lesson"));
  CHECK(matches(filter(">"), "lesson.published.eu.math"));
  CHECK(matches(filter("lesson.>"), "lesson.published.eu"));
  CHECK(matches(filter("*.published.>"), "lesson.published.eu"));
  CHECK_FALSE(matches(filter("lesson.>"), "lesson"));
}

TEST_CASE("subscriptions: the filter of an event name matches the name and what is below it") {
  const auto name = topic_filter::name_and_below("lesson.published").value();
  CHECK(matches(name, "lesson.published"));
  CHECK(matches(name, "lesson.published.eu.math"));
  CHECK_FALSE(matches(name, "lesson"));
  CHECK_FALSE(matches(name, "lesson.published-draft"));
}

TEST_CASE("subscriptions: a wildcard in first place does not match the runtime's topics") {
  CHECK_FALSE(matches(filter(">"), "$node.started"));
  CHECK_FALSE(matches(filter("*.started"), "$node.started"));
  CHECK(matches(filter("$node.>"), "$node.started"));
  CHECK(matches(filter("$node.*"), "$node.started"));
}

TEST_CASE("subscriptions: a filter that was never parsed wants nothing") {
  CHECK_FALSE(matches(topic_filter(), "lesson"));
}

// -- who ------------------------------------------------------------------------------

TEST_CASE("subscriptions: a route names each subscriber once, in rising order") {
  subscriptions table;
  table.add(9, filter("lesson.>"));
  table.add(3, filter("lesson.published"));
  table.add(5, filter("*.published"));
  table.add(3, filter(">"));
  table.add(3, filter(">")); // it has that one
  CHECK(who(table, "lesson.published") == subscriber_list{3, 5, 9});
  CHECK(who(table, "quiz.submitted") == subscriber_list{3});
  CHECK(table.subscribers() == 3);
}

TEST_CASE("subscriptions: a topic nobody wants has an empty route") {
  subscriptions table;
  CHECK(who(table, "lesson.published").empty());
  table.add(1, filter("quiz.>"));
  CHECK(who(table, "lesson.published").empty());
}

TEST_CASE("subscriptions: what is removed is matched no more, and leaves nothing behind") {
  topic_trie trie;
  trie.insert(filter("lesson.*.>"), 1);
  trie.insert(filter("lesson.*"), 2);
  trie.insert(filter("lesson.*"), 1);
  trie.erase(filter("lesson.*"), 7); // was not there
  trie.erase(filter("quiz.*"), 1);
  trie.erase(filter("lesson.*"), 1);
  trie.insert(filter("lesson.*"), 2); // was there
  std::vector<std::uint32_t> found;
  trie.collect("lesson.published", found);
  CHECK(found == subscriber_list{2});
  trie.erase(filter("lesson.*"), 2);
  trie.erase(filter("lesson.*.>"), 1);
  CHECK(trie.empty());

  subscriptions table;
  table.add(1, filter("lesson.published"));
  table.add(1, filter("lesson.>"));
  table.add(2, filter("lesson.published"));
  CHECK(who(table, "lesson.published") == subscriber_list{1, 2});
  table.remove(1);
  table.remove(1);
  CHECK(who(table, "lesson.published") == subscriber_list{2});
  CHECK(who(table, "lesson.updated").empty());
}

// -- the cache ----------------------------------------------------------------------------

TEST_CASE("subscriptions: the second question about a topic does not walk the tree") {
  subscriptions table;
  table.add(1, filter(">"));
  for (int i = 0; i < 5; ++i)
    who(table, "lesson.published");
  CHECK(table.counts().misses == 1);
}

TEST_CASE("subscriptions: equal sets of subscribers are one route") {
  subscriptions table;
  table.add(1, filter("lesson.>"));
  table.add(2, filter("lesson.>"));
  table.add(3, filter("lesson.updated"));
  const auto* published = &table.match("lesson.published", text_hash("lesson.published"));
  const auto* withdrawn = &table.match("lesson.withdrawn", text_hash("lesson.withdrawn"));
  const auto* updated = &table.match("lesson.updated", text_hash("lesson.updated"));
  CHECK(published == withdrawn);
  CHECK(published != updated);
}

TEST_CASE("subscriptions: two topics with one hash keep their own routes") {
  subscriptions table;
  table.add(1, filter("lesson"));
  table.add(2, filter("quiz"));
  for (int i = 0; i < 2; ++i) {
    CHECK(table.match("lesson", 42).subscribers == subscriber_list{1});
    CHECK(table.match("quiz", 42).subscribers == subscriber_list{2});
  }
  CHECK(table.counts().misses == 2);
}

TEST_CASE("subscriptions: topics made to collide cost a walk, not a longer look into the table") {
  subscriptions table;
  table.add(1, filter(">"));
  for (std::size_t i = 0; i < 1000; ++i)
    CHECK(table.match(numbered("t", i), 0).subscribers == subscriber_list{1});
  CHECK(table.counts().misses == 1000);
  CHECK(table.counts().replaced == 1000 - 16);
  CHECK(table.cached_topics() == 16);
}

TEST_CASE("subscriptions: the cache is cleared when it is full, and counts that") {
  subscriptions table;
  table.add(1, filter(">"));
  const std::size_t topics = 3 * subscriptions::max_cached_topics;
  for (std::size_t i = 0; i < topics; ++i) {
    REQUIRE(who(table, numbered("topic.", i)) == subscriber_list{1});
    REQUIRE(table.cached_topics() <= subscriptions::max_cached_topics);
  }
  CHECK(table.counts().misses == topics);
  CHECK(table.counts().cleared == 2);
}

TEST_CASE("subscriptions: the cache is bounded in subscribers, too") {
  subscriptions table;
  const std::uint32_t many = 20'000;
  for (std::uint32_t i = 0; i < many; ++i)
    table.add(i, filter(">"));
  for (std::uint32_t i = 0; i < 200; ++i)
    table.add(many + i, filter(numbered("topic.", i)));
  for (std::uint32_t i = 0; i < 200; ++i) // each with a set of its own
    CHECK(who(table, numbered("topic.", i)).size() == many + 1);
  CHECK(table.counts().cleared == 3); // after 53 sets of 20,001 each
}

TEST_CASE("subscriptions: a route outlives the next call, even one that forgets it") {
  subscriptions table;
  table.add(1, filter("lesson"));
  const auto& before_add = table.match("lesson", 1);
  table.add(2, filter("lesson"));
  CHECK(before_add.subscribers == subscriber_list{1});
  const auto& before_remove = table.match("lesson", 1);
  table.remove(1);
  CHECK(before_remove.subscribers == subscriber_list{1, 2});
  table.add(3, filter("other"));
  const auto& before_clearing = table.match("lesson", 1);
  for (std::size_t i = 0; table.cached_topics() < subscriptions::max_cached_topics; ++i)
    who(table, numbered("topic.", i));
  who(table, "quiz");
  CHECK(table.counts().cleared == 1);
  CHECK(before_clearing.subscribers == subscriber_list{2});
}

// -- against brute force ---------------------------------------------------------------------

namespace {

std::string random_text(test::random_numbers& chance, bool wildcards) {
  static constexpr std::string_view words[] = {"a", "b", "c", "$a", "ab"};
  std::string text;
  const auto tokens = 1 + chance.below(5);
  for (int i = 0; i < tokens; ++i) {
    if (i > 0)
      text += '.';
    if (wildcards && chance.one_in(3))
      text += i + 1 == tokens && chance.one_in(2) ? ">" : "*";
    else
      text += i == 0 ? words[chance.below(5)] : words[chance.below(3)];
  }
  return text;
}

topic_filter random_filter(test::random_numbers& chance) {
  if (chance.one_in(4))
    return topic_filter::name_and_below(random_text(chance, false)).value();
  return filter(random_text(chance, true));
}

} // namespace

TEST_CASE("subscriptions: the tree finds what asking every filter finds") {
  test::random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  for (int round = 0; round < 50; ++round) {
    subscriptions table;
    std::map<std::uint32_t, std::vector<topic_filter>> all;
    for (int step = 0; step < 200; ++step) {
      const auto subscriber = chance.below(20u);
      if (chance.one_in(4)) {
        table.remove(subscriber);
        all.erase(subscriber);
      } else if (chance.one_in(2)) {
        all[subscriber].push_back(random_filter(chance));
        table.add(subscriber, all[subscriber].back());
      }
      for (int i = 0; i < 5; ++i) {
        const auto topic = random_text(chance, false);
        subscriber_list expected;
        for (const auto& [one, filters] : all)
          if (std::any_of(filters.begin(), filters.end(),
                          [&](const topic_filter& f) { return f.matches(topic); }))
            expected.push_back(one);
        INFO("topic " << topic);
        REQUIRE(who(table, topic) == expected);
      }
    }
  }
}

TEST_CASE("subscriptions: ten thousand subscribers with filters of their own find their topics") {
  subscriptions table;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    table.add(i, filter(numbered("school.", i, ".*.>")));
  for (std::uint32_t i = 0; i < 10'000; i += 997)
    CHECK(who(table, numbered("school.", i, ".lesson.published")) == subscriber_list{i});
  CHECK(who(table, "school.10000.lesson.published").empty());
  for (std::uint32_t i = 0; i < 10'000; ++i)
    table.remove(i);
  CHECK(table.subscribers() == 0);
  CHECK(who(table, "school.1.lesson.published").empty());
}
