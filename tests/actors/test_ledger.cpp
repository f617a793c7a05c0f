#include "actors/ledger.hpp"
#include "schemas/hash.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"
#include <map>

using namespace edupulse;

namespace {

struct books {
  ledger book;
  std::map<std::pair<std::uint32_t, std::string>, int> pending;

  ledger::row& row(std::string_view topic, std::uint32_t subscription) {
    return book.row_of(topic, text_hash(topic), subscription);
  }
  void publish(std::string_view topic, std::vector<std::uint32_t> to) {
    book.count_published(topic, text_hash(topic), 1, !to.empty());
    for (const auto one : to) {
      ++row(topic, one).published;
      ++pending[{one, std::string(topic)}];
    }
  }
  void conclude(std::string_view topic, std::uint32_t subscription,
                std::uint64_t ledger_counts::*how) {
    ++(row(topic, subscription).*how);
    --pending[{subscription, std::string(topic)}];
  }
  ledger_view view() const {
    return book.snapshot([this](auto count) {
      for (const auto& [at, events] : pending)
        for (int i = 0; i < events; ++i)
          count(at.first, at.second);
    });
  }
};

constexpr auto handled = &ledger_counts::handled;

std::string numbered(std::string_view name, std::size_t number) {
  return std::string(name).append(std::to_string(number));
}

} // namespace

TEST_CASE("ledger: a line balances when all that was published is accounted for, and only then") {
  ledger_counts row;
  row.published = 62;
  row.handled = 1;
  row.dead = 2;
  row.expired = 3;
  for (std::size_t i = 0; i < drop_reasons; ++i)
    row.dropped[i] = i;
  CHECK(row.dropped_in_all() == 55);
  CHECK_FALSE(row.balances(0));
  CHECK(row.balances(1));
  CHECK_FALSE(row.balances(2));
  row.retries = row.crashes = 100; // tries, not events
  CHECK(row.balances(1));
  row.expired = 0;
  CHECK_FALSE(row.balances(1));
}

TEST_CASE("ledger: a sum has every count of its lines") {
  ledger_view view;
  ledger_line line;
  line.published = 1;
  line.handled = 2;
  line.dead = 3;
  line.expired = 4;
  line.dropped.fill(5);
  line.retries = 6;
  line.crashes = 7;
  line.pending = 8;
  line.subscription = "indexer";
  view.lines = {line, line};
  for (const auto& sum : {view.total(), view.of_subscription("indexer")}) {
    CHECK(sum.published == 2);
    CHECK(sum.handled == 4);
    CHECK(sum.dead == 6);
    CHECK(sum.expired == 8);
    CHECK(sum.dropped_in_all() == 10 * drop_reasons);
    CHECK(sum.retries == 12);
    CHECK(sum.crashes == 14);
    CHECK(sum.pending == 16);
  }
}

TEST_CASE("ledger: counts are kept for each topic and subscription") {
  books b;
  b.book.name_subscription(0, "indexer");
  b.book.name_subscription(1, "auditor");
  b.publish("lesson.published", {0, 1});
  b.publish("lesson.published", {0, 1});
  b.publish("lesson.updated", {1});
  b.conclude("lesson.published", 0, handled);
  b.conclude("lesson.published", 1, &ledger_counts::dead);
  b.row("lesson.published", 1).crashes = 5;
  const auto view = b.view();
  REQUIRE(view.lines.size() == 3);
  const auto* indexer = view.find("lesson.published", "indexer");
  REQUIRE(indexer != nullptr);
  CHECK(indexer->published == 2);
  CHECK(indexer->handled == 1);
  CHECK(indexer->pending == 1);
  const auto auditor = view.of_subscription("auditor");
  CHECK(auditor.published == 3);
  CHECK(auditor.dead == 1);
  CHECK(auditor.pending == 2);
  CHECK(auditor.crashes == 5);
  CHECK(view.total().published == 5);
  CHECK(view.total().pending == 3);
  CHECK(view.balances());
  CHECK(view.find("lesson.published", "nobody") == nullptr);
  CHECK(view.of_subscription("nobody").published == 0);
}

TEST_CASE("ledger: an event that is lost without a trace makes it unbalanced") {
  books b;
  b.book.name_subscription(0, "indexer");
  b.publish("lesson.published", {0});
  b.pending.clear();
  CHECK_FALSE(b.view().balances());
  CHECK(to_string(b.view()).find("NOT BALANCED") != std::string::npos);
}

TEST_CASE("ledger: a redriven dead letter is pending again, a discarded one is dropped") {
  books b;
  b.book.name_subscription(0, "indexer");
  for (int i = 0; i < 2; ++i) {
    b.publish("lesson.published", {0});
    b.conclude("lesson.published", 0, &ledger_counts::dead);
  }
  auto& row = b.row("lesson.published", 0);
  --row.dead; // redrive
  ++b.pending[{0, "lesson.published"}];
  CHECK(b.view().balances());
  b.conclude("lesson.published", 0, handled);
  --row.dead; // discard
  ++row.dropped[static_cast<std::size_t>(drop_reason::discarded)];
  CHECK(b.view().balances());
  CHECK(b.view().lines[0].dropped_for(drop_reason::discarded) == 1);
  CHECK(b.view().lines[0].dead == 0);
}

TEST_CASE("ledger: events that nobody wants are counted by topic") {
  books b;
  b.book.name_subscription(0, "indexer");
  b.publish("lesson.published", {0});
  b.publish("lesson.published", {});
  b.publish("quiz.submitted", {});
  const auto view = b.view();
  REQUIRE(view.topics.size() == 2);
  CHECK(view.topics[0].topic == "lesson.published");
  CHECK(view.topics[0].published == 2);
  CHECK(view.topics[0].no_subscriber == 1);
  CHECK(view.topics[1].no_subscriber == 1);
  CHECK(view.balances());
}

// -- bounds -------------------------------------------------------------------------

TEST_CASE("ledger: topics beyond 4,096 share one line for each subscription, which balances") {
  books b;
  b.book.name_subscription(0, "indexer");
  for (std::size_t i = 0; i < ledger::max_topics + 100; ++i)
    b.publish(numbered("t", i), {0});
  for (std::size_t i = 0; i < ledger::max_topics + 50; ++i)
    b.conclude(numbered("t", i), 0, handled);
  const auto view = b.view();
  CHECK(view.topics.size() == ledger::max_topics + 1);
  const auto* rest = view.find("(other topics)", "indexer");
  REQUIRE(rest != nullptr);
  CHECK(rest->published == 100);
  CHECK(rest->handled == 50);
  CHECK(rest->pending == 50);
  CHECK(view.balances());
  CHECK(view.topics.back().published == 100);
}

TEST_CASE("ledger: lines beyond 65,536 are one, which balances") {
  books b;
  constexpr std::uint32_t subscriptions = 17;
  for (std::uint32_t who = 0; who < subscriptions; ++who)
    b.book.name_subscription(who, numbered("s", who));
  for (std::size_t i = 0; i < ledger::max_topics; ++i)
    for (std::uint32_t who = 0; who < subscriptions; ++who)
      b.publish(numbered("t", i), {who});
  auto view = b.view();
  CHECK(view.lines.size() == ledger::max_rows + 1);
  const auto* rest = view.find("(other topics)", "(other subscriptions)");
  REQUIRE(rest != nullptr);
  CHECK(rest->published == ledger::max_topics * subscriptions - ledger::max_rows);
  CHECK(rest->pending == rest->published);
  CHECK(view.balances());
}

TEST_CASE("ledger: where an event is counted does not change when room is made meanwhile") {
  books b;
  for (std::uint32_t who = 0; who < 18; ++who)
    b.book.name_subscription(who, numbered("s", who));
  for (std::uint32_t who = 0; who < 16; ++who)
    for (std::size_t i = 0; i < ledger::max_topics; ++i)
      b.row(numbered("t", i), who);
  b.publish("t0", {16}); // finds no room
  b.book.retire_subscription(3);
  b.publish("t0", {17}); // finds the room of the retired one
  b.publish("t0", {16});
  b.conclude("t0", 16, handled);
  b.conclude("t0", 16, handled);
  const auto view = b.view();
  CHECK(view.balances());
  CHECK(view.find("t0", "s16") == nullptr);
  CHECK(view.find("t0", "s17") != nullptr);
  CHECK(view.find("t0", "s3") == nullptr);
  CHECK(view.find("(other topics)", "(other subscriptions)")->handled == 2);
}

TEST_CASE("ledger: ended subscriptions stay to be seen until their room is needed") {
  books b;
  b.book.name_subscription(0, "early");
  b.publish("t", {0});
  b.conclude("t", 0, handled);
  b.book.retire_subscription(0);
  b.book.retire_subscription(0);
  b.book.retire_subscription(77); // unknown
  CHECK(b.view().find("t", "early") != nullptr);
  for (std::uint32_t who = 1; who <= 2 * ledger::max_rows; ++who) { // come and go
    b.book.name_subscription(who, "passing");
    ++b.row("t", who).published;
    ++b.row("t", who).handled;
    b.book.retire_subscription(who);
  }
  const auto view = b.view();
  CHECK(view.lines.size() <= ledger::max_rows + 1);
  CHECK(view.total().handled == 2 * ledger::max_rows + 1);
  CHECK(view.balances());
}

TEST_CASE("ledger: there is room for new names as long as old subscriptions end") {
  books b;
  for (std::uint32_t who = 0; who < ledger::max_rows; ++who) { // named, and owed nothing
    b.book.name_subscription(who, "passing");
    b.book.retire_subscription(who);
  }
  b.book.name_subscription(ledger::max_rows, "late");
  b.publish("t", {ledger::max_rows});
  CHECK(b.view().find("t", "late") != nullptr);
  CHECK(b.view().balances());
}

TEST_CASE("ledger: names beyond 65,536 share one line") {
  books b;
  for (std::uint32_t who = 0; who <= ledger::max_rows; ++who)
    b.book.name_subscription(who, "living");
  b.publish("t", {ledger::max_rows});
  CHECK(b.view().find("(other topics)", "(other subscriptions)")->pending == 1);
}

TEST_CASE("ledger: subscriptions without a name share one line") {
  books b;
  b.publish("t", {5});
  CHECK(b.view().find("(other topics)", "(other subscriptions)")->pending == 1);
  CHECK(b.view().balances());
}

TEST_CASE("ledger: a row stays where it is while others are made") {
  books b;
  b.book.name_subscription(0, "indexer");
  auto& first = b.row("first", 0);
  for (std::size_t i = 0; i < 5000; ++i)
    b.row(numbered("t", i), 0);
  CHECK(&b.row("first", 0) == &first);
}

TEST_CASE("ledger: it balances after anything that may happen to events") {
  test::random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  books b;
  std::vector<std::pair<std::string, std::uint32_t>> owed;
  for (std::uint32_t who = 0; who < 5; ++who)
    b.book.name_subscription(who, numbered("s", who));
  for (int step = 0; step < 20'000; ++step) {
    const auto topic = numbered("t", chance.below(50u));
    if (owed.empty() || chance.one_in(2)) {
      const auto who = chance.below(6u); // the last has no name
      b.publish(topic, {who});
      owed.emplace_back(topic, who);
      continue;
    }
    std::swap(owed[chance.below(owed.size())], owed.back());
    const auto [where, who] = owed.back();
    owed.pop_back();
    constexpr std::uint64_t ledger_counts::*ends[] = {&ledger_counts::handled, &ledger_counts::dead,
                                                      &ledger_counts::expired};
    const auto end = chance.below(4u);
    if (end < 3) {
      b.conclude(where, who, ends[end]);
    } else {
      ++b.row(where, who).dropped[chance.below(drop_reasons)];
      --b.pending[{who, where}];
    }
    if (chance.one_in(1000))
      REQUIRE(b.view().balances());
  }
  CHECK(b.view().balances());
  CHECK(b.view().total().pending == owed.size());
}

// -- for people ------------------------------------------------------------------------

TEST_CASE("ledger: the table is aligned, sums up and says whether it balances") {
  books b;
  b.book.name_subscription(0, "indexer");
  b.book.name_subscription(1, "auditor");
  for (int i = 0; i < 12; ++i) {
    b.publish("lesson.published", {0, 1});
    b.conclude("lesson.published", 0, handled);
  }
  ++b.row("lesson.published", 1).dropped[0];
  --b.pending[{1, "lesson.published"}];
  b.publish("quiz.submitted", {});
  CHECK(to_string(b.view()) ==
        "topic             subscription  published  handled  dead  expired  dropped  pending  "
        "retries  crashes\n"
        "lesson.published  auditor              12        0     0        0        1       11  "
        "      0        0\n"
        "lesson.published  indexer              12       12     0        0        0        0  "
        "      0        0\n"
        "all               all                  24       12     0        0        1       11  "
        "      0        0\n"
        "dropped shed_stalled: 1\n"
        "no subscriber for 1 of 1 events: quiz.submitted\n"
        "balanced: published = handled + dead + expired + dropped + pending\n");
}

TEST_CASE("ledger: each reason for a drop has a name of its own") {
  CHECK(to_string(drop_reason::shed_stalled) == "shed_stalled");
  CHECK(to_string(drop_reason::drop_newest) == "drop_newest");
  CHECK(to_string(drop_reason::drop_oldest) == "drop_oldest");
  CHECK(to_string(drop_reason::superseded) == "superseded");
  CHECK(to_string(drop_reason::best_effort_full) == "best_effort_full");
  CHECK(to_string(drop_reason::unsubscribed) == "unsubscribed");
  CHECK(to_string(drop_reason::stopped) == "stopped");
  CHECK(to_string(drop_reason::discarded) == "discarded");
  CHECK(to_string(drop_reason::reassigned) == "reassigned");
}
