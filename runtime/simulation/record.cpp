#include "runtime/simulation/record.hpp"
#include "runtime/simulation/timetable.hpp"
#include "schemas/hash.hpp"

namespace edupulse::simulation {

std::uint64_t content_hash(const envelope& event) {
  const auto words = event.words().size_bytes();
  return text_hash({reinterpret_cast<const char*>(event.words().data()), words});
}

expected<topic_filter> read_filter(std::string_view text) {
  constexpr std::string_view and_below = "(.>)";
  return text.ends_with(and_below)
             ? topic_filter::name_and_below(text.substr(0, text.size() - and_below.size()))
             : topic_filter::parse(text);
}

// -- nodes --------------------------------------------------------------------------------

start_number record::begin_start(std::string node, std::uint64_t epoch, time_point now) {
  starts_.push_back({std::move(node), epoch, now});
  return static_cast<start_number>(starts_.size() - 1);
}

void record::parted(start_number by, std::string whom, time_point now) {
  partings_.push_back({starts_[by].node, std::move(whom), now});
}

std::uint32_t record::subscription(const std::string& name) {
  const auto [at, is_new] = names_.try_emplace(name, static_cast<std::uint32_t>(known_.size()));
  if (is_new)
    known_.push_back({name, {}, {}});
  return at->second;
}

std::uint32_t record::subscription(subscription_known what) {
  const auto number = subscription(what.name);
  known_[number] = std::move(what);
  return number;
}

// -- events -------------------------------------------------------------------------------

event_number record::published(const envelope& event, start_number by, bool accepted,
                               time_point now) {
  const auto number = static_cast<event_number>(events_.size());
  events_.push_back({event.id(), by, content_hash(event), event.key_hash(),
                     std::string(event.topic()), event.level(), accepted,
                     event.expires_at() != time_point::max(), now});
  numbers_.emplace(event.id(), number);
  return number;
}

void record::routed(const envelope& event, std::uint32_t owed) {
  if (const auto at = numbers_.find(event.id()); at != numbers_.end())
    events_[at->second].owed = owed;
}

void record::handled(const envelope& event, start_number where, std::uint32_t subscription,
                     std::uint32_t attempt, bool succeeded, time_point now) {
  const auto at = numbers_.find(event.id());
  event_step what{now, 0, where, subscription, succeeded ? step_kind::handled : step_kind::failed};
  what.attempt = attempt;
  if (at == numbers_.end())
    return broken("phantom: " + known_[subscription].name + " was given event " +
                      to_string(event.id()) + ", which nobody has published",
                  now);
  what.event = at->second;
  what.is_known = content_hash(event) == events_[at->second].hash;
  steps_.push_back(what);
}

void record::settled(const envelope& event, start_number where, const std::string& subscription,
                     fate how, time_point now) {
  const auto at = numbers_.find(event.id());
  if (at != numbers_.end())
    steps_.push_back(
        {now, at->second, where, this->subscription(subscription), step_kind::settled, how});
}

void record::buried(const envelope& event, start_number where, const std::string& subscription,
                    time_point now) {
  const auto at = numbers_.find(event.id());
  if (at != numbers_.end())
    steps_.push_back(
        {now, at->second, where, this->subscription(subscription), step_kind::buried, fate::dead});
}

void record::broken(std::string what, time_point now) {
  if (broken_.size() < 20)
    broken_.push_back(
        std::to_string((now - timetable::first_moment) / std::chrono::milliseconds(1)) +
        " ms: " + std::move(what));
}

// -- reading ------------------------------------------------------------------------------

std::string record::start_name(start_number which) const {
  return starts_[which].node + '#' + std::to_string(starts_[which].epoch);
}

std::vector<std::string> record::story(event_number which) const {
  const auto& event = events_[which];
  const auto at = [](time_point when) {
    return std::to_string((when - timetable::first_moment) / std::chrono::microseconds(1)) + " us ";
  };
  std::vector<std::string> lines{
      at(event.when) + start_name(event.by) + " publishes " + to_string(event.id) + ' ' +
      event.topic + (event.key == 0 ? "" : " key " + std::to_string(event.key % 1000)) +
      (event.level == delivery_level::best_effort ? " best_effort" : " acknowledged") +
      (event.accepted ? "" : ": refused") +
      (event.owed < 0 ? "" : ", owed to " + std::to_string(event.owed))};
  for (const auto& one : steps_) {
    if (one.event != which)
      continue;
    auto line = at(one.when) + start_name(one.where) + ' ' + known_[one.subscription].name + ' ';
    if (one.what == step_kind::settled)
      line += "is settled: " + std::string(to_string(one.how));
    else if (one.what == step_kind::buried)
      line += "is a dead letter";
    else
      line += (one.what == step_kind::handled ? "handles it, attempt " : "fails, attempt ") +
              std::to_string(one.attempt);
    lines.push_back(std::move(line));
  }
  return lines;
}

} // namespace edupulse::simulation
