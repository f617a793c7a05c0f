// Certificates that were replaced, have expired, or are on a list by now.

#include "runtime/wire/wire_actor.hpp"

namespace edupulse {

expected<void> wire_state::reload() {
  if (!setup->tls)
    return fail(errc::refused, "this node was started without `cluster.tls`");
  auto done = setup->tls->reload();
  if (!done)
    return done;
  setup->host->say(false, "the certificates were read again");
  std::vector<connection_id> bad;
  for (const auto& [handle, one] : connections)
    if (one.secured && !one.closing)
      if (auto still = setup->tls->still_valid(*one.tls); !still) {
        setup->host->say(true, "closed a connection: " + still.error().text);
        bad.push_back(one.id);
      }
  for (const auto which : bad) {
    board->on_closed(which, "its certificate is not good any more", setup->host->now(), effects);
    close(which);
  }
  settle();
  return done;
}

/// Every few seconds: files that were replaced, certificates that have expired.
void wire_state::check_certificates() {
  if (setup->tls->changed())
    if (auto done = reload(); !done)
      setup->host->say(true, "the certificates were replaced by some that cannot be used, so those "
                             "before stay in use: " +
                                 done.error().text);
}

} // namespace edupulse
