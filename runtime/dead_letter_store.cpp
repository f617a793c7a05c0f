#include "runtime/dead_letter_store.hpp"
#include "schemas/codec.hpp"
#include <algorithm>
#include <system_error>

namespace edupulse {
namespace {

constexpr std::size_t max_listed_bytes = 64u << 20;
constexpr std::size_t page_bytes = 4096;
constexpr std::int64_t application = 0x4564504c; // "EdPL"

constexpr const char* tables = R"(
  CREATE TABLE letters (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    bytes        INTEGER NOT NULL,                   -- what it counts against the limit
    event_id     TEXT    NOT NULL,                   -- this and the topic: for people
    topic        TEXT    NOT NULL,
    subscription TEXT    NOT NULL,
    node         TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    died_ms      INTEGER NOT NULL,                   -- Unix time
    redrives     INTEGER NOT NULL,
    event        BLOB    NOT NULL);                  -- the envelope, one Cap'n Proto segment
  CREATE TABLE attempts (
    letter       INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    wall_ms      INTEGER NOT NULL,
    what         TEXT    NOT NULL,
    error_type   TEXT    NOT NULL,
    text         TEXT    NOT NULL,
    PRIMARY KEY (letter, number)) WITHOUT ROWID;
  CREATE INDEX letters_by_subscription ON letters (subscription, id, bytes);
  PRAGMA application_id = 0x4564504c;
  PRAGMA user_version = 1;
)";

constexpr const char* select_letter =
    "SELECT id, subscription, node, reason, died_ms, redrives, event FROM letters ";

template <class T> tl::unexpected<error> failed(const expected<T>& what) {
  return tl::unexpected(what.error());
}

std::string text_of(const char* first, std::string_view rest) {
  return std::string(first).append(rest);
}

} // namespace

// -- opening ------------------------------------------------------------------------

expected<std::unique_ptr<sqlite_dead_letters>> sqlite_dead_letters::open(settings how) {
  std::error_code code;
  std::filesystem::create_directories(how.data_dir, code);
  const std::string path = (how.data_dir / "dead_letters.db").string();
  if (code)
    return fail(errc::io,
                "dead letters in " + path + ": the directory cannot be made: " + code.message());
  auto file = sqlite::database::open(path, "dead letters in " + path);
  if (!file)
    return failed(file);
  std::unique_ptr<sqlite_dead_letters> store(new sqlite_dead_letters(std::move(*file), how));
  auto ready =
      store->prepare_file().and_then([&] { return store->prepare_tables(); }).and_then([&] {
        return store->measure();
      });
  if (!ready)
    return failed(ready);
  return store;
}

/// Looks before it changes anything: the file may be somebody else's.
expected<void> sqlite_dead_letters::prepare_file() {
  if (auto done = file_.run("PRAGMA locking_mode = EXCLUSIVE;"
                            "PRAGMA trusted_schema = OFF;"
                            "PRAGMA cell_size_check = ON;");
      !done)
    return done;
  const auto written_by = file_.number("PRAGMA application_id");
  if (!written_by)
    return failed(written_by);
  const auto objects = file_.number("SELECT count(*) FROM sqlite_schema");
  if (!objects)
    return failed(objects);
  const auto version = file_.number("PRAGMA user_version");
  if (!version)
    return failed(version);
  const std::string where = (how_.data_dir / "dead_letters.db").string();
  if (*objects > 0 && *written_by != application)
    return fail(errc::refused, where + " is another program's database: move it away, or choose "
                                       "another data directory");
  if (*objects > 0 && *version != format)
    return fail(errc::refused, where + " has format " + std::to_string(*version) +
                                   " and this release knows " + std::to_string(format) +
                                   ": use the release that wrote it");
  const auto pages = std::max<std::size_t>(how_.max_file_bytes / page_bytes, 1);
  const std::string limit = "PRAGMA max_page_count = " + std::to_string(pages);
  return file_
      .run("PRAGMA journal_mode = WAL;"
           "PRAGMA synchronous = FULL;"
           "PRAGMA journal_size_limit = 4194304;")
      .and_then([&] { return file_.run(limit.c_str()); });
}

/// Takes the lock, too: from here on nobody else opens the file.
expected<void> sqlite_dead_letters::prepare_tables() {
  auto work = sqlite::transaction::begin(file_);
  if (!work)
    return failed(work);
  const auto objects = file_.number("SELECT count(*) FROM sqlite_schema");
  if (!objects)
    return failed(objects);
  if (*objects == 0)
    if (auto made = file_.run(tables); !made)
      return made;
  return work->commit();
}

expected<void> sqlite_dead_letters::measure() {
  auto asked = file_.prepare("SELECT count(*), total(max(bytes, 0)) FROM letters");
  if (!asked)
    return failed(asked);
  const auto row = asked->step();
  if (!row)
    return failed(row);
  size_ = {static_cast<std::size_t>(asked->number(0)), static_cast<std::size_t>(asked->number(1))};
  return {};
}

// -- adding -------------------------------------------------------------------------

expected<std::vector<dead_letter>> sqlite_dead_letters::add(std::vector<dead_letter>& letters) {
  auto work = sqlite::transaction::begin(file_);
  if (!work)
    return failed(work);
  size now = size_;
  std::vector<std::uint64_t> given;
  const auto give_up = [&](const error& why) {
    for (std::size_t i = 0; i < given.size(); ++i)
      letters[i].id = given[i];
    return tl::unexpected(why);
  };
  for (auto& letter : letters) {
    given.push_back(letter.id);
    if (auto done = insert(letter, now); !done)
      return give_up(done.error());
  }
  auto pushed_out = make_room(now);
  if (!pushed_out)
    return give_up(pushed_out.error());
  if (auto done = work->commit(); !done)
    return give_up(done.error());
  size_ = now;
  for (const auto& letter : letters)
    redriving_.erase(letter.id);
  return pushed_out;
}

expected<void> sqlite_dead_letters::insert(dead_letter& letter, size& now) {
  trim(letter);
  letter.redriving = false;
  const std::size_t cost = footprint(letter);
  if (letter.id != 0)
    if (auto done = erase(letter.id, now); !done)
      return done;
  auto put = file_.prepare("INSERT INTO letters (id, bytes, event_id, topic, subscription, node, "
                           "reason, died_ms, redrives, event) "
                           "VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!put)
    return failed(put);
  const std::string event_text = to_string(letter.event->id());
  put->bind(static_cast<std::int64_t>(letter.id))
      .bind(static_cast<std::int64_t>(cost))
      .bind(event_text)
      .bind(letter.event->topic())
      .bind(letter.subscription)
      .bind(letter.node)
      .bind(letter.reason)
      .bind(letter.died_ms)
      .bind(static_cast<std::int64_t>(letter.redrives))
      .bind(encode(*letter.event));
  if (auto done = put->run(); !done)
    return done;
  letter.id = static_cast<std::uint64_t>(file_.last_row_id());
  ++now.letters;
  now.bytes += cost;
  return insert_attempts(letter);
}

expected<void> sqlite_dead_letters::insert_attempts(const dead_letter& letter) {
  auto put = file_.prepare("INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?)");
  if (!put)
    return failed(put);
  std::int64_t number = 0;
  for (const auto& one : letter.attempts) {
    put->bind(static_cast<std::int64_t>(letter.id))
        .bind(++number)
        .bind(one.wall_ms)
        .bind(one.what)
        .bind(one.error_type)
        .bind(one.text);
    if (auto done = put->run(); !done)
      return done;
  }
  return {};
}

/// The oldest leave, but for those that are being redriven.
expected<std::vector<dead_letter>> sqlite_dead_letters::make_room(size& now) {
  std::vector<dead_letter> pushed_out;
  std::uint64_t after = 0;
  while (now.letters > how_.bounds.letters || now.bytes > how_.bounds.bytes) {
    auto oldest = file_.prepare(text_of(select_letter, "WHERE id > ? ORDER BY id LIMIT 1").c_str());
    if (!oldest)
      return failed(oldest);
    const auto row = oldest->bind(static_cast<std::int64_t>(after)).step();
    if (!row)
      return failed(row);
    if (!*row)
      break; // all that is left is being redriven
    after = static_cast<std::uint64_t>(oldest->number(0));
    if (redriving_.contains(after))
      continue;
    if (auto letter = read(*oldest))
      pushed_out.push_back(std::move(*letter));
    oldest->reset();
    if (auto done = erase(after, now); !done)
      return failed(done);
  }
  return pushed_out;
}

// -- removing -----------------------------------------------------------------------

expected<void> sqlite_dead_letters::erase(std::uint64_t id, size& now) {
  const auto key = static_cast<std::int64_t>(id);
  auto letter = file_.prepare("DELETE FROM letters WHERE id = ? RETURNING bytes");
  if (!letter)
    return failed(letter);
  const auto row = letter->bind(key).step();
  if (!row)
    return failed(row);
  if (!*row)
    return {};
  const auto cost = static_cast<std::size_t>(letter->number(0));
  if (auto done = letter->run(); !done)
    return done;
  auto attempts = file_.prepare("DELETE FROM attempts WHERE letter = ?");
  if (!attempts)
    return failed(attempts);
  if (auto done = attempts->bind(key).run(); !done)
    return done;
  --now.letters;
  now.bytes -= std::min(cost, now.bytes);
  return {};
}

/// A removal by itself: committed, and not synced.
expected<void> sqlite_dead_letters::erase_for_good(std::uint64_t id) {
  if (auto done = file_.run("PRAGMA synchronous = NORMAL"); !done)
    return done;
  size now = size_;
  auto done = [&]() -> expected<void> {
    auto work = sqlite::transaction::begin(file_);
    if (!work)
      return failed(work);
    return erase(id, now).and_then([&] { return work->commit(); });
  }();
  if (done)
    size_ = now;
  return file_.run("PRAGMA synchronous = FULL").and_then([&] { return done; });
}

expected<void> sqlite_dead_letters::settle_redrive(std::uint64_t id, bool handled) {
  if (!redriving_.contains(id))
    return {};
  if (handled)
    if (auto done = erase_for_good(id); !done)
      return done; // still being redriven: settle it again
  redriving_.erase(id);
  return {};
}

expected<dead_letter> sqlite_dead_letters::discard(std::uint64_t id) {
  if (redriving_.contains(id))
    return tl::unexpected(dead_letter_errors::being_redriven(id));
  auto letter = show(id);
  if (!letter && letter.error().code != errc::malformed)
    return letter;
  if (auto done = erase_for_good(id); !done)
    return failed(done);
  return letter;
}

// -- reading ------------------------------------------------------------------------

expected<std::vector<dead_letter>>
sqlite_dead_letters::list(const dead_letter_filter& which) const {
  auto asked =
      file_.prepare(text_of(select_letter, which.subscription.empty()
                                               ? "WHERE id > ? ORDER BY id"
                                               : "WHERE id > ? AND subscription = ? ORDER BY id")
                        .c_str());
  if (!asked)
    return failed(asked);
  asked->bind(static_cast<std::int64_t>(std::min<std::uint64_t>(which.after, INT64_MAX)));
  if (!which.subscription.empty())
    asked->bind(which.subscription);
  const std::size_t limit = std::min(which.limit, max_listed_dead_letters);
  std::vector<dead_letter> found;
  for (std::size_t sum = 0; found.size() < limit && sum < max_listed_bytes;) {
    const auto row = asked->step();
    if (!row)
      return failed(row);
    if (!*row)
      break;
    auto letter = read(*asked);
    if (!letter && letter.error().code != errc::malformed)
      return failed(letter);
    if (!letter)
      continue;
    sum += footprint(*letter);
    found.push_back(std::move(*letter));
  }
  return found;
}

expected<dead_letter> sqlite_dead_letters::show(std::uint64_t id) const {
  auto asked = file_.prepare(text_of(select_letter, "WHERE id = ?").c_str());
  if (!asked)
    return failed(asked);
  const auto row = asked->bind(static_cast<std::int64_t>(id)).step();
  if (!row)
    return failed(row);
  if (!*row)
    return tl::unexpected(dead_letter_errors::not_found(id));
  return read(*asked);
}

/// What is in the file may have been changed by anybody: the envelope goes through the validator.
expected<dead_letter> sqlite_dead_letters::read(const sqlite::statement& row) const {
  dead_letter letter;
  letter.id = static_cast<std::uint64_t>(row.number(0));
  letter.subscription = row.text(1);
  letter.node = row.text(2);
  letter.reason = row.text(3);
  letter.died_ms = row.number(4);
  letter.redrives = static_cast<std::uint32_t>(row.number(5));
  letter.redriving = redriving_.contains(letter.id);
  auto event = decode(row.bytes(6), {hard_max_envelope_bytes});
  if (!event)
    return fail(errc::malformed, "the event of dead letter " + std::to_string(letter.id) +
                                     " cannot be read (" + event.error().text +
                                     "): discard the letter, or restore a copy of the file");
  letter.event = std::move(*event);
  auto attempts = attempts_of(letter.id);
  if (!attempts)
    return failed(attempts);
  letter.attempts = std::move(*attempts);
  return letter;
}

expected<std::vector<dead_letter_attempt>>
sqlite_dead_letters::attempts_of(std::uint64_t id) const {
  auto asked = file_.prepare("SELECT wall_ms, what, error_type, text FROM attempts "
                             "WHERE letter = ? ORDER BY number LIMIT 10");
  if (!asked)
    return failed(asked);
  asked->bind(static_cast<std::int64_t>(id));
  std::vector<dead_letter_attempt> found;
  const auto read = asked->for_each_row([&] {
    found.push_back({asked->number(0), asked->text(1), asked->text(2), asked->text(3)});
  });
  if (!read)
    return failed(read);
  return found;
}

expected<dead_letter> sqlite_dead_letters::take_for_redrive(std::uint64_t id) {
  if (redriving_.contains(id))
    return tl::unexpected(dead_letter_errors::being_redriven(id));
  auto letter = show(id);
  if (!letter)
    return letter;
  redriving_.insert(id);
  letter->redriving = true;
  return letter;
}

} // namespace edupulse
