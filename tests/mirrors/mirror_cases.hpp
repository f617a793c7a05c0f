#pragma once
// What every mirror promises, whatever the broker. Each case publishes from a real node to a real
// server, does something to it, and reads at the other end what has come of it.

#include "tests/mirrors/broker.hpp"
#include <functional>
#include <memory>

namespace edupulse::test {

/// Makes a broker that is not started yet.
using make_broker = std::function<std::unique_ptr<broker>()>;

/// What a reader may expect of a broker that was killed.
enum class after_kill { has_everything, may_miss_what_was_confirmed };

void down_at_start(broker& to);
void killed_under_load(broker& to, after_kill what);
void paused_under_load(broker& to);
void refuses_credentials(broker& to);
void connection_reset_again_and_again(broker& to);
void slow_network(broker& to);
void swapped_under_load(broker& from, broker& to);
void mirror_that_ends_while_the_server_is_paused(broker& to);

} // namespace edupulse::test
