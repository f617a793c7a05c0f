#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

std::string ledger_text(control::Answer::Reader answer) {
  const auto from = answer.getLedger();
  table all({"TOPIC", "HANDLER", "PUBLISHED", "HANDLED", "DEAD", "EXPIRED", "DROPPED", "PENDING",
             "RETRIES", "CRASHES"});
  for (const auto one : from.getLines())
    all.add({one.getTopic().cStr(),
             std::string(one.getSubscription().cStr()) + (one.getReceived() ? " (received)" : ""),
             std::to_string(one.getPublished()), std::to_string(one.getHandled()),
             std::to_string(one.getDead()), std::to_string(one.getExpired()),
             std::to_string(one.getDropped()), std::to_string(one.getPending()),
             std::to_string(one.getRetries()), std::to_string(one.getCrashes())});
  return all.text("nothing has been published yet") +
         (from.getBalances()
              ? "balanced: published = handled + dead + expired + dropped + pending\n"
              : "NOT BALANCED\n");
}

} // namespace

void add_ledger(CLI::App& to, tool& with) {
  add_verb(to, with, "ledger", "what became of events, by topic and handler",
           [&with] { return with.show([](auto request) { request.setLedger(); }, ledger_text); });
}

} // namespace edupulse::cli
