#pragma once
// As much of SQLite as this directory needs, with its failures as `errc::io` and a hint what to do.
// One thread at a time.

#include "schemas/error.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace edupulse::sqlite {

/// A prepared statement. The first failure, of a binding too, is what `step` answers.
class statement {
public:
  statement& bind(std::int64_t value);
  /// `text` and `bytes` must live until the statement has been stepped through or reset.
  statement& bind(std::string_view text);
  statement& bind(std::span<const std::byte> bytes);

  /// True: there is a row to read. False: it is done, and may be bound and stepped again.
  expected<bool> step();
  /// Steps to the end; rows are skipped.
  expected<void> run();
  /// Steps to the end; `f()` reads each row.
  template <class F> expected<void> for_each_row(F f) {
    for (;;) {
      const auto row = step();
      if (!row)
        return tl::unexpected(row.error());
      if (!*row)
        return {};
      f();
    }
  }
  /// Ready to be bound anew, whether it is done or not.
  void reset();

  std::int64_t number(int column) const;
  std::string text(int column) const;
  /// Valid until the next `step`.
  std::span<const std::byte> bytes(int column) const;

private:
  friend class database;
  statement(sqlite3_stmt* raw, std::shared_ptr<const std::string> what)
      : raw_(raw), what_(std::move(what)) {}
  statement& note(int code);
  struct closer {
    void operator()(sqlite3_stmt* raw) const noexcept;
  };

  std::unique_ptr<sqlite3_stmt, closer> raw_;
  std::shared_ptr<const std::string> what_;
  int bound_ = 0;
  int failed_ = 0;
};

class database {
public:
  /// Opens a file, made if need be, for its owner only. `what` begins every error.
  static expected<database> open(const std::string& path, std::string what);

  /// Runs statements without parameters; rows are skipped.
  expected<void> run(const char* sql);
  expected<statement> prepare(const char* sql) const;
  /// The first column of the first row; 0 without one.
  expected<std::int64_t> number(const char* sql) const;
  std::int64_t last_row_id() const;

private:
  struct closer {
    void operator()(sqlite3* raw) const noexcept;
  };
  database(sqlite3* raw, std::string what)
      : raw_(raw), what_(std::make_shared<const std::string>(std::move(what))) {}

  std::unique_ptr<sqlite3, closer> raw_;
  std::shared_ptr<const std::string> what_; // outlives statements that outlive this
};

/// A transaction that is undone unless it is committed.
class transaction {
public:
  static expected<transaction> begin(database& on);
  transaction(transaction&& other) noexcept : on_(std::exchange(other.on_, nullptr)) {}
  transaction& operator=(transaction&&) = delete;
  ~transaction();
  expected<void> commit();

private:
  explicit transaction(database& on) : on_(&on) {}
  database* on_;
};

} // namespace edupulse::sqlite
