#include "actors/membership.hpp"

#include "actors/fixed_log.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>

namespace edupulse {

namespace msg = membership_messages;
namespace effect = membership_effects;

namespace {

constexpr std::size_t hard_max_members = 4096;
constexpr duration reap_interval = std::chrono::minutes(1);

expected<void> check_options(const membership_options& how) {
  const auto wrong = [](const char* what) { return fail(errc::invalid_option, what); };
  if (how.probe_timeout <= duration::zero() || how.probe_interval <= how.probe_timeout)
    return wrong("probe_interval must be longer than probe_timeout, and that longer than nothing");
  if (how.suspicion_mult == 0 || how.suspicion_max == 0 || how.retransmit_mult == 0)
    return wrong("suspicion_mult, suspicion_max and retransmit_mult must be at least 1");
  if (how.gossip_interval <= duration::zero() || how.sync_interval <= duration::zero() ||
      how.reconnect_interval < std::chrono::milliseconds(1) ||
      how.seed_back_off < std::chrono::milliseconds(1) || how.seed_back_off_cap < how.seed_back_off)
    return wrong("the intervals of gossip, sync, reconnecting and seeds must be longer than "
                 "nothing, and seed_back_off_cap not shorter than seed_back_off");
  if (how.max_members < 2 || how.max_members > hard_max_members)
    return wrong("max_members must be 2 to 4096");
  return {};
}

} // namespace

// -- beginning ----------------------------------------------------------------

membership::membership(const membership_options& how, peer_identity self, std::uint64_t seed)
    : how_(how), self_(std::move(self)), cluster_(cluster_hash(self_.cluster)), chance_(seed),
      table_(how.max_members, chance_.next()), hints_(how.new_members_per_second),
      new_members_(how.new_members_per_second) {}

expected<membership> membership::make(const membership_options& how, peer_identity self,
                                      std::span<const std::byte> meta, std::uint64_t seed) {
  if (auto ok = check_options(how); !ok)
    return tl::unexpected(std::move(ok.error()));
  const member_profile_view profile{self.name, self.address, meta};
  if (auto ok = check_profile(profile); !ok)
    return fail(errc::invalid_option, "this node cannot be a member: " + ok.error().text);
  if (self.node.is_nil() || self.cluster.size() > membership_limits::cluster_bytes)
    return fail(errc::invalid_option, "this node cannot be a member: it needs an id, and a "
                                      "cluster id of at most 255 bytes");
  membership made(how, std::move(self), seed);
  std::optional<member_slot> evicted;
  member_record record{.node = made.self_.node, .boot_epoch = made.self_.boot_epoch};
  record.proved = true;
  made.table_.add(record, {made.self_.name, made.self_.address, meta}, evicted);
  return made;
}

void membership::join(const std::vector<std::string>& seeds, time_point now, effects& out) {
  if (is_over() || state_ == self_state::leaving)
    return;
  seeds_.set(seeds, self_.address, how_.seed_back_off, how_.seed_back_off_cap, now, chance_);
  if (state_ == self_state::joined)
    return dial_seed(now, out);
  become(self_state::joining, {}, out);
  if (seeds_.only_self())
    become_joined("the first of its cluster", now, out);
  else
    dial_seed(now, out);
}

void membership::become(self_state state, std::string text, effects& out) {
  state_ = state;
  out.emplace_back(effect::self_changed{state, std::move(text)});
}

void membership::become_joined(std::string text, time_point now, effects& out) {
  become(self_state::joined, std::move(text), out);
  // Nodes that were started together must not stay in step.
  next_probe_ = now + random_part(how_.probe_interval);
  next_sync_ = now + random_part(how_.sync_interval);
  next_reconnect_ = now + random_part(how_.reconnect_interval);
  next_reap_ = now + reap_interval;
  next_gossip_ = now;
}

void membership::dial_seed(time_point now, effects& out) {
  if (auto address = seeds_.take_due(now, chance_))
    out.emplace_back(effect::dial{std::move(*address), {}, dial_reason::seed});
}

// -- ending -------------------------------------------------------------------

void membership::leave(time_point now, effects& out) {
  if (is_over() || state_ == self_state::leaving)
    return;
  if (state_ != self_state::joined)
    return become(self_state::left, "it was not in", out);
  const auto told = random_live(ceil_log2(size()) + 2);
  become(self_state::leaving, {}, out);
  table_.set_key(0, self_.boot_epoch, table_[0].inc, member_state::left, now);
  news_.push(0);
  for (const member_slot who : told) {
    goodbyes_.emplace_back(table_[who].node, ++seq_);
    send(who, msg::leave{seq_}, out);
  }
  leave_by_ = now + how_.leave_timeout;
  finish_leaving_if_done(now, out);
}

void membership::finish_leaving_if_done(time_point now, effects& out) {
  if (state_ != self_state::leaving)
    return;
  if (goodbyes_.empty())
    become(self_state::left, "said goodbye", out);
  else if (now >= leave_by_)
    become(self_state::left, std::to_string(goodbyes_.size()) + " goodbyes were not answered", out);
}

// -- time ---------------------------------------------------------------------

std::optional<time_point> membership::next_deadline() const {
  std::optional<time_point> first;
  const auto consider = [&first](time_point when) {
    if (!first || when < *first)
      first = when;
  };
  if (is_over() || state_ == self_state::idle)
    return first;
  if (state_ == self_state::leaving)
    return leave_by_;
  if (const auto seed = seeds_.next())
    consider(*seed);
  if (state_ != self_state::joined)
    return first;
  for (const auto& one : probes_)
    consider(one.asked ? one.ends : one.ask_at);
  for (const auto& one : relays_)
    consider(one.nacked ? one.ends : one.nack_at);
  if (const auto suspect = suspects_.next())
    consider(std::min(*suspect, next_asking_));
  if (!table_.live().empty())
    consider(next_probe_);
  if (!news_.empty() && !table_.live().empty())
    consider(next_gossip_);
  if (table_.dead_count() > 0)
    consider(next_reconnect_);
  consider(next_sync_);
  consider(next_reap_);
  return first;
}

void membership::notice_pause(time_point now) {
  const auto due = next_deadline();
  if (state_ != self_state::joined || !due || now <= *due + 2 * how_.probe_interval)
    return;
  if (!planted("pause_not_compensated"))
    suspects_.extend_all(now - *due);
  probes_.clear();
  relays_.clear();
  for (time_point* next :
       {&next_probe_, &next_asking_, &next_gossip_, &next_sync_, &next_reconnect_, &next_reap_})
    *next = std::max(*next, now);
  seeds_.postpone(now);
  worsen_health(2);
  ++counts_.pauses;
}

void membership::worsen_health(std::uint32_t by) noexcept {
  health_ = std::min(max_health, health_ + by);
}

void membership::tick(time_point now, effects& out) {
  if (is_over() || state_ == self_state::idle)
    return;
  notice_pause(now);
  const auto due = next_deadline();
  if (state_ == self_state::joined && due && now > *due + how_.probe_timeout)
    worsen_health(1);
  if (state_ == self_state::leaving)
    return finish_leaving_if_done(now, out);
  dial_seed(now, out);
  if (state_ != self_state::joined)
    return;
  run_relays(now, out);
  run_probes(now, out);
  while (const auto who = suspects_.take_due(now))
    set_gone(*who, table_[*who].inc, member_state::dead, self_.node, now, out);
  if (suspects_.size() > 0 && next_asking_ <= now)
    ask_suspects(now, out);
  if (next_sync_ <= now)
    compare_with_somebody(now, out);
  if (next_gossip_ <= now && !news_.empty()) {
    send_gossip(out);
    next_gossip_ = now + how_.gossip_interval;
  }
  if (next_reconnect_ <= now)
    reconnect(now, out);
  if (next_reap_ <= now)
    reap(now);
}

void membership::reconnect(time_point now, effects& out) {
  next_reconnect_ = now + how_.reconnect_interval / 2 + random_part(how_.reconnect_interval / 2);
  if (table_.dead_count() == 0)
    return;
  std::size_t skip = below(table_.dead_count(), chance_);
  for (member_slot at = 1; at < table_.slot_end(); ++at)
    if (!table_.is_free(at) && table_[at].state == member_state::dead && skip-- == 0)
      return out.push_back(
          effect::dial{table_.profile(at).address, table_[at].node, dial_reason::dead});
}

void membership::reap(time_point now) {
  next_reap_ = now + reap_interval;
  const auto age = planted("tombstones_forgotten") ? duration::zero() : how_.tombstone_age;
  for (member_slot at = 1; at < table_.slot_end(); ++at)
    if (!table_.is_free(at) && !table_[at].is_live() && table_[at].since + age <= now) {
      table_.remove(at);
      forget(at);
    }
}

void membership::forget(member_slot which) {
  news_.drop(which);
  order_.forget(which);
}

// -- what else the application and the links say ---------------------------------

void membership::set_meta(std::span<const std::byte> meta, time_point now, effects& out) {
  assert(meta.size() <= membership_limits::meta_bytes);
  if (is_over() || state_ == self_state::leaving)
    return;
  table_.set_profile(0, {self_.name, self_.address, meta});
  table_.set_key(0, self_.boot_epoch, table_[0].inc + 1, member_state::alive, now);
  news_of(0, now);
  tell(member_event::changed, 0, {}, out);
}

void membership::link_up(node_id peer, time_point now, effects&) {
  if (is_over())
    return;
  notice_pause(now);
  if (const member_slot who = table_.find(peer); who != no_member)
    table_.set_data_link(who, true);
}

void membership::link_down(node_id peer, time_point now, effects& out) {
  if (is_over())
    return;
  notice_pause(now);
  const member_slot who = table_.find(peer);
  if (who == no_member || who == 0)
    return;
  table_.set_data_link(who, false);
  if (state_ == self_state::joined && table_[who].is_live())
    start_probe(who, now, out);
}

} // namespace edupulse
