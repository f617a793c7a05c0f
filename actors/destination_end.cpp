// How a destination ends, is away, or begins anew. See destination.hpp for the picture.

#include "actors/destination.hpp"
#include "schemas/planted.hpp"

namespace edupulse {

/// Appends entry `at` to the last part, when it is the next one there, or as a part of its own.
void append_to(std::deque<slice>& to, const chunk_ptr& events, std::uint32_t at) {
  auto* last = to.empty() ? nullptr : &to.back();
  if (last != nullptr && last->events == events && last->end == at)
    ++last->end;
  else
    to.push_back({events, at, at + 1, 0});
}

void destination::restart() {
  parts again;
  for (const auto& part : sent_)
    for (auto i = part.begin; i < part.end; ++i) {
      const auto dseq = part.first_seq + i - part.begin;
      const auto after = done_.upper_bound(dseq);
      if (after == done_.begin() || std::prev(after)->second <= dseq)
        append_to(again, part.events, i);
    }
  waiting_.insert(waiting_.begin(), again.begin(), again.end());
  sent_.clear();
  done_.clear();
  for (const auto& [dseq, missed] : std::exchange(gaps_, {}))
    missed_ += planted("gap_lost_at_restart") ? 0 : missed;
  base_ = next_dseq_ = resend_at_ = 1;
  if (!planted("credit_lost_at_restart"))
    in_flight_events_ = in_flight_bytes_ = 0;
  orphaned_ = true;
}

void destination::rebind(std::uint32_t remote, std::size_t window_events,
                         std::size_t window_bytes) noexcept {
  how_.remote = remote;
  how_.window_events = window_events;
  how_.window_bytes = window_bytes;
  orphaned_ = false;
}

void destination::remove(drop_reason why, effect_list& out) {
  removed_ = true;
  removed_why_ = why;
  restart(); // all that is left waits now
  for (const auto& part : std::exchange(waiting_, {}))
    for (auto i = part.begin; i < part.end; ++i)
      lose(*part.events->entries[i].event, why, out);
  update_gate(out);
}

// -- away, and gone for good --------------------------------------------------------------

void destination::set_away(bool away, time_point now, effect_list& out) {
  if (away_ == away)
    return;
  away_ = away;
  if (!away && !owed_.empty())
    owed_.begin(now); // its time to make progress begins now
  update_gate(out);
}

void destination::give_up(const obituary& how, effect_list& out) {
  removed_ = true;
  removed_why_ = drop_reason::unreachable;
  restart(); // all that is left waits now
  for (const auto& part : std::exchange(waiting_, {}))
    for (auto i = part.begin; i < part.end; ++i) {
      const auto& event = part.events->entries[i].event;
      if (event->expires_at() <= how.now && !planted("expired_buried")) {
        row_of(*event).count(fate::expired, {});
        owed_.take(1, event->footprint());
        settle(event, fate::expired, out);
      } else if (event->level() == delivery_level::best_effort) {
        lose(*event, drop_reason::unreachable, out);
      } else {
        row_of(*event).count(fate::dead, {});
        owed_.take(1, event->footprint());
        bury(event, how, out);
      }
    }
  update_gate(out);
}

void destination::bury(const envelope_ptr& event, const obituary& how, effect_list& out) {
  dead_letter letter;
  const auto before = letters_.find(event.get());
  const bool redriven = before != letters_.end();
  if (redriven) {
    letter = std::move(before->second);
    letters_.erase(before);
    ++letter.redrives;
  }
  letter.event = event;
  letter.subscription = how_.name;
  letter.node = how.node;
  letter.reason = how.reason;
  letter.died_ms = how.died_ms;
  letter.attempts.push_back({how.died_ms, "unreachable", "", how.reason});
  out.emplace_back(effects::bury{how_.index, std::move(letter)});
  if (!redriven && event->tracked_by() != nullptr)
    out.emplace_back(effects::settle{event, how_.index, fate::dead});
}

/// Tells whoever waits for the end of it: its receipt, or the store that it was redriven from.
void destination::settle(const envelope_ptr& event, fate how, effect_list& out) {
  const auto redriven = letters_.find(event.get());
  if (redriven == letters_.end()) {
    if (event->tracked_by() != nullptr)
      out.emplace_back(effects::settle{event, how_.index, how});
    return;
  }
  auto letter = std::move(redriven->second);
  letters_.erase(redriven);
  if (how != fate::dead) {
    out.emplace_back(effects::settle_redrive{letter.id, how});
    return;
  }
  ++letter.redrives; // there is one of it at the peer now, with all that happened there
  letter.redriving = false;
  letter.reason = "it was given up again where it was handled: see the dead letters of that node";
  out.emplace_back(effects::bury{how_.index, std::move(letter)});
}

void destination::redrive(dead_letter&& letter, effect_list& out) {
  const auto event = letter.event;
  if (auto* old = book_.dead_row(event->topic(), event->topic_hash(), how_.name)) {
    --old->dead;
    --old->published;
  }
  ++row_of(*event).published;
  owed_.add(1, event->footprint());
  letter.redriving = false;
  letters_.insert_or_assign(event.get(), std::move(letter));
  auto alone = std::make_shared<chunk>();
  alone->entries.push_back(make_entry(envelope_ptr(event)));
  waiting_.push_front(how_.shared.keep({std::move(alone), 0, 1, 0}, event->footprint()));
  update_gate(out);
}

} // namespace edupulse
