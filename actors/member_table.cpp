#include "actors/member_table.hpp"

#include "schemas/hash.hpp"
#include <cassert>

namespace edupulse {

std::uint64_t digest_of(const member_record& what) noexcept {
  std::uint64_t sum = mix_bits(high_half(what.node.value));
  sum = mix_bits(sum ^ low_half(what.node.value));
  sum = mix_bits(sum ^ what.boot_epoch);
  sum = mix_bits(sum ^ what.inc);
  return mix_bits(sum ^ static_cast<std::uint64_t>(what.state));
}

// -- finding ------------------------------------------------------------------

std::uint64_t member_table::hash_of(node_id who) const noexcept {
  return mix_bits(mix_bits(salt_ ^ high_half(who.value)) ^ low_half(who.value));
}

std::uint64_t member_table::hash_of(std::string_view name) const noexcept {
  std::uint64_t hash = salt_;
  for (const char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mix_bits(hash);
}

member_slot member_table::find(node_id who) const {
  return ids_.find(hash_of(who), [&](member_slot at) { return records_[at].node == who; });
}

member_slot member_table::find_name(std::string_view name) const {
  return names_.find(hash_of(name), [&](member_slot at) { return profiles_[at].name == name; });
}

// -- changing -----------------------------------------------------------------

void member_table::bind_name(member_slot which) {
  const std::string& name = profiles_[which].name;
  if (const member_slot holder = find_name(name); holder != no_member)
    unbind_name(holder);
  names_.insert(hash_of(name), which,
                [this](member_slot at) { return hash_of(profiles_[at].name); });
}

void member_table::unbind_name(member_slot which) {
  const std::string& name = profiles_[which].name;
  if (find_name(name) == which)
    names_.erase(hash_of(name), which,
                 [this](member_slot at) { return hash_of(profiles_[at].name); });
}

void member_table::set_live(member_slot which, bool live) {
  member_record& one = records_[which];
  if (which == 0 || live == (one.live_at != no_member))
    return;
  if (live) {
    one.live_at = static_cast<member_slot>(live_.size());
    live_.push_back(which);
  } else {
    records_[live_.back()].live_at = one.live_at;
    live_[one.live_at] = live_.back();
    live_.pop_back();
    one.live_at = no_member;
  }
}

member_slot member_table::oldest_tombstone() const {
  member_slot oldest = no_member;
  for (member_slot at = 1; at < slot_end(); ++at)
    if (!is_free(at) && !records_[at].is_live() &&
        (oldest == no_member || records_[at].since < records_[oldest].since))
      oldest = at;
  return oldest;
}

member_slot member_table::add(const member_record& what, const member_profile_view& profile,
                              std::optional<member_slot>& evicted) {
  assert(find(what.node) == no_member);
  if (size() >= max_) {
    const member_slot oldest = oldest_tombstone();
    if (oldest == no_member)
      return no_member;
    evicted = oldest;
    remove(oldest);
  }
  member_slot at;
  if (free_.empty()) {
    at = slot_end();
    records_.emplace_back();
    profiles_.emplace_back();
  } else {
    at = free_.back();
    free_.pop_back();
  }
  records_[at] = what;
  records_[at].live_at = no_member;
  ids_.insert(hash_of(what.node), at, [this](member_slot i) { return hash_of(records_[i].node); });
  set_profile(at, profile);
  if (what.is_live()) {
    set_live(at, true);
    digest_ += digest_of(what);
  } else if (what.state == member_state::dead) {
    ++dead_;
  }
  return at;
}

void member_table::remove(member_slot which) {
  assert(which != 0 && !is_free(which));
  member_record& one = records_[which];
  if (one.is_live())
    digest_ -= digest_of(one);
  dead_ -= one.state == member_state::dead ? 1 : 0;
  set_live(which, false);
  unbind_name(which);
  ids_.erase(hash_of(one.node), which, [this](member_slot i) { return hash_of(records_[i].node); });
  one = {};
  profiles_[which] = {};
  free_.push_back(which);
}

void member_table::set_key(member_slot which, std::uint64_t boot_epoch, std::uint64_t inc,
                           member_state state, time_point now) {
  member_record& one = records_[which];
  if (one.is_live())
    digest_ -= digest_of(one);
  dead_ -= one.state == member_state::dead ? 1 : 0;
  if (one.state != state || one.boot_epoch != boot_epoch)
    one.since = now;
  if (one.boot_epoch != boot_epoch)
    one.superseded = false;
  one.boot_epoch = boot_epoch;
  one.inc = inc;
  one.state = state;
  dead_ += state == member_state::dead ? 1 : 0;
  if (one.is_live())
    digest_ += digest_of(one);
  set_live(which, one.is_live());
}

void member_table::set_profile(member_slot which, const member_profile_view& what) {
  member_profile& one = profiles_[which];
  if (find_name(what.name) != which) {
    unbind_name(which);
    one.name = what.name;
    bind_name(which);
  }
  if (one.address != what.address)
    one.address = what.address;
  one.meta.assign(what.meta.begin(), what.meta.end());
}

void member_table::supersede(member_slot which, time_point now) {
  const member_record one = records_[which];
  set_key(which, one.boot_epoch, one.inc, member_state::left, now);
  records_[which].superseded = true;
  unbind_name(which);
}

void member_table::check() const {
#ifndef NDEBUG
  std::uint64_t digest = 0;
  std::size_t living = 0;
  std::size_t dead = 0;
  std::size_t used = 0;
  for (member_slot at = 0; at < slot_end(); ++at) {
    const member_record& one = records_[at];
    if (is_free(at))
      continue;
    ++used;
    assert(find(one.node) == at);
    assert(!one.superseded || one.state == member_state::left);
    assert((one.live_at != no_member) == (one.is_live() && at != 0));
    assert(one.live_at == no_member || live_[one.live_at] == at);
    living += one.live_at != no_member ? 1 : 0;
    dead += one.state == member_state::dead ? 1 : 0;
    digest += one.is_live() ? digest_of(one) : 0;
  }
  assert(used == size() && used + free_.size() == records_.size() && used <= max_);
  assert(living == live_.size() && dead == dead_ && digest == digest_);
  assert(names_.size() <= used);
#endif
}

} // namespace edupulse
