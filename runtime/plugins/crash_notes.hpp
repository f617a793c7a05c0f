#pragma once
// Which event a handler was working on when the process died, for the next process to know.
//
// Each handler of a plugin has a slot in a file that is mapped into memory, and writes the event's
// id there before each call; nothing is synced, since it is the process that dies and not the
// machine. A call that ends takes the note back. What the next start finds is what was in a call.
//
// Who died of it is told by `watch_for_crashes`: its signal handler marks the slot of the thread
// that crashed. Without it, or after SIGKILL, all that were in a call are suspects, and it takes
// more deaths until one of them is refused.
//
//   file            bound                              when full
//   calls           1,024 handlers of plugins at once  further ones are not noted, which is logged
//   crashes.sqlite  10,000 lines, a week               the oldest leave

#include "runtime/descriptor.hpp"
#include "schemas/envelope.hpp"
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace edupulse {

/// One handler's line in the file `calls`. Written by its own thread only.
struct call_slot {
  enum : std::uint32_t { free, idle, in_call, crashed };
  std::atomic<std::uint32_t> state;
  std::atomic<std::int32_t> how; ///< the signal; 0: exit()
  std::array<unsigned char, 16> event;
  std::array<unsigned char, 16> publisher;
  std::array<char, 216> handler; ///< SUBSCRIPTION@VERSION, whole, ended by a zero
};
static_assert(sizeof(call_slot) == 256 && std::atomic<std::uint32_t>::is_always_lock_free);

/// A call that did not return.
struct fatal_call {
  event_id event;
  node_id publisher;
  std::string handler; ///< SUBSCRIPTION@VERSION
  bool proven = false; ///< its own thread crashed
  std::string how;     ///< for people: "Segmentation fault", and where
};

class crash_notes {
public:
  struct limits {
    std::uint32_t proven = 2;    ///< deaths by its own call until an event is refused
    std::uint32_t suspected = 5; ///< deaths during its call that nobody saw
  };
  /// Reads what the last process left in `data_dir`, counts it, and begins anew. Errors: `io`.
  static expected<std::unique_ptr<crash_notes>> open(const std::filesystem::path& data_dir,
                                                     limits most);
  /// No call is running any more.
  ~crash_notes();

  /// What the last process was doing when it died; empty when it ended well.
  const std::vector<fatal_call>& found() const noexcept { return found_; }

  /// For one handler object, until `give_back`; null when there is none left.
  call_slot* take(const std::string& handler);
  static void give_back(call_slot* slot) noexcept;

  /// Why this handler must not be given this event again; null when it may. Any thread.
  const std::string* refusal(const std::string& handler, const event_id& event) const;

  /// For the time of one call, on the thread that makes it.
  class call {
  public:
    call(const crash_notes& in, call_slot* slot, const envelope& event) noexcept;
    ~call();
    call(const call&) = delete;
    call& operator=(const call&) = delete;

  private:
    call_slot* slot_;
  };

private:
  friend struct crash_history;
  crash_notes(call_slot* slots, int backtrace) : slots_(slots), backtrace_(backtrace) {}

  call_slot* const slots_;
  const descriptor backtrace_; ///< written by the signal handler
  std::mutex mutex_;           ///< for `take`
  std::vector<fatal_call> found_;
  std::map<std::pair<std::string, event_id>, std::string> refused_; ///< not changed after `open`
};

} // namespace edupulse
