// A mirror that goes from one kind of broker to another.

#include "tests/mirrors/mirror_cases.hpp"
#include "tests/mirrors/nats_broker.hpp"
#include "tests/mirrors/rabbitmq_broker.hpp"

using namespace edupulse::test;

TEST_CASE("G113: a mirror is swapped from JetStream to RabbitMQ under load, and nothing is lost") {
  nats_broker from(nats_broker::kind::jetstream);
  rabbitmq_broker to;
  swapped_under_load(from, to);
}
