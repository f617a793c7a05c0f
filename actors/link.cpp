#include "actors/link.hpp"
#include "actors/subscriber_index.hpp"
#include "schemas/planted.hpp"
#include <algorithm>

namespace edupulse {

namespace {
constexpr auto check_every = std::chrono::milliseconds(100);
constexpr std::uint64_t tell_every_frames = 8;
/// As many subscriptions as a peer may have announced: see subscriber_index.hpp.
constexpr std::size_t most_expected = std::size_t{1} << subscriber_index::number_bits;
} // namespace

// -- sessions ---------------------------------------------------------------------------

void link::on_session(time_point now, effects& io) {
  state_ = state::greeting;
  in_hand_ = 0;
  frames_sent_ = frames_taken_ = frames_read_ = frames_told_ = 0;
  control_told_ = control_seen_;
  last_taken_ = now;
  next_check_ = now + check_every;
  inbound_.forget(confirmed());
  const auto all = inbound_.expectations();
  unsaid_.assign(all.begin(), all.end());
  expects_.clear();
  peer_spoke_ = false;
  send_resume(io);
}

/// As much of it as fits into one frame.
void link::send_resume(effects& io) {
  const auto end = unsaid_.begin() +
                   static_cast<std::ptrdiff_t>(std::min(unsaid_.size(), how_.expected_in_message));
  link_resume part{control_seen_, {unsaid_.begin(), end}, how_.number, peer_link_};
  unsaid_.erase(unsaid_.begin(), end);
  part.more = !unsaid_.empty();
  io.emplace_back(link_effects::send_control{std::move(part)});
}

void link::on_session_lost(time_point now) {
  state_ = state::down;
  next_check_ = outbox_.owed() > 0 ? now + check_every : time_point::max();
}

void link::begin_anew() {
  state_ = state::down;
  outbox_.restart();
  inbound_ = inbound();
  controls_.clear();
  sent_controls_ = 0;
  next_control_ = 1;
  control_seen_ = 0;
  peer_link_ = 0;
}

// -- from the wire --------------------------------------------------------------------------

expected<void> link::on_resume(const link_resume& what, time_point now, effects& io) {
  if (state_ != state::greeting)
    return fail(errc::protocol, "the peer began a session twice");
  if (what.peer_link != 0 && how_.number != 0 && what.peer_link != how_.number)
    return fail(errc::protocol, "the peer goes on with a link that was given up here; it learns "
                                "that from this session, and begins anew in the next one");
  if (what.control_seen >= next_control_)
    return fail(errc::protocol, "the peer has seen control message " +
                                    std::to_string(what.control_seen) + ", and " +
                                    std::to_string(next_control_ - 1) + " were sent");
  if (expects_.size() + what.expected.size() > most_expected)
    return fail(errc::protocol, "the peer expects events for more subscriptions than it can have");
  for (const auto& [subscription, next] : what.expected)
    expects_.push_back({subscription, next});
  if (!std::exchange(peer_spoke_, true))
    while (!unsaid_.empty())
      send_resume(io);
  if (what.more)
    return {};
  if (auto good = outbox_.resume(std::exchange(expects_, {})); !good)
    return good;
  confirm(what.control_seen);
  peer_link_ = what.link;
  sent_controls_ = 0;
  state_ = state::up;
  last_taken_ = now;
  return {};
}

expected<void> link::on_taken(const link_taken& what, time_point now) {
  if (what.control >= next_control_ || what.frames > frames_sent_ || what.frames < frames_taken_)
    return fail(errc::protocol, "the peer has taken what was not sent");
  const bool says_nothing_new = what.frames == frames_taken_ && what.control == confirmed();
  if (what.frames > frames_taken_ || says_nothing_new) // as in on_arriving
    last_taken_ = now;
  frames_taken_ = what.frames;
  confirm(what.control);
  return {};
}

void link::confirm(std::uint64_t seen) {
  while (!controls_.empty() && controls_.front().number <= seen) {
    controls_.pop_front();
    sent_controls_ -= sent_controls_ > 0;
  }
}

expected<void> link::on_numbered(link_numbered&& what, time_point now, effect_list& out,
                                 effects& io) {
  if (state_ != state::up)
    return fail(errc::protocol, "the peer did not begin the session");
  if (what.number != control_seen_ + 1)
    return fail(errc::protocol, "control message " + std::to_string(what.number) +
                                    " of the peer came when " + std::to_string(control_seen_ + 1) +
                                    " was due");
  control_seen_ = what.number;
  if (auto* bytes = std::get_if<std::vector<std::byte>>(&what.what)) {
    io.emplace_back(link_effects::carried{std::move(*bytes)});
    return {};
  }
  for (const auto& run : std::get<std::vector<ack_run>>(what.what)) {
    auto* to = outbox_.find_remote(run.subscription);
    if (to == nullptr)
      continue; // unsubscribed here before the peer had said its last
    if (auto good = to->conclude(run.first, run.count, run.how, run.why, now, out); !good)
      return good;
  }
  return {};
}

expected<void> link::on_events(std::vector<incoming_run>&& runs, effects& io) {
  if (state_ == state::down) // greeting: events may overtake the peer's resume
    return fail(errc::protocol, "the peer sent events without a session");
  ++frames_read_;
  for (const auto& run : runs)
    for (const auto& to : run.targets) {
      const auto taken = inbound_.accept(to.remote, to.dseq, run.events.size());
      if (!taken)
        return tl::unexpected<error>(taken.error());
      if (taken->count == 0)
        continue;
      const auto begin = run.events.begin + taken->skip;
      io.emplace_back(link_effects::deliver{
          to.remote,
          {run.events.events, begin, begin + taken->count, to.dseq + taken->skip},
          taken->skip == 0 ? to.missed : 0});
    }
  return {};
}

void link::on_arriving(effects& io) {
  if (state_ != state::up)
    return;
  tell_taken(io);
  say_taken(io); // what says nothing new says just that
}

// -- from this node ---------------------------------------------------------------------------

void link::number(decltype(link_numbered::what) what) {
  controls_.push_back({next_control_++, std::move(what)});
}

void link::number_acks() {
  while (inbound_.has_acks())
    number(inbound_.take_acks(how_.acks_in_message));
}

void link::carry(std::vector<std::byte> what) {
  number_acks();
  number(std::move(what));
}

bool link::acks_are_due(time_point now) const {
  return inbound_.has_acks() &&
         (now - last_acks_ >= how_.ack_every || inbound_.untold() >= how_.acks_at_once);
}

/// Nothing is owed to the peer, on its way to it, or to be told.
bool link::is_idle() const {
  if (state_ == state::down)
    return outbox_.owed() == 0;
  return outbox_.owed() == 0 && controls_.empty() && frames_sent_ == frames_taken_ &&
         frames_read_ == frames_told_ && control_seen_ == control_told_;
}

void link::flush(time_point now, effects& io) {
  if (next_check_ == time_point::max() && !is_idle())
    next_check_ = now + check_every;
  if (state_ != state::up)
    return;
  if (acks_are_due(now)) {
    last_acks_ = now;
    number_acks();
  }
  if (controls_.size() > how_.kept_controls && !planted("controls_without_bound")) {
    io.emplace_back(link_effects::cut{"it confirms nothing of what it is told"});
    return;
  }
  send_controls(io);
  if (frames_read_ - frames_told_ >= tell_every_frames) // else the next tick does
    tell_taken(io);
  while (in_hand_ < how_.frames_in_hand && outbox_.has_anything_to_send()) {
    if (in_hand_ > 0 && !outbox_.has_a_frame_to_send())
      return; // the wire is busy: what comes meanwhile travels together
    auto runs = outbox_.next_frame(now);
    if (runs.empty())
      return;
    if (frames_sent_ == frames_taken_)
      last_taken_ = now; // the peer had nothing to take until now
    ++in_hand_;
    ++frames_sent_;
    io.emplace_back(link_effects::send_events{std::move(runs)});
  }
}

void link::tell_taken(effects& io) {
  if (frames_read_ == frames_told_ && control_seen_ == control_told_)
    return;
  say_taken(io);
  frames_told_ = frames_read_;
  control_told_ = control_seen_;
}

void link::say_taken(effects& io) {
  io.emplace_back(link_effects::send_control{link_taken{control_seen_, frames_read_}});
}

void link::send_controls(effects& io) {
  for (; sent_controls_ < controls_.size(); ++sent_controls_)
    io.emplace_back(link_effects::send_control{controls_[sent_controls_]});
}

void link::on_tick(time_point now, effect_list& out, effects& io) {
  if (now >= next_check_) {
    outbox_.on_check(now, out);
    const bool idle = is_idle();
    next_check_ = idle ? time_point::max() : now + check_every;
    if (idle)
      controls_.shrink_to_fit(); // an empty one lets go of all its memory: most links are quiet
    if (state_ != state::down && frames_sent_ > frames_taken_ &&
        now - last_taken_ >= how_.cut_after) {
      io.emplace_back(link_effects::cut{"it has taken nothing for " +
                                        std::to_string((now - last_taken_).count() / 1'000'000) +
                                        " ms"});
      return;
    }
    if (state_ == state::up)
      tell_taken(io);
  }
  flush(now, io);
}

std::optional<time_point> link::next_deadline() const {
  auto next = next_check_;
  if (state_ == state::up && inbound_.has_acks())
    next = std::min(next, last_acks_ + how_.ack_at_latest);
  return next == time_point::max() ? std::nullopt : std::optional(next);
}

} // namespace edupulse
