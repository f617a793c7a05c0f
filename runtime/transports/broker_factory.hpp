#pragma once
// How an address becomes a transport or a source: two makers for each scheme, each in the files of
// its broker.

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/broker_transport.hpp"
#include "runtime/transports/broker_url.hpp"
#include <edupulse/source.hpp>
#include <memory>
#include <string>
#include <vector>

namespace edupulse {

/// What all brokers have settings for.
struct broker_times {
  duration connect{};
  duration ack{};
};

/// Reads the settings of one broker and completes `how`, which has those that all have in common.
/// Wrong settings are the reader's to report; errors here are about the rest of the address.
using session_maker = expected<std::unique_ptr<broker_session>>(const broker_url& url,
                                                                setting_reader& settings,
                                                                const broker_times& times,
                                                                broker_options& how);

session_maker make_kafka_session, make_nats_session, make_rabbitmq_session, make_redis_session;

/// What all sources have settings for.
struct source_settings {
  std::string where; ///< for people
  source_options options;
  std::vector<std::string> topics;
  std::string group;
  /// A group that is new begins with what there is; else with what comes.
  bool from_begin = true;
  broker_times times;
};

/// As a `session_maker`.
using source_maker = expected<source_ptr>(const broker_url& url, setting_reader& settings,
                                          source_settings how);

source_maker make_kafka_source, make_nats_source, make_rabbitmq_source, make_redis_source;

} // namespace edupulse
