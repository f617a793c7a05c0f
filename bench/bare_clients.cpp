#include "bare_clients.hpp"

namespace bench {

std::vector<bare_client> bare_clients() {
  return {
#ifdef BENCH_KAFKA
      bare_kafka(),
#endif
#ifdef BENCH_NATS
      bare_nats(),     bare_jetstream(),
#endif
#ifdef BENCH_RABBITMQ
      bare_rabbitmq(),
#endif
#ifdef BENCH_REDIS
      bare_redis(),
#endif
  };
}

} // namespace bench
