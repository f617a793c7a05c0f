#include "runtime/control/verbs.hpp"

namespace edupulse::control {

namespace {

expected<void> carry_out(bench& on, Request::Reader what, Answer::Builder to) {
  switch (what.which()) {
  case Request::VERSION:
    return tell_version(to.initVersion()), expected<void>();
  case Request::STATUS:
    return tell_status(on.at, to.initStatus()), expected<void>();
  case Request::SUBSCRIPTIONS:
    return tell_subscriptions(on.at, to), expected<void>();
  case Request::PAUSE:
    return pause(on.at, view(what.getPause()), to);
  case Request::RESUME:
    return resume(on.at, view(what.getResume()), to);
  case Request::DEAD_LIST:
    return list_dead(on, what.getDeadList(), to);
  case Request::DEAD_SHOW:
    return show_dead(on, what.getDeadShow(), to);
  case Request::DEAD_RETRY:
    return retry_dead(on, what.getDeadRetry(), to);
  case Request::DEAD_DISCARD:
    return discard_dead(on, what.getDeadDiscard(), to);
  case Request::COUNTERS:
    return tell_counters(on, to), expected<void>();
  case Request::LEDGER:
    return tell_ledger(on.at, to.initLedger()), expected<void>();
  case Request::PLUGIN_LIST:
    return list_plugins(on, to);
  case Request::PLUGIN_LOAD:
    return load_plugin(on, what.getPluginLoad(), to);
  case Request::PLUGIN_SWAP:
    return swap_plugin(on, what.getPluginSwap(), to);
  case Request::PLUGIN_ROLLBACK:
    return roll_back_plugin(on, view(what.getPluginRollback()), to);
  case Request::PLUGIN_CRASHES:
    return list_crashes(on, view(what.getPluginCrashes()), to);
  case Request::SOURCE_LIST:
    return list_sources(on, to), expected<void>();
  case Request::SOURCE_ADD:
    return add_source(on, what.getSourceAdd(), to);
  case Request::SOURCE_REMOVE:
    return remove_source(on, view(what.getSourceRemove()), to);
  case Request::SOURCE_PAUSE:
    return tell_done(on.at.pause_source(view(what.getSourcePause())), to);
  case Request::SOURCE_RESUME:
    return tell_done(on.at.resume_source(view(what.getSourceResume())), to);
  case Request::MIRROR_LIST:
    return list_mirrors(on, to), expected<void>();
  case Request::MIRROR_ADD:
    return add_mirror(on, what.getMirrorAdd(), to);
  case Request::MIRROR_SWAP:
    return swap_mirror(on, what.getMirrorSwap(), to);
  case Request::MIRROR_REMOVE:
    return remove_mirror(on, view(what.getMirrorRemove()), to);
  case Request::PUBLISH:
    return publish(on, what.getPublish(), to);
  }
  return fail(errc::refused, "this node does not know the request: it is of an older version than "
                             "the tool");
}

} // namespace

void answer(bench& on, Request::Reader what, Answer::Builder to) {
  if (const auto done = carry_out(on, what, to); !done)
    put_error(done.error(), to);
}

void put_error(const error& what, Answer::Builder to) {
  auto wrong = to.initError();
  wrong.setCode(std::string(to_string(what.code)));
  wrong.setText(what.text);
}

} // namespace edupulse::control
