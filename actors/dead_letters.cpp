#include "actors/dead_letters.hpp"
#include <algorithm>
#include <utility>

namespace edupulse {
namespace {

constexpr std::size_t max_text_bytes = 4096;
constexpr std::size_t max_type_bytes = 256;
constexpr std::size_t first_attempts = 1;
constexpr std::size_t last_attempts = 9;

/// Cuts between characters: what was UTF-8 stays UTF-8.
void cut(std::string& text, std::size_t limit) {
  constexpr std::string_view ellipsis = "...";
  if (text.size() <= limit)
    return;
  std::size_t end = limit - ellipsis.size();
  for (int back = 0; back < 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; ++back)
    --end;
  text.resize(end);
  text += ellipsis;
}

} // namespace

std::size_t footprint(const dead_letter& letter) {
  std::size_t sum = sizeof letter + letter.subscription.size() + letter.node.size() +
                    letter.reason.size() + letter.attempts.size() * sizeof(dead_letter_attempt);
  for (const auto& one : letter.attempts)
    sum += one.what.size() + one.error_type.size() + one.text.size();
  return letter.event ? sum + letter.event->footprint() : sum;
}

void trim(dead_letter& letter) {
  cut(letter.reason, max_text_bytes);
  auto& tries = letter.attempts;
  if (tries.size() > first_attempts + last_attempts)
    tries.erase(tries.begin() + first_attempts,
                tries.end() - static_cast<std::ptrdiff_t>(last_attempts));
  for (auto& one : tries) {
    cut(one.what, max_type_bytes);
    cut(one.error_type, max_type_bytes);
    cut(one.text, max_text_bytes);
  }
}

error dead_letter_errors::not_found(std::uint64_t id) {
  return {errc::not_found, "there is no dead letter " + std::to_string(id) +
                               ": it was handled, discarded or pushed out by newer ones"};
}

error dead_letter_errors::being_redriven(std::uint64_t id) {
  return {errc::refused, "dead letter " + std::to_string(id) +
                             " is being tried again just now: wait for what becomes of it"};
}

expected<std::vector<dead_letter>> memory_dead_letters::add(std::vector<dead_letter>& letters) {
  std::vector<dead_letter> pushed_out;
  for (auto& letter : letters) {
    trim(letter);
    letter.redriving = false;
    if (letter.id == 0)
      letter.id = ++last_id_;
    else if (const auto old = letters_.find(letter.id); old != letters_.end())
      take_out(old);
    bytes_ += footprint(letter);
    letters_.insert_or_assign(letter.id, letter);
  }
  make_room(pushed_out);
  return pushed_out;
}

void memory_dead_letters::make_room(std::vector<dead_letter>& pushed_out) {
  for (auto at = letters_.begin();
       at != letters_.end() && (letters_.size() > bounds_.letters || bytes_ > bounds_.bytes);) {
    const auto oldest = at++;
    if (!oldest->second.redriving)
      pushed_out.push_back(take_out(oldest));
  }
}

dead_letter memory_dead_letters::take_out(letter_map::iterator at) {
  dead_letter letter = std::move(at->second);
  letters_.erase(at);
  bytes_ -= footprint(letter);
  return letter;
}

expected<std::vector<dead_letter>>
memory_dead_letters::list(const dead_letter_filter& which) const {
  const std::size_t limit = std::min(which.limit, max_listed_dead_letters);
  std::vector<dead_letter> found;
  for (auto at = letters_.upper_bound(which.after); at != letters_.end() && found.size() < limit;
       ++at)
    if (which.subscription.empty() || at->second.subscription == which.subscription)
      found.push_back(at->second);
  return found;
}

expected<dead_letter> memory_dead_letters::show(std::uint64_t id) const {
  const auto at = letters_.find(id);
  if (at == letters_.end())
    return tl::unexpected(dead_letter_errors::not_found(id));
  return at->second;
}

expected<dead_letter> memory_dead_letters::take_for_redrive(std::uint64_t id) {
  const auto at = letters_.find(id);
  if (at == letters_.end())
    return tl::unexpected(dead_letter_errors::not_found(id));
  if (std::exchange(at->second.redriving, true))
    return tl::unexpected(dead_letter_errors::being_redriven(id));
  return at->second;
}

expected<void> memory_dead_letters::settle_redrive(std::uint64_t id, bool handled) {
  const auto at = letters_.find(id);
  if (at == letters_.end() || !std::exchange(at->second.redriving, false))
    return {};
  if (handled)
    take_out(at);
  return {};
}

expected<dead_letter> memory_dead_letters::discard(std::uint64_t id) {
  const auto at = letters_.find(id);
  if (at == letters_.end())
    return tl::unexpected(dead_letter_errors::not_found(id));
  if (at->second.redriving)
    return tl::unexpected(dead_letter_errors::being_redriven(id));
  return take_out(at);
}

} // namespace edupulse
