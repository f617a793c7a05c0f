// From a kafka:// address to the properties of librdkafka.
// https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md

#include "runtime/transports/broker_factory.hpp"
#include "runtime/transports/kafka_session.hpp"
#include "runtime/transports/kafka_source.hpp"
#include "runtime/transports/times.hpp"
#include <algorithm>
#include <librdkafka/rdkafka.h>

namespace edupulse {

namespace {

using namespace std::chrono_literals;

std::string in_ms(duration what) { return std::to_string(as_ms(what)); }

/// Sets properties, and tells the reader what librdkafka has against one.
class properties {
public:
  explicit properties(setting_reader& complaints)
      : conf_(::rd_kafka_conf_new()), complaints_(complaints) {}

  void set(const std::string& name, const std::string& value) {
    char why[512];
    if (::rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK)
      complaints_.wrong({errc::invalid_option, std::string("kafka: ") + why});
  }
  kafka_conf take() { return std::move(conf_); }

private:
  kafka_conf conf_;
  setting_reader& complaints_;
};

/// Of producers and consumers.
void set_connection(properties& to, const broker_url& url, const broker_times& times) {
  to.set("bootstrap.servers", url.hosts);
  to.set("client.id", "edupulse");
  to.set("socket.timeout.ms", in_ms(std::clamp<duration>(times.ack / 2, 10ms, 1min)));
  to.set("socket.connection.setup.timeout.ms", in_ms(std::max<duration>(times.connect, 1s)));
  to.set("socket.keepalive.enable", "true");
  to.set("reconnect.backoff.max.ms", "1000");
}

expected<void> check_address(const broker_url& url) {
  if (url.hosts.empty() || !url.path.empty())
    return fail(errc::invalid_option,
                "a kafka:// address is kafka://HOST:9092,HOST:9092?topic=..., "
                "with one host or more and no path");
  return {};
}

/// Whoever is given up on within the time to confirm is told so by librdkafka, and not by nobody.
void set_times(properties& to, const broker_times& times) {
  const auto one_try = std::clamp<duration>(times.ack / 2, 10ms, 1min);
  to.set("message.timeout.ms", in_ms(times.ack));
  to.set("request.timeout.ms", in_ms(one_try));
  to.set("topic.metadata.propagation.max.ms", in_ms(one_try)); // of one that is not there yet
}

void set_security(properties& to, const broker_url& url, setting_reader& settings) {
  const bool has_user = !url.user.empty();
  to.set("security.protocol", settings.text("security", has_user ? "sasl_plaintext" : "plaintext"));
  const auto mechanism = settings.text("mechanism", "PLAIN");
  for (const auto& [ours, theirs] :
       {std::pair{"ca", "ssl.ca.location"}, std::pair{"certificate", "ssl.certificate.location"},
        std::pair{"key", "ssl.key.location"}})
    if (const auto file = settings.text(ours, ""); !file.empty())
      to.set(theirs, file);
  if (!has_user)
    return;
  to.set("sasl.mechanism", mechanism);
  to.set("sasl.username", url.user);
  to.set("sasl.password", url.password);
}

} // namespace

expected<std::unique_ptr<broker_session>> make_kafka_session(const broker_url& url,
                                                             setting_reader& settings,
                                                             const broker_times& times,
                                                             broker_options& how) {
  if (auto good = check_address(url); !good)
    return tl::unexpected(std::move(good.error()));
  properties to(settings);
  set_connection(to, url, times);
  const auto acks = settings.text("acks", "all");
  if (acks != "all" && acks != "1")
    settings.wrong({errc::invalid_option, "setting acks=" + quote(acks) + " must be all or 1"});
  to.set("acks", acks);
  to.set("enable.idempotence", acks == "all" ? "true" : "false");
  to.set("compression.type", settings.text("compression", "none"));
  to.set("linger.ms", in_ms(settings.span("linger", 2ms)));
  to.set("partitioner", "murmur2_random"); // as Kafka's own clients do: a key, one partition
  set_times(to, times);
  set_security(to, url, settings);
  for (const auto& [name, value] : settings.with_prefix("rdkafka."))
    to.set(name, value);
  how.message.header_prefix = "ce_";
  how.window = 8'192; // `linger` and a request for each partition pass before one is confirmed
  return std::make_unique<kafka_session>(to.take(), times.connect);
}

expected<source_ptr> make_kafka_source(const broker_url& url, setting_reader& settings,
                                       source_settings all) {
  if (auto good = check_address(url); !good)
    return tl::unexpected(std::move(good.error()));
  if (all.topics.empty())
    settings.wrong({errc::invalid_option, "setting topic: the topics that are read are missing"});
  properties to(settings);
  set_connection(to, url, all.times);
  set_security(to, url, settings);
  to.set("group.id", all.group);
  to.set("auto.offset.reset", all.from_begin ? "earliest" : "latest");
  to.set("enable.auto.commit", "false");
  to.set("enable.auto.offset.store", "false");
  const auto batch = settings.number("batch", 512, 1, 100'000);
  for (const auto& [name, value] : settings.with_prefix("rdkafka."))
    to.set(name, value);
  return source_ptr(std::make_unique<kafka_source>(to.take(), batch, std::move(all)));
}

} // namespace edupulse
