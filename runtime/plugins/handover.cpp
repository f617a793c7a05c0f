#include "runtime/plugins/handover.hpp"

#include <exception>

namespace edupulse {

expected<first_objects> make_first_objects(const plugin_code& code) {
  first_objects all;
  for (const auto& one : code.what->handlers())
    try {
      for (std::uint32_t i = 0; one.make != nullptr && i < one.options.concurrency; ++i)
        all[one.name].push_back(one.make(code.settings));
    } catch (...) {
      return fail(errc::refused, "handler '" + std::string(one.name) +
                                     "': its constructor threw: " + text_of_current_exception());
    }
  return all;
}

// -- the host -----------------------------------------------------------------------------------

void handover::begin(std::uint64_t number, std::vector<std::unique_ptr<handler>>&& ready) {
  std::lock_guard guard(mutex_);
  ready_ = std::move(ready);
  begun_.clear();
  trouble_.clear();
  wanted_.store(number, std::memory_order_release);
}

expected<void> handover::wait(std::uint32_t lanes, time_point until) {
  std::unique_lock guard(mutex_);
  const bool told = changed_.wait_until(
      guard, until, [&] { return begun_.size() == lanes || !trouble_.empty(); });
  if (!trouble_.empty())
    return fail(errc::refused, trouble_);
  if (!told)
    return fail(errc::timed_out, std::to_string(lanes - begun_.size()) + " of " +
                                     std::to_string(lanes) +
                                     " handlers did not begin in time: the old one is still in a "
                                     "call, or the new one does not come up");
  return {};
}

std::pair<std::size_t, std::string> handover::end() {
  std::lock_guard guard(mutex_);
  ready_.clear();
  const auto handed_over = std::exchange(snapshots_, {}).size();
  return {handed_over, std::exchange(loss_, {})};
}

// -- the objects' lives -------------------------------------------------------------------------

std::unique_ptr<handler> handover::take_ready(std::uint64_t number) {
  std::lock_guard guard(mutex_);
  if (ready_.empty() || !wants(number))
    return nullptr;
  auto one = std::move(ready_.back());
  ready_.pop_back();
  return one;
}

void handover::leave(std::uint32_t lane, std::string&& snapshot) {
  std::lock_guard guard(mutex_);
  if (snapshot.size() > snapshot_bytes_max_)
    loss_ = "a snapshot of " + std::to_string(snapshot.size()) +
            " bytes is larger than `snapshot_bytes_max`, and was dropped";
  else
    snapshots_.insert_or_assign(lane, std::move(snapshot));
}

void handover::could_not_leave(std::string_view why) {
  std::lock_guard guard(mutex_);
  loss_ = "snapshot() threw: " + std::string(why);
}

std::optional<std::string> handover::snapshot_for(std::uint32_t lane) {
  std::lock_guard guard(mutex_);
  const auto at = snapshots_.find(lane);
  return at == snapshots_.end() ? std::nullopt : std::optional(at->second);
}

void handover::has_begun(std::uint64_t number, std::uint32_t lane) {
  std::lock_guard guard(mutex_);
  if (wants(number))
    begun_[lane] = true;
  changed_.notify_all();
}

void handover::could_not_begin(std::uint64_t number, std::string_view why) {
  std::lock_guard guard(mutex_);
  if (wants(number))
    trouble_ = why;
  changed_.notify_all();
}

// -- a life -------------------------------------------------------------------------------------

std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& what) {
    return what.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

namespace {

/// The plugin's object, and what the runtime knows of it.
class plugin_life final : public handler {
public:
  plugin_life(plugin_code_ptr code, const plugin_handler& which, std::shared_ptr<handover> between)
      : code_(std::move(code)),
        handler_(std::string(code_->what->name()) + "." + std::string(which.name) + "@" +
                 std::string(code_->what->version())),
        which_(which), between_(std::move(between)) {
    try {
      object_ = between_->take_ready(code_->number);
      if (!object_)
        object_ = which_.make(code_->settings);
    } catch (...) {
      between_->could_not_begin(code_->number,
                                "its constructor threw: " + text_of_current_exception());
      throw;
    }
  }

  ~plugin_life() override {
    crash_notes::give_back(slot_);
    if (failed_ || which_.snapshot == nullptr || between_->wants(code_->number))
      return;
    try {
      between_->leave(lane_, which_.snapshot(*object_));
    } catch (...) {
      between_->could_not_leave(text_of_current_exception());
    }
  }

  void begin(std::uint32_t lane) override {
    lane_ = lane;
    try {
      object_->begin(lane);
      if (which_.restore != nullptr)
        if (const auto snapshot = between_->snapshot_for(lane))
          which_.restore(*object_, *snapshot);
    } catch (...) {
      between_->could_not_begin(code_->number, "restore() threw: " + text_of_current_exception());
      throw;
    }
    if (code_->notes)
      slot_ = code_->notes->take(handler_);
    failed_ = false;
    between_->has_begun(code_->number, lane);
  }

  outcome handle(const envelope& event, context& ctx) override {
    if (!code_->notes)
      return call(event, ctx);
    if (const auto* const why = code_->notes->refusal(handler_, event.id()))
      return outcome::reject(*why);
    const crash_notes::call noted(*code_->notes, slot_, event);
    return call(event, ctx);
  }

  void end_of_batch() override {
    failed_ = true;
    object_->end_of_batch();
    failed_ = false;
  }

private:
  outcome call(const envelope& event, context& ctx) {
    failed_ = true; // unless it returns
    auto said = object_->handle(event, ctx);
    failed_ = false;
    return said;
  }

  const plugin_code_ptr code_;
  const std::string handler_; ///< as crashes are counted
  call_slot* slot_ = nullptr;
  const plugin_handler& which_; // the plugin's own, which is never unloaded
  const std::shared_ptr<handover> between_;
  std::unique_ptr<handler> object_;
  std::uint32_t lane_ = 0;
  bool failed_ = true; ///< a state after a throw is no state to hand over
};

class announced_life final : public handler {
public:
  announced_life(std::unique_ptr<handler> object, std::uint64_t number,
                 std::shared_ptr<handover> between)
      : object_(std::move(object)), number_(number), between_(std::move(between)) {}
  void begin(std::uint32_t lane) override {
    object_->begin(lane);
    between_->has_begun(number_, lane);
  }
  outcome handle(const envelope& event, context& ctx) override {
    return object_->handle(event, ctx);
  }
  void end_of_batch() override { object_->end_of_batch(); }

private:
  const std::unique_ptr<handler> object_;
  const std::uint64_t number_;
  const std::shared_ptr<handover> between_;
};

} // namespace

handler_factory announced(handler_factory make, std::uint64_t number,
                          std::shared_ptr<handover> between) {
  return [make = std::move(make), number, between = std::move(between)] {
    return std::make_unique<announced_life>(make(), number, between);
  };
}

handler_recipe plugin_recipe(plugin_code_ptr code, const plugin_handler& which,
                             std::shared_ptr<handover> between) {
  return {[code = std::move(code), &which, between = std::move(between)] {
            return std::make_unique<plugin_life>(code, which, between);
          },
          which.blocks};
}

} // namespace edupulse
