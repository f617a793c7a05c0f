#include "tests/examples/stand_in_state.hpp"
#include <algorithm>

// What Meilisearch documents, and this checks: the content type (415); a body of one JSON array;
// writes that are only queued (202 and a task); a task that fails as a whole for one bad document,
// with a code and a type; ids of letters, digits, - and _, at most 511 bytes; keys (401 without,
// 403 with a wrong one).

namespace edupulse::test {

namespace {

std::string error_body(const std::string& code, const std::string& type,
                       const std::string& message) {
  return "{\"message\":" + json_quote(message) + ",\"code\":" + json_quote(code) +
         ",\"type\":" + json_quote(type) + ",\"link\":\"\"}";
}

bool is_document_id(const std::string& id) {
  return !id.empty() && id.size() <= 511 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

/// Why one document cannot be stored, as a JSON error; empty when it can.
std::string fault_of(const std::map<std::string, refusal>& refused, const std::string& id,
                     bool removal) {
  if (!removal && !is_document_id(id))
    return error_body("invalid_document_id", "invalid_request",
                      "Document identifier `" + id + "` is invalid.");
  const auto at = refused.find(id);
  if (at != refused.end())
    return error_body(at->second.type, "invalid_request", at->second.reason);
  return {};
}

std::string id_of(const json_view& document, bool removal) {
  return removal ? document.text() : document["lessonId"].text();
}

std::string task_body(std::size_t uid, const std::string& status, const std::string& error) {
  return "{\"uid\":" + std::to_string(uid) +
         ",\"indexUid\":\"lessons\",\"status\":" + json_quote(status) +
         ",\"error\":" + (error.empty() ? "null" : error) + "}";
}

void refuse(stand_in::state& s, httplib::Response& response, int status, const std::string& code) {
  s.complaints.push_back(code);
  answer(response, status, error_body(code, "invalid_request", code));
}

void refuse_key(bool has_header, httplib::Response& response) {
  if (has_header)
    answer(response, 403,
           error_body("invalid_api_key", "auth", "The provided API key is invalid."));
  else
    answer(
        response, 401,
        error_body("missing_authorization_header", "auth", "The Authorization header is missing."));
}

void enqueue(bool removal, stand_in::state& s, const httplib::Request& request,
             httplib::Response& response) {
  if (!request.get_header_value("Content-Type").starts_with("application/json"))
    return refuse(s, response, 415, "invalid_content_type");
  const auto body = json_document::parse(request.body);
  if (!body || !body->root().is_array())
    return refuse(s, response, 400, "malformed_payload");
  s.tasks.push_back({request.body, removal});
  // Without it the server guesses, and two fields of a lesson end with "Id".
  if (!removal && !s.index_exists && request.get_param_value("primaryKey") != "lessonId")
    s.tasks.back().error = error_body("index_primary_key_multiple_candidates_found",
                                      "invalid_request", "The primary key inference failed.");
  answer(response, 202,
         "{\"taskUid\":" + std::to_string(s.tasks.size() - 1) +
             ",\"indexUid\":\"lessons\",\"status\":\"enqueued\"}");
}

/// Carries a task out, all of it or nothing.
void work(stand_in::state& s, stand_in::state::task& task) {
  if (!s.task_failures.empty()) {
    const auto [code, type] = s.task_failures.front();
    s.task_failures.pop_front();
    task.error = error_body(code, type, code);
    return;
  }
  const auto documents = json_document::parse(task.documents);
  if (task.removal && !s.index_exists)
    task.error = error_body("index_not_found", "invalid_request", "Index `lessons` not found.");
  for (const auto& each : documents->root().items())
    if (task.error.empty())
      task.error = fault_of(s.refused, id_of(each, task.removal), task.removal);
  if (!task.error.empty())
    return;
  s.index_exists = true;
  for (const auto& each : documents->root().items())
    if (task.removal)
      s.lessons.erase(each.text());
    else
      s.lessons[each["lessonId"].text()] = {each["title"].text(), each["body"].text()};
}

void show_task(stand_in::state& s, const httplib::Request& request, httplib::Response& response) {
  const auto uid = static_cast<std::size_t>(std::stoul(request.matches[1].str()));
  if (uid >= s.tasks.size())
    return refuse(s, response, 404, "task_not_found");
  auto& task = s.tasks[uid];
  const int asked = task.asked++;
  if (asked < 2 || s.tasks_held)
    return answer(response, 200, task_body(uid, asked == 0 ? "enqueued" : "processing", ""));
  if (!std::exchange(task.carried_out, true) && task.error.empty())
    work(s, task);
  answer(response, 200, task_body(uid, task.error.empty() ? "succeeded" : "failed", task.error));
}

void search(stand_in::state& s, const httplib::Request& request, httplib::Response& response) {
  const auto body = json_document::parse(request.body);
  if (!body || !body->root()["q"].is_text())
    return refuse(s, response, 400, "bad_request");
  if (!s.index_exists)
    return answer(response, 404,
                  error_body("index_not_found", "invalid_request", "Index `lessons` not found."));
  const auto limit = static_cast<std::size_t>(body->root()["limit"].number());
  std::string hits;
  for (const auto& hit : s.find(body->root()["q"].text(), limit))
    hits += (hits.empty() ? "" : ",") + ("{\"lessonId\":" + json_quote(hit.id)) +
            ",\"title\":" + json_quote(hit.title) +
            ",\"_rankingScore\":" + std::to_string(hit.score / 12) + "}";
  answer(response, 200,
         "{\"hits\":[" + hits + "],\"query\":" + json_quote(body->root()["q"].text()) + "}");
}

} // namespace

meilisearch_stand_in::meilisearch_stand_in() {
  using namespace std::placeholders;
  state& s = *state_;
  s.key_scheme = "Bearer ";
  s.refuse_key = refuse_key;
  s.server.Post(R"(/indexes/lessons/documents)", s.guarded(std::bind(enqueue, false, _1, _2, _3)));
  s.server.Post(R"(/indexes/lessons/documents/delete-batch)",
                s.guarded(std::bind(enqueue, true, _1, _2, _3)));
  s.server.Get(R"(/tasks/(\d+))", s.guarded(show_task));
  s.server.Post(R"(/indexes/lessons/search)", s.guarded(search));
  serve();
}

meilisearch_stand_in::~meilisearch_stand_in() = default;

void meilisearch_stand_in::fail_next_task(const std::string& code, const std::string& type) {
  const std::lock_guard guard(state_->mutex);
  state_->task_failures.emplace_back(code, type);
}

void meilisearch_stand_in::hold_tasks(bool on) {
  const std::lock_guard guard(state_->mutex);
  state_->tasks_held = on;
}

} // namespace edupulse::test
