#include "runtime/sqlite.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sqlite3.h>
#include <unistd.h>

namespace edupulse::sqlite {
namespace {

/// How long another process may hold the file, closing it for example. Longer is not our business:
/// a file that is in use for good would only delay the answer.
constexpr int patience_ms = 250;

std::string_view what_to_do(int code) {
  switch (code & 0xff) {
  case SQLITE_FULL:
    return "make room on its disk, or raise the limit of its size";
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return "another process uses it: give each node a data directory of its own";
  case SQLITE_READONLY:
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return "make the file and its directory writable for the user of this process";
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return "the file is damaged or something else: restore a copy, or move it away to begin anew";
  case SQLITE_NOMEM:
    return "the process has no memory left";
  default:
    return "look at its disk and the system's log";
  }
}

error failure(std::string_view what, int code, std::string_view said) {
  std::string text(what);
  text.append(": ").append(said).append(" (SQLite ").append(std::to_string(code)).append("): ");
  text.append(what_to_do(code));
  return {errc::io, std::move(text)};
}

/// SQLite would make the file with the process's default mode; events are nobody else's business.
bool make_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0)
    return false;
  ::close(file);
  const auto parent = std::filesystem::path(path).parent_path();
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory); // a file whose name is not on the disk does not survive either
    ::close(directory);
  }
  return true;
}

} // namespace

// -- database -----------------------------------------------------------------------

void database::closer::operator()(sqlite3* raw) const noexcept { sqlite3_close_v2(raw); }

expected<database> database::open(const std::string& path, std::string what) {
  if (!make_file(path))
    return tl::unexpected(failure(what, SQLITE_CANTOPEN, std::strerror(errno)));
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  database opened(raw, std::move(what));
  if (code != SQLITE_OK)
    return tl::unexpected(failure(*opened.what_, code, sqlite3_errstr(code)));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, patience_ms);
  return opened;
}

expected<void> database::run(const char* sql) {
  const int code = sqlite3_exec(raw_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK)
    return tl::unexpected(failure(*what_, code, sqlite3_errmsg(raw_.get())));
  return {};
}

expected<statement> database::prepare(const char* sql) const {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(raw_.get(), sql, -1, &raw, nullptr);
  if (code != SQLITE_OK)
    return tl::unexpected(failure(*what_, code, sqlite3_errmsg(raw_.get())));
  return statement(raw, what_);
}

expected<std::int64_t> database::number(const char* sql) const {
  auto asked = prepare(sql);
  if (!asked)
    return tl::unexpected(asked.error());
  return asked->step().map([&](bool row) { return row ? asked->number(0) : 0; });
}

std::int64_t database::last_row_id() const { return sqlite3_last_insert_rowid(raw_.get()); }

// -- statement ----------------------------------------------------------------------

void statement::closer::operator()(sqlite3_stmt* raw) const noexcept { sqlite3_finalize(raw); }

statement& statement::note(int code) {
  if (failed_ == SQLITE_OK)
    failed_ = code;
  return *this;
}

statement& statement::bind(std::int64_t value) {
  return note(sqlite3_bind_int64(raw_.get(), ++bound_, value));
}

statement& statement::bind(std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data(); // null would be SQL's NULL
  return note(
      sqlite3_bind_text64(raw_.get(), ++bound_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

statement& statement::bind(std::span<const std::byte> bytes) {
  return note(sqlite3_bind_blob64(raw_.get(), ++bound_, bytes.data(), bytes.size(), SQLITE_STATIC));
}

expected<bool> statement::step() {
  const int code = failed_ != SQLITE_OK ? failed_ : sqlite3_step(raw_.get());
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto problem = failure(*what_, code, sqlite3_errmsg(sqlite3_db_handle(raw_.get())));
  reset();
  return tl::unexpected(std::move(problem));
}

expected<void> statement::run() {
  return for_each_row([] {});
}

void statement::reset() {
  sqlite3_reset(raw_.get());
  sqlite3_clear_bindings(raw_.get());
  bound_ = 0;
  failed_ = SQLITE_OK;
}

std::int64_t statement::number(int column) const {
  return sqlite3_column_int64(raw_.get(), column);
}

std::string statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(raw_.get(), column));
  if (data == nullptr)
    return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column))};
}

std::span<const std::byte> statement::bytes(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(raw_.get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column))};
}

// -- transaction --------------------------------------------------------------------

expected<transaction> transaction::begin(database& on) {
  if (auto done = on.run("BEGIN IMMEDIATE"); !done)
    return tl::unexpected(done.error());
  return transaction(on);
}

transaction::~transaction() {
  if (on_ != nullptr)
    static_cast<void>(on_->run("ROLLBACK")); // may have been rolled back by SQLite already
}

expected<void> transaction::commit() {
  auto done = on_->run("COMMIT");
  if (done)
    on_ = nullptr;
  return done;
}

} // namespace edupulse::sqlite
