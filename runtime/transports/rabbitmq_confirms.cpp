#include "runtime/transports/rabbitmq_confirms.hpp"

#include "runtime/transports/broker_session.hpp"
#include <algorithm>

namespace edupulse {

const envelope& rabbitmq_confirms::push(deferral done, time_point now) {
  if (open_.empty())
    heard_ = now;
  open_.push_back({std::move(done), {}});
  return open_.back().done.event();
}

void rabbitmq_confirms::answer(message& one, bool taken) {
  if (!taken)
    one.done.complete(outcome::unavailable("rabbitmq: the broker did not take it (basic.nack)"));
  else
    one.done.complete(outcome::reject("rabbitmq: " + one.returned));
}

void rabbitmq_confirms::settle(std::uint64_t tag, bool multiple, bool taken, time_point now) {
  heard_ = now;
  const auto last = first_tag_ + open_.size() - 1;
  const auto end = tag == 0 ? last : std::min(tag, last);
  std::vector<deferral> good;
  for (auto at = multiple ? first_tag_ : std::max(tag, first_tag_); at <= end; ++at)
    if (auto& one = open_[at - first_tag_]; taken && one.returned.empty())
      good.push_back(std::move(one.done));
    else
      answer(one, taken);
  deferral::complete_all(good, outcome::ok());
  while (!open_.empty() && !open_.front().done) {
    open_.pop_front();
    ++first_tag_;
  }
}

void rabbitmq_confirms::mark_returned(std::string_view id, std::string why) {
  const auto found = std::ranges::find_if(open_, [&](const message& one) {
    return one.done && one.returned.empty() && to_string(one.done.event().id()) == id;
  });
  if (found != open_.end())
    found->returned = std::move(why);
}

void rabbitmq_confirms::answer_all(const outcome& with) {
  edupulse::answer_all(open_, with);
  first_tag_ = 1;
}

} // namespace edupulse
