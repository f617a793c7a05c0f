#pragma once
// What a node of a run saw, in a file that its parent reads while it runs, and that survives its
// death: records lie in a shared mapping, and putting one costs no system call.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace edupulse::simulator {

enum class record_kind : std::uint32_t {
  nothing = 0, ///< begun, and not finished: its writer died over it, or writes yet
  intended,    ///< `publish` is about to be called
  published,   ///< it returned, with this id
  refused,     ///< it said no
  handled,
  failed, ///< a call that threw or rejected
};

/// 88 bytes. Times are of the clock that all processes of a machine share.
struct record {
  record_kind kind = record_kind::nothing;
  std::uint32_t handler = 0; ///< place in the plan: who handled it, or published it
  std::uint64_t number = 0;  ///< of the event, among those of one source, from 1
  std::uint64_t id_high = 0;
  std::uint64_t id_low = 0;
  std::uint64_t key = 0;     ///< hash
  std::uint64_t payload = 0; ///< hash
  std::int64_t at_ns = 0;
  std::uint64_t gap = 0;
  std::uint32_t attempt = 0;
  std::uint32_t start = 0; ///< of the process that noted it
  /// Of what was published: the handler object that did, among those of this start; 0: none, it is
  /// of the workload. What one source publishes leaves in the order of its numbers.
  std::uint64_t source = 0;
  std::uint64_t wanted = ~std::uint64_t{0}; ///< of what was published: by handlers of the plan
};
static_assert(sizeof(record) == 88);

/// One writer process with several threads.
class journal_writer {
public:
  /// A file of holes: only what is used costs memory and disk.
  journal_writer(const std::filesystem::path& file, std::size_t records);
  ~journal_writer();
  journal_writer(const journal_writer&) = delete;
  journal_writer& operator=(const journal_writer&) = delete;

  bool is_open() const noexcept { return base_ != nullptr; }
  /// False: it is full, and what happens now is not known to the verdict.
  bool put(record_kind what, record entry) noexcept;

private:
  std::size_t records_;
  std::byte* base_ = nullptr;
};

/// Of a process that may run, or have ended.
class journal_reader {
public:
  journal_reader() = default;
  /// Of a file that is not there, or has not got its size yet: not open.
  explicit journal_reader(const std::filesystem::path& file);
  ~journal_reader();
  journal_reader(journal_reader&& other) noexcept;
  journal_reader& operator=(journal_reader&& other) noexcept;

  bool is_open() const noexcept { return base_ != nullptr; }
  /// The writer is gone. A thread that died over its record has left `nothing` in its place, and
  /// what others noted after it counts.
  void writer_ended() noexcept { ended_ = true; }
  /// All records up to the first that is being written.
  std::span<const record> all() noexcept;
  /// Those that came since the last call.
  std::span<const record> fresh() noexcept;

private:
  std::size_t records_ = 0;
  const std::byte* base_ = nullptr;
  std::size_t whole_ = 0;
  std::size_t told_ = 0;
  bool ended_ = false;
};

} // namespace edupulse::simulator
