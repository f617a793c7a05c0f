#pragma once
// What every source promises, whatever the broker: one node's mirror writes to a real server, and a
// source of another node reads there.

#include "tests/mirrors/broker.hpp"

namespace edupulse::test {

void source_gets_what_a_mirror_wrote(broker& at);
void source_goes_on_after_a_kill(broker& at);
void source_goes_on_after_resets(broker& at);
void source_is_refused(broker& at);
void source_buries_what_it_cannot_read(broker& at);
/// What was not concluded comes again, to the next source of the group.
void source_that_ends_leaves_its_messages(broker& at);
void sources_of_a_group_share(broker& at);
struct waiting_case {
  std::string settings{};
  std::chrono::milliseconds wait{1000};
};
void source_waits_for_the_bus(broker& at, const waiting_case& how = {});
void source_reads_every_form(broker& at);
void source_leaves_out_echoes(broker& at);

} // namespace edupulse::test
