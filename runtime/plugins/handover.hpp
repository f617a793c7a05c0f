#pragma once
// How the handlers of one version of a plugin follow those of another.
//
// A router that exchanges a handler lets it end the call it is in, and starts its successor when it
// is gone. What is done here rides on that: an object that knows that it is followed by another
// version leaves its snapshot when it is destroyed, and the successor of its lane begins with it.
// Nothing waits for anything.
//
// One `handover` for each subscription of a plugin, shared by the lives of its handlers.

#include "runtime/plugins/crash_notes.hpp"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <edupulse/plugin.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

/// A version of a plugin in this process.
struct plugin_code {
  std::uint64_t number = 0; ///< counts what this process has loaded
  const plugin* what = nullptr;
  plugin_settings settings;
  std::string file;
  std::shared_ptr<crash_notes> notes; ///< null: none are taken
};
using plugin_code_ptr = std::shared_ptr<const plugin_code>;

/// Of each handler that is no CAF behavior, by its name: as many as its `concurrency`.
using first_objects = std::map<std::string_view, std::vector<std::unique_ptr<handler>>>;
/// Makes them, before anything depends on it. Errors: `refused`, with what a constructor threw.
expected<first_objects> make_first_objects(const plugin_code& code);

/// Any thread.
class handover {
public:
  explicit handover(std::size_t snapshot_bytes_max) : snapshot_bytes_max_(snapshot_bytes_max) {}

  // -- the host ---------------------------------------------------------------------------------
  /// From now on objects of this version are wanted; `ready` are the first of them.
  void begin(std::uint64_t number, std::vector<std::unique_ptr<handler>>&& ready);
  /// Until an object of the wanted version has begun in each of `lanes`. Errors: `timed_out`;
  /// `refused` with what one of them threw.
  expected<void> wait(std::uint32_t lanes, time_point until);
  /// The snapshots are of no more use; answers for how many lanes there was one, and what went
  /// wrong with the others, if anything.
  std::pair<std::size_t, std::string> end();

  // -- the objects' lives -----------------------------------------------------------------------
  bool wants(std::uint64_t number) const noexcept {
    return wanted_.load(std::memory_order_acquire) == number;
  }
  std::unique_ptr<handler> take_ready(std::uint64_t number);
  void leave(std::uint32_t lane, std::string&& snapshot);
  void could_not_leave(std::string_view why);
  std::optional<std::string> snapshot_for(std::uint32_t lane);
  void has_begun(std::uint64_t number, std::uint32_t lane);
  void could_not_begin(std::uint64_t number, std::string_view why);

private:
  const std::size_t snapshot_bytes_max_;
  std::atomic<std::uint64_t> wanted_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<handler>> ready_;
  std::map<std::uint32_t, std::string> snapshots_; ///< by lane; empty but during a swap
  std::map<std::uint32_t, bool> begun_;
  std::string trouble_; ///< with a beginning
  std::string loss_;    ///< with a snapshot
};

/// What was thrown, for people. Call inside a catch block.
std::string text_of_current_exception();

/// The recipe of one handler of `code` (not of one that is a CAF behavior).
handler_recipe plugin_recipe(plugin_code_ptr code, const plugin_handler& which,
                             std::shared_ptr<handover> between);

/// Handlers of another making (CAF behaviors): they hand nothing over, but say when they begin.
handler_factory announced(handler_factory make, std::uint64_t number,
                          std::shared_ptr<handover> between);

} // namespace edupulse
