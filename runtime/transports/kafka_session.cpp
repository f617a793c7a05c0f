#include "runtime/transports/kafka_session.hpp"
#include "runtime/transports/times.hpp"

#include <algorithm>
#include <array>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace edupulse {

namespace {

/// What an error of a message says about it.
enum class verdict : std::uint8_t { outage, no_such_topic, refused, refused_with_its_request };

verdict verdict_of(int code) noexcept {
  switch (code) {
  case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
  case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
  case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    return verdict::no_such_topic;
  case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
  case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
  case RD_KAFKA_RESP_ERR__INVALID_ARG:
    return verdict::refused;
  case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
  case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
  case RD_KAFKA_RESP_ERR_INVALID_RECORD:
  case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
  case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    return verdict::refused_with_its_request;
  default:
    return verdict::outage;
  }
}

const char* words_of(int code) noexcept {
  return ::rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code));
}

bool is_topic(std::string_view name) noexcept {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         std::ranges::all_of(name, allowed);
}

rd_kafka_headers_t* headers_of(const broker_message& from) {
  auto* made = ::rd_kafka_headers_new(from.headers.size() + 1);
  const auto add = [made](std::string_view name, std::string_view value) {
    ::rd_kafka_header_add(made, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
  };
  add("content-type", from.content_type);
  for (const auto& [name, value] : from.headers)
    add(name, value);
  return made;
}

/// Hands a message over, with `opaque` to come back with its report. The body stays ours.
int hand_over(rd_kafka_t* to, outgoing& one, void* opaque) {
  const auto& event = one.done.event();
  auto& message = one.message;
  std::array<rd_kafka_vu_t, 6> what{};
  what[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  what[0].u.cstr = message.topic.c_str();
  what[1].vtype = RD_KAFKA_VTYPE_VALUE;
  what[1].u.mem = {message.body.data(), message.body.size()};
  what[2].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  what[2].u.i64 = event.occurred_at_ms();
  what[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
  what[3].u.ptr = opaque;
  what[4].vtype = RD_KAFKA_VTYPE_HEADERS;
  what[4].u.headers = headers_of(message);
  what[5].vtype = RD_KAFKA_VTYPE_KEY; // is copied
  what[5].u.mem = {const_cast<char*>(event.key().data()), event.key().size()};
  const auto parts = event.key().empty() ? what.size() - 1 : what.size();
  auto* problem = ::rd_kafka_produceva(to, what.data(), parts);
  if (problem == nullptr)
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  const auto code = ::rd_kafka_error_code(problem);
  ::rd_kafka_error_destroy(problem);
  ::rd_kafka_headers_destroy(what[4].u.headers);
  return code;
}

} // namespace

void kafka_conf_closer::operator()(rd_kafka_conf_s* what) const noexcept {
  ::rd_kafka_conf_destroy(what);
}

void kafka_session::closer::operator()(rd_kafka_s* what) const noexcept {
  ::rd_kafka_destroy(what);
}

kafka_session::kafka_session(kafka_conf how, duration connect_timeout)
    : how_(std::move(how)), connect_timeout_(connect_timeout),
      ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  auto* conf = how_.get();
  ::rd_kafka_conf_set_opaque(conf, this);
  ::rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  ::rd_kafka_conf_set_error_cb(conf, [](rd_kafka_t*, int code, const char* words, void* session) {
    static_cast<kafka_session*>(session)->note_error(code, words);
  });
  // Its threads would write to the standard error. What matters comes as an error, too.
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
}

kafka_session::~kafka_session() {
  dropping_ = true;
  close();
}

/// Everything that was given to it has come back afterwards.
void kafka_session::close() {
  if (!to_)
    return;
  ::rd_kafka_purge(to_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (in_flight_ > 0)
    ::rd_kafka_poll(to_.get(), 100);
  tell_stored();
  to_.reset();
}

/// The connection ends here, because of `outage_`.
tl::unexpected<error> kafka_session::over() {
  close();
  for (auto& one : suspects_)
    one->what.done.complete(outcome::unavailable(outage_));
  suspects_.clear();
  return fail(errc::io, outage_);
}

expected<void> kafka_session::connect() {
  outage_.clear();
  last_error_.clear();
  if (!ready_)
    return fail(errc::io, "kafka: there were no file descriptors left");
  char why[512];
  auto* conf = ::rd_kafka_conf_dup(how_.get());
  to_.reset(::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why));
  if (!to_) {
    ::rd_kafka_conf_destroy(conf);
    return fail(errc::io, std::string("kafka: ") + why);
  }
  static constexpr eventfd_t one = 1;
  auto* reports = ::rd_kafka_queue_get_main(to_.get());
  ::rd_kafka_queue_io_event_enable(reports, ready_.number(), &one, sizeof one);
  ::rd_kafka_queue_destroy(reports);

  const struct rd_kafka_metadata* known = nullptr;
  const auto code =
      ::rd_kafka_metadata(to_.get(), 0, nullptr, &known, static_cast<int>(as_ms(connect_timeout_)));
  ::rd_kafka_poll(to_.get(), 0); // errors on the way here
  if (known != nullptr)
    ::rd_kafka_metadata_destroy(known);
  const auto fatal = ::rd_kafka_fatal_error(to_.get(), why, sizeof why);
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR)
    outage_ = std::string("kafka: ") + why;
  else if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    outage_ = "kafka: " + (last_error_.empty() ? words_of(code) : last_error_);
  if (!outage_.empty())
    return over();
  lost_ = false; // what was refused may have been one of the addresses of a host
  last_error_.clear();
  return {};
}

expected<void> kafka_session::send(std::vector<outgoing> batch) {
  for (auto& one : batch)
    produce(std::make_unique<letter>(letter{std::move(one)}));
  return serve();
}

void kafka_session::produce(std::unique_ptr<letter> one) {
  auto& [what, alone] = *one;
  if (!is_topic(what.message.topic))
    return what.done.complete(outcome::reject(
        "kafka: " + quote(what.message.topic, 256) +
        " is no topic of Kafka: 1 to 249 of a-z, A-Z, 0-9, dot, hyphen and underscore"));
  const int code = hand_over(to_.get(), what, one.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    static_cast<void>(one.release()); // on_delivery has it
    ++in_flight_;
  } else if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    // No end of the connection: what fills the queue is on its way.
    what.done.complete(outcome::unavailable(std::string("kafka: ") + words_of(code)));
  } else {
    alone = true;
    answer(std::move(one), code);
  }
}

void kafka_session::on_delivery(rd_kafka_s*, const rd_kafka_message_s* what, void* session) {
  auto& self = *static_cast<kafka_session*>(session);
  --self.in_flight_;
  self.answer(std::unique_ptr<letter>(static_cast<letter*>(what->_private)), what->err);
}

void kafka_session::answer(std::unique_ptr<letter> one, int code) {
  auto& [what, alone] = *one;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    last_error_.clear();
    lost_ = false;
    return stored_.push_back(std::move(what.done));
  }
  const auto words = "kafka: topic " + what.message.topic + ": " + words_of(code);
  const auto is = verdict_of(code);
  if (is == verdict::no_such_topic)
    return what.done.complete(outcome::retry(words));
  if (is == verdict::refused || (is == verdict::refused_with_its_request && alone))
    return what.done.complete(outcome::reject(words));
  if (is == verdict::refused_with_its_request)
    return suspects_.push_back(std::move(one));
  if (dropping_)
    return;
  if (outage_.empty())
    outage_ = words + (last_error_.empty() ? "" : " (" + last_error_ + ")");
  what.done.complete(outcome::unavailable(outage_));
}

void kafka_session::note_error(int code, const char* words) {
  if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    last_error_ = words;
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__FATAL)
    lost_ = true;
}

/// One after the other. Each is answered within the time that Kafka has to confirm it.
void kafka_session::send_suspects() {
  const auto finish = [this] {
    while (in_flight_ > 0 && outage_.empty())
      ::rd_kafka_flush(to_.get(), 100);
    tell_stored();
  };
  finish();
  while (!suspects_.empty() && outage_.empty()) {
    auto one = std::move(suspects_.back());
    suspects_.pop_back();
    one->alone = true;
    produce(std::move(one));
    finish();
  }
}

expected<void> kafka_session::serve() {
  eventfd_t rung;
  ::eventfd_read(ready_.number(), &rung);
  ::rd_kafka_poll(to_.get(), 0);
  tell_stored();
  if (!suspects_.empty())
    send_suspects();
  // While something is on its way librdkafka connects again by itself, and loses and repeats
  // nothing. It says so when the time is up.
  if (lost_ && in_flight_ == 0 && outage_.empty())
    outage_ = "kafka: " + (last_error_.empty() ? "all brokers are down" : last_error_);
  if (outage_.empty())
    return {};
  return over();
}

expected<void> kafka_session::wait(int wake) {
  std::array<pollfd, 2> watched = {{{wake, POLLIN, 0}, {ready_.number(), POLLIN, 0}}};
  ::poll(watched.data(), watched.size(), -1);
  return serve();
}

} // namespace edupulse
