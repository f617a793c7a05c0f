#include "runtime/transports/broker_transport.hpp"

#include "runtime/quiet_thread.hpp"
#include <algorithm>
#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>

namespace edupulse {

expected<transport_ptr> broker_transport::make(broker_options how,
                                               std::unique_ptr<broker_session> session) {
  descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake)
    return fail(errc::io, how.name + ": there are no file descriptors left");
  return transport_ptr(new broker_transport(std::move(how), std::move(session), wake.release()));
}

broker_transport::broker_transport(broker_options how, std::unique_ptr<broker_session> session,
                                   int wake)
    : how_(std::move(how)), session_(std::move(session)), wake_(wake), thread_([this] { run(); }) {}

broker_transport::~broker_transport() {
  {
    std::lock_guard guard(mutex_);
    ended_ = true;
  }
  wake();
  thread_.join();
}

transport_health broker_transport::health() const {
  std::lock_guard guard(mutex_);
  return health_;
}

void broker_transport::publish(std::vector<outbound_event> batch) {
  bool was_empty;
  {
    std::lock_guard guard(mutex_);
    was_empty = waiting_.empty();
    std::ranges::move(batch, std::back_inserter(waiting_));
  }
  if (was_empty)
    wake();
}

void broker_transport::wake() const noexcept { ::eventfd_write(wake_.number(), 1); }

void broker_transport::run() {
  begin_quiet_thread("mirror " + how_.name);
  connect(); // before the first event: whoever looks sees how the broker is
  for (;;) {
    {
      std::lock_guard guard(mutex_);
      if (ended_)
        return;
    }
    if (auto batch = take(); !batch.empty())
      send(std::move(batch));
    else if (up_)
      see(session_->wait(wake_.number()));
    else
      await_wake();
  }
}

void broker_transport::await_wake() const noexcept {
  pollfd watched{wake_.number(), POLLIN, 0};
  ::poll(&watched, 1, -1);
}

/// As much as one `send` gets.
std::vector<outbound_event> broker_transport::take() {
  std::lock_guard guard(mutex_);
  eventfd_t rung;
  if (!ended_) // else the destructor has rung, once
    ::eventfd_read(wake_.number(), &rung);
  const auto end =
      waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(how_.batch, waiting_.size()));
  std::vector<outbound_event> batch(std::make_move_iterator(waiting_.begin()),
                                    std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  return batch;
}

void broker_transport::connect() {
  set_health(transport_health::state::connecting, {});
  const auto good = session_->connect();
  up_ = good.has_value();
  set_health(up_ ? transport_health::state::up : transport_health::state::down,
             up_ ? std::string() : good.error().text);
}

void broker_transport::see(const expected<void>& how) {
  if (how)
    return;
  up_ = false;
  set_health(transport_health::state::down, how.error().text);
}

void broker_transport::set_health(transport_health::state is, std::string why) {
  std::lock_guard guard(mutex_);
  health_ = {is, std::move(why)};
}

void broker_transport::send(std::vector<outbound_event> batch) {
  if (!up_)
    connect();
  if (!up_)
    return refuse_all(std::move(batch));
  std::vector<outgoing> messages;
  messages.reserve(batch.size());
  for (auto& one : batch) {
    if (!is_wanted(*one.event, how_.message)) {
      one.done.complete(outcome::ok());
      continue;
    }
    auto message = to_message(*one.event, how_.message);
    if (message)
      messages.push_back({std::move(*message), std::move(one.done)});
    else
      one.done.complete(outcome::reject(message.error().text));
  }
  if (!messages.empty())
    see(session_->send(std::move(messages)));
}

/// All that wait, too: else each batch of them would cost an attempt to connect.
void broker_transport::refuse_all(std::vector<outbound_event> batch) {
  {
    std::lock_guard guard(mutex_);
    std::ranges::move(waiting_, std::back_inserter(batch));
    waiting_.clear();
  }
  answer_all(batch, outcome::unavailable(health().why));
}

} // namespace edupulse
