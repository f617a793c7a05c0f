#include "fts5_index.hpp"
#include <cctype>
#include <sqlite3.h>

// Every failure of SQLite is one of two kinds. A few are the document's (too large, a value that
// does not fit) and end as `reject`. All others are the file's: locked, read-only, full, not there,
// broken. Then the transaction is rolled back, the whole batch is `unavailable`, and the file is
// closed, since only a fresh connection notices that a file has become writable again.

namespace edupulse::search {

namespace {

/// A prepared statement that is bound and stepped once.
class statement {
public:
  statement(sqlite3* db, const char* sql) {
    code_ = sqlite3_prepare_v2(db, sql, -1, &raw_, nullptr);
  }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;
  ~statement() { sqlite3_finalize(raw_); }

  statement& text(std::string_view value) {
    // A null pointer would bind NULL.
    return note(sqlite3_bind_text64(raw_, ++bound_, value.empty() ? "" : value.data(), value.size(),
                                    SQLITE_STATIC, SQLITE_UTF8));
  }
  statement& number(std::int64_t value) { return note(sqlite3_bind_int64(raw_, ++bound_, value)); }
  /// SQLITE_ROW, SQLITE_DONE, or the first error of any call so far.
  int step() { return code_ != SQLITE_OK ? code_ : sqlite3_step(raw_); }

  std::int64_t number_at(int column) { return sqlite3_column_int64(raw_, column); }
  double real_at(int column) { return sqlite3_column_double(raw_, column); }
  std::string text_at(int column) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(raw_, column));
    return text == nullptr ? std::string() : std::string(text, size);
  }

private:
  statement& note(int code) {
    if (code_ == SQLITE_OK)
      code_ = code;
    return *this;
  }

  sqlite3_stmt* raw_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0;
};

bool is_the_documents_fault(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_TOOBIG || primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH;
}

const char* advice(int code) {
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return "another process holds it; it goes on when that one is done";
  case SQLITE_READONLY:
  case SQLITE_PERM:
    return "make the file and its directory writable";
  case SQLITE_FULL:
    return "free some space on its disk";
  case SQLITE_CANTOPEN:
    return "check that its directory exists and may be written to";
  case SQLITE_NOTADB:
  case SQLITE_CORRUPT:
    return "delete the file and index the lessons again";
  default:
    return "it is tried again";
  }
}

/// Each word of the query as a quoted FTS5 string: what people type is never syntax.
std::string expression_of(std::string_view query, std::string_view joined_by) {
  std::string result;
  std::size_t at = 0;
  while (at < query.size()) {
    const auto space = [&](std::size_t i) {
      return std::isspace(static_cast<unsigned char>(query[i])) != 0 || query[i] == '\0';
    };
    if (space(at)) {
      ++at;
      continue;
    }
    result += result.empty() ? "\"" : std::string(joined_by) + "\"";
    for (; at < query.size() && !space(at); ++at)
      result += query[at] == '"' ? std::string("\"\"") : std::string(1, query[at]);
    result += '"';
  }
  return result;
}

} // namespace

// -- the file ---------------------------------------------------------------------------

void fts5_index::closer::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }

std::string fts5_index::describe() const { return "SQLite FTS5 in " + options_.file.string(); }

int fts5_index::run(const char* sql) {
  return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
}

int fts5_index::open() {
  if (db_)
    return SQLITE_OK;
  sqlite3* raw = nullptr;
  const int flags =
      options_.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  int code = sqlite3_open_v2(options_.file.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(raw);
  if (code == SQLITE_OK)
    code = prepare_file();
  if (code != SQLITE_OK)
    db_.reset();
  return code;
}

int fts5_index::prepare_file() {
  sqlite3_extended_result_codes(db_.get(), 1);
  sqlite3_busy_timeout(db_.get(), static_cast<int>(options_.busy_timeout.count()));
  if (options_.max_pages > 0) {
    const auto sql = "PRAGMA max_page_count = " + std::to_string(options_.max_pages);
    if (const int code = run(sql.c_str()); code != SQLITE_OK)
      return code;
  }
  if (options_.read_only)
    return SQLITE_OK;
  // A number for each lesson id, because FTS5 finds rows by number only.
  return run("PRAGMA journal_mode = WAL;"
             "PRAGMA synchronous = NORMAL;"
             "CREATE TABLE IF NOT EXISTS lessons(number INTEGER PRIMARY KEY,"
             "                                   lesson_id TEXT NOT NULL UNIQUE);"
             "CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(title, body,"
             "  teacher_id UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2');");
}

std::string fts5_index::trouble(int code) const {
  return describe() + ": " + sqlite3_errstr(code) + " (" + advice(code) + ")";
}

// -- writing ----------------------------------------------------------------------------

std::vector<outcome> fts5_index::apply(std::span<const change> batch) {
  std::vector<outcome> results;
  int code = open();
  if (code == SQLITE_OK)
    code = write(batch, results);
  if (code == SQLITE_OK)
    return results;
  db_.reset(); // rolls back what was begun
  return for_all(batch.size(), outcome::unavailable(trouble(code)));
}

int fts5_index::write(std::span<const change> batch, std::vector<outcome>& results) {
  if (const int code = run("BEGIN IMMEDIATE"); code != SQLITE_OK)
    return code;
  for (const change& each : batch) {
    if (each.lesson_id.empty()) {
      results.push_back(outcome::reject("a lesson without an id cannot be indexed"));
      continue;
    }
    const int code = write_one(each);
    if (code == SQLITE_OK)
      results.push_back(outcome::ok());
    else if (is_the_documents_fault(code))
      results.push_back(
          outcome::reject(std::string("the index refuses the lesson: ") + sqlite3_errstr(code)));
    else
      return code;
  }
  return run("COMMIT");
}

int fts5_index::write_one(const change& what) {
  const auto finish = [](int code) { return code == SQLITE_DONE ? SQLITE_OK : code; };
  if (what.what == change::kind::withdraw) {
    statement forget(db_.get(), "DELETE FROM texts WHERE rowid ="
                                " (SELECT number FROM lessons WHERE lesson_id = ?)");
    if (const int code = finish(forget.text(what.lesson_id).step()); code != SQLITE_OK)
      return code;
    statement number(db_.get(), "DELETE FROM lessons WHERE lesson_id = ?");
    return finish(number.text(what.lesson_id).step());
  }
  statement known(db_.get(), "INSERT INTO lessons(lesson_id) VALUES (?) ON CONFLICT DO NOTHING");
  if (const int code = finish(known.text(what.lesson_id).step()); code != SQLITE_OK)
    return code;
  statement put(db_.get(), "REPLACE INTO texts(rowid, title, body, teacher_id)"
                           " SELECT number, ?, ?, ? FROM lessons WHERE lesson_id = ?");
  put.text(what.title).text(what.body).text(what.teacher_id).text(what.lesson_id);
  return finish(put.step());
}

// -- looking up ---------------------------------------------------------------------------

expected<std::vector<hit>> fts5_index::find(std::string_view query, std::size_t limit) {
  const std::string all_words = expression_of(query, " AND ");
  if (all_words.empty())
    return std::vector<hit>();
  auto hits = match(all_words, limit);
  if (hits && hits->empty())
    hits = match(expression_of(query, " OR "), limit);
  return hits;
}

expected<std::vector<hit>> fts5_index::match(const std::string& expression, std::size_t limit) {
  if (const int code = open(); code != SQLITE_OK)
    return fail(errc::io, trouble(code));
  // A word in the title says more about a lesson than five in its body.
  statement rows(db_.get(), "SELECT lesson_id, title, -bm25(texts, 5.0, 1.0) AS score"
                            " FROM texts JOIN lessons ON number = texts.rowid"
                            " WHERE texts MATCH ? ORDER BY score DESC, lesson_id LIMIT ?");
  rows.text(expression).number(static_cast<std::int64_t>(limit));
  std::vector<hit> hits;
  int code = SQLITE_ROW;
  while ((code = rows.step()) == SQLITE_ROW)
    hits.push_back({rows.text_at(0), rows.text_at(1), rows.real_at(2)});
  if (code != SQLITE_DONE)
    return fail(errc::io, trouble(code));
  return hits;
}

expected<std::size_t> fts5_index::count() {
  if (const int code = open(); code != SQLITE_OK)
    return fail(errc::io, trouble(code));
  statement rows(db_.get(), "SELECT count(*) FROM texts");
  if (const int code = rows.step(); code != SQLITE_ROW)
    return fail(errc::io, trouble(code));
  return static_cast<std::size_t>(rows.number_at(0));
}

} // namespace edupulse::search
