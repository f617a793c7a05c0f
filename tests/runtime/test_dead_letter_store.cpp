#include "runtime/dead_letter_store.hpp"
#include "tests/support/dead_letter_rules.hpp"
#include "tests/support/scratch_dir.hpp"
#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::test;

namespace {
int syncs = 0;
} // namespace

// SQLite asks the C library to sync; the test listens in.
extern "C" int fdatasync(int file) {
  ++syncs;
  return fsync(file);
}

namespace {

using file_store = std::unique_ptr<sqlite_dead_letters>;

expected<file_store> try_open(const std::filesystem::path& dir) {
  return sqlite_dead_letters::open({.data_dir = dir});
}

file_store open(const std::filesystem::path& dir) { return try_open(dir).value(); }

/// What somebody with the sqlite3 tool could do to the file while the node is down.
void meddle(const scratch_dir& dir, const std::string& sql) {
  auto file = sqlite::database::open((dir / "dead_letters.db").string(), "meddling");
  REQUIRE(file);
  REQUIRE(file->run(sql.c_str()));
}

void overwrite(const std::filesystem::path& path, std::size_t at, const std::string& with) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file << with;
}

/// Files cannot grow beyond so many bytes while this lives: writes fail as on a broken disk.
class file_size_limit {
public:
  explicit file_size_limit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~file_size_limit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

private:
  rlimit old_{};
  void (*old_handler_)(int);
};

} // namespace

TEST_CASE("dead letters in a file keep the rules of every store") {
  for (const auto& rule : store_rules)
    DYNAMIC_SECTION(rule.name) {
      scratch_dir dir;
      rule.check([&dir](dead_letter_store::limits bounds) {
        return sqlite_dead_letters::open({.data_dir = dir.path(), .bounds = bounds}).value();
      });
    }
}

// -- across the end of a process ------------------------------------------------------

TEST_CASE("dead letters in a file outlive the process") {
  scratch_dir dir;
  const auto sent = make_letter("indexer", {.key = "lesson-42", .payload_bytes = 500});
  std::uint64_t id = 0;
  std::size_t bytes = 0;
  {
    const auto store = open(dir.path());
    add_one(*store, make_letter("indexer"));
    id = add_one(*store, sent);
    store->discard(id - 1).value();
    bytes = store->bytes();
  }
  const auto store = open(dir.path());
  check_same(store->show(id).value(), sent);
  CHECK(store->count() == 1);
  CHECK(store->bytes() == bytes);
  CHECK(add_one(*store, sent) > id);
}

TEST_CASE("dead letters in a file: one that was being redriven in a crash waits again") {
  scratch_dir dir;
  std::uint64_t id = 0;
  {
    const auto store = open(dir.path());
    id = add_one(*store, make_letter("indexer"));
    store->take_for_redrive(id).value();
  }
  const auto store = open(dir.path());
  CHECK_FALSE(store->show(id).value().redriving);
  CHECK(store->take_for_redrive(id));
}

TEST_CASE("dead letters in a file survive a process that is killed right after adding") {
  scratch_dir dir;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto store = open(dir.path());
    auto letters = make_letters(100, "indexer");
    const bool added = store->add(letters).has_value();
    if (added)
      kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(open(dir.path())->count() == 100);
}

TEST_CASE("dead letters in a file are for their owner only") {
  scratch_dir dir;
  const auto store = open(dir.path());
  add_one(*store, make_letter("indexer"));
  for (const char* name : {"dead_letters.db", "dead_letters.db-wal"}) {
    struct stat about {};
    REQUIRE(stat((dir / name).c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
  }
}

TEST_CASE("dead letters in a file: the data directory is made when it does not exist") {
  scratch_dir dir;
  CHECK(try_open(dir / "a" / "b"));
  CHECK(std::filesystem::exists(dir / "a" / "b" / "dead_letters.db"));
}

// -- bad days ---------------------------------------------------------------------------

TEST_CASE("dead letters in a file: a second process is refused while the first has it open") {
  scratch_dir dir;
  {
    const auto first = open(dir.path());
    const auto second = try_open(dir.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == errc::io);
    CHECK(second.error().text.find("a data directory of its own") != std::string::npos);
    CHECK(add_one(*first, make_letter("indexer")) == 1); // the first is undisturbed
  }
  CHECK(open(dir.path())->count() == 1);
}

TEST_CASE("dead letters in a file: a directory where nothing can be made is an error") {
  const auto nowhere = try_open("/proc/self/fdinfo"); // refuses even the superuser
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == errc::io);
  CHECK(nowhere.error().text.find("writable") != std::string::npos);
  scratch_dir dir;
  std::ofstream(dir / "file") << "not a directory";
  CHECK(try_open(dir / "file").error().code == errc::io);
}

TEST_CASE("dead letters in a file: a full file is an error, and nothing of that call is kept") {
  scratch_dir dir;
  const auto store =
      sqlite_dead_letters::open({.data_dir = dir.path(), .max_file_bytes = 200'000}).value();
  auto letters = make_letters(5, "indexer");
  REQUIRE(store->add(letters));
  const auto bytes = store->bytes();

  auto many = make_letters(2, "indexer");
  many.push_back(make_letter("indexer", {.payload_bytes = 300'000}));
  const auto full = store->add(many);
  REQUIRE_FALSE(full);
  CHECK(full.error().code == errc::io);
  CHECK(full.error().text.find("make room") != std::string::npos);
  for (const auto& one : many)
    CHECK(one.id == 0); // still in the caller's hands, as it was
  CHECK(store->count() == 5);
  CHECK(store->bytes() == bytes);
  CHECK(store->list({}).value().size() == 5);

  many.pop_back();
  CHECK(store->add(many)); // a smaller one fits
  CHECK(store->discard(letters[0].id));
  CHECK(store->count() == 6);
}

TEST_CASE("dead letters in a file: a letter that fails to be added again is still being redriven") {
  scratch_dir dir;
  const auto store =
      sqlite_dead_letters::open({.data_dir = dir.path(), .max_file_bytes = 200'000}).value();
  const auto id = add_one(*store, make_letter("indexer"));
  auto again = store->take_for_redrive(id).value();
  again.event = make_event({.payload_bytes = 300'000});
  std::vector<dead_letter> letters{again};
  REQUIRE_FALSE(store->add(letters));
  CHECK(letters[0].id == id);
  CHECK(store->show(id).value().redriving);
  REQUIRE(store->settle_redrive(id, false));
  CHECK(store->count() == 1);
}

TEST_CASE("dead letters in a file: a disk that refuses to write is an error, and passes") {
  scratch_dir dir;
  const auto store = open(dir.path());
  auto letters = make_letters(3, "indexer");
  REQUIRE(store->add(letters));
  {
    file_size_limit broken(std::filesystem::file_size(dir / "dead_letters.db-wal"));
    auto more = make_letters(3, "indexer");
    const auto refused = store->add(more);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::io);
    CHECK(store->discard(letters[0].id).error().code == errc::io);
    store->take_for_redrive(letters[1].id).value();
    CHECK_FALSE(store->settle_redrive(letters[1].id, true));
    CHECK(store->show(letters[1].id).value().redriving);
    CHECK(store->count() == 3);
    CHECK(store->list({}).value().size() == 3);
  }
  CHECK(store->settle_redrive(letters[1].id, true));
  auto more = make_letters(3, "indexer");
  CHECK(store->add(more));
  CHECK(store->count() == 5);
  CHECK(store->list({}).value().size() == 5);
}

TEST_CASE("dead letters in a file: a file of garbage is an error, and is left as it was") {
  scratch_dir dir;
  const std::string garbage(10'000, 'x');
  std::ofstream(dir / "dead_letters.db") << garbage;
  const auto opened = try_open(dir.path());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::io);
  CHECK(opened.error().text.find("damaged or something else") != std::string::npos);
  std::ifstream file(dir / "dead_letters.db");
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == garbage);
}

TEST_CASE("dead letters in a file: damage anywhere is an error or unnoticed, never a crash") {
  scratch_dir dir;
  {
    const auto store = open(dir.path());
    auto letters = make_letters(200, "indexer");
    REQUIRE(store->add(letters));
  }
  const auto path = dir / "dead_letters.db";
  std::ifstream file(path, std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(file), {});
  REQUIRE(whole.size() > 40'000);
  std::size_t noticed = 0;
  for (std::size_t at = 0; at < whole.size(); at += 1500) {
    std::ofstream(path, std::ios::binary) << whole;
    overwrite(path, at, std::string(64, '\xa5'));
    std::filesystem::remove(dir / "dead_letters.db-wal");
    auto store = try_open(dir.path());
    if (!store) {
      ++noticed;
      continue;
    }
    const auto listed = (*store)->list({.limit = 1000});
    auto one = make_letters(1, "indexer");
    const auto added = (*store)->add(one);
    noticed += !listed || !added || listed->size() < 200;
    for (std::uint64_t id = 1; id <= 200; id += 50)
      static_cast<void>((*store)->discard(id));
  }
  CHECK(noticed > 5);
  std::ofstream(path, std::ios::binary) << whole.substr(0, 20'000);
  const auto cut = try_open(dir.path());
  CHECK((!cut || !(*cut)->list({.limit = 1000})));
}

TEST_CASE("dead letters in a file: an event that cannot be read is skipped, shown why, discarded") {
  scratch_dir dir;
  {
    auto letters = make_letters(3, "indexer");
    REQUIRE(open(dir.path())->add(letters));
  }
  meddle(dir, "UPDATE letters SET event = x'0102030405060708' WHERE id = 2");
  const auto store = open(dir.path());
  CHECK(ids(store->list({}).value()) == std::vector<std::uint64_t>{1, 3});
  CHECK(store->count() == 3);
  CHECK(store->show(2).error().code == errc::malformed);
  CHECK(store->show(2).error().text.find("dead letter 2") != std::string::npos);
  CHECK(store->take_for_redrive(2).error().code == errc::malformed);
  CHECK(store->discard(2).error().code == errc::malformed);
  CHECK(store->show(2).error().code == errc::not_found);
  CHECK(store->count() == 2);
}

TEST_CASE("dead letters in a file: values that make no sense change nothing but their letter") {
  scratch_dir dir;
  {
    auto letters = make_letters(3, "indexer");
    REQUIRE(open(dir.path())->add(letters));
  }
  meddle(dir, "UPDATE letters SET bytes = -1, redrives = -1, died_ms = 'soon' WHERE id = 1;"
              "UPDATE letters SET bytes = 'many', subscription = x'00ff' WHERE id = 2;"
              "DELETE FROM attempts;");
  const auto store = open(dir.path());
  CHECK(store->count() == 3);
  CHECK(store->list({}).value().size() == 3);
  for (std::uint64_t id = 1; id <= 3; ++id)
    CHECK(store->discard(id));
  CHECK(store->count() == 0);
}

// -- formats ------------------------------------------------------------------------------

TEST_CASE("dead letters in a file: a file of a newer format is refused and left as it was") {
  scratch_dir dir;
  {
    auto letters = make_letters(1, "indexer");
    REQUIRE(open(dir.path())->add(letters));
  }
  meddle(dir, "PRAGMA user_version = 2");
  const auto newer = try_open(dir.path());
  REQUIRE_FALSE(newer);
  CHECK(newer.error().code == errc::refused);
  CHECK(newer.error().text.find("has format 2 and this release knows 1") != std::string::npos);
  meddle(dir, "PRAGMA user_version = 1");
  CHECK(open(dir.path())->count() == 1);
}

TEST_CASE("dead letters in a file: another program's database is refused and left as it was") {
  scratch_dir dir;
  meddle(dir, "CREATE TABLE letters (a); INSERT INTO letters VALUES (1)");
  const auto foreign = try_open(dir.path());
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == errc::refused);
  CHECK(foreign.error().text.find("another program") != std::string::npos);
  auto file = sqlite::database::open((dir / "dead_letters.db").string(), "test").value();
  CHECK(file.number("SELECT count(*) FROM sqlite_schema").value() == 1);
  auto mode = file.prepare("PRAGMA journal_mode").value();
  REQUIRE(mode.step().value());
  CHECK(mode.text(0) == "delete");
}

// -- what is synced -------------------------------------------------------------------------

TEST_CASE("dead letters in a file: additions are synced once for each call, removals never") {
  scratch_dir dir;
  const auto store = open(dir.path());
  add_one(*store, make_letter("indexer")); // the first also syncs a new file's header
  const auto syncs_of = [](const auto& work) {
    const auto before = syncs;
    work();
    return syncs - before;
  };
  auto letters = make_letters(100, "indexer");
  CHECK(syncs_of([&] { store->add(letters).value(); }) == 1);
  CHECK(syncs_of([&] { store->discard(letters[0].id).value(); }) == 0);
  CHECK(syncs_of([&] { store->take_for_redrive(letters[1].id).value(); }) == 0);
  CHECK(syncs_of([&] { CHECK(store->settle_redrive(letters[1].id, true)); }) == 0);
  auto more = make_letters(1, "indexer");
  CHECK(syncs_of([&] { store->add(more).value(); }) == 1);
}
