#include "actors/groups.hpp"
#include "schemas/hash.hpp"
#include "schemas/planted.hpp"
#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace edupulse {

namespace {

std::string_view text_of(event_order what) {
  return what == event_order::strict ? "strict" : "keyed";
}

std::string_view text_of(overload_policy what) {
  switch (what) {
  case overload_policy::wait:
    return "wait";
  case overload_policy::strict:
    return "strict";
  case overload_policy::drop_newest:
    return "drop_newest";
  case overload_policy::drop_oldest:
    return "drop_oldest";
  case overload_policy::latest_per_key:
    return "latest_per_key";
  }
  return "?";
}

/// `lesson.>`; what `subscribe<T>` made is `lesson.published and below`.
std::string text_of(const topic_filter& what) {
  std::string text;
  for (const auto& token : what.tokens())
    text += (text.empty() ? "" : ".") + token;
  return text + (what.includes_itself_and_below() ? " and below" : "");
}

/// Of a member for a key: the heaviest gets it.
std::uint64_t weight(std::uint64_t key, std::uint64_t member) noexcept {
  return mix_bits(mix_bits(member ^ 0x9e3779b97f4a7c15ULL) + key);
}

/// A wire tells milliseconds: nobody differs in less.
std::int64_t whole_ms(duration what) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(what).count();
}

bool agree(const group_terms& a, const group_terms& b) {
  return a.filter.text() == b.filter.text() && a.order == b.order &&
         a.overload.policy == b.overload.policy && a.overload.events == b.overload.events &&
         a.overload.bytes == b.overload.bytes &&
         whole_ms(a.overload.stall_after) == whole_ms(b.overload.stall_after);
}

/// "`order` is keyed at 'a@n1' and strict at 'b@n2'", the first that differs.
std::string difference(const group_terms& theirs, const std::string& member,
                       const group_terms& ours, const std::string& candidate) {
  const auto compare = [&](std::string_view what, auto a, auto b) {
    return a == b ? std::string()
                  : "`" + std::string(what) + "` is " + std::string(a) + " at '" + member +
                        "' and " + std::string(b) + " at '" + candidate + "'";
  };
  using std::to_string;
  const auto& a = theirs.overload;
  const auto& b = ours.overload;
  for (auto& found : {compare("filter", text_of(theirs.filter), text_of(ours.filter)),
                      compare("order", text_of(theirs.order), text_of(ours.order)),
                      compare("overload", text_of(a.policy), text_of(b.policy)),
                      compare("backlog_events", to_string(a.events), to_string(b.events)),
                      compare("backlog_bytes", to_string(a.bytes), to_string(b.bytes)),
                      compare("stall_after", to_string(whole_ms(a.stall_after)) + " ms",
                              to_string(whole_ms(b.stall_after)) + " ms")})
    if (!found.empty())
      return found;
  return {};
}

} // namespace

groups::groups(subscriptions& table, ledger& book, budget kept)
    : table_(table), book_(book), budget_(std::move(kept)) {}
groups::~groups() = default;

// -- members --------------------------------------------------------------------------------

void group_seat::leave() {
  if (now_is_ == standing::leaving)
    return;
  now_is_ = standing::leaving;
  owner_->settle(*in_);
}

void group_seat::stay() {
  if (now_is_ != standing::leaving)
    return;
  now_is_ = standing::refused; // `settle` lets it serve, if it agrees with those who do
  owner_->settle(*in_);
}

groups::home* groups::find(const std::string& group) const {
  const auto at = names_.find(group);
  return at == names_.end() ? nullptr : homes_.at(at->second).get();
}

expected<void> groups::may_join(const std::string& group, const std::string& member,
                                const group_terms& terms) const {
  const auto* in = find(group);
  if (in == nullptr) {
    if (homes_.size() < most)
      return {};
    return fail(errc::refused,
                "there are " + std::to_string(most) + " groups: no room for '" + group + "'");
  }
  if (in->seats.size() >= most_members)
    return fail(errc::refused, "group '" + group + "' has " + std::to_string(most_members) +
                                   " members: no room for '" + member + "'");
  if (in->serving.empty())
    return {};
  const auto& first = *in->serving.front();
  if (agree(first.terms_, terms))
    return {};
  return fail(errc::invalid_option, "the members of group '" + group + "' differ: " +
                                        difference(first.terms_, first.name_, terms, member) +
                                        ". Give all members one value, or another group");
}

group_seat* groups::join(const std::string& group, std::uint32_t index, const std::string& member,
                         const group_terms& terms, effect_list& out) {
  const auto good = may_join(group, member, terms);
  if (!good)
    out.emplace_back(effects::member_refused{group, member, good.error().text});
  if (!good && good.error().code == errc::refused)
    return nullptr;
  auto* in = find(group);
  if (in == nullptr) {
    while (homes_.contains(subscriber_index::group | next_))
      next_ = (next_ + 1) % subscriber_index::group;
    auto fresh = std::make_unique<home>();
    fresh->name = group;
    fresh->index = subscriber_index::group | next_;
    next_ = (next_ + 1) % subscriber_index::group;
    in = fresh.get();
    names_.emplace(group, in->index);
    book_.name_subscription(in->index, "(group " + group + ")");
    homes_.emplace(in->index, std::move(fresh));
  }
  auto& seat = seats_[index] = std::make_unique<group_seat>();
  seat->owner_ = this;
  seat->in_ = in;
  seat->index_ = index;
  seat->name_ = member;
  seat->hash_ = text_hash(member);
  seat->terms_ = terms;
  seat->now_is_ = group_seat::standing::refused;
  in->seats.push_back(seat.get());
  settle(*in);
  bequeath_kept(*in, out);
  return seat.get();
}

void groups::stay(std::uint32_t index, effect_list& out) {
  auto& seat = *seats_.at(index);
  seat.stay();
  bequeath_kept(*seat.in_, out);
}

bool groups::is_same(std::uint32_t index, const std::string& group,
                     const group_terms& terms) const {
  const auto at = seats_.find(index);
  if (at == seats_.end())
    return group.empty();
  const auto& seat = *at->second;
  return seat.in_->name == group && agree(seat.terms_, terms);
}

/// Who serves: all that agree with the first that does. When the last one went, the next in line is
/// the one to agree with.
void groups::settle(home& in) {
  using standing = group_seat::standing;
  const auto first = [&](standing what) {
    return std::find_if(in.seats.begin(), in.seats.end(),
                        [=](const group_seat* one) { return one->now_is_ == what; });
  };
  auto model = first(standing::serving);
  if (model == in.seats.end())
    model = first(standing::refused);
  in.serving.clear();
  for (auto* one : in.seats)
    if (one->now_is_ != standing::leaving && agree((*model)->terms_, one->terms_)) {
      one->now_is_ = standing::serving;
      in.serving.push_back(one);
    }
  if (in.serving.empty()) {
    table_.remove(in.index);
    in.filter = {};
    return;
  }
  const auto& terms = in.serving.front()->terms_;
  in.overload = terms.overload;
  if (in.filter.text() == terms.filter.text())
    return;
  table_.remove(in.index);
  table_.add(in.index, in.filter = terms.filter);
}

void groups::part(std::uint32_t index, std::vector<envelope_ptr>&& owed, effect_list& out) {
  const auto at = seats_.find(index);
  auto gone = std::move(at->second);
  seats_.erase(at);
  auto& in = *gone->in_;
  assert(gone->owed_ == 0);
  std::erase(in.seats, gone.get());
  settle(in);
  if (!owed.empty()) {
    const bool someone = !in.serving.empty() && !stopped_;
    out.emplace_back(effects::reassigned{in.name, gone->name_, owed.size(), someone});
    if (someone)
      bequeath(in, std::move(owed));
    else
      keep(in, std::move(owed), out);
  }
  forget_if_empty(in);
}

void groups::forget_if_empty(home& in) {
  if (!in.seats.empty() || !in.kept.empty() || !in.legacy.empty())
    return;
  book_.retire_subscription(in.index);
  names_.erase(in.name);
  homes_.erase(in.index);
}

// -- events ---------------------------------------------------------------------------------

std::uint32_t groups::choose(std::uint32_t group, const envelope& event) {
  auto& in = *homes_.at(group);
  group_seat* to = nullptr;
  if (const auto key = event.key_hash(); key != 0) {
    auto& held = in.keys[key];
    if (held.events++ == 0 || planted("group_key_wanders"))
      held.at = *std::max_element(in.serving.begin(), in.serving.end(),
                                  [key](const group_seat* a, const group_seat* b) {
                                    return weight(key, a->hash_) < weight(key, b->hash_);
                                  });
    to = held.at;
  } else {
    const auto size = in.serving.size();
    const auto start = in.turn++ % size;
    for (std::size_t i = 0; i < size; ++i) {
      auto* one = in.serving[(start + i) % size];
      if (to == nullptr || one->owed_ < to->owed_)
        to = one;
    }
  }
  ++to->owed_;
  return to->index_;
}

void groups::bequeath(home& in, std::vector<envelope_ptr>&& owed) {
  if (in.legacy.empty())
    heirs_.push_back(in.index);
  std::move(owed.begin(), owed.end(), std::back_inserter(in.legacy));
}

std::optional<groups::legacy> groups::next_legacy(effect_list& out) {
  while (!heirs_.empty()) {
    auto& in = *homes_.at(heirs_.back());
    heirs_.pop_back();
    legacy next{in.index, std::exchange(in.legacy, {})};
    if (!in.serving.empty())
      return next;
    keep(in, std::move(next.events), out); // the heirs have parted in the same turn
    forget_if_empty(in);
  }
  return std::nullopt;
}

// -- while nobody is there --------------------------------------------------------------------

void groups::keep(home& in, std::vector<envelope_ptr>&& owed, effect_list& out) {
  for (auto& event : owed) {
    ++book_.row_of(event->topic(), event->topic_hash(), in.index).published;
    const auto bytes = event->footprint();
    if (stopped_) {
      lose(in, *event, drop_reason::stopped, out);
    } else if (in.kept.size() >= in.overload.events || in.kept_bytes + bytes > in.overload.bytes ||
               in.kept_bytes + bytes > budget_.room()) {
      lose(in, *event, drop_reason::unsubscribed, out);
    } else {
      in.kept_bytes += bytes;
      budget_.add(bytes);
      in.kept.push_back(std::move(event));
      ++kept_;
    }
  }
}

/// Somebody serves again. What the members no longer want, since their filter is another one, ends.
void groups::bequeath_kept(home& in, effect_list& out) {
  if (in.kept.empty() || in.serving.empty())
    return;
  std::vector<envelope_ptr> owed;
  kept_ -= in.kept.size();
  budget_.take(std::exchange(in.kept_bytes, 0));
  for (auto& event : std::exchange(in.kept, {})) {
    if (!in.filter.matches(event->topic())) {
      lose(in, *event, drop_reason::unsubscribed, out);
      continue;
    }
    auto& row = book_.row_of(event->topic(), event->topic_hash(), in.index);
    ++row.dropped[static_cast<std::size_t>(drop_reason::reassigned)];
    owed.push_back(std::move(event));
  }
  if (!owed.empty())
    bequeath(in, std::move(owed));
}

void groups::stop(effect_list& out) {
  stopped_ = true;
  for (auto& [index, one] : homes_) {
    budget_.take(std::exchange(one->kept_bytes, 0));
    for (const auto& event : std::exchange(one->kept, {}))
      lose(*one, *event, drop_reason::stopped, out);
  }
  kept_ = 0;
}

void groups::lose(home& in, const envelope& event, drop_reason why, effect_list& out) {
  auto& row = book_.row_of(event.topic(), event.topic_hash(), in.index);
  ++row.dropped[static_cast<std::size_t>(why)];
  if (event.tracked_by() != nullptr)
    out.emplace_back(effects::settle{envelope_ptr::share(event), in.index, fate::dropped});
}

// -- reading ----------------------------------------------------------------------------------

const std::string& groups::name(std::uint32_t group) const {
  static const std::string gone = "(gone)";
  const auto at = homes_.find(group);
  return at == homes_.end() ? gone : at->second->name;
}

void groups::check() const {
  std::size_t kept = 0;
  for (const auto& [index, one] : homes_) {
    kept += one->kept.size();
    assert(one->legacy.empty());
    assert(one->kept.empty() || one->serving.empty());
    std::unordered_map<const group_seat*, std::uint64_t> held;
    for (const auto& [key, what] : one->keys) {
      assert(what.events > 0);
      held[what.at] += what.events;
    }
    for (const auto* seat : one->seats) {
      assert(held[seat] <= seat->owed_); // the others have no key
      held.erase(seat);
    }
    assert(held.empty());
  }
  assert(kept == kept_);
  static_cast<void>(kept);
}

} // namespace edupulse
