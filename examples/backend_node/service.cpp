#include "service.hpp"
#include "json_text.hpp"
#include "ledger_json.hpp"
#include "lesson_request.hpp"
#include <capnp/dynamic.h>
#include <charconv>
#include <cstdio>

namespace edupulse::backend {

namespace {

using namespace std::chrono_literals;
using httplib::Request;
using httplib::Response;
using search::json_array;
using search::json_field;
using search::json_flag;

constexpr std::size_t titles_shown = 10;
constexpr auto patience = 10s; ///< of ?wait=1 and /ready

void say(Response& answer, int status, const std::string& json) {
  answer.status = status;
  answer.set_content(json + "\n", "application/json");
}

void refuse(Response& answer, int status, const std::string& why) {
  say(answer, status, "{" + json_field("error", why) + "}");
}

/// What a failure to publish is in HTTP: the client's fault, or come again later.
void refuse_event(Response& answer, const error& why) {
  switch (why.code) {
  case errc::too_large:
    return refuse(answer, 413, why.text);
  case errc::back_pressure:
  case errc::stopping:
    answer.set_header("Retry-After", "1");
    return refuse(answer, 503, why.text);
  default:
    return refuse(answer, 400, why.text);
  }
}

std::string outcome_json(const receipt_status& what) {
  return "{" + json_field("owed", what.owed) + "," + json_field("handled", what.handled) + "," +
         json_field("dead", what.dead) + "," + json_field("dropped", what.dropped) + "," +
         json_flag("complete", what.complete()) + "}";
}

std::string member_json(const member& what) {
  return "{" + json_field("name", what.name) + "," + json_field("state", to_string(what.state)) +
         "," + json_flag("self", what.self) + "," + json_flag("connected", what.connected) + "," +
         json_field("address", what.address) + "," + json_field("starts", what.epoch) + "," +
         json_field("id", to_string(what.id)) + "}";
}

std::string hit_json(const search::hit& what) {
  char score[32];
  std::snprintf(score, sizeof score, "%.4f", what.score);
  return "{" + json_field("lessonId", what.lesson_id) + "," + json_field("title", what.title) +
         ",\"score\":" + score + "}";
}

/// A parameter that is a number; nothing when it is anything else.
std::optional<std::size_t> number_of(const Request& asked, const char* name, std::size_t absent) {
  if (!asked.has_param(name))
    return absent;
  const auto text = asked.get_param_value(name);
  std::size_t number = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return number;
}

} // namespace

void service::post_lesson(const Request& asked, Response& answer) {
  const auto lesson = read_lesson(asked.body);
  if (!lesson)
    return refuse(answer, 400, lesson.error().text);
  publish_options how;
  how.subject = lesson->subject;
  how.key = lesson->key;
  how.meta = lesson->meta;
  how.track = asked.get_param_value("wait") == "1";
  const auto given = node_.publish(
      *lesson->type,
      [&](capnp::AnyPointer::Builder payload) {
        payload.setAs<capnp::DynamicStruct>(lesson->payload());
      },
      how);
  if (!given)
    return refuse_event(answer, given.error());
  std::string json = "{" + json_field("id", to_string(given->id()));
  if (how.track) {
    (void)given->wait(patience); // what is known by then is the answer
    json += ",\"outcome\":" + outcome_json(given->status().value_or(receipt_status{}));
  }
  say(answer, 202, json + "}");
}

void service::search(const Request& asked, Response& answer) {
  const auto query = asked.get_param_value("q");
  const auto limit = number_of(asked, "limit", titles_shown);
  if (query.empty())
    return refuse(answer, 400, "say what to look for: /search?q=quantum+mechanics");
  if (!limit || *limit < 1 || *limit > 1000)
    return refuse(answer, 400, "limit is a number from 1 to 1000");
  const std::lock_guard guard(desk_->mutex);
  const auto hits = desk_->index->find(query, *limit);
  if (!hits)
    return refuse(answer, 503, hits.error().text);
  say(answer, 200,
      "{" + json_field("node", node_.name()) + ",\"hits\":" + json_array(*hits, hit_json) + "}");
}

void service::ready(const Request& asked, Response& answer) {
  const auto nodes = number_of(asked, "nodes", 1);
  if (!nodes)
    return refuse(answer, 400, "nodes is a number: /ready?nodes=3");
  // Each node has one indexer, so counting those who want lessons counts nodes.
  if (const auto all = node_.ready("lesson.published", *nodes, patience); !all)
    return refuse(answer, 503, all.error().text);
  say(answer, 200, "{" + json_flag("ready", true) + "}");
}

void service::members(Response& answer) {
  say(answer, 200, json_array(node_.members(), member_json));
}

void service::ledger(Response& answer) {
  const auto all = node_.ledger();
  say(answer, 200,
      "{" + json_field("node", node_.name()) + "," + json_flag("balanced", all.balances()) +
          ",\"lines\":" + search::ledger_json(all) + "}");
}

void service::add_routes(httplib::Server& server) {
  server.Post("/lessons", [this](const Request& asked, Response& to) { post_lesson(asked, to); });
  server.Get("/search", [this](const Request& asked, Response& to) { search(asked, to); });
  server.Get("/ready", [this](const Request& asked, Response& to) { ready(asked, to); });
  server.Get("/members", [this](const Request&, Response& to) { members(to); });
  server.Get("/ledger", [this](const Request&, Response& to) { ledger(to); });
  server.Get("/healthz",
             [](const Request&, Response& to) { to.set_content("ok\n", "text/plain"); });
  server.set_error_handler([](const Request& asked, Response& to) {
    if (to.body.empty())
      refuse(to, to.status,
             to.status == 404 ? "there is no " + asked.method + " " + asked.path
                              : "the request cannot be taken");
  });
}

} // namespace edupulse::backend
