// The plugins of examples/plugins side by side in a node.

#include "lesson.capnp.h"
#include "notice.capnp.h"
#include "sabotage.capnp.h"
#include "tests/support/catch.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_dir.hpp"
#include "totals.capnp.h"
#include <atomic>
#include <edupulse/plugin_host.hpp>
#include <filesystem>

using namespace edupulse;
using edupulse::test::eventually;
using edupulse::test::scratch_dir;

namespace {

namespace fs = std::filesystem;

/// A copy where nobody else can write.
fs::path sample(const std::string& name, const scratch_dir& to) {
  const auto file = to / ("lib" + name + ".so");
  fs::copy_file(fs::path(SAMPLE_DIR) / name / file.filename(), file);
  fs::permissions(file, fs::perms(0644));
  return file;
}

template <class T> std::string trouble(const expected<T>& what) {
  return what ? "" : what.error().text;
}

struct school {
  school()
      : at(node::start({.name = "n1", .log = log_level::off}).value()),
        plugins(plugin_host::open(at, {.probe = PROBE}).value()) {
    REQUIRE(at.subscribe<NoticeWanted>("mail", [this](auto) { ++notices; }));
    REQUIRE(at.subscribe<EnrollmentTotal>("board", [this](auto total) {
      students = total.getStudents();
      ++totals;
    }));
  }
  void publish_lesson(const char* id) {
    REQUIRE(at.publish<LessonPublished>([&](auto lesson) { lesson.setLessonId(id); }));
  }
  /// How many there are then.
  std::uint32_t enroll(const char* student) {
    const int before = totals;
    REQUIRE(at.publish<StudentEnrolled>([&](auto to) {
      to.setStudentId(student);
      to.setLessonId("42");
    }));
    eventually([&] { return totals > before; });
    return students;
  }

  const scratch_dir dir;
  std::atomic<int> notices = 0;
  std::atomic<std::uint32_t> students = 0;
  std::atomic<int> totals = 0;
  node at;
  plugin_host plugins;
};

} // namespace

TEST_CASE("G104: the samples work side by side, and one that does harm is alone with it") {
  school n;
  const auto index = (n.dir / "index.sqlite").string();
  CHECK(trouble(n.plugins.load(sample("notifier", n.dir), {{"greeting", "Hear: "}})) == "");
  CHECK(trouble(n.plugins.load(sample("search_indexer", n.dir), {{"path", index}})) == "");
  CHECK(trouble(n.plugins.load(sample("saboteur", n.dir), {{"harm", "reject"}, {"key", "41"}})) ==
        "");
  for (const char* id : {"40", "41", "42"})
    n.publish_lesson(id);
  eventually([&] { return n.notices == 3 && n.at.dead_letters()->size() == 1; });
  CHECK(n.at.dead_letters()->front().subscription == "saboteur.lessons");
  REQUIRE(n.at.drain(std::chrono::seconds(30)));
  CHECK(fs::exists(index));
}

TEST_CASE("G105: enrollment-stats goes on counting when it is swapped and rolled back") {
  school n;
  const auto file = sample("enrollment_stats", n.dir);
  REQUIRE(trouble(n.plugins.load(file, {})) == "");
  CHECK(n.enroll("ada") == 1);
  const auto swapped = n.plugins.swap("enrollment-stats", file, {});
  REQUIRE(trouble(swapped) == "");
  CHECK(swapped->handed_over == std::vector<std::string>{"enrollment-stats.totals"});
  CHECK(n.enroll("alan") == 2);
  REQUIRE(trouble(n.plugins.rollback("enrollment-stats")) == "");
  CHECK(n.enroll("grace") == 3);
}
