#include "tests/mirrors/mirror_cases.hpp"

#include "tests/mirrors/mirrored.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/tcp_proxy.hpp"
#include <map>
#include <set>

namespace edupulse::test {

void check_order(const std::vector<seen_event>& seen) {
  std::map<std::string, int> next;
  std::set<std::string> ids;
  std::size_t out_of_order = 0;
  for (const auto& one : seen) {
    if (!ids.insert(one.id).second)
      continue; // the same event once more
    out_of_order += one.number < next[one.key] ? 1 : 0;
    next[one.key] = one.number + 1;
  }
  CHECK(out_of_order == 0);
}

namespace {

/// The first few that are not there: "k7:41".
std::string missing(const std::vector<seen_event>& seen, int published) {
  std::set<std::string> there;
  for (const auto& one : seen)
    there.insert(one.key + ':' + std::to_string(one.number));
  std::string all;
  for (int i = 0; i < published && all.size() < 400; ++i)
    if (const auto name = numbered(i); !there.contains(name.key + ':' + name.number))
      all += name.key + ':' + name.number + ' ';
  return all;
}

} // namespace

void check_is_complete(const std::vector<seen_event>& seen, int published) {
  std::set<std::string> ids;
  for (const auto& one : seen)
    ids.insert(one.id);
  CHECK(missing(seen, published) == "");
  CHECK(ids.size() == static_cast<std::size_t>(published));
}

void check_has_all(const std::vector<seen_event>& seen, int published) {
  check_is_complete(seen, published);
  check_order(seen);
}

void check_all_arrive(const mirrored& here, broker& to) {
  here.drain();
  check_has_all(to.read(), here.published());
  CHECK(here.given_up() == 0);
}

void down_at_start(broker& to) {
  mirrored here(to.url(), to.pace());
  here.publish(500);
  eventually([&] { return here.status().state == "unavailable"; });
  to.start();
  check_all_arrive(here, to);
}

void killed_under_load(broker& to, after_kill what) {
  to.start();
  mirrored here(to.url(), to.pace());
  here.publish_for(500ms);
  to.kill();
  here.publish_for(1s);
  eventually([&] { return here.status().state == "unavailable"; });
  to.start();
  here.publish_for(500ms);
  here.drain();
  CHECK(here.given_up() == 0);
  const auto seen = to.read();
  if (what == after_kill::has_everything)
    check_has_all(seen, here.published());
  else
    check_order(seen);
}

void paused_under_load(broker& to) {
  to.start();
  mirrored here(to.url("&ack_timeout=500ms&connect_timeout=500ms"), to.pace());
  here.publish_for(300ms);
  to.pause();
  if (std::getenv("EDUPULSE_SOAK") != nullptr)
    here.publish_for(60s, 1);
  else
    here.publish_for(2s);
  eventually([&] { return here.status().state == "unavailable"; });
  to.resume();
  here.publish_for(300ms);
  check_all_arrive(here, to);
}

void refuses_credentials(broker& to) {
  to.start();
  auto stranger = open_transport(to.url_of_stranger()).value();
  mirrored here(to.url(), to.pace());
  here.drain();
  REQUIRE(here->swap_mirror("copy", stranger));
  here.publish(200);
  eventually([&] { return here.status().state == "unavailable"; });
  const auto health = stranger->health();
  CHECK(health.is != transport_health::state::up);
  eventually([&] { return stranger->health().is == transport_health::state::down; });
  CHECK_THAT(stranger->health().why, Catch::Matchers::Contains(to.refusal()));
  REQUIRE(here->swap_mirror("copy", open_transport(to.url()).value()));
  check_all_arrive(here, to);
}

void connection_reset_again_and_again(broker& to) {
  to.start();
  tcp_proxy network(to.port());
  mirrored here(to.url_of(network.port(), {}), to.pace());
  for (int i = 0; i < 10; ++i) {
    here.publish_for(100ms);
    network.reset_all();
  }
  here.drain();
  CHECK(network.connections() >= 5);
  check_has_all(to.read(), here.published());
  CHECK(here.given_up() == 0);
}

void slow_network(broker& to) {
  to.start();
  tcp_proxy network(to.port());
  mirrored here(to.url_of(network.port(), {}), to.pace());
  network.slow_down(500); // 1,000 events in a second
  here.publish_for(500ms);
  eventually([&] {
    here.publish(20);
    return here.status().pending > 1000;
  });
  network.slow_down(1u << 20);
  check_all_arrive(here, to);
}

void swapped_under_load(broker& from, broker& to) {
  from.start();
  to.start();
  mirrored here(from.url(), from.pace());
  here.publish_for(300ms);
  eventually([&] { return here.status().pending < static_cast<unsigned>(here.published()); });
  REQUIRE(here->swap_mirror("copy", open_transport(to.url()).value()));
  here.publish_for(300ms);
  here.drain();
  auto seen = from.read();
  CHECK_FALSE(seen.empty());
  const auto rest = to.read();
  CHECK_FALSE(rest.empty());
  seen.insert(seen.end(), rest.begin(), rest.end());
  check_has_all(seen, here.published());
  CHECK(here.given_up() == 0);
}

void mirror_that_ends_while_the_server_is_paused(broker& to) {
  to.start();
  {
    mirrored here(to.url("&ack_timeout=500ms&connect_timeout=500ms"), to.pace());
    here.publish(100);
    here.drain();
    to.pause();
    here.publish(100);
    REQUIRE(here->detach_mirror("copy"));
  }
  to.resume();
  CHECK(to.read().size() >= 100);
}

} // namespace edupulse::test
