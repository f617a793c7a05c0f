// What `expect_idempotent` lets pass, and what it finds: handlers with one mistake each.

#include "tests/support/lessons.hpp"
#include <random>
#include <set>

using namespace edupulse;
using namespace edupulse::test;

namespace {

using lesson_handler = std::function<outcome(LessonPublished::Reader, context&)>;

/// What a handler writes to, and outlives it.
struct table {
  std::map<std::string, std::string> rows{};
  int writes = 0;
  std::set<event_id> seen{}; // neither of these two is among its effects
  bool flag = false;
  std::string text() const {
    std::string all = std::to_string(writes);
    for (const auto& [key, value] : rows)
      all += " " + key + "=" + value;
    return all;
  }
};

/// lesson.published "a", "b" and "a" again, with their numbers as titles.
std::vector<envelope_ptr> lessons() {
  std::vector<envelope_ptr> all;
  event_id_source ids(7);
  for (const char* id : {"a", "b", "a"}) {
    envelope_header header;
    header.id = ids.next(1000);
    header.key = id;
    const auto fill = [&](LessonPublished::Builder lesson) {
      lesson.setLessonId(id);
      lesson.setTitle(std::to_string(all.size() + 1));
    };
    all.push_back(to_event<LessonPublished>(fill, header).value());
  }
  return all;
}

/// `make` is given the table and answers the handler. "" when it is idempotent.
std::string found_in(const std::function<lesson_handler(table&)>& make) {
  const auto good = testing::expect_idempotent(
      [&] {
        const auto world = std::make_shared<table>();
        handler_recipe recipe =
            make_recipe<LessonPublished>([make, world, own = lesson_handler()](
                                             LessonPublished::Reader lesson, context& ctx) mutable {
              if (!own) // anew at each start, as a class with state is
                own = make(*world);
              return own(lesson, ctx);
            });
        return std::pair(recipe, testing::observe_effects([world] { return world->text(); }));
      },
      lessons());
  return good ? "" : good.error().text;
}

void enroll(context& ctx, const std::string& student) {
  // Not in a REQUIRE, which would catch the end of the call.
  static_cast<void>(ctx.publish<StudentEnrolled>([&](auto event) { event.setStudentId(student); }));
}

bool says(const std::string& found, std::string_view words) {
  INFO(found);
  return found.find(words) != std::string::npos;
}

} // namespace

TEST_CASE("idempotent: a row for each key, and events that follow from the event, pass") {
  CHECK(found_in([](table& to) {
          return [&to](LessonPublished::Reader lesson, context& ctx) {
            to.rows[lesson.getLessonId().cStr()] = lesson.getTitle().cStr();
            enroll(ctx, std::string("first of ") + lesson.getTitle().cStr());
            enroll(ctx, std::string("second of ") + lesson.getTitle().cStr());
            return outcome::ok();
          };
        }) == "");
}

TEST_CASE("idempotent: a handler that publishes what it subscribes to is given its own events by "
          "nobody") {
  CHECK(found_in([](table&) {
          return [](LessonPublished::Reader lesson, context& ctx) {
            const auto copy = [&](LessonPublished::Builder to) {
              to.setLessonId(std::string("copy of ") + lesson.getLessonId().cStr());
            };
            return ctx.publish<LessonPublished>(copy) ? outcome::ok() : outcome::retry("full");
          };
        }) == "");
}

TEST_CASE("not idempotent: a counter; the first event that is counted twice is named") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader, context&) {
      ++to.writes;
      return outcome::ok();
    };
  });
  CHECK(found == "when event 1 of 3 (lesson.published, key \"a\") is delivered twice, its effects "
                 "are \"4\" instead of \"3\"");
}

TEST_CASE("not idempotent: an insert without a key; the event that does it is named") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader lesson, context&) {
      if (lesson.getTitle() == "2")
        to.rows["row " + std::to_string(to.rows.size() + 1)] = lesson.getTitle().cStr();
      return outcome::ok();
    };
  });
  CHECK(found == "when event 2 of 3 (lesson.published, key \"b\") is delivered twice, its effects "
                 "are \"0 row 1=2 row 2=2\" instead of \"0 row 1=2\"");
}

TEST_CASE("not idempotent: a key that is drawn for each publish; no mishap is needed to see it") {
  std::mt19937_64 dice(1);
  const auto found = found_in([&](table&) {
    return [&](LessonPublished::Reader, context& ctx) {
      enroll(ctx, std::to_string(dice()));
      return outcome::ok();
    };
  });
  CHECK(says(found, "a second run in which nothing goes wrong is another one"));
  CHECK(says(found, "it does not publish student.enrolled with key"));
}

TEST_CASE("not idempotent: a key that is numbered for each publish") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader, context& ctx) {
      to.rows["next"] += "I"; // and effects differ, too; publishes are looked at first
      enroll(ctx, to.rows["next"]);
      return outcome::ok();
    };
  });
  CHECK(found == "when event 1 of 3 (lesson.published, key \"a\") is delivered twice, it also "
                 "publishes student.enrolled with key \"IIII\", or another payload with that");
}

TEST_CASE("not idempotent: repeats that are only remembered in memory; a death after the call "
          "shows it") {
  const auto found = found_in([](table& to) {
    return [&to, seen = std::set<event_id>()](LessonPublished::Reader, context& ctx) mutable {
      if (seen.insert(ctx.id()).second)
        ++to.writes;
      return outcome::ok();
    };
  });
  CHECK(found == "when event 1 of 3 (lesson.published, key \"a\") is delivered again to a new "
                 "handler, because the first one died right after its call, its effects are \"4\" "
                 "instead of \"3\"");
}

TEST_CASE("G15: not idempotent: what is noted as done before it was published: a death after the "
          "publish loses it") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader lesson, context& ctx) {
      if (to.rows.emplace(to_string(ctx.id()), "").second)
        enroll(ctx, std::string("of ") + lesson.getTitle().cStr());
      return outcome::ok();
    };
  });
  CHECK(found == "when event 1 of 3 (lesson.published, key \"a\") is delivered again to a new "
                 "handler, because the first one died right after publish 1 of its call (what it "
                 "had published in it never left), it does not publish student.enrolled with key "
                 "\"of 1\" any more, or with another payload");
}

TEST_CASE("G15: not idempotent: what is noted as done after it was published, and before it left: "
          "a death at the end of the call loses it") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader lesson, context& ctx) {
      if (!to.rows.contains(to_string(ctx.id())))
        enroll(ctx, std::string("of ") + lesson.getTitle().cStr());
      to.rows[to_string(ctx.id())] = "";
      return outcome::ok();
    };
  });
  CHECK(says(found, "event 1 of 3 (lesson.published, key \"a\")"));
  CHECK(says(found, "died at the end of its call, before it could return"));
  CHECK(says(found, "it does not publish student.enrolled with key \"of 1\" any more"));
}

TEST_CASE("not idempotent: what is done between two publishes and not finished; the publish after "
          "which it dies is named") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader lesson, context& ctx) {
      const auto half = std::string("half ") + lesson.getTitle().cStr();
      enroll(ctx, "first");
      if (to.rows.contains(half))
        to.writes = 1; // somebody else is at it
      to.rows[half] = "";
      enroll(ctx, "second");
      to.rows.erase(half);
      return outcome::ok();
    };
  });
  CHECK(says(found, "died right after publish 2 of its call"));
  CHECK(says(found, "its effects are \"1\" instead of \"0\""));
}

TEST_CASE("not idempotent: a handler that catches everything is ended all the same") {
  const auto found = found_in([](table& to) {
    return [&to, caught = &to.flag](LessonPublished::Reader, context& ctx) {
      try {
        enroll(ctx, "somebody");
      } catch (const std::exception&) {
        *caught = true;
      }
      if (*caught && ctx.attempt() > 1)
        to.writes = 1;
      return outcome::ok();
    };
  });
  CHECK(says(found, "died right after publish 1 of its call"));
  CHECK(says(found, "its effects are \"1\" instead of \"0\""));
}

TEST_CASE("not idempotent: what depends on the order of keys") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader lesson, context&) {
      to.rows.emplace("the first", lesson.getLessonId());
      return outcome::ok();
    };
  });
  CHECK(found == "when the events of different keys come in another order, its effects are \"0 the "
                 "first=b\" instead of \"0 the first=a\"");
}

TEST_CASE("not idempotent: only the last event is remembered; all of them, once more, show it") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader, context& ctx) {
      if (!to.seen.contains(ctx.id()))
        ++to.writes;
      to.seen = {ctx.id()};
      return outcome::ok();
    };
  });
  CHECK(found == "when all events are delivered again after the last one, its effects are \"6\" "
                 "instead of \"3\"");
}

TEST_CASE("not idempotent: what needs two different mishaps") {
  const auto found = found_in([](table& to) {
    return [&to](LessonPublished::Reader, context& ctx) {
      to.flag |= ctx.attempt() > 1;
      if (!to.seen.insert(ctx.id()).second && ctx.attempt() == 1 && to.flag)
        to.writes = 1;
      return outcome::ok();
    };
  });
  CHECK(found == "with another order of keys, repeats and deaths together, its effects are \"1\" "
                 "instead of \"0\"");
}
