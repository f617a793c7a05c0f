#include "tests/mirrors/kafka_broker.hpp"

#include "tests/support/real_time.hpp"

namespace edupulse::test {

namespace {

// Numbers of Kafka's protocol.
constexpr std::int16_t produce_request = 0;
constexpr std::int16_t producer_id_request = 22;

void be_quiet(const rd_kafka_t*, int, const char*, const char*) {}

rd_kafka_t* make(rd_kafka_type_t what,
                 const std::vector<std::pair<std::string, std::string>>& properties) {
  char why[512];
  auto* conf = ::rd_kafka_conf_new();
  for (const auto& [name, value] : properties)
    REQUIRE(::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) ==
            RD_KAFKA_CONF_OK);
  ::rd_kafka_conf_set_log_cb(conf, be_quiet);
  auto* made = ::rd_kafka_new(what, conf, why, sizeof why);
  REQUIRE(made != nullptr);
  return made;
}

/// From the first message of each partition on. How many there are.
int assign_all(rd_kafka_t* to, const std::string& topic) {
  auto* handle = ::rd_kafka_topic_new(to, topic.c_str(), nullptr);
  const struct rd_kafka_metadata* known = nullptr;
  REQUIRE(::rd_kafka_metadata(to, 0, handle, &known, 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
  const int count = known->topics[0].partition_cnt;
  auto* all = ::rd_kafka_topic_partition_list_new(count);
  for (int i = 0; i < count; ++i)
    ::rd_kafka_topic_partition_list_add(all, topic.c_str(), i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  REQUIRE(::rd_kafka_assign(to, all) == RD_KAFKA_RESP_ERR_NO_ERROR);
  ::rd_kafka_topic_partition_list_destroy(all);
  ::rd_kafka_metadata_destroy(known);
  ::rd_kafka_topic_destroy(handle);
  return count;
}

std::string text_of(const void* bytes, std::size_t size) {
  return {static_cast<const char*>(bytes), size};
}

kafka_message from(const rd_kafka_message_t& what) {
  kafka_message made;
  if (what.key != nullptr)
    made.key = text_of(what.key, what.key_len);
  made.value = text_of(what.payload, what.len);
  made.timestamp_ms = ::rd_kafka_message_timestamp(&what, nullptr);
  rd_kafka_headers_t* headers = nullptr;
  ::rd_kafka_message_headers(&what, &headers);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       headers != nullptr &&
       ::rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i)
    made.headers.emplace_back(name, text_of(value, size));
  return made;
}

} // namespace

std::vector<kafka_message> read_kafka(const std::string& hosts, const std::string& topic) {
  auto* from_there = make(RD_KAFKA_CONSUMER, {{"bootstrap.servers", hosts},
                                              {"group.id", "reader"},
                                              {"enable.partition.eof", "true"},
                                              {"fetch.wait.max.ms", "50"}});
  std::vector<kafka_message> seen;
  for (int open = assign_all(from_there, topic); open > 0;) {
    auto* one = ::rd_kafka_consumer_poll(from_there, 100);
    if (one == nullptr)
      continue;
    if (one->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
      --open;
    else if (one->err == RD_KAFKA_RESP_ERR_NO_ERROR)
      seen.push_back(from(*one));
    ::rd_kafka_message_destroy(one);
  }
  ::rd_kafka_destroy(from_there);
  return seen;
}

kafka_broker::kafka_broker(int brokers)
    : owner_(make(RD_KAFKA_PRODUCER, {})), cluster_(::rd_kafka_mock_cluster_new(owner_, brokers)) {
  ::rd_kafka_mock_topic_create(cluster_, "lessons", partitions, brokers);
  settle();
  kill();
}

kafka_broker::~kafka_broker() {
  ::rd_kafka_mock_cluster_destroy(cluster_);
  ::rd_kafka_destroy(owner_);
}

/// It forgets for a second to look at a command that comes while it ends the one before.
void kafka_broker::settle() { rest(std::chrono::milliseconds(3)); }

void kafka_broker::start() { start_one(-1); }
void kafka_broker::kill() { kill_one(-1); }

void kafka_broker::start_one(int which) {
  ::rd_kafka_mock_broker_set_up(cluster_, which);
  settle();
}

void kafka_broker::kill_one(int which) {
  ::rd_kafka_mock_broker_set_down(cluster_, which);
  settle();
}

/// What it had not answered before is not answered any more: those connections end.
void kafka_broker::resume() {
  kill();
  set_delay(std::chrono::milliseconds(0));
  start();
}

void kafka_broker::set_delay(std::chrono::milliseconds span) {
  ::rd_kafka_mock_broker_set_rtt(cluster_, -1, static_cast<int>(span.count()));
  settle();
}

void kafka_broker::lead(int which) {
  for (int i = 0; i < partitions; ++i) {
    ::rd_kafka_mock_partition_set_leader(cluster_, "lessons", i, which);
    settle();
  }
}

void kafka_broker::refuse_next(std::size_t requests, rd_kafka_resp_err_t with) {
  const std::vector<rd_kafka_resp_err_t> all(requests, with);
  ::rd_kafka_mock_push_request_errors_array(cluster_, produce_request, all.size(), all.data());
}

void kafka_broker::refuse_no_more() {
  ::rd_kafka_mock_clear_request_errors(cluster_, produce_request);
  ::rd_kafka_mock_clear_request_errors(cluster_, producer_id_request);
}

void kafka_broker::refuse_producers(std::size_t requests, rd_kafka_resp_err_t with) {
  const std::vector<rd_kafka_resp_err_t> all(requests, with);
  ::rd_kafka_mock_push_request_errors_array(cluster_, producer_id_request, all.size(), all.data());
}

void kafka_broker::refuse_topic(const std::string& topic, rd_kafka_resp_err_t with) {
  ::rd_kafka_mock_topic_set_error(cluster_, topic.c_str(), with);
  settle();
}

/// Through no proxy: Kafka tells its clients where its brokers are, and it says the truth.
std::string kafka_broker::url_of(std::uint16_t, const std::string& settings) const {
  const bool has_times = settings.find("ack_timeout") != std::string::npos;
  return "kafka://" + hosts() + "?topic=lessons&compression=lz4" +
         (has_times ? "" : "&ack_timeout=1s&connect_timeout=500ms") + settings;
}

std::string kafka_broker::url_of_stranger() const {
  return "kafka://somebody:wrong@" + hosts() + "?topic=lessons&connect_timeout=500ms";
}

/// It knows of no authentication at all.
std::string kafka_broker::refusal() const { return "SASL"; }

std::vector<seen_event> kafka_broker::read() {
  std::vector<seen_event> seen;
  for (const auto& one : read_kafka(hosts(), "lessons"))
    seen.push_back(from_cloudevent(one.value));
  return seen;
}

} // namespace edupulse::test
