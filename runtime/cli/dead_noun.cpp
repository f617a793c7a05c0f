#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

/// Of the verbs; they live as long as the command line.
struct choice {
  std::vector<std::uint64_t> ids;
  std::uint64_t id = 0;
  std::string subscription;
  std::uint32_t limit = 100;
  std::uint64_t after = 0;
};

// -- ls -----------------------------------------------------------------------------------

std::string list_text(control::Answer::Reader answer, const choice& how) {
  table all({"ID", "DIED", "HANDLER", "TOPIC", "KEY", "TRIES", "REASON"});
  const auto letters = answer.getDeadLetters();
  for (const auto one : letters)
    all.add(
        {std::to_string(one.getId()), time_text(one.getDiedMs()), one.getSubscription().cStr(),
         one.getTopic().cStr(), one.getKey().cStr(), std::to_string(one.getAttempts().size()),
         std::string(one.getReason().cStr()) + (one.getRedriving() ? " (tried again now)" : "")});
  const bool may_be_more = letters.size() == how.limit;
  return all.text("there are no dead letters") +
         (may_be_more
              ? "to go on: --after " + std::to_string(letters[letters.size() - 1].getId()) + "\n"
              : "");
}

int list(const tool& with, const choice& how) {
  return with.show(
      [&](auto request) {
        auto which = request.initDeadList();
        which.setSubscription(how.subscription);
        which.setLimit(how.limit);
        which.setAfter(how.after);
      },
      [&](auto answer) { return list_text(answer, how); });
}

// -- show ---------------------------------------------------------------------------------

std::string payload_text(control::WholeDeadLetter::Reader from) {
  if (from.getPayloadJson().size() > 0)
    return printable(from.getPayloadJson().cStr());
  std::string text = std::to_string(from.getPayloadBytes()) + " bytes; the node does not know the "
                                                              "schema";
  if (from.getPayload().size() > 0)
    text += ": " + to_json(from.getPayload()).get<std::string>();
  if (from.getPayload().size() < from.getPayloadBytes())
    text += "...";
  return text;
}

std::string letter_text(control::Answer::Reader answer) {
  const auto whole = answer.getDeadLetter();
  const auto from = whole.getLetter();
  std::string text;
  const auto add = [&](const char* what, const std::string& value) {
    text += what + (value.empty() ? "-" : value) + "\n";
  };
  add("id         ", std::to_string(from.getId()));
  add("handler    ", printable(from.getSubscription().cStr()));
  add("node       ", printable(from.getNode().cStr()));
  add("reason     ", printable(from.getReason().cStr()));
  add("died       ", time_text(from.getDiedMs()));
  add("redrives   ",
      std::to_string(from.getRedrives()) + (from.getRedriving() ? ", and one is under way" : ""));
  add("topic      ", printable(from.getTopic().cStr()));
  add("key        ", printable(from.getKey().cStr()));
  add("event      ", printable(from.getEventId().cStr()));
  add("publisher  ", printable(from.getPublisher().cStr()));
  add("published  ", time_text(from.getOccurredAtMs()));
  for (const auto one : whole.getMeta())
    add("meta       ", printable(one.getName().cStr()) + " = " + printable(one.getValue().cStr()));
  add("payload    ", payload_text(whole));
  table tries({"TRIED", "OUTCOME", "ERROR TYPE", "TEXT"});
  for (const auto one : from.getAttempts())
    tries.add({time_text(one.getEndedMs()), one.getWhat().cStr(), one.getErrorType().cStr(),
               one.getText().cStr()});
  return text + "\n" + tries.text();
}

/// One object, with the payload in it.
void shape_letter(json& whole) {
  json all = std::move(whole["letter"]);
  whole.erase("letter");
  const auto text = whole["payloadJson"].get<std::string>();
  whole.erase("payloadJson");
  all.update(whole);
  if (text.empty()) {
    all["payloadHex"] = std::move(all["payload"]);
    all.erase("payload");
  } else {
    auto payload = json::parse(text, nullptr, false);
    all["payload"] = payload.is_discarded() ? json(text) : std::move(payload);
  }
  whole = std::move(all);
}

int show(const tool& with, const choice& which) {
  return with.show([&](auto request) { request.setDeadShow(which.id); }, letter_text, shape_letter);
}

// -- retry, discard -----------------------------------------------------------------------

using selection = std::function<void(control::DeadSelection::Builder)>;

std::vector<selection> selected(const choice& which) {
  std::vector<selection> all;
  for (const auto id : which.ids)
    all.push_back([id](auto to) { to.setId(id); });
  if (!which.subscription.empty())
    all.push_back([&which](auto to) { to.setSubscription(which.subscription); });
  return all;
}

/// One after the other, and the rest, too, when one of them fails.
int tell(const tool& with, const choice& which, const char* said,
         control::DeadSelection::Builder (control::Request::Builder::*choose)()) {
  const auto all = selected(which);
  if (all.empty())
    return with.complain({wrong_use, "invalid_option",
                          "which letters? Say their ids, or --subscription NAME for all of it"});
  std::uint64_t count = 0;
  json failed = json::array();
  for (const auto& one : all) {
    const auto told = with.ask([&](auto request) { one((request.*choose)()); },
                               [&](auto answer) { count += answer.getDone().getCount(); });
    if (!told && told.error().exit_code != refused)
      return with.complain(told.error());
    if (!told)
      failed.push_back({{"code", told.error().code}, {"text", told.error().text}});
  }
  for (const auto& one : failed)
    std::cerr << "edupulse: " << printable(one["text"].get<std::string>()) << '\n';
  const auto printed =
      with.json_wanted ? with.print(json{{"count", count}, {"failed", failed}})
                       : with.print(std::to_string(count) +
                                    (count == 1 ? " letter is " : " letters are ") + said + "\n");
  return failed.empty() ? printed : refused;
}

void add_selection(CLI::App& verb, choice& which) {
  auto* ids =
      verb.add_option("ID", which.ids, "as `edupulse dead ls` says it")->check(CLI::PositiveNumber);
  verb.add_option("--subscription", which.subscription, "all letters of this one")->excludes(ids);
}

} // namespace

void add_dead(CLI::App& to, tool& with) {
  const auto which = std::make_shared<choice>();
  auto& noun = add_noun(to, "dead", "dead letters: events that a handler gave up on");
  auto& ls = add_verb(noun, with, "ls", "list them, the oldest first",
                      [&with, which] { return list(with, *which); });
  ls.add_option("--subscription", which->subscription, "of this one only");
  ls.add_option("--limit", which->limit, "so many at most")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  ls.add_option("--after", which->after, "those with a greater id");
  add_verb(noun, with, "show", "one, with its payload and every try",
           [&with, which] { return show(with, *which); })
      .add_option("ID", which->id, "as `edupulse dead ls` says it")
      ->required()
      ->check(CLI::PositiveNumber);
  add_selection(add_verb(noun, with, "retry", "try again, in the handler that gave up",
                         [&with, which] {
                           return tell(with, *which, "tried again",
                                       &control::Request::Builder::initDeadRetry);
                         }),
                *which);
  add_selection(add_verb(noun, with, "discard", "throw away, counted in the ledger",
                         [&with, which] {
                           return tell(with, *which, "thrown away",
                                       &control::Request::Builder::initDeadDiscard);
                         }),
                *which);
}

} // namespace edupulse::cli
