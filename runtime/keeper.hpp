#pragma once
// Keeps dead letters: in memory without a data directory, else in SQLite on a thread of its own, so
// that the router never waits for a disk.
//
//   queue    bound            when full
//   unsaved  10,000 letters   the oldest leaves, is logged and counted `dropped: discarded`
//
// When writing fails (disk full, read-only, locked) letters stay in `unsaved`, and writing is tried
// again every second.

#include "actors/dead_letters.hpp"
#include "actors/effect.hpp"
#include <condition_variable>
#include <deque>
#include <edupulse/options.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace edupulse {

/// Any thread, except where noted.
class keeper {
public:
  struct settings {
    std::filesystem::path data_dir; ///< empty: memory
    std::size_t letters_max;
  };
  struct callbacks {
    std::function<void(log_level, std::string_view)> log;
    /// A letter left to make room for newer ones. May be called on any thread.
    std::function<void(dead_letter&&)> pushed_out;
  };
  /// Errors: `io`, saying which file and why.
  static expected<std::unique_ptr<keeper>> open(const settings& how, callbacks calls);
  ~keeper();

  /// Never waits for a disk.
  void bury(dead_letter&& letter);
  void settle_redrive(std::uint64_t letter, fate how);

  expected<std::vector<dead_letter>> list(const dead_letter_filter& which);
  expected<dead_letter> take_for_redrive(std::uint64_t letter);
  /// The redrive did not begin.
  void put_back(std::uint64_t letter);
  expected<dead_letter> discard(std::uint64_t letter);

private:
  keeper(std::unique_ptr<dead_letter_store> store, bool threaded, callbacks calls);
  void run();
  void save_some(std::unique_lock<std::mutex>& guard);
  void save_now(std::vector<dead_letter>& letters);
  expected<void> flush();
  template <class F> auto in_store(F f);

  const callbacks calls_;
  std::mutex store_mutex_;
  std::unique_ptr<dead_letter_store> store_;

  std::mutex mutex_; ///< guards what follows; never held with a call into the store
  std::condition_variable changed_;
  std::deque<dead_letter> unsaved_;
  std::deque<std::pair<std::uint64_t, bool>> settled_; ///< letter, handled
  bool saving_ = false;
  bool ended_ = false;
  std::string trouble_; ///< why the last write failed; empty when it did not
  std::thread thread_;
};

} // namespace edupulse
