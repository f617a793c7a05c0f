#pragma once
// Dead letters in a file, so that they outlive the process. SQLite keeps it: `dead_letters.db` in
// the node's data directory, which people may read with the `sqlite3` tool when the node is down.
//
// What it survives. A letter is the last trace of an event of which everybody else has been told
// that it is concluded. So `add` commits with synchronous=FULL: after it has returned, the letter
// survives a crash of the process, of the system and of the power. It costs one fsync for each
// call, not for each letter, so bury many at once. Removals (a redrive that succeeded, a discard)
// commit with synchronous=NORMAL, which is not synced: a power cut may bring back a letter that was
// removed in the last seconds, and it can be removed again.
//
// One process at a time: the file is locked as long as it is open (locking_mode=EXCLUSIVE, which
// also spares the shared-memory file), because two nodes with one data directory would redrive
// each other's letters.

#include "actors/dead_letters.hpp"
#include "runtime/sqlite.hpp"
#include <filesystem>
#include <memory>
#include <unordered_set>

namespace edupulse {

class sqlite_dead_letters final : public dead_letter_store {
public:
  struct settings {
    /// Made when it does not exist.
    std::filesystem::path data_dir;
    limits bounds{};
    /// Of the database file. Full: `add` fails with `io`. Above `bounds.bytes`, which is reached
    /// first unless events are tiny.
    std::size_t max_file_bytes = 256u << 20;
  };
  /// Version of the tables, in the file's `user_version`.
  static constexpr std::int64_t format = 1;

  /// Errors: `io` when the file cannot be opened, is locked by another process or is damaged;
  /// `refused` when it is another program's database or written by a newer release. The file is
  /// unharmed then.
  static expected<std::unique_ptr<sqlite_dead_letters>> open(settings how);

  expected<std::vector<dead_letter>> add(std::vector<dead_letter>& letters) override;
  /// Answers at most 64 MiB at once; the end of the list is an empty answer.
  expected<std::vector<dead_letter>> list(const dead_letter_filter& which) const override;
  expected<dead_letter> show(std::uint64_t id) const override;
  expected<dead_letter> take_for_redrive(std::uint64_t id) override;
  expected<void> settle_redrive(std::uint64_t id, bool handled) override;
  expected<dead_letter> discard(std::uint64_t id) override;
  std::size_t count() const noexcept override { return size_.letters; }
  std::size_t bytes() const noexcept override { return size_.bytes; }

private:
  using size = limits; // how full it is, in the same units
  sqlite_dead_letters(sqlite::database&& file, const settings& how)
      : file_(std::move(file)), how_(how) {}

  expected<void> prepare_file();
  expected<void> prepare_tables();
  expected<void> measure();
  expected<void> insert(dead_letter& letter, size& now);
  expected<void> insert_attempts(const dead_letter& letter);
  expected<std::vector<dead_letter>> make_room(size& now);
  expected<void> erase(std::uint64_t id, size& now);
  expected<void> erase_for_good(std::uint64_t id);
  expected<dead_letter> read(const sqlite::statement& row) const;
  expected<std::vector<dead_letter_attempt>> attempts_of(std::uint64_t id) const;

  sqlite::database file_;
  settings how_;
  size size_{0, 0};
  // Not in the file: after a crash nobody is trying them, and they wait again.
  std::unordered_set<std::uint64_t> redriving_;
};

} // namespace edupulse
