#include "meilisearch_index.hpp"
#include "http_trouble.hpp"
#include "json_text.hpp"
#include <poll.h>

// A task succeeds or fails as a whole. When it fails with an error of type `invalid_request`, one
// of its documents is to blame, and the batch is halved until that one stands alone; every other
// type is the server's trouble (its disk, its limits) and the batch is `unavailable`. Documents and
// removals cannot be in one task; since a batch holds each lesson once, which of the two comes
// first is the same.
//
// https://www.meilisearch.com/docs/reference/api/tasks

namespace edupulse::search {

namespace {

constexpr std::size_t max_id_bytes = 511;

bool is_document_id(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !id.empty() && id.size() <= max_id_bytes && std::all_of(id.begin(), id.end(), allowed);
}

void add_document(std::string& body, const change& what) {
  body += body.size() > 1 ? "," : "";
  if (what.what == change::kind::withdraw)
    body += json_quote(what.lesson_id);
  else
    body += "{\"lessonId\":" + json_quote(what.lesson_id) +
            ",\"teacherId\":" + json_quote(what.teacher_id) +
            ",\"title\":" + json_quote(what.title) + ",\"body\":" + json_quote(what.body) + "}";
}

/// Puts first, then withdrawals, each in the order of `sent`; those with impossible ids in neither.
struct sorted_changes {
  std::vector<const change*> puts;
  std::vector<const change*> withdrawals;

  explicit sorted_changes(const std::vector<const change*>& sent) {
    for (const change* each : sent)
      if (is_document_id(each->lesson_id))
        (each->what == change::kind::put ? puts : withdrawals).push_back(each);
  }
};

} // namespace

meilisearch_index::meilisearch_index(meilisearch_options options)
    : options_(std::move(options)), http_(options_.http) {}

std::string meilisearch_index::describe() const {
  return "Meilisearch at " + without_secrets(options_.url) + ", index " + options_.index;
}

std::string meilisearch_index::path(std::string_view operation) const {
  return options_.url + "/indexes/" + options_.index + "/" + std::string(operation);
}

std::vector<outcome> meilisearch_index::apply(std::span<const change> batch) {
  const batch_plan plan(batch);
  const sorted_changes sorted(plan.sent());
  std::vector<outcome> puts = for_all(sorted.puts.size(), outcome::ok());
  std::vector<outcome> withdrawals = for_all(sorted.withdrawals.size(), outcome::ok());
  const auto send_all = [this](batch_part whole) {
    for (const batch_part& part : parts_by_size(whole, options_.max_request_bytes))
      send_in_halves(part, [this](batch_part each) { return send(each); });
  };
  send_all({sorted.puts, puts});
  send_all({sorted.withdrawals, withdrawals});

  std::vector<outcome> outcomes;
  auto put = puts.begin();
  auto withdrawal = withdrawals.begin();
  for (const change* each : plan.sent()) {
    if (!is_document_id(each->lesson_id))
      outcomes.push_back(outcome::reject(
          "Meilisearch takes ids of 1 to 511 letters, digits, - and _ only; this lesson's is \"" +
          each->lesson_id.substr(0, 80) + "\""));
    else
      outcomes.push_back(each->what == change::kind::put ? *put++ : *withdrawal++);
  }
  return plan.spread(outcomes);
}

std::optional<std::string> meilisearch_index::send(batch_part part) {
  const bool puts = part.changes.front()->what == change::kind::put;
  std::string body = "[";
  for (const change* each : part.changes)
    add_document(body, *each);
  const auto answer =
      http_.post(path(puts ? "documents?primaryKey=lessonId" : "documents/delete-batch"),
                 "application/json", body + "]");
  if (answer && (answer->status == 400 || answer->status == 413))
    return "status " + std::to_string(answer->status) + ", " + answer->body.substr(0, 300);
  if (!answer || answer->status != 202) {
    part.all(unavailable_after(describe(), answer));
    return std::nullopt;
  }
  const auto queued = json_document::parse(answer->body);
  if (!queued || !queued->root()["taskUid"].is_number()) {
    part.all(outcome::unavailable(describe() + ": the answer names no task; is something else "
                                               "listening there?"));
    return std::nullopt;
  }
  return await_task(static_cast<std::uint64_t>(queued->root()["taskUid"].number()), part);
}

std::optional<std::string> meilisearch_index::await_task(std::uint64_t uid, batch_part part) {
  const std::string url = options_.url + "/tasks/" + std::to_string(uid);
  auto waited = std::chrono::milliseconds(0);
  auto pause = std::chrono::milliseconds(5);
  while (waited < options_.task_timeout) {
    const auto answer = http_.get(url);
    if (!answer || answer->status != 200) {
      part.all(unavailable_after(describe(), answer));
      return std::nullopt;
    }
    const auto task = json_document::parse(answer->body);
    const std::string status = task ? task->root()["status"].text() : std::string();
    if (status != "enqueued" && status != "processing")
      return conclude(answer->body, part);
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
    waited += pause;
    pause = std::min(2 * pause, std::chrono::milliseconds(250));
  }
  part.all(outcome::unavailable(describe() + ": task " + std::to_string(uid) +
                                " is not done yet; its documents are sent again"));
  return std::nullopt;
}

std::optional<std::string> meilisearch_index::conclude(const std::string& task,
                                                       batch_part part) const {
  const auto parsed = json_document::parse(task);
  const json_view root = parsed ? parsed->root() : json_view();
  const std::string status = root["status"].text();
  const json_view error = root["error"];
  const std::string code = error["code"].text();
  if (status == "succeeded") {
    part.all(outcome::ok());
  } else if (status == "canceled") {
    part.all(outcome::retry("somebody canceled the task"));
  } else if (status == "failed" && code == "index_not_found") {
    part.all(outcome::ok()); // only a removal says so: there is nothing to remove
  } else if (status == "failed" && error["type"].text() == "invalid_request") {
    return code + ": " + error["message"].text();
  } else if (status == "failed") {
    part.all(outcome::unavailable(describe() + ": " + code + ": " + error["message"].text()));
  } else {
    part.all(outcome::unavailable(describe() + ": a task in no known state"));
  }
  return std::nullopt;
}

expected<std::vector<hit>> meilisearch_index::find(std::string_view query, std::size_t limit) {
  const auto answer = http_.post(
      path("search"), "application/json",
      "{\"q\":" + json_quote(query) + ",\"limit\":" + std::to_string(limit) +
          ",\"showRankingScore\":true,\"attributesToRetrieve\":[\"lessonId\",\"title\"]}");
  if (answer && answer->status == 404)
    return std::vector<hit>(); // no index yet: nothing was ever indexed
  if (!answer || answer->status != 200)
    return fail(errc::io, std::string(unavailable_after(describe(), answer).reason()));
  const auto parsed = json_document::parse(answer->body);
  if (!parsed || !parsed->root()["hits"].is_array())
    return fail(errc::io, describe() + ": the answer is not that of a search");
  std::vector<hit> hits;
  for (const json_view each : parsed->root()["hits"].items())
    hits.push_back({each["lessonId"].text(), each["title"].text(), each["_rankingScore"].number()});
  return hits;
}

} // namespace edupulse::search
