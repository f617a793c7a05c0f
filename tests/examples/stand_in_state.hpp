#pragma once
// The inside of the stand-ins.

#include "json_text.hpp"
#include "tests/examples/stand_in.hpp"
#include <condition_variable>
#include <deque>
#include <functional>
#include <httplib.h>
#include <mutex>
#include <thread>

namespace edupulse::test {

using edupulse::search::json_document;
using edupulse::search::json_quote;
using edupulse::search::json_view;

struct refusal {
  int status = 0;
  std::string type;
  std::string reason;
};

struct fault {
  enum class kind { answer, hang, drop };
  kind what = kind::answer;
  int status = 0;
  std::string body{};
  int retry_after = -1;
};

struct ranked_lesson {
  std::string id;
  std::string title;
  double score = 0;
};

struct stand_in::state {
  using handler = std::function<void(const httplib::Request&, httplib::Response&)>;
  using body_of = std::function<void(state&, const httplib::Request&, httplib::Response&)>;

  /// Runs `body` for a request, under the lock, after the faults and the bookkeeping.
  handler guarded(body_of body);
  bool fail_on_command(httplib::Response& response, std::unique_lock<std::mutex>& lock);
  /// By words, the title counting five times: enough to tell that what was sent can be found.
  std::vector<ranked_lesson> find(const std::string& query, std::size_t limit) const;

  httplib::Server server;
  std::thread thread;
  int port = 0;
  mutable std::mutex mutex;
  std::condition_variable released;
  bool release_all = false;
  std::deque<fault> faults;
  std::map<std::string, refusal> refused;
  std::map<std::string, stored_lesson> lessons;
  bool index_exists = false;
  std::vector<std::string> requests;
  std::vector<std::string> complaints;
  std::string key;
  /// The server's own words for a request without the key.
  std::function<void(bool has_header, httplib::Response&)> refuse_key;
  std::string key_scheme;

  // Meilisearch only
  struct task {
    std::string documents;
    bool removal = false;
    int asked = 0;
    bool carried_out = false;
    std::string error{}; ///< a JSON object, empty: succeeded
  };
  std::vector<task> tasks;
  std::deque<std::pair<std::string, std::string>> task_failures;
  bool tasks_held = false;
};

inline void answer(httplib::Response& response, int status, const std::string& body) {
  response.status = status;
  response.set_content(body, "application/json");
}

} // namespace edupulse::test
