#include "actors/trace.hpp"
#include "actors/router.hpp"
#include "schemas/overloaded.hpp"
#include <sstream>

namespace edupulse {

namespace {

/// Names come from applications: a log line stays one line, whatever they hold.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    safe += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return safe;
}

class line {
public:
  line(const router& core, time_point epoch) : core_(core), epoch_(epoch) {}
  line& word(std::string_view text) {
    if (out_.tellp() > 0)
      out_ << ' ';
    out_ << text;
    return *this;
  }
  line& about(std::uint32_t which) { return word(escaped(core_.name(which))); }
  line& lane(std::uint32_t which, std::uint32_t lane, std::uint32_t generation) {
    about(which);
    out_ << '/' << lane << '#' << generation;
    return *this;
  }
  template <class T> line& field(std::string_view key, const T& value) {
    out_ << ' ' << key << '=' << value;
    return *this;
  }
  line& quoted(std::string_view key, std::string_view text) {
    out_ << ' ' << key << "=\"" << escaped(text) << '"';
    return *this;
  }
  line& at(std::string_view key, time_point when) {
    return field(key, std::chrono::duration_cast<std::chrono::milliseconds>(when - epoch_).count());
  }
  line& seqs(const batch& work) {
    field("n", work.size());
    out_ << " seq=" << work.seq(0);
    if (work.size() > 1)
      out_ << ".." << work.seq(work.size() - 1);
    return *this;
  }
  std::string text() const { return out_.str(); }

private:
  const router& core_;
  time_point epoch_;
  std::ostringstream out_;
};

void describe(line& to, const effects::dispatch& e) {
  const auto& work = *e.work;
  to.word("dispatch").lane(work.subscription, work.lane, work.generation).seqs(work);
  if (work.items.size() == 1 && work.items[0].attempt > 1)
    to.field("attempt", work.items[0].attempt);
  for (std::uint32_t i = 0; i < work.size(); ++i)
    if (work.gap(i) > 0)
      to.field("gap", work.gap(i)).field("before", work.seq(i));
  if (work.probe)
    to.word("probe");
}
void describe(line& to, const effects::start_handler& e) {
  to.word("start_handler").lane(e.subscription, e.lane, e.generation);
  if (e.fresh_thread)
    to.word("fresh_thread");
}
void describe(line& to, const effects::stop_handler& e) {
  to.word("stop_handler").lane(e.subscription, e.lane, e.generation);
  if (e.stuck)
    to.word("stuck");
}
void describe(line& to, const effects::bury& e) {
  to.word("dead_letter").about(e.subscription);
  to.field("event", to_string(e.letter.event->id())).quoted("why", e.letter.reason);
  to.field("attempts", e.letter.attempts.size());
  if (!e.letter.attempts.empty())
    to.quoted("last", e.letter.attempts.back().text);
}
void describe(line& to, const effects::settle_redrive& e) {
  to.word("redriven").field("letter", e.letter).word(to_string(e.how));
}
void describe(line& to, const effects::routed& e) {
  to.word("routed").field("event", to_string(e.event->id())).field("owed", e.owed);
}
void describe(line& to, const effects::settle& e) {
  to.word("settle").about(e.subscription).field("event", to_string(e.event->id()));
  to.word(to_string(e.how));
}
void describe(line& to, const effects::gate& e) {
  to.word(e.closed ? "gate_closed" : "gate_open").about(e.subscription);
}
void describe(line& to, const effects::unsubscribed& e) {
  to.word("unsubscribed").about(e.subscription);
}
void describe(line& to, const effects::ended& e) { to.word("ended").about(e.subscription); }
void describe(line& to, const effects::drained&) { to.word("drained"); }
void describe(line& to, const effects::retrying& e) {
  to.word("retry").about(e.subscription).field("event", to_string(e.event));
  to.field("attempt", e.attempt).at("due", e.due).field("after", to_string(e.why.what()));
  to.quoted("why", e.why.reason());
}
void describe(line& to, const effects::stepped_aside& e) {
  to.word("stepped_aside").about(e.subscription).field("event", to_string(e.event));
}
void describe(line& to, const effects::breaker_opened& e) {
  to.word("breaker_opened").about(e.subscription).at("until", e.until).quoted("why", e.why);
}
void describe(line& to, const effects::breaker_closed& e) {
  to.word("breaker_closed").about(e.subscription);
}
void describe(line& to, const effects::stalled& e) { to.word("stalled").about(e.subscription); }
void describe(line& to, const effects::recovered& e) {
  to.word("recovered").about(e.subscription).field("missed", e.missed);
}
void describe(line& to, const effects::dropping& e) {
  to.word("dropping").about(e.subscription).field("why", e.reason);
}
void describe(line& to, const effects::quarantined& e) {
  to.word("quarantined").word(escaped(e.scope)).quoted("why", e.why);
}
void describe(line& to, const effects::resumed& e) { to.word("resumed").word(escaped(e.scope)); }
void describe(line& to, const effects::backing_off& e) {
  to.word("backing_off").about(e.subscription).field("lane", e.lane).at("until", e.until);
}
void describe(line& to, const effects::handler_down& e) {
  to.word("handler_down").lane(e.subscription, e.lane, e.generation).quoted("why", e.why);
}

void describe(line& to, const effects::member_refused& e) {
  to.word("member_refused").word(escaped(e.member)).field("group", escaped(e.group));
  to.quoted("why", e.why);
}
void describe(line& to, const effects::reassigned& e) {
  to.word("reassigned").field("group", escaped(e.group)).field("from", escaped(e.member));
  to.field("n", e.events).word(e.taken ? "to_others" : "kept");
}
void describe(line& to, const effects::acknowledge& e) {
  to.word("acknowledge").about(e.subscription).field("start", e.start).field("dseq", e.first);
  to.field("n", e.count).word(to_string(e.how));
}
void describe(line& to, const effects::to_peer& e) {
  to.word("to_peer").field("peer", e.peer);
  if (const auto* cut = std::get_if<link_effects::cut>(&e.what->what))
    to.word("cut").quoted("why", cut->why);
  else if (std::holds_alternative<link_effects::send_events>(e.what->what))
    to.word("events");
  else
    to.word("control");
}
void describe(line& to, const effects::peer_gone& e) {
  to.word("peer_gone").field("peer", e.peer).word(escaped(e.name)).field("buried", e.buried);
}
void describe(line& to, const effects::ledgers& e) {
  to.word("ledgers").field("told", e.told.size()).field("silent", e.silent.size());
}
void describe(line& to, const effects::unanswered_ask& e) {
  to.word("unanswered_ask").field("peer", e.peer);
}
void describe(line& to, const effects::unknown_answer& e) {
  to.word("unknown_answer").field("peer", e.peer);
}
void describe(line& to, const effects::workers_held& e) {
  to.word("workers_held").field("workers", e.workers).field("moved", e.moved).field("left", e.left);
}

void describe(line& to, const inputs::events& e) {
  to.word("events").field("n", e.what.entries.size());
  to.field("topic", escaped(e.what.entries.front().event->topic()));
}
void describe(line& to, const inputs::report& e) {
  to.word("report").lane(e.what.subscription, e.what.lane, e.what.generation).seqs(e.what);
  const auto mark = e.what.progress();
  if (mark.done != e.what.size())
    to.field("done", mark.done);
}
void describe(line& to, const inputs::completed& e) {
  to.word("completed").about(e.subscription).field("seq", e.seq);
  to.word(to_string(e.what.what()));
}
void describe(line&, const inputs::tick&) {}
void describe(line& to, const inputs::up& e) {
  to.word("handler_up").lane(e.subscription, e.lane, e.generation);
}
void describe(line& to, const inputs::down& e) {
  to.word("handler_ended").lane(e.subscription, e.lane, e.generation).quoted("why", e.why);
}
void describe(line& to, const inputs::command& e) { to.word(e.verb).word(escaped(e.about)); }

} // namespace

std::string trace_line(const input& what, const router& core, time_point epoch) {
  line to(core, epoch);
  std::visit([&](const auto& e) { describe(to, e); }, what);
  return to.text();
}

std::string trace_line(const effect& what, const router& core, time_point epoch) {
  line to(core, epoch);
  std::visit([&](const auto& e) { describe(to, e); }, what);
  return to.text();
}

bool is_decision(const effect& what) noexcept {
  return std::visit(overloaded{
                        [](const effects::dispatch&) { return false; },
                        [](const effects::routed&) { return false; },
                        [](const effects::settle&) { return false; },
                        [](const effects::to_peer& e) {
                          return std::holds_alternative<link_effects::cut>(e.what->what);
                        },
                        [](const effects::acknowledge&) { return false; },
                        [](const effects::start_handler&) { return false; },
                        [](const effects::stepped_aside&) { return false; },
                        [](const effects::ledgers&) { return false; },
                        [](const effects::unanswered_ask&) { return false; },
                        [](const effects::unknown_answer&) { return false; },
                        [](const auto&) { return true; },
                    },
                    what);
}

bool is_alarming(const effect& what) noexcept {
  return std::visit(overloaded{
                        [](const effects::bury&) { return true; },
                        [](const effects::stalled&) { return true; },
                        [](const effects::dropping&) { return true; },
                        [](const effects::breaker_opened&) { return true; },
                        [](const effects::quarantined&) { return true; },
                        [](const effects::stop_handler& e) { return e.stuck; },
                        [](const effects::workers_held&) { return true; },
                        [](const effects::member_refused&) { return true; },
                        [](const auto&) { return false; },
                    },
                    what);
}

} // namespace edupulse
