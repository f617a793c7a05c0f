// The judge of a run, on journals that were made up: every kind of lie is found, and honest runs
// are let go.

#include "judge.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch_dir.hpp"

using namespace edupulse;
using namespace edupulse::simulator;

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t began = 100 * second;

/// Two nodes, or more: n1 publishes, and all have an indexer. Times are seconds.
class made_up_run {
public:
  explicit made_up_run(std::size_t nodes = 2) {
    what_.nodes = nodes;
    what_.handlers = {{}};
    for (std::size_t start = 0; start < nodes; ++start)
      add_start(start);
  }
  std::uint32_t add_start(std::size_t node) {
    const auto number = static_cast<std::uint32_t>(starts_.size());
    writers_.push_back(
        std::make_unique<journal_writer>(place_.path() / std::to_string(number), 1000));
    node_start begun;
    begun.number = number;
    begun.node = node;
    begun.begin_ns = number < what_.nodes ? began - second : began + 5 * second;
    begun.journal = journal_reader(place_.path() / std::to_string(number));
    begun.said = books{{}, {}, true};
    starts_.push_back(std::move(begun));
    return number;
  }
  void publish(std::uint64_t number, std::uint64_t key, double at, std::uint32_t start = 0,
               bool known = true) {
    auto entry = record_of(number, key, at, start);
    entry.number = number;
    if (!known) // it was killed before it heard the answer, and so it knows no id
      entry.id_high = entry.id_low = 0;
    put(start, record_kind::intended, entry);
    if (known)
      put(start, record_kind::published, entry);
  }
  void handle(std::uint32_t start, std::uint64_t number, std::uint64_t key, double at,
              std::uint32_t publisher = 0, std::uint64_t gap = 0) {
    auto entry = record_of(number, key, at, publisher);
    entry.gap = gap;
    put(start, record_kind::handled, entry);
  }
  /// By an object of the plugin that is handler 1, on n2. Its ids are those of a publisher 50.
  void publish_of_plugin(std::uint64_t source, std::uint64_t number, std::uint64_t key, double at,
                         std::uint32_t start = 1) {
    auto entry = record_of(source * 100 + number, key, at, 50);
    entry.source = source;
    entry.number = number;
    entry.handler = 1;
    entry.wanted = 1; // by the indexer
    put(start, record_kind::published, entry);
  }
  void put(std::uint32_t start, record_kind what, record entry) {
    entry.start = start;
    REQUIRE(writers_[start]->put(what, entry));
  }
  record record_of(std::uint64_t number, std::uint64_t key, double at, std::uint32_t publisher) {
    record entry;
    entry.id_high = 7 + publisher;
    entry.id_low = number;
    entry.key = key;
    entry.payload = number * 31 + publisher;
    entry.at_ns = began + static_cast<std::int64_t>(at * 1e9);
    return entry;
  }
  void owe(const std::string& subscription, std::uint64_t published, std::uint64_t handled,
           std::map<std::string, std::uint64_t> dropped = {}, std::uint64_t pending = 0,
           std::uint64_t dead = 0) {
    starts_[0].said->rows.push_back(
        {"lesson.published", subscription, published, handled, dead, 0, dropped, pending});
  }
  /// Two events, handled by both.
  void honest() {
    for (std::uint64_t number = 1; number <= 2; ++number) {
      publish(number, 1, static_cast<double>(number));
      for (std::uint32_t start = 0; start < 2; ++start)
        handle(start, number, 1, static_cast<double>(number) + 0.1);
    }
    owe("indexer@n1", 2, 2);
    owe("indexer@n2", 2, 2);
  }
  run_report judged() {
    run_report told;
    judge({what_, starts_, sightings_, began, troubles_, whole_}, told);
    return told;
  }
  /// The names of what was broken.
  std::string broken() {
    std::string names;
    for (const auto& one : judged().outcome.checks)
      if (!one.ok)
        names += (names.empty() ? "" : " ") + one.name;
    return names;
  }

  plan what_;
  std::vector<node_start> starts_;
  std::vector<sighting> sightings_;
  std::vector<std::string> troubles_;
  bool whole_ = true;

private:
  test::scratch_dir place_;
  std::vector<std::unique_ptr<journal_writer>> writers_;
};

} // namespace

TEST_CASE("simulator judge: an honest run passes") {
  made_up_run run;
  run.honest();
  const auto told = run.judged();
  CHECK(told.outcome.ok);
  CHECK(told.outcome.violations.empty());
  CHECK(told.ledger.size() == 2);
}

TEST_CASE("simulator judge: an event that was accepted and never handled is lost, and its story is "
          "told") {
  made_up_run run;
  run.honest();
  run.publish(3, 1, 3);
  run.handle(0, 3, 1, 3.1);
  run.starts_[0].said->rows.clear();
  run.owe("indexer@n1", 3, 3);
  run.owe("indexer@n2", 3, 3); // it lies
  CHECK(run.broken() == "lost");
  const auto told = run.judged();
  REQUIRE_FALSE(told.outcome.violations.empty());
  CHECK(told.outcome.violations[0].what ==
        "lost: indexer@n2 never handled 1 events of n1, of which its ledger explains 0");
  REQUIRE(told.outcome.violations[0].story.size() == 2);
  CHECK(told.outcome.violations[0].story[0].find("n1 published it as event 3") !=
        std::string::npos);
  CHECK(told.outcome.violations[0].story[1].find("n1 indexer handled it") != std::string::npos);
}

TEST_CASE("simulator judge: what the ledger counts as dropped is not lost, but must be allowed and "
          "told as a gap") {
  made_up_run run;
  run.publish(1, 1, 1);
  run.publish(2, 1, 2);
  run.handle(0, 1, 1, 1.1);
  run.handle(0, 2, 1, 2.1);
  run.handle(1, 2, 1, 2.1, 0, 1);
  run.owe("indexer@n1", 2, 2);
  run.owe("indexer@n2", 2, 1, {{"shed_stalled", 1}});
  CHECK(run.broken() == "dropped");
  run.what_.allows = {"dropped"};
  CHECK(run.broken() == "");
}

TEST_CASE("simulator judge: a drop that nobody was told of, and a gap that nobody dropped") {
  made_up_run run;
  run.what_.allows = {"dropped"};
  run.publish(1, 1, 1);
  run.publish(2, 1, 2);
  for (const auto number : {1, 2})
    run.handle(0, static_cast<std::uint64_t>(number), 1, number + 0.1);
  run.handle(1, 2, 1, 2.1);
  run.owe("indexer@n1", 2, 2);
  run.owe("indexer@n2", 2, 1, {{"shed_stalled", 1}});
  CHECK(run.broken() == "gap");

  made_up_run other;
  other.publish(1, 1, 1);
  other.handle(0, 1, 1, 1.1);
  other.handle(1, 1, 1, 1.1, 0, 5);
  other.owe("indexer@n1", 1, 1);
  other.owe("indexer@n2", 1, 1);
  CHECK(other.broken() == "gap");
}

TEST_CASE("simulator judge: an event that one start handles twice is duplicated, and one that two "
          "starts handle is not") {
  made_up_run run;
  run.honest();
  run.handle(1, 2, 1, 2.5);
  CHECK(run.broken() == "duplicated");

  made_up_run again;
  again.honest();
  again.starts_[1].killed = true;
  again.handle(again.add_start(1), 2, 1, 6);
  CHECK(again.broken() == "");
}

TEST_CASE("simulator judge: events of one key out of order are found, those of two are free") {
  made_up_run run;
  for (std::uint64_t number = 1; number <= 3; ++number)
    run.publish(number, number == 3 ? 2 : 1, static_cast<double>(number));
  for (std::uint32_t start = 0; start < 2; ++start) {
    run.handle(start, 3, 2, 3.1); // of the other key
    run.handle(start, start == 0 ? 1 : 2, 1, 3.2);
    run.handle(start, start == 0 ? 2 : 1, 1, 3.3);
  }
  run.owe("indexer@n1", 3, 3);
  run.owe("indexer@n2", 3, 3);
  CHECK(run.broken() == "reordered");
}

TEST_CASE("simulator judge: what nobody published, or with other bytes, is a phantom") {
  made_up_run run;
  run.honest();
  run.handle(1, 77, 1, 3);
  CHECK(run.broken() == "phantom");

  made_up_run damaged;
  damaged.publish(1, 1, 1);
  damaged.handle(0, 1, 1, 1.1);
  auto entry = damaged.record_of(1, 1, 1.1, 0);
  entry.payload = 99;
  damaged.put(1, record_kind::handled, entry);
  damaged.owe("indexer@n1", 1, 1);
  damaged.owe("indexer@n2", 1, 1);
  CHECK(damaged.broken() == "phantom");
}

TEST_CASE("simulator judge: ledgers that do not add up, debts at the end and dead letters") {
  made_up_run run;
  run.honest();
  run.starts_[1].said->balanced = false;
  CHECK(run.broken() == "unbalanced");

  made_up_run debts;
  debts.publish(1, 1, 1);
  debts.handle(0, 1, 1, 1.1);
  debts.owe("indexer@n1", 1, 1);
  debts.owe("indexer@n2", 1, 0, {}, 1);
  CHECK(debts.broken() == "lost unbalanced");

  made_up_run dead;
  dead.publish(1, 1, 1);
  dead.handle(0, 1, 1, 1.1);
  dead.owe("indexer@n1", 1, 1);
  dead.owe("indexer@n2", 1, 0, {}, 0, 1);
  CHECK(dead.broken() == "dead");
  dead.what_.allows = {"dead"};
  CHECK(dead.broken() == "");
}

TEST_CASE("simulator judge: a node that was believed dead is not owed what was published then, and "
          "no more than that") {
  made_up_run run;
  for (std::uint64_t number = 1; number <= 4; ++number) {
    run.publish(number, 1, 10.0 * static_cast<double>(number));
    run.handle(0, number, 1, 10.0 * static_cast<double>(number) + 1);
  }
  run.handle(1, 1, 1, 11);
  run.handle(1, 4, 1, 41);
  run.owe("indexer@n1", 4, 4);
  run.owe("indexer@n2", 2, 2);
  const auto saw = [&](double at, run_report::member_state state) {
    run.sightings_.push_back({began + static_cast<std::int64_t>(at * 1e9), 0, 1, state});
  };
  CHECK(run.broken() == "lost");
  saw(15, run_report::member_state::dead);
  saw(35, run_report::member_state::alive);
  CHECK(run.broken() == "");
  const auto told = run.judged();
  CHECK(told.notes ==
        std::vector<std::string>{"2 events were not owed to who was believed dead, or "
                                 "away, when they were published: 2 of n1 to "
                                 "indexer@n2"});
  REQUIRE(told.not_owed.size() == 1);
  CHECK(told.not_owed[0].count == 2);
}

TEST_CASE(
    "simulator judge: a group is not owed what is published while all its members are believed "
    "dead, and owed what is published while one is not") {
  made_up_run run(3);
  run.what_.handlers[0].group = "workers";
  run.what_.handlers[0].nodes = {1, 2};
  for (std::uint64_t number = 1; number <= 3; ++number)
    run.publish(number, 1, 10.0 * static_cast<double>(number));
  run.handle(1, 1, 1, 11);
  run.handle(1, 3, 1, 31);
  run.owe("indexer@n2", 2, 2);
  const auto dies = [&](std::size_t who) {
    for (const auto& [at, state] : {std::pair(15, run_report::member_state::dead),
                                    std::pair(25, run_report::member_state::alive)})
      run.sightings_.push_back({began + at * second, 0, who, state});
  };
  dies(1);
  CHECK(run.broken() == "lost");
  dies(2);
  CHECK(run.broken() == "");
}

TEST_CASE(
    "simulator judge: with many nodes, notes of pairs are one line with the first of them, and "
    "the report has all") {
  made_up_run run(8);
  for (std::uint64_t number = 1; number <= 8; ++number)
    run.publish(number, 1, static_cast<double>(number));
  for (std::uint32_t node = 0; node < 8; ++node) { // each is missed one event later
    for (std::uint64_t number = 1; number <= 8; ++number)
      if (node == 0 || number < 8 - node)
        run.handle(node, number, 1, 20 + static_cast<double>(number));
    run.owe("indexer@" + name_of(node), node == 0 ? 8 : 7 - node, node == 0 ? 8 : 7 - node);
    if (node > 0)
      run.sightings_.push_back({began + static_cast<std::int64_t>((7.95 - node) * 1e9), 0, node,
                                run_report::member_state::dead});
  }
  const auto told = run.judged();
  CHECK(told.notes ==
        std::vector<std::string>{"35 events were not owed to who was believed dead, or "
                                 "away, when they were published: 8 of n1 to "
                                 "indexer@n8, 7 of n1 to indexer@n7, 6 of n1 to "
                                 "indexer@n6 and 4 more"});
  CHECK(told.not_owed.size() == 7);
}

TEST_CASE("simulator judge: of what a killed publisher published an end may be missing, and no "
          "middle") {
  made_up_run run;
  run.starts_[0].killed = true;
  run.starts_[0].said.reset();
  for (std::uint64_t number = 1; number <= 3; ++number)
    run.publish(number, number, static_cast<double>(number));
  run.handle(1, 1, 1, 1.1);
  CHECK(run.broken() == "");
  run.handle(1, 3, 3, 3.1);
  CHECK(run.broken() == "lost");
}

TEST_CASE("simulator judge: a thread that died over its record hides none of the others'") {
  made_up_run run;
  for (std::uint64_t number = 1; number <= 2; ++number) {
    run.publish(number, 1, static_cast<double>(number));
    run.handle(0, number, 1, static_cast<double>(number) + 0.1);
    run.handle(1, number, 1, static_cast<double>(number) + 0.1);
    if (number == 1)
      run.put(1, record_kind::nothing, {}); // a place that was taken, and no record
  }
  run.owe("indexer@n1", 2, 2);
  run.owe("indexer@n2", 2, 2);
  CHECK(run.starts_[1].journal.all().size() == 1); // it may be finished yet
  run.starts_[1].journal.writer_ended();
  CHECK(run.starts_[1].journal.all().size() == 3);
  CHECK(run.broken() == "");
}

TEST_CASE("simulator judge: what a killed publisher was in the middle of may have arrived") {
  made_up_run run;
  run.starts_[0].killed = true;
  run.starts_[0].said.reset();
  run.publish(1, 1, 1);
  run.publish(2, 2, 2, 0, false);
  run.handle(1, 1, 1, 1.1);
  run.handle(1, 2, 2, 2.1);
  CHECK(run.broken() == "");
}

TEST_CASE("simulator judge: a ledger that is not known is said, and fails the run") {
  made_up_run run;
  run.honest();
  run.starts_[0].said.reset();
  const auto told = run.judged();
  CHECK_FALSE(told.outcome.ok);
  CHECK(told.outcome.unchecked.size() == 2); // one for each subscription
  CHECK(told.outcome.text.find("not everything could be checked") != std::string::npos);
}

TEST_CASE("simulator judge: crashes, and a cluster that does not find together, fail the run") {
  made_up_run run;
  run.honest();
  run.troubles_ = {"crashed: n2"};
  run.whole_ = false;
  CHECK(run.broken() == "membership trouble");
}

TEST_CASE("simulator judge: of a group one member handles an event, in order over all of them") {
  made_up_run run;
  run.what_.handlers[0].group = "workers";
  run.publish(1, 1, 1);
  run.publish(2, 1, 2);
  run.handle(0, 1, 1, 1.1);
  run.handle(1, 2, 1, 2.1);
  run.owe("indexer@n1", 1, 1);
  run.owe("indexer@n2", 1, 1);
  CHECK(run.broken() == "");
  run.handle(0, 2, 1, 2.2); // a second member, and nobody had died
  CHECK(run.broken() == "duplicated");
  run.starts_[1].killed = true;
  CHECK(run.broken() == "");
}

namespace {

/// n2 has a plugin, which publishes one event for each of two, and n1 and n2 index them all.
class run_with_plugin : public made_up_run {
public:
  run_with_plugin() {
    what_.handlers.push_back({.name = "notes.writer", .nodes = {1}, .of_plugin = true});
    honest();
    owe("notes.writer@n2", 2, 2);
    for (std::uint64_t number = 1; number <= 2; ++number) {
      auto entry = record_of(number, 1, static_cast<double>(number) + 0.1, 0);
      entry.handler = 1;
      put(1, record_kind::handled, entry);
      publish_of_plugin(1, number, 9, static_cast<double>(number) + 0.1);
    }
    owe_notes("indexer@n1", 2);
    owe_notes("indexer@n2", 2);
  }
  void owe_notes(const std::string& subscription, std::uint64_t count) {
    starts_[1].said->rows.push_back({"note", subscription, count, count, 0, 0, {}, 0});
  }
  void index(std::uint32_t start, std::uint64_t source, std::uint64_t number, double at) {
    handle(start, source * 100 + number, 9, at, 50);
  }
  void index_all() {
    for (std::uint32_t start = 0; start < 2; ++start)
      for (std::uint64_t number = 1; number <= 2; ++number)
        index(start, 1, number, static_cast<double>(number) + 0.2);
  }
};

} // namespace

TEST_CASE(
    "simulator judge: what a plugin publishes is owed and judged like all else, and counted") {
  run_with_plugin run;
  run.index_all();
  CHECK(run.broken() == "");
  const auto notes = run.judged().notes;
  REQUIRE(notes.size() == 1);
  CHECK(notes[0] == "2 of the events were published by plugins");
}

TEST_CASE(
    "simulator judge: an event of a plugin that nobody was given is lost, and its story names "
    "the plugin") {
  run_with_plugin run;
  run.index(0, 1, 1, 1.2);
  run.index(0, 1, 2, 2.2);
  run.index(1, 1, 1, 1.2);
  CHECK(run.broken() == "lost");
  const auto told = run.judged();
  REQUIRE_FALSE(told.outcome.violations.empty());
  REQUIRE_FALSE(told.outcome.violations[0].story.empty());
  CHECK(told.outcome.violations[0].story[0].find("n2 notes.writer published it as event 2") !=
        std::string::npos);
}

TEST_CASE("simulator judge: objects of a plugin have an order each, and none between them") {
  run_with_plugin run;
  run.publish_of_plugin(2, 1, 9, 1.05);
  run.owe_notes("indexer@n1", 1);
  run.owe_notes("indexer@n2", 1);
  run.index_all();
  for (std::uint32_t start = 0; start < 2; ++start)
    run.index(start, 2, 1, 2.5); // behind both of the other object
  CHECK(run.broken() == "");
  run_with_plugin turned;
  for (std::uint32_t start = 0; start < 2; ++start) {
    turned.index(start, 1, 2, 2.2);
    turned.index(start, 1, 1, 2.3);
  }
  CHECK(turned.broken() == "reordered");
}

TEST_CASE("simulator judge: who is given what its filter does not take is told") {
  run_with_plugin run;
  run.index_all();
  auto entry = run.record_of(101, 9, 3, 50);
  entry.handler = 1;
  run.put(1, record_kind::handled, entry);
  CHECK(run.broken() == "phantom");
  CHECK(run.judged().outcome.violations[0].what ==
        "phantom: n2 gave notes.writer event 1 of notes.writer@n2, which it does not take");
}

TEST_CASE(
    "simulator judge: of who was killed a hole in what one object has published is a loss, and "
    "an end is none") {
  run_with_plugin run;
  run.starts_[1].killed = true;
  run.index(0, 1, 1, 1.2);
  run.publish_of_plugin(2, 1, 9, 2.5);
  run.index(0, 2, 1, 2.6);
  CHECK(run.broken() == "");
  run.publish_of_plugin(1, 3, 9, 3);
  run.index(0, 1, 3, 3.1);
  CHECK(run.broken() == "lost");
}
