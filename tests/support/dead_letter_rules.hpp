#pragma once
// What every store of dead letters promises, to be held against each of them.

#include "actors/dead_letters.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include <algorithm>
#include <functional>
#include <memory>

namespace edupulse::test {

using store_ptr = std::unique_ptr<dead_letter_store>;
/// Makes an empty store with those bounds.
using store_maker = std::function<store_ptr(dead_letter_store::limits)>;

inline dead_letter make_letter(std::string subscription, const event_recipe& event = {}) {
  dead_letter letter;
  letter.event = make_event(event);
  letter.subscription = std::move(subscription);
  letter.node = "api-1";
  letter.reason = "it did not succeed in the time for retries";
  letter.attempts = {{1'700'000'000'001, "crash", "std::runtime_error", "no such lesson"},
                     {1'700'000'000'101, "retry", "", "the index is locked"}};
  letter.redrives = 3;
  letter.died_ms = 1'700'000'000'200;
  return letter;
}

inline std::vector<dead_letter> make_letters(std::size_t count, const std::string& subscription) {
  std::vector<dead_letter> letters;
  while (letters.size() < count)
    letters.push_back(make_letter(subscription));
  return letters;
}

inline std::uint64_t add_one(dead_letter_store& to, dead_letter letter) {
  std::vector<dead_letter> letters{std::move(letter)};
  to.add(letters).value();
  return letters.front().id;
}

inline std::vector<std::uint64_t> ids(const std::vector<dead_letter>& letters) {
  std::vector<std::uint64_t> numbers;
  for (const auto& one : letters)
    numbers.push_back(one.id);
  return numbers;
}

inline void check_same(const dead_letter& got, const dead_letter& sent) {
  REQUIRE(got.event);
  CHECK(got.event->id() == sent.event->id());
  CHECK(got.event->topic() == sent.event->topic());
  CHECK(got.event->key() == sent.event->key());
  CHECK(got.event->meta("tenant") == sent.event->meta("tenant"));
  CHECK(got.event->words().size() == sent.event->words().size());
  CHECK(got.subscription == sent.subscription);
  CHECK(got.node == sent.node);
  CHECK(got.reason == sent.reason);
  CHECK(got.attempts == sent.attempts);
  CHECK(got.redrives == sent.redrives);
  CHECK(got.died_ms == sent.died_ms);
}

// -- the rules ----------------------------------------------------------------------

inline void keeps_all_of_it(const store_maker& make) {
  const auto store = make({});
  auto sent = make_letter("indexer", {.subject = "eu.math",
                                      .key = "lesson-42",
                                      .meta = {{"tenant", "north"}},
                                      .payload_bytes = 5000});
  sent.attempts[0].text = std::string("a zero \0 and \xff bytes", 20);
  sent.attempts[1].text = "";
  const auto id = add_one(*store, sent);
  CHECK(id != 0);
  check_same(store->show(id).value(), sent);
  check_same(store->list({}).value().at(0), sent);
  CHECK(store->count() == 1);
  CHECK(store->bytes() >= 5000);
}

inline void lists_in_pages(const store_maker& make) {
  const auto store = make({});
  std::vector<dead_letter> letters;
  for (int i = 0; i < 10; ++i)
    letters.push_back(make_letter(i % 2 == 0 ? "even" : "odd"));
  store->add(letters).value();
  const auto all = ids(letters);
  CHECK(std::is_sorted(all.begin(), all.end()));
  CHECK(ids(store->list({}).value()) == all);
  CHECK(store->list({.subscription = "even"}).value().size() == 5);
  CHECK(store->list({.subscription = "nobody"}).value().empty());
  CHECK(ids(store->list({.limit = 3}).value()) ==
        std::vector<std::uint64_t>(all.begin(), all.begin() + 3));
  CHECK(ids(store->list({.limit = 3, .after = all[2]}).value()) ==
        std::vector<std::uint64_t>(all.begin() + 3, all.begin() + 6));
  CHECK(ids(store->list({.subscription = "odd", .after = all[7]}).value()) ==
        std::vector<std::uint64_t>{all[9]});
  CHECK(store->list({.after = all[9]}).value().empty());
  CHECK(store->list({.after = ~std::uint64_t{0}}).value().empty());
  CHECK(store->list({.limit = 0}).value().empty());
}

inline void unknown_ids_are_not_found(const store_maker& make) {
  const auto store = make({});
  add_one(*store, make_letter("indexer"));
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{99}, ~std::uint64_t{0}}) {
    CHECK(store->show(id).error().code == errc::not_found);
    CHECK(store->take_for_redrive(id).error().code == errc::not_found);
    CHECK(store->discard(id).error().code == errc::not_found);
    CHECK(store->settle_redrive(id, true)); // nothing to do
  }
  CHECK(store->count() == 1);
}

inline void a_discarded_letter_is_gone(const store_maker& make) {
  const auto store = make({});
  const auto sent = make_letter("indexer");
  const auto id = add_one(*store, sent);
  check_same(store->discard(id).value(), sent);
  CHECK(store->discard(id).error().code == errc::not_found);
  CHECK(store->count() == 0);
  CHECK(store->bytes() == 0);
  CHECK(add_one(*store, sent) > id); // an id is never given again
}

inline void a_redriven_letter_stays_until_settled(const store_maker& make) {
  const auto store = make({});
  const auto sent = make_letter("indexer");
  const auto id = add_one(*store, sent);
  const auto taken = store->take_for_redrive(id).value();
  check_same(taken, sent);
  CHECK(taken.id == id);
  CHECK(store->count() == 1);
  CHECK(store->show(id).value().redriving);
  CHECK(store->take_for_redrive(id).error().code == errc::refused);
  CHECK(store->discard(id).error().code == errc::refused);

  REQUIRE(store->settle_redrive(id, false)); // it was not tried
  CHECK_FALSE(store->show(id).value().redriving);

  store->take_for_redrive(id).value();
  REQUIRE(store->settle_redrive(id, true));
  CHECK(store->show(id).error().code == errc::not_found);
  CHECK(store->bytes() == 0);
}

inline void a_letter_that_waits_cannot_be_settled(const store_maker& make) {
  const auto store = make({});
  const auto id = add_one(*store, make_letter("indexer"));
  REQUIRE(store->settle_redrive(id, true));
  CHECK(store->count() == 1);
}

inline void a_letter_that_failed_again_takes_its_old_place(const store_maker& make) {
  const auto store = make({});
  auto letters = make_letters(3, "indexer");
  store->add(letters).value();
  auto again = store->take_for_redrive(letters[0].id).value();
  again.redrives = 4;
  again.reason = "it crashed its handler 5 times";
  again.attempts.push_back({1'700'000'000'300, "crash", "int", "7"});
  CHECK(add_one(*store, again) == letters[0].id);
  CHECK(store->count() == 3);
  const auto shown = store->show(letters[0].id).value();
  check_same(shown, again);
  CHECK_FALSE(shown.redriving);
  CHECK(ids(store->list({}).value()) == ids(letters));
  const auto bytes = store->bytes();
  for (const auto& one : letters)
    store->discard(one.id).value();
  CHECK(bytes > 0);
  CHECK(store->bytes() == 0);
}

inline void when_full_the_oldest_leave(const store_maker& make) {
  const auto store = make({.letters = 3, .bytes = 1u << 20});
  auto letters = make_letters(3, "indexer");
  CHECK(store->add(letters).value().empty());
  store->take_for_redrive(letters[0].id).value();
  auto more = make_letters(2, "auditor");
  const auto pushed_out = store->add(more).value();
  CHECK(ids(pushed_out) == std::vector<std::uint64_t>{letters[1].id, letters[2].id});
  check_same(pushed_out[0], letters[1]);
  CHECK(ids(store->list({}).value()) == // the one that is being redriven stays
        std::vector<std::uint64_t>{letters[0].id, more[0].id, more[1].id});
}

inline void the_bound_in_bytes_holds(const store_maker& make) {
  const auto store = make({.letters = 100, .bytes = 64 * 1024});
  std::size_t pushed_out = 0;
  for (int i = 0; i < 20; ++i) {
    std::vector<dead_letter> one{make_letter("indexer", {.payload_bytes = 10'000})};
    pushed_out += store->add(one).value().size();
    CHECK(store->bytes() <= 64 * 1024);
  }
  CHECK(store->count() + pushed_out == 20);
  CHECK(store->count() == 6);
  std::vector<dead_letter> huge{make_letter("indexer", {.payload_bytes = 70'000})};
  CHECK(store->add(huge).value().size() == 7); // it does not fit even alone
  CHECK(store->count() == 0);
}

inline void letters_in_hand_may_exceed_the_bound(const store_maker& make) {
  const auto store = make({.letters = 2, .bytes = 1u << 20});
  auto letters = make_letters(2, "indexer");
  store->add(letters).value();
  for (const auto& one : letters)
    store->take_for_redrive(one.id).value();
  auto more = make_letters(1, "indexer");
  const auto pushed_out = store->add(more).value(); // the new one itself
  CHECK(ids(pushed_out) == ids(more));
  CHECK(store->count() == 2);
}

inline void what_handlers_wrote_is_cut_to_size(const store_maker& make) {
  const auto store = make({});
  auto letter = make_letter("indexer");
  letter.reason = std::string(100'000, 'r');
  letter.attempts.clear();
  for (int i = 0; i < 50; ++i)
    letter.attempts.push_back(
        {i, std::string(1000, 'w'), std::string(1000, 't'), std::string(5000, 'x')});
  const auto kept = store->show(add_one(*store, letter)).value();
  CHECK(kept.reason.size() == 4096);
  REQUIRE(kept.attempts.size() == 10);
  CHECK(kept.attempts[0].wall_ms == 0);
  CHECK(kept.attempts[1].wall_ms == 41);
  CHECK(kept.attempts[9].wall_ms == 49);
  CHECK(kept.attempts[9].what.size() == 256);
  CHECK(kept.attempts[9].error_type.size() == 256);
  CHECK(kept.attempts[9].text.size() == 4096);
}

inline void ten_thousand_letters(const store_maker& make) {
  const auto store = make({});
  auto letters = make_letters(10'000, "indexer");
  CHECK(store->add(letters).value().empty());
  CHECK(store->count() == 10'000);
  std::size_t listed = 0;
  dead_letter_filter page{.limit = 3000};
  for (auto some = store->list(page).value(); !some.empty(); some = store->list(page).value()) {
    listed += some.size();
    REQUIRE(listed <= 10'000);
    REQUIRE(some.front().id > page.after);
    page.after = some.back().id;
  }
  CHECK(listed == 10'000);
  CHECK(store->list({.limit = 1'000'000}).value().size() == 10'000);
  std::vector<dead_letter> one_more{make_letter("indexer")};
  const auto pushed_out = store->add(one_more).value();
  CHECK(ids(pushed_out) == std::vector<std::uint64_t>{letters[0].id});
}

struct store_rule {
  const char* name;
  void (*check)(const store_maker& make);
};

inline constexpr store_rule store_rules[] = {
    {"a letter keeps its event, its subscription and its attempts", keeps_all_of_it},
    {"letters are listed by id, by subscription and in pages", lists_in_pages},
    {"an id that is not there is not found", unknown_ids_are_not_found},
    {"a discarded letter is gone, and its id is not given again", a_discarded_letter_is_gone},
    {"a redriven letter stays until that is settled", a_redriven_letter_stays_until_settled},
    {"a letter that waits cannot be settled", a_letter_that_waits_cannot_be_settled},
    {"a letter that failed again takes its old place",
     a_letter_that_failed_again_takes_its_old_place},
    {"when it is full, the oldest that is not being redriven leaves", when_full_the_oldest_leave},
    {"the bound in bytes holds", the_bound_in_bytes_holds},
    {"letters that are being redriven are never pushed out", letters_in_hand_may_exceed_the_bound},
    {"what handlers wrote is cut to size", what_handlers_wrote_is_cut_to_size},
    {"ten thousand letters", ten_thousand_letters},
};

} // namespace edupulse::test
