#include "runtime/transports/kafka_source.hpp"

#include "runtime/transports/times.hpp"
#include <librdkafka/rdkafka.h>

namespace edupulse {

namespace {

using namespace std::chrono_literals;

/// A crash repeats what was acknowledged in this time; each commit costs a request.
constexpr duration commit_interval = 100ms;

struct list_closer {
  void operator()(rd_kafka_topic_partition_list_t* what) const noexcept {
    ::rd_kafka_topic_partition_list_destroy(what);
  }
};
using partition_list = std::unique_ptr<rd_kafka_topic_partition_list_t, list_closer>;

struct message_closer {
  void operator()(rd_kafka_message_t* what) const noexcept { ::rd_kafka_message_destroy(what); }
};
using message_ptr = std::unique_ptr<rd_kafka_message_t, message_closer>;

partition_list new_list() { return partition_list(::rd_kafka_topic_partition_list_new(8)); }

void read_headers(const rd_kafka_message_t& from, inbound_message& to) {
  rd_kafka_headers_t* all = nullptr;
  if (::rd_kafka_message_headers(&from, &all) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       ::rd_kafka_header_get_all(all, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    const std::string_view text(static_cast<const char*>(value), value == nullptr ? 0 : size);
    if (std::string_view(name) == "content-type")
      to.content_type = text;
    else
      to.headers.emplace_back(name, text);
  }
}

} // namespace

void kafka_source::closer::operator()(rd_kafka_s* what) const noexcept { ::rd_kafka_destroy(what); }

kafka_source::kafka_source(kafka_conf how, std::size_t batch, source_settings all)
    : broker_source(std::move(all)), how_(std::move(how)), batch_(batch) {
  auto* conf = how_.get();
  ::rd_kafka_conf_set_opaque(conf, this);
  ::rd_kafka_conf_set_error_cb(conf, [](rd_kafka_t*, int code, const char* words, void* self) {
    auto& here = *static_cast<kafka_source*>(self);
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
      here.last_error_ = words;
    else if (here.outage_.empty())
      here.outage_ = here.last_error_.empty() ? words : here.last_error_;
  });
  ::rd_kafka_conf_set_rebalance_cb(
      conf, [](rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* what,
               void* self) { static_cast<kafka_source*>(self)->on_rebalance(code, what); });
  // Its threads would write to the standard error. What matters comes as an error, too.
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
}

// -- the connection -------------------------------------------------------------------------------

/// Others get its partitions at once, and go on where it has come to.
void kafka_source::end() noexcept {
  if (!from_)
    return;
  commit(true);
  ::rd_kafka_consumer_close(from_.get()); // on_rebalance takes the partitions away
  from_.reset();
}

tl::unexpected<error> kafka_source::over() {
  end();
  return fail(errc::io, "kafka: " + outage_);
}

expected<void> kafka_source::connect(std::string_view) {
  end();
  outage_.clear();
  last_error_.clear();
  paused_ = false;
  char why[512];
  auto* conf = ::rd_kafka_conf_dup(how_.get());
  from_.reset(::rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why));
  if (!from_) {
    ::rd_kafka_conf_destroy(conf);
    return fail(errc::io, std::string("kafka: ") + why);
  }
  ::rd_kafka_poll_set_consumer(from_.get());
  if (auto good = look_for_brokers(); !good)
    return good;
  return subscribe();
}

expected<void> kafka_source::look_for_brokers() {
  const struct rd_kafka_metadata* known = nullptr;
  const auto code = ::rd_kafka_metadata(from_.get(), 0, nullptr, &known,
                                        static_cast<int>(as_ms(all_.times.connect)));
  if (known != nullptr)
    ::rd_kafka_metadata_destroy(known);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    outage_.clear(); // what was refused may have been one of the addresses of a host
    return {};
  }
  if (auto good = poll(duration::zero()); !good) // errors on the way here
    return good;
  outage_ = last_error_.empty() ? ::rd_kafka_err2str(code) : last_error_;
  return over();
}

expected<void> kafka_source::subscribe() {
  const auto topics = new_list();
  for (const auto& topic : all_.topics)
    ::rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  const auto code = ::rd_kafka_subscribe(from_.get(), topics.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  outage_ = ::rd_kafka_err2str(code);
  return over();
}

/// Called by `poll` and `close`. What was read of partitions that go is somebody else's now.
void kafka_source::on_rebalance(int code, rd_kafka_topic_partition_list_t* what) {
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    ::rd_kafka_assign(from_.get(), what);
    return;
  }
  commit(true);
  ::rd_kafka_assign(from_.get(), nullptr);
  read_.clear();
  to_commit_.clear();
  open_.clear();
  arrived_.clear();
  paused_ = false;
}

// -- messages -------------------------------------------------------------------------------------

void kafka_source::keep(const rd_kafka_message_t& what) {
  const partition at(::rd_kafka_topic_name(what.rkt), what.partition);
  inbound_message made;
  made.token = ++last_token_;
  made.topic = at.first;
  made.place = at.first + "/" + std::to_string(what.partition) + "/" + std::to_string(what.offset);
  if (what.payload != nullptr)
    made.body.assign(static_cast<const char*>(what.payload), what.len);
  if (what.key != nullptr)
    made.key.assign(static_cast<const char*>(what.key), what.key_len);
  read_headers(what, made);
  read_[at].push(static_cast<std::uint64_t>(what.offset));
  open_.emplace(made.token, place{at, static_cast<std::uint64_t>(what.offset)});
  arrived_.push_back(std::move(made));
}

expected<void> kafka_source::poll(duration patience) {
  auto wait = static_cast<int>(as_ms(patience));
  while (arrived_.size() < batch_) {
    const message_ptr one(::rd_kafka_consumer_poll(from_.get(), wait));
    if (!outage_.empty())
      return over();
    if (!one)
      return {};
    wait = 0;
    if (one->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      keep(*one);
    } else if (one->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      outage_ = ::rd_kafka_message_errstr(one.get());
      return over();
    }
  }
  return {};
}

expected<std::vector<inbound_message>> kafka_source::receive(duration patience) {
  pause(false);
  if (std::chrono::steady_clock::now() >= next_commit_)
    commit(false);
  if (auto good = poll(arrived_.empty() ? patience : duration::zero()); !good)
    return tl::unexpected(std::move(good.error()));
  return std::exchange(arrived_, {});
}

expected<void> kafka_source::keep_alive() {
  pause(true);
  return poll(duration::zero());
}

void kafka_source::pause(bool yes) {
  if (yes == paused_)
    return;
  rd_kafka_topic_partition_list_t* found = nullptr;
  if (::rd_kafka_assignment(from_.get(), &found) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return;
  const partition_list all(found);
  if (yes)
    ::rd_kafka_pause_partitions(from_.get(), all.get());
  else
    ::rd_kafka_resume_partitions(from_.get(), all.get());
  paused_ = yes;
}

expected<void> kafka_source::acknowledge(std::span<const std::uint64_t> tokens) {
  for (const auto token : tokens)
    if (const auto found = open_.extract(token))
      read_[found.mapped().at].done(found.mapped().offset);
  for (auto& [at, offsets] : read_)
    if (const auto last = offsets.take())
      to_commit_[at] = *last + 1;
  return {};
}

/// When it fails the messages come again; why is told by what fails next.
void kafka_source::commit(bool waits) {
  next_commit_ = std::chrono::steady_clock::now() + commit_interval;
  if (to_commit_.empty())
    return;
  const auto list = new_list();
  for (const auto& [at, offset] : std::exchange(to_commit_, {}))
    ::rd_kafka_topic_partition_list_add(list.get(), at.first.c_str(), at.second)->offset =
        static_cast<std::int64_t>(offset);
  ::rd_kafka_commit(from_.get(), list.get(), waits ? 0 : 1);
}

} // namespace edupulse
