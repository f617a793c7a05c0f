#pragma once
// What a subscription gave up on, with why, kept until somebody tries it again or throws it away.
//
//     add --> waiting --take_for_redrive--> redriving --settle_redrive(handled)--> gone
//               ^  |                          |
//               |  +--discard, pushed out     +--settle_redrive(not handled), add of the same id,
//               |     --> gone                |  or a crash of the process
//               +-----------------------------+
//
// A letter that is being redriven stays in the store until that is settled, so that a crash loses
// nothing; until then it is neither discarded nor pushed out by newer ones.

#include "schemas/envelope.hpp"
#include "schemas/error.hpp"
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

/// One try that failed.
struct dead_letter_attempt {
  std::int64_t wall_ms = 0; ///< Unix time in milliseconds, when it ended
  std::string what;         ///< retry, reject, crash, ...
  std::string error_type;   ///< the C++ type of what was thrown
  std::string text;

  friend bool operator==(const dead_letter_attempt&, const dead_letter_attempt&) = default;
};

struct dead_letter {
  std::uint64_t id = 0; ///< given by the store, never again; 0: not in a store yet
  envelope_ptr event;
  std::string subscription;
  std::string node;
  std::string reason;
  std::vector<dead_letter_attempt> attempts; ///< the first and the last nine
  std::uint32_t redrives = 0;
  std::int64_t died_ms = 0; ///< Unix time in milliseconds
  bool redriving = false;
};

/// What it costs to keep, in bytes.
std::size_t footprint(const dead_letter& letter);

/// Cuts what a handler wrote to size: reason and texts to 4,096 bytes, types to 256, attempts to
/// ten (the first and the last nine). Stores do this in `add`.
void trim(dead_letter& letter);

struct dead_letter_filter {
  std::string subscription{}; ///< empty: all
  std::size_t limit = 100;    ///< at most 10,000 are answered at once
  std::uint64_t after = 0;    ///< letters with a greater id: pass the last one's id to go on
};

/// One thread at a time. Nothing here throws; what the world refuses is an error `io`, and the call
/// has then changed nothing.
class dead_letter_store {
public:
  /// Full: the oldest letters that are not being redriven leave.
  struct limits {
    std::size_t letters = 10'000;
    std::size_t bytes = 64u << 20;
  };

  virtual ~dead_letter_store() = default;

  /// All or none; gives each its id. A letter that has an id was redriven and gave up again: it
  /// takes its old place. Answers who left to make room: their ledger moves from dead to dropped.
  virtual expected<std::vector<dead_letter>> add(std::vector<dead_letter>& letters) = 0;
  /// By rising id. A letter whose event cannot be read any more is skipped: `show` says why.
  virtual expected<std::vector<dead_letter>> list(const dead_letter_filter& which) const = 0;
  /// Errors: `not_found`; `malformed` when its event cannot be read any more: discard it.
  virtual expected<dead_letter> show(std::uint64_t id) const = 0;
  /// Errors: `not_found`; `refused` when it is being redriven already; `malformed` as for `show`.
  virtual expected<dead_letter> take_for_redrive(std::uint64_t id) = 0;
  /// `handled`: the letter leaves. Otherwise it waits as before. An id that is not being redriven
  /// is ignored.
  virtual expected<void> settle_redrive(std::uint64_t id, bool handled) = 0;
  /// Answers what was thrown away. Errors: `not_found`; `refused` while it is being redriven;
  /// `malformed` when it is gone, but its event could not be read.
  virtual expected<dead_letter> discard(std::uint64_t id) = 0;

  virtual std::size_t count() const noexcept = 0;
  virtual std::size_t bytes() const noexcept = 0;
};

/// Keeps letters in memory, bounded. Nothing survives the process.
class memory_dead_letters final : public dead_letter_store {
public:
  memory_dead_letters() = default;
  explicit memory_dead_letters(limits bounds) : bounds_(bounds) {}

  expected<std::vector<dead_letter>> add(std::vector<dead_letter>& letters) override;
  expected<std::vector<dead_letter>> list(const dead_letter_filter& which) const override;
  expected<dead_letter> show(std::uint64_t id) const override;
  expected<dead_letter> take_for_redrive(std::uint64_t id) override;
  expected<void> settle_redrive(std::uint64_t id, bool handled) override;
  expected<dead_letter> discard(std::uint64_t id) override;
  std::size_t count() const noexcept override { return letters_.size(); }
  std::size_t bytes() const noexcept override { return bytes_; }

private:
  using letter_map = std::map<std::uint64_t, dead_letter>;
  dead_letter take_out(letter_map::iterator at);
  void make_room(std::vector<dead_letter>& pushed_out);

  limits bounds_;
  letter_map letters_;
  std::size_t bytes_ = 0;
  std::uint64_t last_id_ = 0;
};

/// The errors of every store, so that they read the same.
namespace dead_letter_errors {
error not_found(std::uint64_t id);
error being_redriven(std::uint64_t id);
} // namespace dead_letter_errors

inline constexpr std::size_t max_listed_dead_letters = 10'000;

} // namespace edupulse
