#pragma once
// How an address becomes a transport: one maker for each scheme, each in the file of its broker.

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/broker_transport.hpp"
#include "runtime/transports/broker_url.hpp"
#include <memory>

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

} // namespace edupulse
