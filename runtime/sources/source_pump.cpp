#include "runtime/sources/source_pump.hpp"

#include "runtime/chance.hpp"
#include "runtime/node_impl.hpp"
#include "runtime/quiet_thread.hpp"
#include "runtime/sources/malformed.hpp"
#include "schemas/codec.hpp"
#include "schemas/typed_event.hpp"
#include <algorithm>

namespace edupulse {

namespace {

using namespace std::chrono_literals;

constexpr duration longest_wait = 200ms; ///< of one `receive`: whoever ends the pump waits for it
constexpr duration look_at_open = 5ms;   ///< while messages are not concluded
constexpr retry_options connecting{.first = 100ms, .factor = 2, .cap = 5s};

} // namespace

source_pump::source_pump(node_impl& node, std::string name, source_ptr from, source_options how)
    : node_(node), name_(std::move(name)), how_(std::move(how)), from_(std::move(from)),
      reader_(how_, from_->where(), node.options().max_event_bytes), chance_(draw_number()) {
  status_.name = name_;
  status_.source = from_->name();
  status_.where = from_->where();
  status_.health.is = transport_health::state::connecting;
}

void source_pump::start() {
  thread_ = std::thread([this] { run(); });
}

source_pump::~source_pump() { end(); }

void source_pump::quiesce() {
  std::lock_guard guard(mutex_);
  quiet_ = true;
  changed_.notify_all();
}

void source_pump::hold(bool held) {
  std::lock_guard guard(mutex_);
  status_.paused = held;
  changed_.notify_all();
}

void source_pump::end() {
  {
    std::lock_guard guard(mutex_);
    quiet_ = ended_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable())
    thread_.join();
}

source_status source_pump::status() const {
  std::lock_guard guard(mutex_);
  return status_;
}

bool source_pump::quiet() const {
  std::lock_guard guard(mutex_);
  return quiet_;
}

bool source_pump::may_receive() const {
  std::lock_guard guard(mutex_);
  return !quiet_ && !status_.paused;
}

void source_pump::count(std::uint64_t source_status::*what) {
  std::lock_guard guard(mutex_);
  ++(status_.*what);
}

void source_pump::set_health(transport_health::state is, std::string why) {
  std::lock_guard guard(mutex_);
  status_.health = {is, std::move(why)};
}

void source_pump::pause(duration how_long) {
  std::unique_lock guard(mutex_);
  changed_.wait_for(guard, how_long, [&] { return ended_; });
}

// -- the thread -----------------------------------------------------------------------------------

void source_pump::run() {
  begin_quiet_thread("source " + name_);
  const auto over = [this] {
    std::lock_guard guard(mutex_);
    return ended_;
  };
  while (!over()) {
    if (up_ || connect())
      see(turn());
    else
      pause(full_jitter(connecting, failures_, chance_));
  }
  if (up_)
    see(settle());
  from_->close();
}

bool source_pump::connect() {
  if (quiet()) { // nothing more is received, and what is open is delivered again to others
    pause(longest_wait);
    return false;
  }
  set_health(transport_health::state::connecting, {});
  const auto good = from_->connect(node_.options().name + "." + name_);
  up_ = good.has_value();
  failures_ = up_ ? 0 : failures_ + 1;
  set_health(up_ ? transport_health::state::up : transport_health::state::down,
             up_ ? std::string() : good.error().text);
  return up_;
}

/// What was open is the next connection's: the broker delivers it again.
void source_pump::see(const expected<void>& how) {
  if (how)
    return;
  up_ = false;
  ++failures_;
  open_.clear();
  done_.clear();
  std::lock_guard guard(mutex_);
  status_.waiting = 0;
  status_.health = {transport_health::state::down, how.error().text};
}

expected<void> source_pump::turn() {
  if (auto good = settle(); !good)
    return good;
  if (may_receive() && open_.size() < how_.in_flight)
    return receive();
  pause(look_at_open);
  return stay_alive();
}

expected<void> source_pump::stay_alive() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_sign_ < longest_wait)
    return {};
  last_sign_ = now;
  return from_->keep_alive();
}

expected<void> source_pump::receive() {
  const auto batch = from_->receive(open_.empty() ? longest_wait : look_at_open);
  if (!batch)
    return tl::unexpected(batch.error());
  {
    std::lock_guard guard(mutex_);
    status_.received += batch->size();
    status_.waiting += batch->size();
    status_.lost = from_->lost();
  }
  for (const auto& one : *batch) {
    if (quiet())
      return {};
    if (auto good = take(one); !good)
      return good;
  }
  return settle();
}

expected<void> source_pump::take(const inbound_message& what) {
  if (reader_.is_echo(what)) {
    done_.push_back(what.token);
    count(&source_status::echoes);
    return {};
  }
  auto event = reader_.read(what, node_.absent_header());
  return event ? publish(std::move(*event), what.token, &source_status::published)
               : bury(what, event.error());
}

/// Its subscription, named as the source, gives it up at once: then it is a dead letter.
expected<void> source_pump::bury(const inbound_message& what, const error& why) {
  const auto most = node_.options().max_event_bytes;
  const auto make = [&](const malformed_limits& limits) {
    return node_.make(event_traits<SourceMalformed>::type(),
                      [&](capnp::AnyPointer::Builder to) {
                        write_malformed(what, name_, why.text, limits,
                                        to.initAs<SourceMalformed>());
                      },
                      name_, {}, {});
  };
  auto event = make({.body = most, .text = most, .headers = what.headers.size()});
  if (!event)
    event = make({.body = most / 4, .text = most / 64, .headers = 0});
  if (!event)
    return tl::unexpected(event.error());
  return publish(std::move(*event), what.token, &source_status::malformed);
}

/// Once the node is at its end nothing is published any more, and the message is somebody else's.
expected<void> source_pump::publish(envelope_ptr event, std::uint64_t token,
                                    std::uint64_t source_status::*counted) {
  const bool waits = how_.acknowledge == acknowledge_when::concluded;
  auto given = node_.send_off(event, waits);
  for (;;) {
    const auto admitted = node_.admit(event, longest_wait);
    if (admitted)
      break;
    if (admitted.error().code != errc::back_pressure) {
      quiesce();
      set_health(transport_health::state::down, admitted.error().text);
    }
    if (quiet())
      return {};
    if (auto good = stay_alive(); !good)
      return good;
  }
  count(counted);
  if (waits)
    open_.push_back({token, std::move(given)});
  else
    done_.push_back(token);
  return {};
}

expected<void> source_pump::settle() {
  std::erase_if(open_, [this](const open_message& one) {
    const auto status = one.given.status();
    if (status && !status->complete())
      return false;
    done_.push_back(one.token);
    return true;
  });
  if (done_.empty())
    return {};
  auto good = from_->acknowledge(done_);
  if (good) {
    std::lock_guard guard(mutex_);
    status_.acknowledged += done_.size();
    status_.waiting -= done_.size();
  }
  done_.clear();
  return good;
}

// -- dead letters that are read again -------------------------------------------------------------

outcome source_pump::read_again(const envelope& malformed) {
  payload_reader payload(malformed);
  const auto letter = open<SourceMalformed>(malformed, payload);
  if (!letter)
    return outcome::reject(letter.error().text);
  const auto message = read_malformed(*letter);
  if (!message)
    return outcome::reject(message.error().text);
  auto event = reader_.read(*message, node_.absent_header());
  if (!event)
    return outcome::reject(event.error().text);
  node_.send_off(*event, false);
  const auto admitted = node_.admit(*event, duration::zero());
  return admitted ? outcome::ok() : outcome::retry(admitted.error().text);
}

} // namespace edupulse
