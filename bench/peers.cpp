// Which peers this program was built with, and the table of roles.

#include "contender.hpp"

namespace bench {

namespace {

[[maybe_unused]] contender not_built(const std::string& name, const std::string& package) {
  return {name, package + " was not there when this was configured", {}, {}};
}

} // namespace

#ifndef BENCH_ZEROMQ
contender zeromq() { return not_built("zeromq", "libzmq3-dev"); }
contender zeromq_paced() { return zeromq(); }
void add_zeromq_roles(roles&) {}
#endif
#ifndef BENCH_NATS
contender nats() { return not_built("nats", "libnats-dev"); }
void add_nats_roles(roles&) {}
#endif
#ifndef BENCH_REDIS
contender redis() { return not_built("redis", "libhiredis-dev"); }
void add_redis_roles(roles&) {}
#endif
#ifndef BENCH_KAFKA
void add_kafka_roles(roles&) {}
#endif

int play_role(const std::string& name, const std::vector<std::string>& args) {
  roles all;
  add_node_roles(all);
  add_cluster_roles(all);
  add_tcp_roles(all);
  add_zeromq_roles(all);
  add_nats_roles(all);
  add_redis_roles(all);
  add_kafka_roles(all);
  add_mirror_roles(all);
  return all.at(name)(args);
}

} // namespace bench
