#pragma once
// Stand-ins for the two search servers, which Debian does not have. Real sockets on loopback. They
// are strict: what the real server refuses by its documentation, they refuse with the same status
// and error, so that a client that passes here has kept to the documents. On command they fail the
// way those servers do.

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace edupulse::test {

struct stored_lesson {
  std::string title;
  std::string body;
};

/// What is common to both. Any thread.
class stand_in {
public:
  virtual ~stand_in();
  stand_in(const stand_in&) = delete;
  stand_in& operator=(const stand_in&) = delete;

  /// http://127.0.0.1:PORT
  std::string url() const;
  std::map<std::string, stored_lesson> lessons() const;
  /// Requests so far, whatever became of them: "POST /lessons/_bulk".
  std::vector<std::string> requests() const;
  /// Why requests were refused as malformed. Empty when the client is right.
  std::vector<std::string> complaints() const;

  // -- faults, oldest first; each is used up by one request ------------------------------
  /// Answers `status` with `body`, and `Retry-After` when that is not negative.
  void answer_next(int status, const std::string& body, int retry_after = -1);
  /// Takes the request and is silent until `release`.
  void hang_next();
  /// Begins an answer and closes the connection.
  void drop_next();
  void release();

  /// That lesson is refused on its own, every time: `type` and `reason` as the server words them.
  void refuse_lesson(const std::string& id, int status, const std::string& type,
                     const std::string& reason);
  void accept_lesson(const std::string& id);
  /// Requests without this key are refused; "": everybody may.
  void demand_key(const std::string& key);

  struct state; ///< stand_in_state.hpp

protected:
  stand_in();
  /// Begins to serve; called last in the constructors of those below.
  void serve();
  std::unique_ptr<state> state_;
};

/// `_bulk`, `_refresh`, `_search` of Elasticsearch 8.
class elasticsearch_stand_in final : public stand_in {
public:
  elasticsearch_stand_in();
  ~elasticsearch_stand_in() override;
};

/// Documents, tasks and search of Meilisearch 1. A task is `enqueued`, then `processing`, then
/// done.
class meilisearch_stand_in final : public stand_in {
public:
  meilisearch_stand_in();
  ~meilisearch_stand_in() override;
  /// The next task fails, whatever its documents are.
  void fail_next_task(const std::string& code, const std::string& type);
  /// Tasks stay `processing` while on.
  void hold_tasks(bool on);
};

/// A loopback port on which nobody listens.
int closed_port();

/// Accepts connections and closes each without a word.
class slammed_door {
public:
  slammed_door();
  ~slammed_door();
  slammed_door(const slammed_door&) = delete;
  slammed_door& operator=(const slammed_door&) = delete;
  std::string url() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace edupulse::test
